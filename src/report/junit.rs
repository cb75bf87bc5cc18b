//! `junit.xml`: one test suite for each property. A violation is a `failure`, an undecided check is an `error`.

use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::account::{exercised, substitutions, text, text_of_cause};
use super::costs::{Row, ledger, rows};
use super::versions::versions;
use crate::check::{CommonCause, Judged, Outcome, Verdict, seconds_of};
use crate::text::is_hidden;

/// The content of `junit.xml`.
pub(super) fn xml(outcome: &Outcome<'_>) -> io::Result<String> {
    let causes = outcome.common_causes();
    let mut report = Report::new("steadfast");
    report.set_time(Duration::from_secs_f64(outcome.seconds()));
    for (property, members) in outcome.by_property() {
        report.add_test_suite(suite(outcome, &causes, property, &members));
    }
    report.to_string().map_err(io::Error::other)
}

fn suite(outcome: &Outcome<'_>, causes: &[CommonCause<'_>], property: &str, members: &[&Judged]) -> TestSuite {
    let mut suite = TestSuite::new(property);
    // Checks share scenarios, so the sum of the cases' times would count a scenario several times.
    let scenarios = members.iter().flat_map(|judged| judged.check.scenarios.iter().copied());
    suite.set_time(Duration::from_secs_f64(seconds_of(&outcome.spans, scenarios)));
    suite.add_properties(versions(outcome.evidence).iter().map(|(name, value)| Property::new(*name, clean(value))));
    suite.add_properties(substitutions(outcome.evidence).iter().map(|one| Property::new("substitution", clean(one))));
    if property == "replication" {
        suite.add_properties(properties(outcome));
    }
    suite.add_test_cases(members.iter().map(|judged| case(outcome, judged, causes)));
    suite
}

/// The costs of disruptions, beside the checks that judge them.
fn properties(outcome: &Outcome<'_>) -> Vec<Property> {
    let of_rows = rows(outcome).into_iter().map(|row| {
        let Row { name, recovery, outage, lag } = row;
        let (took, out) =
            (format!("{} of {}", recovery.text, recovery.budget), format!("{} of {}", outage.text, outage.budget));
        let value = format!("{name}: recovered after {took}, longest outage {out}, lag p99 {lag}");
        Property::new("disruption", clean(&value))
    });
    let of_ledger = ledger(outcome).into_iter().map(|line| Property::new("ledger", clean(&line)));
    let of_exercises = exercised(outcome).into_iter().map(|line| Property::new("exercised", clean(&line)));
    of_rows.chain(of_ledger).chain(of_exercises).collect()
}

