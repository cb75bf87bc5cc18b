//! The verdicts of the checks on an upgraded cluster: each check must have a verdict, and none may be bad.

use serde_json::{Value, json};
use steadfast::check::{CATALOGUE, Verdict};
use steadfast::evidence::{Scenario, SnapshotOf};

use super::change::{Change, Places, added_after, dropped};
use super::class::{Checks, Class, History, Wanted};
use super::edits::snapshot;
use super::stored::{Part, Stored};

const CONFORMS: Checks = &["upgrade::new_version_still_conforms"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "conformed::a_check_did_not_pass",
        why: "What fails on the upgraded cluster fails the upgrade, and what nobody knows of it leaves it open.",
        part: Part::Upgrade,
        of: not_passed,
    },
    Class {
        name: "conformed::the_checks_concluded_nothing",
        why: "An upgraded cluster that was put to no check, or to some, has not shown that it conforms.",
        part: Part::Upgrade,
        of: nothing,
    },
    Class {
        name: "conformed::a_check_does_not_apply",
        why: "What does not apply to the workload need not pass, and a later version may know more checks.",
        part: Part::Upgrade,
        of: not_applied,
    },
];

fn told(stored: &Stored) -> Places {
    stored.snapshots(SnapshotOf::Conformance)
}

/// Changes what is recorded about one check.
fn one(stored: &Stored, id: &'static str, otherwise: impl Fn(&mut Value) + Send + Sync + 'static) -> Change {
    snapshot(told(stored), move |all| {
        all.as_array_mut().into_iter().flatten().filter(|it| it["id"] == id).for_each(&otherwise);
    })
}

fn concluded(stored: &Stored, id: &'static str, verdict: &'static str) -> Change {
    one(stored, id, move |it| it["verdict"] = verdict.into())
}

/// Changes the list.
fn list(stored: &Stored, otherwise: impl Fn(&mut Vec<Value>) + Send + Sync + 'static) -> Change {
    snapshot(told(stored), move |all| all.as_array_mut().into_iter().for_each(&otherwise))
}

fn not_passed(stored: &Stored) -> Vec<History> {
    let (fails, open) = (Wanted::Fails(CONFORMS), Wanted::LeavesOpen(CONFORMS));
    let mut histories = Vec::new();
    for check in CATALOGUE {
        let id = check.id;
        let mut add = |word: &str, wanted, change| histories.push(History::new(format!("{id} {word}"), wanted, change));
        add("failed", fails, concluded(stored, id, "fail"));
        add("is inconclusive", open, concluded(stored, id, "inconclusive"));
        add("concluded something else", open, concluded(stored, id, "passed"));
        add("is missing", open, list(stored, move |all| all.retain(|it| it["id"] != id)));
        let twice = move |all: &mut Vec<Value>| all.push(json!({"id": id, "verdict": "fail", "reason": "once"}));
        add("passed and failed", fails, list(stored, twice));
    }
    histories
}

fn nothing(stored: &Stored) -> Vec<History> {
    let open = Wanted::LeavesOpen(CONFORMS);
    let every =
        |verdict: &'static str| list(stored, move |all| all.iter_mut().for_each(|it| it["verdict"] = verdict.into()));
    let mut histories = vec![
        History::new("nothing was told", open, dropped(told(stored))),
        History::new("an empty list", open, list(stored, Vec::clear)),
        History::new("no list", open, snapshot(told(stored), |all| *all = Value::Null)),
        History::new("a list of something else", open, list(stored, |all| *all = vec![json!("as it must")])),
        History::new("all skipped", open, every("skipped")),
        History::new("the first alone", open, list(stored, |all| all.truncate(1))),
        History::new(
            "the first, so often as there are checks",
            open,
            list(stored, |all| {
                let first = all[0].clone();
                all.fill(first);
            }),
        ),
    ];
    for property in ["ordering", "identity", "dns", "persistence", "replication"] {
        let of = move |it: &Value| it["id"].as_str().is_some_and(|id| id.starts_with(property));
        let skipped = list(stored, move |all| {
            all.iter_mut().filter(|it| of(it)).for_each(|it| it["verdict"] = "skipped".into());
        });
        histories.push(History::new(format!("all of {property} skipped"), open, skipped));
        let missing = list(stored, move |all| all.retain(|it| !of(it)));
        histories.push(History::new(format!("all of {property} missing"), open, missing));
    }
    histories
}

fn not_applied(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for check in CATALOGUE {
        let founded = check.scenarios.iter().all(|scenario| [Scenario::Deploy, Scenario::Replicate].contains(scenario));
        let wanted = match stored.verdict(check.id) {
            // This run shows that the check applies.
            Verdict::Pass if founded => Wanted::LeavesOpen(CONFORMS),
            Verdict::Skipped => Wanted::Passes(CONFORMS),
            _ => Wanted::NoneFails(CONFORMS),
        };
        histories.push(History::new(
            format!("{} is skipped", check.id),
            wanted,
            concluded(stored, check.id, "skipped"),
        ));
    }
    let more = list(stored, |all| {
        all.push(json!({"id": "ordering::something_new", "verdict": "pass", "reason": "as it must"}));
    });
    histories.push(History::new("one more passed", Wanted::Passes(CONFORMS), more));
    let worse = list(stored, |all| {
        all.push(json!({"id": "ordering::something_new", "verdict": "fail", "reason": "as it must not"}));
    });
    histories.push(History::new("one more failed", Wanted::Fails(CONFORMS), worse));
    histories.push(History::new("in another order", Wanted::Passes(CONFORMS), list(stored, |all| all.reverse())));
    if let Some(seq) = told(stored).first() {
        let change = added_after(seq, [stored.at(seq).what.clone()]);
        histories.push(History::new("told twice", Wanted::Passes(CONFORMS), change));
    }
    histories
}
