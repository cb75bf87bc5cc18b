//! Budgets that the user sets: how long the workload may take for something.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use jiff::{SignedDuration, Unit};
use serde::{Deserialize, Serialize};

use crate::evidence::duration::limit;
use crate::evidence::{BUDGETS, BudgetDescription, BudgetKind, Budgets};

/// A budget such as `outage=30s`. It is exact: the timeout scale does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Budget {
    of: BudgetKind,
    within: Duration,
}

/// Why a text is not a budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// There is no budget of this name.
    #[error("there is no budget `{name}`; there are {}; give one as in outage=30s", names())]
    Unknown {
        /// The unknown name.
        name: String,
    },
    /// The text is not a valid duration.
    #[error(
        "`{text}` is no duration from 1ms to 24h; give one with its unit, such as 500ms, 30s or 1m30s; \
             the budgets are {}",
        names()
    )]
    Duration {
        /// The text.
        text: String,
    },
}

/// What `--budget` is for.
pub(super) const HELP: &str =
    "Hold the workload to another budget, as in `outage=30s`; can be repeated. No scale multiplies it";

/// The same with every budget and its usual value, for the long help.
pub(super) fn long_help() -> String {
    let usual = |it: &BudgetDescription| SignedDuration::from_millis(it.usual_ms.cast_signed());
    let each = BUDGETS.each_ref().map(|it| format!("`{}` ({:#}): {}.", it.name, usual(it), it.means));
    format!("{HELP}.\n\n{}", each.join(" "))
}

fn names() -> String {
    BUDGETS.map(|described| described.name).join(", ")
}

impl FromStr for Budget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let (name, duration) = text.split_once('=').unwrap_or((text, ""));
        let described = BUDGETS.iter().find(|described| described.name == name.trim());
        let of = described.ok_or_else(|| BudgetError::Unknown { name: name.trim().to_owned() })?.kind;
        let within = read(duration.trim()).ok_or_else(|| BudgetError::Duration { text: duration.trim().to_owned() })?;
        Ok(Self { of, within })
    }
}

impl From<Budget> for String {
    fn from(budget: Budget) -> Self {
        budget.to_string()
    }
}

impl TryFrom<String> for Budget {
    type Error = BudgetError;

    fn try_from(text: String) -> Result<Self, BudgetError> {
        text.parse()
    }
}

/// Parses a duration with its unit. Evidence stores whole milliseconds, and no run takes a day.
fn read(text: &str) -> Option<Duration> {
    // The parser requires a digit before a decimal point, but users may leave it out.
    let within = SpanParser::new().parse_duration(format!("0{text}")).ok()?;
    let within =
        (SignedDuration::from_millis(1)..=SignedDuration::from_hours(24)).contains(&within).then_some(within)?;
    within.round(Unit::Millisecond).ok()?.try_into().ok()
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, (number, unit)) = (self.of.description().name, limit(milliseconds(self.within)));
        write!(f, "{name}={number}{unit}")
    }
}

/// The default budgets for this timeout scale, with the given ones instead of the defaults. The last budget of a kind
/// wins.
pub(super) fn held_to(timeout_scale: f64, given: &[Budget]) -> Budgets {
    let mut budgets = Budgets::scaled(timeout_scale);
    for Budget { of, within } in given {
        *budgets.of(*of) = milliseconds(*within);
    }
    budgets
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_name_and_a_duration_with_its_unit() {
        for (text, printed) in [
            ("outage=30s", "outage=30s"),
            ("outage=0030s", "outage=30s"),
            ("outage=24h", "outage=86400s"),
            ("recovery=1.5m", "recovery=90s"),
            ("recovery=1m30s", "recovery=90s"),
            ("recovery=2 min", "recovery=120s"),
            ("lag = 250 ms", "lag=250ms"),
            ("lag=1ms", "lag=1ms"),
            ("lag=1.5ms", "lag=2ms"),
            ("lag=250 milliseconds", "lag=250ms"),
            ("resume=0.5s", "resume=500ms"),
            ("resume=.5s", "resume=500ms"),
            ("resume=0.0015s", "resume=2ms"),
            ("barrier=1m", "barrier=60s"),
            ("barrier=1440m", "barrier=86400s"),
            ("barrier=86400000ms", "barrier=86400s"),
        ] {
            assert_eq!(text.parse::<Budget>().expect(text).to_string(), printed);
        }
    }

    #[test]
    fn what_is_wrong_with_one_is_told_with_the_names_there_are() {
        let message = |text: &str| text.parse::<Budget>().unwrap_err().to_string();
        assert_eq!(
            message("patience=3s"),
            "there is no budget `patience`; there are resume, barrier, recovery, outage, lag; give one as in outage=30s"
        );
        for wrong in [
            "30",
            "s",
            "-1s",
            "0s",
            "0.9ms",
            "1440.1m",
            "1d",
            "1M",
            "",
            "1.2.3s",
            "99999999m",
            "PT30S",
            "1s ago",
            "soon",
        ] {
            let expected = format!(
                "`{wrong}` is no duration from 1ms to 24h; give one with its unit, such as 500ms, 30s or 1m30s; the budgets are resume, barrier, recovery, outage, lag"
            );
            assert_eq!(message(&format!("lag={wrong}")), expected);
        }
        assert!(message("lag").starts_with("`` is no duration"));
    }

    #[test]
    fn a_budget_is_not_scaled_and_the_last_one_counts() {
        let budgets = ["outage=7s", "lag=2s", "outage=9s"].map(|text| text.parse().expect("a budget"));
        let (usual, held) = (Budgets::scaled(3.0), held_to(3.0, &budgets));
        assert_eq!(held, Budgets { outage_ms: 9_000, lag_ms: 2_000, ..usual });
    }
}
