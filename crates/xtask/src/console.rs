//! What the program prints. The reader may have gone, which is no error.

use std::io::{self, Write as _};

/// Prints a line to standard output.
pub(crate) fn tell(text: &str) {
    // There is nobody to tell of it.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints a line to standard error.
pub(crate) fn complain(text: &str) {
    // There is nobody to tell of it.
    let _ = writeln!(io::stderr(), "{text}");
}
