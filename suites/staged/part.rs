//! A part of a suite: `STEADFAST_PART=2/5` is the second fifth. With parts, short runs can cover the whole suite in
//! turn.

/// Which trials of a suite run: all, or one part of several.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    number: usize,
    of: usize,
}

impl Part {
    /// The part that the environment selects.
    ///
    /// # Panics
    /// If the value is invalid: otherwise the suite would test something else than requested.
    pub fn from_environment() -> Self {
        let Ok(text) = std::env::var("STEADFAST_PART") else { return Self { number: 1, of: 1 } };
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if number >= 1 && number <= of => Self { number, of },
            _ => panic!("STEADFAST_PART is `{text}`; give a part as in 2/5"),
        }
    }

    /// Whether the trial at this index belongs to the part.
    pub fn has(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}
