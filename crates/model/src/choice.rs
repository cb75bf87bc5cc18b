//! Settings with a few named values.

/// A setting with a few named values, as the command line offers it.
pub trait Choice: Copy + PartialEq + 'static {
    /// All values, the default first, each with its name and its meaning.
    const ALL: &'static [(Self, &'static str, &'static str)];

    /// The name of this value.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(choice, ..)| *choice == self).map_or("", |(_, name, _)| name)
    }

    /// The value of this name.
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
