//! The call of a stage: `NAME [ARGUMENT]...`.

use std::fmt;

use crate::part::{Part, PartError};
use crate::stage::{Cell, STAGES, Stage, Takes, Task};

/// A call of a stage.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The stage.
    pub stage: &'static Stage,
    /// The task.
    pub task: Task,
    /// The deadline in minutes.
    pub minutes: u32,
    /// The name and the arguments.
    words: Vec<String>,
}

/// Why words are not the call of a stage.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// There is no such stage.
    #[error("there is no stage `{wanted}`; the nearest is `{nearest}`, and `ci/nightly --list` shows all")]
    Unknown {
        /// The unknown name.
        wanted: String,
        /// The most similar name.
        nearest: String,
    },
    /// The stage takes other arguments.
    #[error("usage: cargo xtask stage {0}")]
    Arguments(String),
    /// An argument is not a part.
    #[error(transparent)]
    Part(#[from] PartError),
}

impl Call {
    /// A call of a stage without arguments.
    pub(crate) fn plain(stage: &'static Stage, task: Task) -> Self {
        Self { stage, task, minutes: stage.minutes, words: vec![stage.name.to_owned()] }
    }

    /// A call of a stage with a cell as its argument.
    pub(crate) fn cell(stage: &'static Stage, task: fn(Cell) -> Task, cell: Cell) -> Self {
        let words = vec![stage.name.to_owned(), cell.kubernetes.clone(), cell.server.clone()];
        Self { stage, task: task(cell), minutes: stage.minutes, words }
    }

    /// A call of a stage with a part as its argument.
    pub(crate) fn part(stage: &'static Stage, task: fn(Part) -> Task, part: Part) -> Self {
        let alone = stage.parts().map(|parts| parts.alone).filter(|_| part == Part::ALL);
        let words = vec![stage.name.to_owned(), part.to_string()];
        Self { stage, task: task(part), minutes: alone.unwrap_or(stage.minutes), words }
    }

    /// Parses a call.
    ///
    /// # Errors
    /// When there is no such stage, or the stage takes other arguments.
    pub(crate) fn parse<T: AsRef<str>>(name: &str, arguments: &[T]) -> Result<Self, CallError> {
        let names = STAGES.iter().map(|stage| stage.name);
        let stage = STAGES.iter().find(|stage| stage.name == name).ok_or_else(|| CallError::unknown(name, names))?;
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        Ok(match (&stage.takes, arguments.as_slice()) {
            (Takes::Nothing(task), []) => Self::plain(stage, task.clone()),
            (Takes::Cell(task), [kubernetes, server]) => {
                Self::cell(stage, *task, Cell { kubernetes: (*kubernetes).to_owned(), server: (*server).to_owned() })
            }
            (Takes::Part(_, task), [part]) => Self::part(stage, *task, part.parse()?),
            (Takes::Folders(task), folders) => {
                Self::plain(stage, task(folders.iter().map(|folder| (*folder).to_owned()).collect()))
            }
            _ => return Err(CallError::Arguments(stage.usage())),
        })
    }

    /// The name and the arguments.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }
}

impl CallError {
    /// An unknown stage, with the most similar candidate.
    pub(crate) fn unknown<T: AsRef<str>>(wanted: &str, candidates: impl Iterator<Item = T>) -> Self {
        let nearest = candidates.min_by_key(|candidate| strsim::levenshtein(wanted, candidate.as_ref()));
        let nearest = nearest.map(|nearest| nearest.as_ref().to_owned()).unwrap_or_default();
        Self::Unknown { wanted: wanted.to_owned(), nearest }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Call, CallError> {
        let words: Vec<&str> = text.split(' ').collect();
        Call::parse(words[0], &words[1..])
    }

    fn error(text: &str) -> String {
        parse(text).expect_err("it is no call").to_string()
    }

    #[test]
    fn a_call_says_what_it_was_read_from() {
        for text in ["setup", "conformance 1.37.2 mysql:9.7", "mutants 2/8", "judges 1/1", "trend"] {
            assert_eq!(parse(text).expect("a call").to_string(), text);
        }
    }

    #[test]
    fn folders_are_for_the_task_alone() {
        let call = parse("trend a b").expect("a call");
        assert_eq!(call.task, Task::Trend(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn all_parts_at_once_have_a_deadline_of_their_own() {
        let minutes = |text| parse(text).expect("a call").minutes;
        assert_eq!([minutes("mutants 1/1"), minutes("mutants 1/8"), minutes("style")], [240, 90, 40]);
    }

    #[test]
    fn wrong_arguments_are_told_with_the_usage() {
        assert_eq!(error("style now"), "usage: cargo xtask stage style");
        assert_eq!(error("conformance 1.37.2"), "usage: cargo xtask stage conformance KUBERNETES SERVER");
        assert_eq!(error("mutants"), "usage: cargo xtask stage mutants PART");
        assert_eq!(error("mutants 9/8"), "`9/8` is not a part; give one such as 2/8");
    }

    #[test]
    fn an_unknown_stage_is_told_with_the_nearest() {
        let expected = "there is no stage `stile`; the nearest is `style`, and `ci/nightly --list` shows all";
        assert_eq!(error("stile"), expected);
    }
}
