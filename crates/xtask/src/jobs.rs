//! The jobs of a workflow, as the JSON of which `fromJSON` makes a matrix.

use serde::Serialize;

use crate::call::Call;

/// How much later than its stage's deadline a job ends, in minutes: what the stage leaves is to be uploaded.
const UPLOAD: u32 = 30;

#[derive(Debug, Serialize)]
struct Matrix {
    include: Vec<Job>,
}

#[derive(Debug, Serialize)]
struct Job {
    /// The stage, as `ci/nightly --only` takes it.
    stage: String,
    /// Its name where only plain characters may stand.
    name: String,
    /// After how many minutes the job ends.
    minutes: u32,
}

/// The matrix of these calls, on one line.
///
/// # Errors
/// When a text cannot be written as JSON.
pub(crate) fn matrix(calls: &[Call]) -> serde_json::Result<String> {
    let job = |call: &Call| {
        let stage = call.to_string();
        Job { name: plain(&stage), stage, minutes: call.stage.minutes + UPLOAD }
    };
    serde_json::to_string(&Matrix { include: calls.iter().map(job).collect() })
}

/// A text with `-` in place of whatever is no letter, digit or dot.
fn plain(text: &str) -> String {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '.');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_ends_later_than_its_stage() {
        let call = |name: &str, arguments: &[&str]| Call::parse(name, arguments).expect("a call");
        let calls = [call("style", &[]), call("conformance", &["1.37.2", "mysql:5.7"]), call("mutants", &["2/8"])];
        insta::assert_snapshot!(matrix(&calls).expect("JSON"), @r#"{"include":[{"stage":"style","name":"style","minutes":70},{"stage":"conformance 1.37.2 mysql:5.7","name":"conformance-1.37.2-mysql-5.7","minutes":120},{"stage":"mutants 2/8","name":"mutants-2-8","minutes":120}]}"#);
    }
}
