//! `junit.xml`: a test suite a property. A violation is a `failure`, what could not be judged is an `error`.

use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::account::{exercised, substitutions, text};
use super::costs::{Row, ledger, rows};
use super::spans::{Span, seconds_of, spans};
use super::{Judged, Outcome};
use crate::check::Verdict;

/// The content of `junit.xml`.
pub(super) fn xml(outcome: &Outcome<'_>) -> io::Result<String> {
    let spans = spans(outcome.evidence);
    let mut report = Report::new("steadfast");
    report.set_time(Duration::from_secs_f64(outcome.seconds()));
    for (property, members) in outcome.by_property() {
        report.add_test_suite(suite(outcome, &spans, property, &members));
    }
    report.to_string().map_err(io::Error::other)
}

fn suite(outcome: &Outcome<'_>, spans: &[Span<'_>], property: &str, members: &[&Judged]) -> TestSuite {
    let mut suite = TestSuite::new(property);
    // Checks share scenarios: the sum of the cases' times would count a scenario as often as it is judged.
    let scenarios = members.iter().flat_map(|judged| judged.check.scenarios.iter().copied());
    suite.set_time(Duration::from_secs_f64(seconds_of(spans, scenarios)));
    if let Some(run) = outcome.evidence.run() {
        suite.add_property(Property::new("run", run.run_id.as_str()));
        suite.add_property(Property::new("steadfast", run.steadfast.as_str()));
        suite.add_property(Property::new("kubernetes", run.kubernetes.as_str()));
        suite.add_property(Property::new("cluster", run.cluster.as_str()));
    }
    suite.add_properties(substitutions(outcome.evidence).iter().map(|one| Property::new("substitution", clean(one))));
    if property == "replication" {
        suite.add_properties(properties(outcome));
    }
    suite.add_test_cases(members.iter().map(|judged| case(outcome, judged)));
    suite
}

/// What disruptions cost, beside the checks that judge it.
fn properties(outcome: &Outcome<'_>) -> Vec<Property> {
    let of_rows = rows(outcome.evidence).into_iter().map(|row| {
        let Row { name, recovery, outage, lag } = row;
        let (took, out) =
            (format!("{} of {}", recovery.text, recovery.budget), format!("{} of {}", outage.text, outage.budget));
        let value = format!("{name}: recovered after {took}, longest outage {out}, lag p99 {lag}");
        Property::new("disruption", clean(&value))
    });
    let of_ledger = ledger(outcome.evidence).into_iter().map(|line| Property::new("ledger", clean(&line)));
    let of_exercises = exercised(outcome.evidence).into_iter().map(|line| Property::new("exercised", clean(&line)));
    of_rows.chain(of_ledger).chain(of_exercises).collect()
}

fn case(outcome: &Outcome<'_>, judged: &Judged) -> TestCase {
    let trouble = |kind, r#type| {
        let mut status = TestCaseStatus::non_success(kind);
        status
            .set_message(clean(&judged.finding.reason))
            .set_type(r#type)
            .set_description(clean(&format!("\n{}", text(outcome, judged))));
        status
    };
    let status = match judged.finding.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => trouble(NonSuccessKind::Failure, "violated"),
        Verdict::Inconclusive => trouble(NonSuccessKind::Error, "inconclusive"),
        Verdict::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(clean(&judged.finding.reason));
            status
        }
    };
    let mut case = TestCase::new(judged.check.id, status);
    case.set_classname(judged.check.property()).set_time(Duration::from_secs_f64(judged.seconds));
    case
}

/// XML 1.0 has no way to write these two (<https://www.w3.org/TR/xml/#charsets>); quick-junit takes the control
/// characters out and leaves these in.
fn clean(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_passing_run() {
        insta::assert_snapshot!(xml(&sample::passing(&sample::passing_evidence())).unwrap());
    }

    #[test]
    fn a_run_with_disruptions() {
        insta::assert_snapshot!(xml(&sample::measured(&sample::disrupted_evidence())).unwrap());
    }

    #[test]
    fn a_failing_run() {
        insta::assert_snapshot!(xml(&sample::failing(&sample::failing_evidence())).unwrap());
    }

    #[test]
    fn what_xml_cannot_hold_is_taken_out() {
        let evidence = sample::passing_evidence();
        let mut outcome = sample::passing(&evidence);
        outcome.judged = vec![sample::judged_as(Verdict::Fail)];
        outcome.judged[0].finding.reason = "a \u{0}\u{1b}[31mred\u{1b}[0m \u{ffff} <&> \"end\"".to_owned();
        let xml = xml(&outcome).unwrap();
        assert!(xml.contains("message=\"a red \u{fffd} &lt;&amp;&gt; &quot;end&quot;\""), "{xml}");
        assert!(!xml.contains(['\u{0}', '\u{1b}', '\u{ffff}']));
    }
}
