//! Prints to the standard streams. A closed stream is not an error.

use std::io::{self, Write as _};

/// Prints a line to standard output.
pub(crate) fn tell(text: &str) {
    // There is no other place to report the failure.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints a line to standard error.
pub(crate) fn complain(text: &str) {
    // There is no other place to report the failure.
    let _ = writeln!(io::stderr(), "{text}");
}
