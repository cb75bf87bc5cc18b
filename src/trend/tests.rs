use super::*;
use crate::check::Outcome;
use crate::evidence::{Evidence, Record, Upgrade, What};
use crate::report::{sample, write_all};
use proptest::prelude::*;
use serde_json::{Value, json};

fn found(path: &str, results: &Value) -> Found {
    Found { path: path.into(), text: results.to_string() }
}

/// The results of a run on this Kubernetes version and server: checks with their verdicts and seconds.
fn results(id: &str, (kubernetes, server): (&str, &str), checks: &[(&str, &str, f64)]) -> Value {
    let checks: Vec<Value> = checks
        .iter()
        .map(|(id, verdict, seconds)| json!({ "id": id, "verdict": verdict, "seconds": seconds, "reason": "so it is" }))
        .collect();
    let run =
        json!({ "run_id": id, "steadfast": "0.1.0", "kubernetes": kubernetes, "servers": { "versions": [server] } });
    json!({ "schema": 1, "run": run, "interrupted": false, "checks": checks, "disruptions": [], "ledger": null })
}

const NEW: (&str, &str) = ("v1.37.2", "9.7.4");
const OLD: (&str, &str) = ("v1.36.3", "9.7.4");

fn costing(mut results: Value, recovery: Option<f64>, outage: f64, lag: f64) -> Value {
    let disruption = |recovery: Option<f64>| {
        json!({
            "scenario": "restart", "recovered_after_s": recovery, "longest_outage_s": outage,
            "lag": { "looks": 100, "p99_s": lag },
        })
    };
    results["disruptions"] = json!([disruption(Some(0.5)), disruption(recovery)]);
    results["ledger"] =
        json!({ "longest_outage_s": outage + 1.0, "lag_at_rest": [{ "looks": 9, "p99_s": lag / 2.0 }] });
    results
}

/// Nightly runs: two versions, a flake, a check that was undecided once, and everything that does not count.
fn nights() -> Gathered {
    let night = |day: u32, on, first: &str, second: &str| {
        let id = format!("steadfast-202611{day:02}-030000-00000{day}");
        let checks =
            [("order::a", first, 40.0 + f64::from(day)), ("rows::b", second, 12.5), ("dns::c", "skipped", 0.0)];
        costing(results(&id, on, &checks), (day != 4).then_some(f64::from(day)), f64::from(day) / 2.0, 0.25)
    };
    let mut interrupted = night(6, NEW, "fail", "fail");
    interrupted["interrupted"] = true.into();
    let mut cut_early = night(6, NEW, "inconclusive", "inconclusive");
    (cut_early["run"], cut_early["interrupted"]) = (Value::Null, true.into());
    let mut never = night(6, NEW, "inconclusive", "inconclusive");
    never["run"] = Value::Null;
    let mut other = night(1, OLD, "pass", "pass");
    other["checks"][0]["verdict"] = "fail".into();
    let mutant = results("mutants-20261101-030000-abcdef.parallel", NEW, &[("order::a", "fail", 1.0)]);
    let upgrade = results("steadfast-mutants-upgrade-20261101-030000-abcdef", NEW, &[("order::a", "fail", 1.0)]);
    let found = vec![
        found("5/results.json", &night(5, NEW, "pass", "pass")),
        found("1/results.json", &night(1, OLD, "pass", "pass")),
        found("2/results.json", &night(2, NEW, "fail", "pass")),
        found("3/results.json", &night(3, OLD, "pass", "inconclusive")),
        found("4/results.json", &night(4, NEW, "fail", "pass")),
        found("again/4/results.json", &night(4, NEW, "fail", "pass")),
        found("other/1/results.json", &other),
        found("6/results.json", &interrupted),
        found("early/results.json", &cut_early),
        found("never/results.json", &never),
        found("mutants/parallel/results.json", &mutant),
        found("mutants/upgrade/results.json", &upgrade),
        found("new/results.json", &json!({ "schema": 7 })),
        Found { path: "torn/results.json".into(), text: "{\"schema\": 1,".into() },
    ];
    let unread = vec![Unread { path: "empty".into(), reason: "there is no results.json".into() }];
    Gathered { found, without_results: vec!["killed".into()], unread }
}

#[test]
fn many_nights_as_text() {
    insta::assert_snapshot!(Trend::of(nights()).render(Form::Text));
}

#[test]
fn many_nights_in_markdown() {
    insta::assert_snapshot!(Trend::of(nights()).render(Form::Markdown));
}

#[test]
fn many_nights_as_json() {
    insta::assert_snapshot!(Trend::of(nights()).render(Form::Json));
}

#[test]
fn nothing_is_said_of_nothing() {
    let trend = Trend::of(Gathered::default());
    assert!(trend.is_whole());
    assert_eq!(trend.render(Form::Text), "no run counts\n");
}

