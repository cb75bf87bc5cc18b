//! The one writer to standard output and standard error: whether a text has colours, how wide it is, where lines break, and
//! that nobody who does not read it any more ends the program.

use std::io::{self, Write as _};

use crate::text::inert;

/// The width of a text that no terminal shows.
pub(crate) const WIDTH: usize = 100;

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
pub(crate) fn print(text: &str, color: clap::ColorChoice) -> io::Result<()> {
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

/// A word as a shell takes it for one.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_.:@%+,=-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whether nobody reads any more: a pipe without a reader, a terminal that was closed (EIO, see tty_ioctl(4)).
fn is_gone(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(EIO)
}

/// The terminal's width, as far as text is still easy to read.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(WIDTH, |(width, _)| usize::from(width.0)).clamp(60, 120)
}

/// Lines of at most this many characters, broken at spaces only: an id or an address stays whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut words = text.split(' ');
    let mut line = words.next().unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    for word in words {
        if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole() {
        assert_eq!(
            wrap("one two ordering::starts_in_ordinal_order x", 8),
            ["one two", "ordering::starts_in_ordinal_order", "x"]
        );
        assert_eq!(wrap("", 8), [""]);
    }
}
