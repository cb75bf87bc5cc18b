//! Settings that have a few values, each with a name.

/// A setting that has a few values, each with a name: what the command line offers.
pub trait Choice: Copy + PartialEq + 'static {
    /// All of them, the usual one first, with its name and what it means.
    const ALL: &'static [(Self, &'static str, &'static str)];

    /// The name of this one.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(choice, ..)| *choice == self).map_or("", |(_, name, _)| name)
    }

    /// The one of this name.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(choice, ..)| *choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expect, Replication};

    fn assert_names<T: Choice + std::fmt::Debug>() {
        for (choice, name, _) in T::ALL {
            assert_eq!((choice.name(), T::named(name)), (*name, Some(*choice)));
        }
        assert_eq!(T::named("no such name"), None);
    }

    #[test]
    fn each_choice_is_found_by_its_name() {
        assert_names::<Expect>();
        assert_names::<Replication>();
    }
}
