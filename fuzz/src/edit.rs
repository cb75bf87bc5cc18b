//! Edits of a stored run, decoded from the bytes of a fuzz target.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::stored::Stored;
use crate::values::New;

/// More edits than this give no history that fewer could not give.
const MOST_EDITS: usize = 24;

/// A stored run and its edits.
#[derive(Debug)]
pub struct Story {
    /// Selects the stored run.
    pub run: u8,
    /// The edits, in order.
    pub edits: Vec<Edit>,
}

impl Story {
    /// The stored run of this story.
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

/// Selects a record. Every kind of record is equally likely, however many records it has.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Pick {
    /// The kind.
    pub kind: u8,
    /// Selects a record of that kind.
    pub nth: u8,
}

/// Selects a field of a record. With a type, the field is found sooner than among all fields.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Field {
    /// The type: a number, a text, anything else, or any.
    pub class: u8,
    /// Selects a field of that type.
    pub nth: u16,
}

/// A change to a log.
#[derive(Debug, Clone, Arbitrary)]
pub enum Edit {
    /// Leaves out consecutive records.
    Drop {
        /// The first of these records.
        from: Pick,
        /// How many more records.
        more: u8,
    },
    /// Leaves out all records of a kind.
    DropKind(u8),
    /// Ends the log before this record.
    Cut(Pick),
    /// Repeats consecutive records directly after themselves.
    Repeat {
        /// The first of these records.
        from: Pick,
        /// How many more records.
        more: u8,
        /// How often they are repeated.
        times: u8,
    },
    /// Exchanges two records.
    Swap(Pick, Pick),
    /// Delays this record and all later ones by a power of ten, in microseconds.
    Later {
        /// The first delayed record.
        from: Pick,
        /// The exponent.
        power: u8,
    },
    /// Replaces the value of a field.
    Set {
        /// The record.
        of: Pick,
        /// The field.
        field: Field,
        /// The new value.
        new: New,
    },
    /// Replaces the value of a field in a record and in all later records of its kind.
    SetFrom {
        /// The first record.
        of: Pick,
        /// The field.
        field: Field,
        /// The new value.
        new: New,
    },
    /// Replaces random numbers and texts in many records of a kind.
    Scatter {
        /// The first record.
        from: Pick,
        /// The average distance between changed fields.
        apart: u8,
        /// The seed of the random numbers.
        seed: u16,
    },
    /// Removes a field.
    Remove {
        /// The record.
        of: Pick,
        /// The field.
        field: Field,
    },
}
