//! The one writer to standard output and standard error: whether a text has colours, how wide it is, where lines break, and
//! that nobody who does not read it any more ends the program.

use std::io::{self, Write as _};

use crate::text::{WIDTH, inert};

/// Prints a line to standard output, whose reader may have gone.
pub fn tell(text: &str) {
    // There is nobody to tell of it.
    let _ = writeln!(io::stdout(), "{}", inert(text));
}

/// Prints a line to standard error, whose reader may have gone.
pub fn complain(text: &str) {
    // There is nobody to tell of it.
    let _ = writeln!(io::stderr(), "{}", inert(text));
}

/// Prints a text that has been rendered, in colours where `--color`, the environment and the terminal agree to them. A
/// reader that has seen enough, such as `head`, and a terminal that was closed are no errors.
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

/// Whether nobody reads any more: a pipe without a reader, a terminal that was closed (EIO, see tty_ioctl(4)).
fn is_gone(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(EIO)
}

/// The terminal's width, as far as text is still easy to read.
pub fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(WIDTH, |(width, _)| usize::from(width.0)).clamp(60, 120)
}