/// A trend reads whatever a run writes.
#[test]
fn the_results_of_a_run_are_read() {
    let written = |outcome: &Outcome<'_>| {
        let folder = tempfile::tempdir().unwrap();
        write_all(outcome, folder.path()).unwrap();
        Trend::of(gather(&[folder.path()]))
    };
    let upgraded = |mut record: Record| {
        if let What::Run(run) = &mut record.what {
            run.upgrade = Some(Upgrade { from: "v1.36.3".into(), to: "v1.37.2".into() });
        }
        record
    };
    let evidence = Evidence::new(sample::disrupted_evidence().records.into_iter().map(upgraded).collect());
    let trend = written(&sample::measured(&evidence));
    assert!(trend.is_whole());
    let group = &trend.groups[0];
    assert_eq!((group.kubernetes.as_str(), group.server.as_str()), ("v1.36.3 to v1.37.2", "5.7.22-log"));
    let recovery = trend.figures.iter().find(|figure| figure.what == "recovery").unwrap();
    assert_eq!((recovery.of.as_str(), recovery.spread.worst), ("restart", 29.502));
    let failing = sample::failing_evidence();
    let trend = written(&sample::failing(&failing));
    assert_eq!(trend.checks.iter().filter(|check| check.counts.fail == 1).count(), 2);
    assert_eq!(trend.checks[0].last_red.as_deref(), Some("20260105-030000-7f3a"));
    let nothing = Evidence::new(Vec::new());
    assert_eq!(written(&sample::empty(&nothing)).apart.never_began.len(), 1);
    let interrupted = sample::interrupted_evidence();
    assert_eq!(written(&sample::interrupted(&interrupted)).apart.interrupted, ["20260105-030000-7f3a"]);
}

/// Results from before server versions were recorded.
#[test]
fn older_results_are_read() {
    let mut old = results("steadfast-20261001-030000-000001", NEW, &[("order::a", "pass", 1.0)]);
    old["run"].as_object_mut().unwrap().remove("servers");
    for field in ["disruptions", "ledger"] {
        old.as_object_mut().unwrap().remove(field);
    }
    let trend = Trend::of(Gathered { found: vec![found("old", &old)], ..Gathered::default() });
    assert!(trend.is_whole());
    assert_eq!(trend.groups[0].server, "unknown");
}

fn many_runs() -> impl Strategy<Value = Vec<Found>> {
    let verdict = prop::sample::select(vec!["pass", "fail", "inconclusive", "skipped"]);
    let checks = prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), verdict, 0.0..100.0), 0..3);
    let run = (checks, any::<bool>(), any::<bool>()).prop_map(|(mut checks, new, interrupted)| {
        checks.sort_by_key(|(id, _, _)| *id);
        checks.dedup_by_key(|(id, _, _)| *id);
        (checks, if new { NEW } else { OLD }, interrupted)
    });
    prop::collection::vec(run, 0..12).prop_map(|runs| {
        let numbered = |(day, (checks, on, interrupted)): (usize, (Vec<_>, _, bool))| {
            let mut results = results(&format!("steadfast-20261101-{day:06}-abcdef"), on, &checks);
            results["interrupted"] = interrupted.into();
            found(&day.to_string(), &results)
        };
        runs.into_iter().enumerate().map(numbered).collect()
    })
}

fn trend(found: Vec<Found>) -> Trend {
    Trend::of(Gathered { found, ..Gathered::default() })
}

proptest! {
    #[test]
    fn every_verdict_is_counted_once(runs in many_runs()) {
        let total = runs.len();
        let trend = trend(runs);
        prop_assert_eq!(trend.runs.len() + trend.apart.interrupted.len(), total);
        prop_assert_eq!(trend.groups.iter().map(|group| group.runs).sum::<usize>(), trend.runs.len());
        for check in &trend.checks {
            let sum = |counts: Counts| counts.pass + counts.fail + counts.inconclusive + counts.skipped;
            prop_assert_eq!(sum(check.counts), check.runs);
            prop_assert_eq!(check.first_red.is_some(), check.counts.fail > 0);
            prop_assert!(check.first_red <= check.last_red);
            let same = |group: &Group| group.checks.iter().filter(|it| it.id == check.id).map(|it| it.runs).sum::<usize>();
            prop_assert_eq!(trend.groups.iter().map(same).sum::<usize>(), check.runs);
            if let Some(spread) = &check.seconds {
                prop_assert!(spread.median <= spread.worst && spread.last <= spread.worst);
            }
        }
    }

    #[test]
    fn neither_order_nor_copies_change_anything(runs in many_runs().prop_shuffle()) {
        let copies = runs.clone().into_iter().rev().chain(runs.clone()).collect();
        let (once, twice) = (trend(runs.clone()), trend(copies));
        prop_assert_eq!(twice.apart.repeated, runs.len());
        let apart = Apart { repeated: 0, ..twice.apart };
        prop_assert_eq!(once, Trend { apart, ..twice });
    }
}
