//! `results.json` as far as a trend needs it. Results of older versions, with fewer fields, can be read too.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::counts::Counts;
use crate::check::Verdict;
use crate::evidence::Scenario;
use crate::report::RESULTS_SCHEMA;

/// A run's results.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Stored {
    pub(super) run: Option<StoredRun>,
    pub(super) interrupted: bool,
    pub(super) checks: Vec<StoredCheck>,
    #[serde(default)]
    pub(super) disruptions: Vec<StoredDisruption>,
    pub(super) ledger: Option<StoredLedger>,
}

/// What it ran on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct StoredRun {
    pub(super) run_id: String,
    steadfast: String,
    kubernetes: String,
    upgrade: Option<StoredUpgrade>,
    #[serde(default)]
    servers: StoredServers,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct StoredUpgrade {
    from: String,
    to: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct StoredServers {
    versions: Vec<String>,
}

/// A check's result.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct StoredCheck {
    pub(super) id: String,
    pub(super) verdict: Verdict,
    pub(super) seconds: f64,
}

/// The cost of a disruption.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct StoredDisruption {
    #[serde(deserialize_with = "current_name")]
    pub(super) scenario: String,
    pub(super) recovered_after_s: Option<f64>,
    pub(super) longest_outage_s: Option<f64>,
    pub(super) lag: Option<StoredLag>,
}

/// The present name of a scenario: results keep the name of their time.
fn current_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    Ok(name.parse::<Scenario>().map_or(name, |scenario| scenario.name().to_owned()))
}

/// The figures of the ledger.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct StoredLedger {
    pub(super) longest_outage_s: Option<f64>,
    pub(super) lag_at_rest: Vec<StoredLag>,
}

/// The lag of a replica.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct StoredLag {
    pub(super) looks: u64,
    pub(super) p99_s: f64,
}

/// Why a text is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

impl Stored {
    /// Parses a text.
    pub(super) fn parse(text: &str) -> Result<Self, Refused> {
        let refuse = |error: serde_json::Error| Refused(format!("it holds no results: {error}"));
        let value: Value = serde_json::from_str(text).map_err(refuse)?;
        match &value["schema"] {
            Value::Null => {
                return Err(Refused("it holds no results: it has no format number".to_owned()));
            }
            schema if *schema != RESULTS_SCHEMA => {
                let reason = format!("its format is {schema}, but this program reads {RESULTS_SCHEMA}");
                return Err(Refused(reason));
            }
            _ => {}
        }
        serde_json::from_value(value).map_err(refuse)
    }

    /// The run's id.
    pub(super) fn id(&self) -> &str {
        self.run.as_ref().map_or("", |run| &run.run_id)
    }

    /// The harness's version.
    pub(super) fn steadfast(&self) -> &str {
        self.run.as_ref().map_or("", |run| &run.steadfast)
    }

    /// The Kubernetes version, or both versions of an upgrade.
    pub(super) fn kubernetes(&self) -> String {
        let run = self.run.as_ref();
        let upgrade = run.and_then(|run| run.upgrade.as_ref());
        let plain = || run.map_or_else(String::new, |run| run.kubernetes.clone());
        upgrade.map_or_else(plain, |StoredUpgrade { from, to }| format!("{from} to {to}"))
    }

    /// The version that the servers reported.
    pub(super) fn server(&self) -> String {
        let versions = self.run.as_ref().map(|run| run.servers.versions.as_slice()).unwrap_or_default();
        if versions.is_empty() { "unknown".to_owned() } else { versions.join(", ") }
    }

    /// The number of its checks with each verdict.
    pub(super) fn counts(&self) -> Counts {
        self.checks.iter().map(|check| check.verdict).collect()
    }
}

/// The part of a run's id that holds its start time: suites put their names before it.
pub(super) fn when(id: &str) -> &str {
    const SHAPE: &[u8] = b"dddddddd-dddddd";
    let fits = |part: &[u8]| {
        part.iter()
            .zip(SHAPE)
            .all(|(found, wanted)| if *wanted == b'd' { found.is_ascii_digit() } else { found == wanted })
    };
    let at = id.as_bytes().windows(SHAPE.len()).position(fits).unwrap_or(0);
    id.get(at..).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_all_suites_sort_by_time() {
        assert_eq!(when("steadfast-20261124-200425-25e38e"), "20261124-200425-25e38e");
        assert_eq!(when("variants-domain-20261124-200425-25e38e.domain"), "20261124-200425-25e38e.domain");
        assert_eq!(when("mine"), "mine");
        assert_eq!(when("größer"), "größer");
    }

    #[test]
    fn another_format_is_not_guessed_at() {
        let refused = |text| Stored::parse(text).unwrap_err().0;
        assert_eq!(refused(r#"{"schema": 2}"#), "its format is 2, but this program reads 1");
        assert!(refused("{}").ends_with("it has no format number"));
        assert!(refused("[]").ends_with("it has no format number"));
        assert!(refused("{").contains("EOF"), "{}", refused("{"));
        assert!(refused(r#"{"schema": 1}"#).contains("missing field"), "{}", refused(r#"{"schema": 1}"#));
    }
}
