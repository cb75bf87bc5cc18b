//! What every text on standard output has in common: whether it has colours, how wide it is, and where lines break.

use std::io;

/// The width of a text that no terminal shows.
pub(crate) const WIDTH: usize = 100;

/// Standard output, in colours where `--color`, the environment and the terminal agree to them.
pub(crate) fn stdout(color: clap::ColorChoice) -> anstream::AutoStream<io::StdoutLock<'static>> {
    let choice = match color {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    };
    anstream::AutoStream::new(io::stdout().lock(), choice)
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
