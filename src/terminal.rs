//! The only writer to standard output and standard error. It decides about colours, width and line breaks, and a closed
//! pipe does not end the program.

use std::io::{self, Write as _};

use crate::text::{WIDTH, inert};

/// Prints a line to standard output. A closed pipe is no error.
pub fn tell(text: &str) {
    // Nobody reads the error either.
    let _ = writeln!(io::stdout(), "{}", inert(text));
}

/// Prints a line to standard error. A closed pipe is no error.
pub fn complain(text: &str) {
    // Nobody reads the error either.
    let _ = writeln!(io::stderr(), "{}", inert(text));
}

/// Prints rendered text, with colours if `--color`, the environment and the terminal allow them. A reader that stopped
/// early, such as `head`, or a closed terminal is no error.
///
/// # Errors
/// When standard output is a file that cannot be written.
pub fn print(text: &str, color: clap::ColorChoice) -> io::Result<()> {
    let choice = match color {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    };
    let mut out = anstream::AutoStream::new(io::stdout().lock(), choice);
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if is_gone(&error) => Ok(()),
        written => written,
    }
}

/// Whether the reader is gone: a pipe without a reader, or a closed terminal (EIO, see tty_ioctl(4)).
fn is_gone(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(EIO)
}

/// The terminal's width in columns, limited to what is easy to read.
pub fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(WIDTH, |(width, _)| usize::from(width.0)).clamp(60, 120)
}
