//! The commands of a shell script, as far as its text shows them: what is run, not what is only mentioned.

/// The operator after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// A new line, `;`, `&`, or the end.
    Next,
    /// `&&`.
    And,
    /// `||`.
    Or,
    /// `|`: its output is the input of the next command.
    Pipe,
}

/// A simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its words without quotes, including assignments before the program.
    pub words: Vec<String>,
    /// The operator after it.
    pub then: Then,
    /// How many substitutions, `$(…)` or backquotes, it is nested in.
    pub depth: usize,
}

/// Words that begin or end a compound command. Another command begins after them.
const KEYWORDS: [&str; 13] =
    ["if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "{", "}", "esac"];

/// Programs that run the command in their arguments.
const WRAPPERS: [&str; 16] = [
    "exec",
    "command",
    "builtin",
    "nohup",
    "env",
    "time",
    "nice",
    "ionice",
    "numactl",
    "setpriv",
    "sudo",
    "tini",
    "dumb-init",
    "catatonit",
    "stdbuf",
    "eval",
];

/// Wrappers whose first argument is a user or a time.
const WRAPPERS_WITH_ONE: [&str; 4] = ["gosu", "su-exec", "chpst", "timeout"];

/// The program names of shells.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];

/// The deepest nesting of substitutions that is parsed; anything deeper is text.
const DEEPEST: usize = 16;

/// The last segment of a path.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The script in an argument vector such as `bash -ec SCRIPT WORD…`, with the words after it.
pub fn script<'v, 'a>(argv: &'v [&'a str]) -> Option<(&'a str, &'v [&'a str])> {
    let (shell, rest) = argv.split_first()?;
    let option = |word: &&&str| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let place = rest.iter().take_while(|word| word.starts_with(['-', '+'])).position(|word| option(&word))?;
    let (script, behind) = rest[place + 1..].split_first()?;
    SHELLS.contains(&base_name(shell)).then_some((*script, behind))
}

/// The commands that an argument vector runs: those of its script, or itself.
pub fn commands(argv: &[&str]) -> Vec<Command> {
    match script(argv) {
        Some((script, _)) => parse(script),
        None => vec![Command { words: argv.iter().map(|&word| word.to_owned()).collect(), then: Then::Next, depth: 0 }],
    }
}

impl Command {
    /// The program and its arguments, without assignments and wrappers.
    pub fn call(&self) -> &[String] {
        let mut rest = self.words.as_slice();
        while let Some((word, after)) = rest.split_first() {
            let name = base_name(word);
            if is_assignment(word) || name.ends_with("entrypoint.sh") && !after.is_empty() {
                rest = after;
            } else if WRAPPERS.contains(&name) {
                rest = after_options(after);
            } else if WRAPPERS_WITH_ONE.contains(&name) {
                rest = after_options(after).get(1..).unwrap_or_default();
            } else {
                break;
            }
        }
        rest
    }

    /// The name of the program.
    pub fn program(&self) -> &str {
        self.call().first().map_or("", |word| base_name(word))
    }
}

fn after_options(words: &[String]) -> &[String] {
    let options = words.iter().take_while(|word| word.starts_with('-')).count();
    &words[options..]
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    })
}

/// The commands of a script in order; those of a substitution come before the command that has it.
pub(super) fn parse(script: &str) -> Vec<Command> {
    let mut parser = Parser { rest: script.chars().collect(), at: 0, found: Vec::new() };
    parser.run(0, None);
    parser.found
}

struct Parser {
    rest: Vec<char>,
    at: usize,
    found: Vec<Command>,
}

/// A word under construction.
#[derive(Default)]
struct Word {
    text: String,
    /// Whether it has begun; an empty pair of quotes begins a word too.
    begun: bool,
}

