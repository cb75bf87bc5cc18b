//! What the fuzz targets share: stored runs, edits of them, and judging the result.
//!
//! The target `reader` reads any bytes. Hardly any bytes are a log, so the target `judges` decodes its bytes as a list
//! of [edits](Edit) of a stored run. It then renumbers the records and repairs the log so that the reader accepts it.
//! Neither target looks at verdicts. They find panics, overflows and hangs.

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
