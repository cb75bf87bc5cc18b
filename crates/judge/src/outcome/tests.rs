//! Outcomes of empty and of hand-made evidence.

use super::*;
use crate::CATALOGUE;
use crate::evidence::{Phase, Scenario};
use crate::history::History;
use crate::spans::Ended;

fn found(verdict: Verdict) -> (&'static Check, Finding) {
    (&CATALOGUE[0], Finding { verdict, reason: String::new(), evidence: Vec::new(), cause: None })
}

#[test]
fn exit_codes_follow_the_worst_verdict() {
    let evidence = Evidence::new(Vec::new());
    let code = |verdicts: &[Verdict], interrupted| {
        let outcome = Outcome::with(&evidence, verdicts.iter().map(|verdict| found(*verdict)));
        Outcome { interrupted, ..outcome }.exit_code()
    };
    use Verdict::{Fail, Inconclusive, Pass, Skipped};
    assert_eq!(code(&[Pass, Skipped], false), 0);
    assert_eq!(code(&[Pass, Inconclusive, Fail], false), 1);
    assert_eq!(code(&[Pass, Inconclusive], false), 3);
    assert_eq!(code(&[Skipped], false), 4);
    assert_eq!(code(&[], false), 4);
    assert_eq!(code(&[Pass, Fail], true), 130);
}

#[test]
fn evidence_that_is_prepared_once_gives_the_same_findings_as_for_each_check() {
    for evidence in [History::good().evidence(), Evidence::new(Vec::new())] {
        let outcome = Outcome::of(&evidence, CATALOGUE);
        for judged in &outcome.judged {
            assert_eq!(judged.finding, judged.check.judge(&evidence), "{}", judged.check.id);
        }
        assert_eq!(outcome.measures().is_some(), evidence.run().is_some());
    }
}

#[test]
fn a_cause_is_common_where_two_checks_have_it() {
    let evidence = Evidence::new(Vec::new());
    let cause = |seq| Some(Cause { why: "the deploy failed".into(), seq, so: "restart was not begun".into() });
    let undecided = |check, seq| (check, Finding { cause: cause(seq), ..Finding::inconclusive("?", []) });
    let checks: Vec<&'static Check> = CATALOGUE.iter().take(4).collect();
    let findings = [
        undecided(checks[0], 7),
        undecided(checks[1], 20),
        (checks[2], Finding::pass("", [])),
        undecided(checks[3], 20),
    ];
    let outcome = Outcome::with(&evidence, findings);
    let common = outcome.common_causes();
    let told: Vec<_> = common.iter().map(|it| (it.cause.seq, it.judged.len(), it.title())).collect();
    assert_eq!(told, [(20, 2, "2 checks are undecided for one cause".to_owned())]);
    let others = outcome.others_by_property();
    let others: Vec<_> = others.iter().flat_map(|(_, members)| members).map(|it| it.check.id).collect();
    assert_eq!(others, [checks[0].id, checks[2].id]);
    assert_eq!(common[0].judged[0].doubt(), "restart was not begun");
}

#[test]
fn the_outermost_steps_are_the_time_table() {
    let evidence = History::good().evidence();
    let outcome = Outcome::with(&evidence, []);
    let deploy: Vec<_> = outcome.spans.iter().filter(|span| span.scenario == Some(Scenario::Deploy)).collect();
    let [deploy] = deploy[..] else { panic!("{} spans of deploy", deploy.len()) };
    assert_eq!((deploy.name, deploy.ended), ("deploy", Ended::Done));
    assert_eq!(seconds_of(&outcome.spans, [Scenario::Deploy, Scenario::Deploy]), deploy.seconds());
}

#[test]
fn a_step_without_an_end_lasts_to_the_last_record() {
    let history = History::good();
    let records = history.evidence().records;
    let ends = |record: &Record| matches!(&record.what, crate::evidence::What::Step(step) if step.whole() == Some(Scenario::Restart) && step.phase == Phase::End);
    let cut = records.iter().position(ends).expect("an end");
    let evidence = Evidence::new(records[..cut].to_vec());
    let outcome = Outcome::with(&evidence, []);
    let last = outcome.spans.last().expect("a span");
    assert_eq!((last.name, last.ended, last.end.seq), ("restart", Ended::CutShort, evidence.timeline.last_seq));
}