impl Parser {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek(0);
        self.at += usize::from(next.is_some());
        next
    }

    /// Reads commands up to the end, or to the end of a substitution.
    fn run(&mut self, depth: usize, closing: Option<char>) {
        let (mut words, mut word, mut heredocs) = (Vec::new(), Word::default(), Vec::new());
        while let Some(letter) = self.next().filter(|letter| Some(*letter) != closing) {
            match letter {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(letter) => word.push(letter),
                },
                '\'' => {
                    word.begun = true;
                    while let Some(letter) = self.next().filter(|letter| *letter != '\'') {
                        word.push(letter);
                    }
                }
                '"' => self.double_quoted(&mut word, depth),
                '$' if self.peek(0) == Some('(') && depth < DEEPEST => self.substitution(&mut word, depth),
                '`' if depth < DEEPEST => self.backquoted(&mut word, depth),
                '#' if !word.begun => {
                    while self.peek(0).is_some_and(|letter| letter != '\n') {
                        self.at += 1;
                    }
                }
                '<' if self.peek(0) == Some('<') && self.peek(1) != Some('<') => {
                    self.at += 1;
                    if self.peek(0) == Some('-') {
                        self.at += 1;
                    }
                    words.extend(word.take());
                    heredocs.push(self.delimiter());
                }
                ' ' | '\t' | '\r' => words.extend(word.take()),
                '\n' | ';' | '(' | ')' | '&' | '|' => {
                    // `>&2` and `&>` are redirections.
                    if letter == '&' && (word.text.ends_with(['>', '<']) || self.peek(0) == Some('>')) {
                        word.push(letter);
                        continue;
                    }
                    words.extend(word.take());
                    let double = self.peek(0) == Some(letter) && matches!(letter, '&' | '|');
                    self.at += usize::from(double);
                    let then = match (letter, double) {
                        ('&', true) => Then::And,
                        ('|', true) => Then::Or,
                        ('|', false) => Then::Pipe,
                        _ => Then::Next,
                    };
                    self.end(&mut words, then, depth);
                    if letter == '\n' {
                        heredocs.drain(..).for_each(|delimiter: String| self.skip_to(&delimiter));
                    }
                }
                letter => word.push(letter),
            }
        }
        words.extend(word.take());
        self.end(&mut words, Then::Next, depth);
    }

    fn end(&mut self, words: &mut Vec<String>, then: Then, depth: usize) {
        let keywords = words.iter().take_while(|word| KEYWORDS.contains(&word.as_str())).count();
        let words: Vec<String> = words.drain(..).skip(keywords).collect();
        if !words.is_empty() {
            self.found.push(Command { words, then, depth });
        }
    }

    fn double_quoted(&mut self, word: &mut Word, depth: usize) {
        word.begun = true;
        while let Some(letter) = self.next().filter(|letter| *letter != '"') {
            match letter {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(escaped) if matches!(escaped, '"' | '\\' | '$' | '`') => word.push(escaped),
                    Some(other) => {
                        word.push('\\');
                        word.push(other);
                    }
                },
                '$' if self.peek(0) == Some('(') && depth < DEEPEST => self.substitution(word, depth),
                '`' if depth < DEEPEST => self.backquoted(word, depth),
                letter => word.push(letter),
            }
        }
    }

    /// Reads `$(…)`: its commands run, and its text belongs to the word. `$((…))` runs nothing.
    fn substitution(&mut self, word: &mut Word, depth: usize) {
        let begin = self.at - 1;
        if self.peek(1) == Some('(') {
            let mut open = 0;
            while let Some(letter) = self.next() {
                open += i32::from(letter == '(') - i32::from(letter == ')');
                if open == 0 {
                    break;
                }
            }
        } else {
            self.at += 1;
            self.run(depth + 1, Some(')'));
        }
        let text: String = self.rest[begin..self.at].iter().collect();
        word.begun = true;
        word.text.push_str(&text);
    }

    fn backquoted(&mut self, word: &mut Word, depth: usize) {
        let begin = self.at - 1;
        self.run(depth + 1, Some('`'));
        let text: String = self.rest[begin..self.at].iter().collect();
        word.begun = true;
        word.text.push_str(&text);
    }

    /// Reads the word that ends a here-document.
    fn delimiter(&mut self) -> String {
        while self.peek(0).is_some_and(|letter| matches!(letter, ' ' | '\t')) {
            self.at += 1;
        }
        let mut word = String::new();
        while let Some(letter) = self.peek(0).filter(|letter| !letter.is_whitespace() && !";&|<>()".contains(*letter)) {
            word.push(letter);
            self.at += 1;
        }
        word.replace(['\'', '"', '\\'], "")
    }

    fn skip_to(&mut self, delimiter: &str) {
        while self.at < self.rest.len() {
            let line: String = std::iter::from_fn(|| self.next().filter(|letter| *letter != '\n')).collect();
            if line.trim_start_matches('\t') == delimiter {
                break;
            }
        }
    }
}

impl Word {
    fn push(&mut self, letter: char) {
        self.begun = true;
        self.text.push(letter);
    }

    fn take(&mut self) -> Option<String> {
        let word = std::mem::take(self);
        word.begun.then_some(word.text)
    }
}

#[cfg(test)]
mod tests;