fn case(outcome: &Outcome<'_>, judged: &Judged, causes: &[CommonCause<'_>]) -> TestCase {
    let trouble = |kind, r#type| {
        let (message, description) = told(outcome, judged, causes);
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(clean(&message)).set_type(r#type).set_description(clean(&format!("\n{description}")));
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

/// The message and the text of a case that did not pass. JUnit has no place for a common cause, so the first of its
/// cases tells it with the names of all, and the others refer to that case.
fn told(outcome: &Outcome<'_>, judged: &Judged, causes: &[CommonCause<'_>]) -> (String, String) {
    let (id, reason) = (judged.check.id, judged.finding.reason.clone());
    let common = causes.iter().find(|common| common.judged.iter().any(|it| it.check.id == id));
    let Some(common) = common else { return (reason, text(outcome, judged)) };
    let first = common.judged[0].check.id;
    if id == first {
        return (reason, format!("{}:\n{}", common.title(), text_of_cause(outcome, common)));
    }
    let pointer = format!("{}; the cause is told at {first}", judged.doubt());
    let description = format!("{pointer}\nrequired: {}\nrun alone: {} {id}\n", judged.check.statement, outcome.rerun);
    (pointer, description)
}

/// Replaces two characters that XML 1.0 cannot represent (<https://www.w3.org/TR/xml/#charsets>), and invisible ones.
/// quick-junit removes the control characters before DEL and keeps the others.
fn clean(text: &str) -> String {
    text.replace(|c| c >= '\u{7f}' && is_hidden(c) || matches!(c, '\u{fffe}' | '\u{ffff}'), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Evidence, Upgrade, What};
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
    fn one_cause_is_told_at_the_first_case_that_it_left_undecided() {
        let xml = xml(&sample::crashing(&sample::crashing_evidence())).unwrap();
        let from = xml.find("<testcase name=\"ordering::starts_in_ordinal_order\"").expect("the first case");
        let to = xml.find("<testcase name=\"ordering::ready_means_serving\"").expect("the next one");
        insta::assert_snapshot!(&xml[from..to]);
        assert_eq!(xml.matches("undecided for one cause").count(), 1, "{xml}");
        let pointer =
            "message=\"the scenario restart was not begun; the cause is told at ordering::starts_in_ordinal_order\"";
        assert_eq!(xml.matches(pointer).count(), 2, "{xml}");
    }

    /// Tests what Jenkins, GitLab and others rely on, although no standard says so: correct sums, a time and a class
    /// for every case, at most one outcome, and no character that XML 1.0 forbids.
    #[test]
    fn readers_find_what_they_rely_on() {
        let (passing, failing, disrupted) =
            (sample::passing_evidence(), sample::failing_evidence(), sample::disrupted_evidence());
        let crashing = sample::crashing_evidence();
        let empty = Evidence::new(Vec::new());
        let mut dirty = sample::failing(&failing);
        dirty.judged[0].finding.reason = "\u{1}\u{8}\u{b}\u{1f}\u{7f}\u{fffe}".to_owned();
        let outcomes = [
            sample::passing(&passing),
            sample::failing(&failing),
            sample::inconclusive(&failing),
            sample::measured(&disrupted),
            sample::crashing(&crashing),
            sample::empty(&empty),
            dirty,
        ];
        for outcome in outcomes {
            let text = xml(&outcome).unwrap();
            let forbidden = |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{fffe}' | '\u{ffff}');
            assert_eq!(text.chars().find(forbidden), None);
            let report = Report::deserialize_from_str(&text).unwrap();
            let cases = || report.test_suites.iter().flat_map(|suite| &suite.test_cases);
            let summary = outcome.summary();
            let expected = (cases().count(), summary.fail, summary.inconclusive);
            assert_eq!((report.tests, report.failures, report.errors), expected);
            assert_eq!(cases().count(), outcome.judged.len());
            assert_eq!(text.matches("<skipped").count(), summary.skipped);
            let sum = format!(r#"tests="{}" skipped="{}" "#, outcome.judged.len(), summary.skipped);
            assert!(text.lines().nth(1).unwrap().contains(&sum), "{text}");
            assert!(report.time.is_some() && report.test_suites.iter().all(|suite| suite.time.is_some()));
            for case in cases() {
                assert!(case.time.is_some() && case.classname.is_some(), "{case:?}");
            }
            for judged in outcome.judged.iter().filter(|it| it.finding.verdict != Verdict::Pass) {
                let name = format!("name=\"{}\"", judged.check.id);
                let after = text.split(&name).nth(1).unwrap();
                assert!(after[..after.find("</testcase>").unwrap()].contains("message=\""), "{after}");
            }
        }
    }

    #[test]
    fn an_upgrade_is_told_by_both_versions() {
        let mut records = sample::passing_evidence().records;
        for record in &mut records {
            if let What::Run(run) = &mut record.what {
                run.upgrade = Some(Upgrade { from: "v1.36.3".into(), to: "v1.37.2".into() });
            }
        }
        let evidence = Evidence::new(records);
        let xml = xml(&sample::passing(&evidence)).unwrap();
        assert!(xml.contains(r#"<property name="upgrade_from" value="v1.36.3"/>"#), "{xml}");
        assert!(xml.contains(r#"<property name="upgrade_to" value="v1.37.2"/>"#), "{xml}");
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
