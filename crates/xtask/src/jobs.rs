//! The jobs of a workflow, as JSON from which `fromJSON` makes a matrix.

use serde::Serialize;

use crate::call::Call;

/// The time between the deadline of a stage and the end of its job, in minutes. The job needs it to upload the
/// artifacts.
const UPLOAD: u32 = 30;

#[derive(Debug, Serialize)]
struct Matrix {
    include: Vec<Job>,
}

#[derive(Debug, Serialize)]
struct Job {
    /// The stage, in the form for `ci/nightly --only`.
    stage: String,
    /// The name of the stage for places that allow only plain characters.
    name: String,
    /// The timeout of the job, in minutes.
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

/// Replaces everything except letters, digits and dots with `-`.
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
