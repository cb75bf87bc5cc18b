//! Edits of a stored run, as the bytes of a fuzz target spell them.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::stored::Stored;
use crate::values::New;

/// More edits than that make no history that fewer could not.
const MOST_EDITS: usize = 24;

/// A stored run, and what is done to it.
#[derive(Debug)]
pub struct Story {
    /// Which stored run it is.
    pub run: u8,
    /// What is done to it, one after the other.
    pub edits: Vec<Edit>,
}

impl Story {
    /// The run that the story is about.
    pub fn stored(&self) -> &'static Stored {
        let all = Stored::all();
        &all[usize::from(self.run) % all.len()]
    }
}

impl<'a> Arbitrary<'a> for Story {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let run = bytes.arbitrary()?;
        let mut edits = Vec::new();
        while !bytes.is_empty() && edits.len() < MOST_EDITS {
            edits.push(bytes.arbitrary()?);
        }
        Ok(Self { run, edits })
    }
}

/// A record: of the kinds that there are any one is as likely as any other, however many records it has.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Pick {
    /// The kind.
    pub kind: u8,
    /// Which record of that kind.
    pub nth: u8,
}

/// A field of a record: of one type it is found sooner than among all.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Field {
    /// Of which type it is: a number, a text, anything else, or any.
    pub class: u8,
    /// Which field of that type.
    pub nth: u16,
}

/// A change of a log.
#[derive(Debug, Clone, Arbitrary)]
pub enum Edit {
    /// These records are left out.
    Drop {
        /// The first of them.
        from: Pick,
        /// How many more there are.
        more: u8,
    },
    /// All records of a kind are left out.
    DropKind(u8),
    /// The log ends before this record.
    Cut(Pick),
    /// These records are there again and again, behind themselves.
    Repeat {
        /// The first of them.
        from: Pick,
        /// How many more there are.
        more: u8,
        /// How often they are repeated.
        times: u8,
    },
    /// Two records are in each other's place.
    Swap(Pick, Pick),
    /// From this record on, everything is later by a power of ten of microseconds.
    Later {
        /// The first that is.
        from: Pick,
        /// The exponent.
        power: u8,
    },
    /// A field holds something else.
    Set {
        /// The record.
        of: Pick,
        /// The field.
        field: Field,
        /// What it holds.
        new: New,
    },
    /// A field holds something else in each record of a kind from one on.
    SetFrom {
        /// The first record.
        of: Pick,
        /// The field.
        field: Field,
        /// What it holds.
        new: New,
    },
    /// Numbers and texts of many records of a kind are others, at random.
    Scatter {
        /// The first record.
        from: Pick,
        /// How far they are apart.
        apart: u8,
        /// What the random numbers come of.
        seed: u16,
    },
    /// A field is not there.
    Remove {
        /// The record.
        of: Pick,
        /// The field.
        field: Field,
    },
}
