//! Makes text of others, such as names, server messages and log lines, harmless for its readers: terminals, browsers
//! and CI services.

/// The text on one line, without line breaks and other invisible characters.
pub fn in_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || is_hidden(c)).filter(|word| !word.is_empty());
    without_commands(&words.collect::<Vec<_>>().join(" "))
}

/// The text with its lines, and a replacement character for each invisible character.
pub fn inert(text: &str) -> String {
    without_commands(&visible(text))
}

/// The same for those who take no commands, such as browsers.
pub fn visible(text: &str) -> String {
    let seen = |c: char| if is_hidden(c) && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(seen).collect()
}

/// Whether a character acts instead of being shown: it controls a terminal, or changes the writing direction and so
/// shows a text in another order (<https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>).
pub fn is_hidden(c: char) -> bool {
    let formats = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{feff}');
    c.is_control()
        || formats
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with its workflow commands disarmed. The runner of GitHub Actions takes `::` at the beginning of a line and
/// `##[…]` anywhere for a command
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>).
pub fn without_commands(text: &str) -> String {
    let line = |line: &str| match line.trim_start().strip_prefix("::") {
        Some(rest) => format!("{}: :{rest}", &line[..line.len() - line.trim_start().len()]),
        None => line.to_owned(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n").replace("##[", "## [")
}

/// The width of a text that is not for a terminal, in characters.
pub const WIDTH: usize = 100;

/// Quotes a word for a shell, if it needs quoting.
///
/// ```
/// use steadfast_model::text::quoted;
///
/// assert_eq!([quoted("db.yaml"), quoted("my db.yaml")], ["db.yaml", "'my db.yaml'"]);
/// ```
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_.:@%+,=-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Wraps a text at spaces to lines of at most this many characters. A longer word, such as an id, stays whole.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
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

/// Hostile texts, which every writer is tested with.
#[cfg(any(test, feature = "fixtures"))]
pub const HOSTILE: &[&str] = &[
    "\u{1b}[2J",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;http://127.0.0.1/\u{1b}\\link",
    "\u{9b}31m",
    "a\rb",
    "a\nb",
    "\u{8}\u{8}",
    "\u{0}",
    "\u{202e}gnp.exe",
    "\u{2066}a\u{2069}",
    "\u{200b}",
    "\u{2028}::error::made up",
    "::error::made up",
    "\n  ::error::made up",
    "##[error]made up",
    "a ##[add-mask]b",
    "<script>alert(1)</script>",
    "\" onclick=\"x",
    "]]>",
    "| a | b |",
    "[a](http://127.0.0.1/)",
    "`a`",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_and_no_command_stays() {
        for hostile in HOSTILE {
            let (line, lines) = (in_line(hostile), inert(hostile));
            assert!(!line.contains(is_hidden), "{line:?}");
            assert!(!lines.contains(|c| is_hidden(c) && c != '\n'), "{lines:?}");
            for text in [line, lines] {
                assert!(!text.contains("##["), "{text:?}");
                assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text:?}");
            }
        }
    }

    #[test]
    fn what_harms_nobody_stays_as_it_is() {
        assert_eq!(in_line("one\n\ttwo\u{1b}[2Jthree"), "one two [2Jthree");
        assert_eq!(inert("a::b\n\tc: #[x] é 中\n"), "a::b\n\tc: #[x] é 中\n");
        assert_eq!(inert("\u{1b}[1m\n  ::x"), "\u{fffd}[1m\n  : :x");
        assert_eq!(visible("\u{1b}[1m\n\t::x"), "\u{fffd}[1m\n\t::x");
    }

    #[test]
    fn words_stay_whole() {
        assert_eq!(
            wrap("one two ordering::starts_in_ordinal_order x", 8),
            ["one two", "ordering::starts_in_ordinal_order", "x"]
        );
        assert_eq!(wrap("", 8), [""]);
    }
}
