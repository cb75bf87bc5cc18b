//! What the fuzz targets share: stored runs, edits of them, and the judging of what comes of that.
//!
//! The target `reader` has any bytes read. Of these hardly any are a log, so the target `judges` takes its bytes for a list
//! of [edits](Edit) of a stored run, which it numbers anew and sees to that the reader takes it. Neither looks at verdicts:
//! a panic, an overflow and a hang are what they find.

#![forbid(unsafe_code)]

mod edit;
mod log;
mod outcome;
mod random;
mod seen;
mod stored;
mod thin;
mod values;

#[cfg(test)]
mod tests;

pub use edit::{Edit, Field, Pick, Story};
pub use log::Log;
pub use outcome::report;
pub use stored::Stored;
pub use values::New;
