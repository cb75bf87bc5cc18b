//! Parses Rust code as far as the rules need it: each line's code without comments and string contents, and its
//! comment.

use std::iter::Peekable;
use std::str::Chars;

/// The parts of a line of code.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its code. Of a string only the quotes are left.
    pub code: String,
    /// Its comment.
    pub comment: String,
}

/// The lines of a file.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let mut reader = Reader { rest: text.chars().peekable(), lines: vec![Line::default()] };
    while let Some(char) = reader.next() {
        reader.take(char);
    }
    reader.lines
}

/// The comments of a file, each on its own line.
pub(crate) fn comments(text: &str) -> String {
    lines(text).into_iter().map(|line| line.comment).collect::<Vec<_>>().join("\n")
}

/// The identifiers in code.
pub(crate) fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    code.split(move |char| !is_part(char)).filter(|word| word.starts_with(|char: char| !char.is_ascii_digit()))
}

/// The number of the line, from 0, with the brace that closes the first brace at or after this line. `None` if a `;`
/// comes before a brace.
pub(crate) fn closes(lines: &[Line], first: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut brackets = 0_isize;
    for (number, line) in lines.iter().enumerate().skip(first) {
        for char in line.code.chars() {
            match char {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                '{' => depth += 1,
                '}' if depth == 1 => return Some(number),
                '}' => depth = depth.checked_sub(1)?,
                ';' if depth == 0 && brackets == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    lines: Vec<Line>,
}

impl Reader<'_> {
    /// The next character. A newline in the text begins a new line.
    fn next(&mut self) -> Option<char> {
        let char = self.rest.next()?;
        if char == '\n' {
            self.lines.push(Line::default());
        }
        Some(char)
    }

    fn line(&mut self) -> &mut Line {
        self.lines.last_mut().expect("there is always a line")
    }

    fn code(&mut self, char: char) {
        if char != '\n' {
            self.line().code.push(char);
        }
    }

    fn take(&mut self, char: char) {
        match (char, self.rest.peek().copied()) {
            ('/', Some('/')) => {
                while let Some(char) = self.rest.next_if(|char| *char != '\n') {
                    self.line().comment.push(char);
                }
            }
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.text(),
            ('r', Some('"' | '#')) if !self.is_in_a_name() => self.raw_text(),
            ('\'', _) => self.char_or_lifetime(),
            _ => self.code(char),
        }
    }

    /// Whether the previous character is part of a name. `b` and `c` before a raw string are not.
    fn is_in_a_name(&self) -> bool {
        let code = self.lines.last().map_or("", |line| &line.code);
        let name = code.rsplit(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default();
        !matches!(name, "" | "b" | "c")
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        let mut before = '/';
        while let Some(char) = self.next() {
            if char != '\n' {
                self.line().comment.push(char);
            }
            match (before, char) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    before = char;
                    continue;
                }
            }
            if depth == 0 {
                return;
            }
            before = ' ';
        }
    }

    fn text(&mut self) {
        self.code('"');
        while let Some(char) = self.next() {
            match char {
                '\\' => _ = self.next(),
                '"' => break,
                _ => {}
            }
        }
        self.code('"');
    }

    fn raw_text(&mut self) {
        let mut hashes = 0;
        while self.rest.next_if_eq(&'#').is_some() {
            hashes += 1;
        }
        if self.rest.next_if_eq(&'"').is_none() {
            // A raw identifier, such as `r#type`.
            return;
        }
        self.code('"');
        while let Some(char) = self.next() {
            if char == '"' && (0..hashes).all(|_| self.rest.next_if_eq(&'#').is_some()) {
                break;
            }
        }
        self.code('"');
    }

    fn char_or_lifetime(&mut self) {
        let mut ahead = self.rest.clone();
        let (first, second) = (ahead.next(), ahead.next());
        if first == Some('\\') {
            self.next();
            self.next();
            while self.next().is_some_and(|char| char != '\'') {}
        } else if second == Some('\'') {
            self.next();
            self.next();
        } else {
            self.code('\'');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        lines(text).into_iter().map(|line| line.code).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn texts_and_comments_are_no_code() {
        assert_eq!(code("a(\"// no } \\\" \", b'{', '\\'', 'x'); // {"), "a(\"\", b, , ); ");
        assert_eq!(code("r#\"a \" {\n\"# + br\"{\" + r#type"), "\"\n\" + b\"\" + type");
        assert_eq!(code("fn a<'a>(b: &'a str) { /* { /* */ } */ }"), "fn a<'a>(b: &'a str) {  }");
        assert_eq!(comments("a // one\n/* two\nthree */ b"), "/ one\n* two\nthree */");
    }

    #[test]
    fn braces_close() {
        let text = "fn a();\nfn b(c: [u8; 2])\nwhere\n    D: E,\n{\n    if c { \"}\" }\n}\nfn f() {}";
        let lines = lines(text);
        assert_eq!(closes(&lines, 0), None);
        assert_eq!(closes(&lines, 1), Some(6));
        assert_eq!(closes(&lines, 7), Some(7));
    }

    #[test]
    fn names_are_told_from_the_rest() {
        assert_eq!(identifiers("let x_1 = 2u8 + Some::<T>(y)").collect::<Vec<_>>(), ["let", "x_1", "Some", "T", "y"]);
    }
}
