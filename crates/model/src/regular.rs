//! Opens files that end.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Opens a file to read it.
///
/// # Errors
/// When it cannot be opened, or is a pipe or a device: to open a pipe waits for whoever writes into it, and what comes out
/// of one need not end.
pub fn open(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    File::open(path)
}

/// The text of a file.
///
/// # Errors
/// As [`open`], or when it cannot be read or is not UTF-8.
pub fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}
