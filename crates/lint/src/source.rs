//! The texts that findings point into.

/// A text that findings point into.
#[derive(Debug)]
pub(super) struct Source {
    /// What people know it by: a path, relative where it lies below the current folder.
    pub name: String,
    /// The file that programs are pointed to where the text itself is none: the kustomization that it was made from.
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

    /// Where a byte offset is.
    pub(super) fn position(&self, offset: usize) -> Position {
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}
