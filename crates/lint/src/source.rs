//! The texts that findings point into.

/// A text that findings point into.
#[derive(Debug)]
pub(super) struct Source {
    /// Its name for people: a path, relative if it lies below the current folder.
    pub name: String,
    /// The file to report to programs if the text itself is not a file: the kustomization that it was rendered from.
    pub stands_for: Option<String>,
    /// The text.
    pub text: String,
}

/// A line and a column, both counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// The beginning of a file.
    pub(super) const FIRST: Self = Self { line: 1, column: 1 };
}

impl Source {
    pub(super) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), stands_for: None, text: text.into() }
    }

    /// The position of a byte offset.
    pub(super) fn position(&self, offset: usize) -> Position {
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}
