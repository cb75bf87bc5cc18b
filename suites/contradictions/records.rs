//! Every recorded fact is judged: each class of records, by kind, checkpoint and question, is dropped or corrupted.

use serde_json::json;
use steadfast::evidence::{
    Act, Checkpoint, EventType, Exec, Fault, Leftover, NodeState, ObjectEvent, Phase, PodLife, Question, Record,
    Scenario, Snapshot, SnapshotOf, Sql, SqlAnswer, Step, What, Write, WriteOutcome,
};

use super::change::{Change, Places, dropped, said};
use super::class::{Class, History, Wanted};
use super::edits::{Reply, broken, data, error, shown, value, valued};
use super::stored::{Part, Stored, checkpoint, told};

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "records::what_was_asked_for_is_dropped",
        why: "What a scenario asks for counts in some verdict, at every moment at which it asks.",
        part: Part::Answers,
        of: |stored| each(stored, |_| false, |places| dropped(places.clone())),
    },
    Class {
        name: "records::what_was_asked_for_is_corrupted",
        why: "What a scenario asks for is read, not only looked for.",
        part: Part::Answers,
        of: |stored| each(stored, |_| false, |places| corrupted(stored, places)),
    },
];

/// Whether a record may be missing.
pub(crate) type MayBeMissing = fn(&What) -> bool;

/// Records that may be missing or wrong while every check passes, and the reasons.
#[rustfmt::skip]
static EXCEPTIONS: &[(MayBeMissing, &str)] = &[
    (|what| matches!(what, What::Note(_)), "notes are for people"),
    (|what| matches!(what, What::Wait(_)), "what a wait waited for is in the watch; only one in vain is a reason"),
    (|what| matches!(what, What::Object(event) if matches!(event.object_kind.as_str(), "EndpointSlice" | "Service")),
        "endpoints are for people: DNS is asked instead; so is the Service, whose ports the run knows"),
    (|what| matches!(what, What::Step(step) if step.whole().is_none()),
        "what an inner step does is proved by its faults; that one failed is a class of its own"),
    (|what| matches!(what, What::Step(step) if step.phase == Phase::Begin && !step.scenario.is_some_and(Scenario::disrupts)),
        "where nothing is disrupted the end of a scenario says as much as its beginning"),
    (|what| matches!(what, What::Sql(sql) if matches!(sql.question, Question::Configure | Question::FaultInjection)),
        "statements of the harness: what they bring shows in the replication status"),
    (|what| matches!(what, What::Sql(sql) if sql.question == Question::SemiSync),
        "shown to people: whether commits waited is judged by the ledger's entries"),
    (|what| matches!(what, What::Sql(sql) if sql.question == Question::Uptime),
        "it proves a crash where no container is started again, and the stored runs have none of these"),
    (|what| matches!(what, What::Write(write) if write.outcome != WriteOutcome::Acknowledged),
        "a write without an answer may be there or not"),
    (|what| matches!(what, What::Fault(Fault { act: Act::StartLedger { .. } | Act::DeleteClaims, .. })),
        "that the ledger began shows in its entries, and that the claims went in the list of what remains"),
    (|what| matches!(what, What::Snapshot(snapshot) if snapshot.of == SnapshotOf::ApiServer),
        "which process it was before is told by newer runs alone: there a class of its own has it"),
    (|what| matches!(what, What::Sql(sql) if sql.question == Question::Identity && tells_alone(&sql.checkpoint)),
        "what a pod says that is asked once, or whose claim is new, is held against the others alone"),
    (|what| matches!(what, What::Gap(_)), "a history of which nothing was lost has no gap"),
    (|what| matches!(what, What::Run(_)), "without it the run did not start, which a class of its own says"),
];

/// Whether a server's statement at a checkpoint may differ from its earlier ones.
fn tells_alone(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Joined || *checkpoint == Checkpoint::Recovered { scenario: Scenario::Claims }
}

/// The UIDs of pods that were deleted when they had just become Ready, shortened as in names.
fn briefly_ready(stored: &Stored) -> Vec<String> {
    let soon = |life: &&PodLife| {
        let ready = life.first_ready().map_or(0, |ready| ready.at_us);
        life.deleting.is_some_and(|told| told.at_us.saturating_sub(ready) < 2_000_000)
    };
    stored.timeline.pods.iter().filter(soon).map(|life| life.uid.chars().take(8).collect()).collect()
}

/// A history for each class of records that is not an exception, neither for all runs nor for this one.
pub(crate) fn each(stored: &Stored, own: MayBeMissing, change: impl Fn(&Places) -> Change) -> Vec<History> {
    let of_all = |what: &What| EXCEPTIONS.iter().any(|(may_be_missing, _)| may_be_missing(what));
    let counts = |record: &Record| !of_all(&record.what) && !own(&record.what);
    let groups = stored.groups(|record| if counts(record) { class_of(stored, record) } else { None });
    let briefly = briefly_ready(stored);
    let last = stored.subject.nth(stored.subject.replicas - 1);
    let history = |(name, places): (String, Places)| {
        // A pod that is deleted when it becomes Ready need not answer. A pod that cannot start may be replaced by its
        // controller without a deletion by the harness.
        if briefly.iter().any(|uid| name.contains(uid.as_str())) || name == format!("roll: delete {last} asked for") {
            return None;
        }
        let likely = likely(&stored.at(places.first()?).what);
        Some(History::new(name, Wanted::SomeLeavesGreen(likely), change(&places)))
    };
    groups.into_iter().filter_map(history).collect()
}

/// The class of a record: its kind, its checkpoint and its question.
fn class_of(stored: &Stored, record: &Record) -> Option<String> {
    let scenario = stored.scenario_name(record.seq);
    let when =
        checkpoint(&record.what).map(|checkpoint| format!("{scenario}, {}", told(checkpoint))).unwrap_or_default();
    Some(match &record.what {
        What::Dns(dns) => format!("{when}: {} of {}", dns.record_type, dns.name),
        What::Sql(sql) => format!("{when}: {:?} of {}", sql.question, sql.pod),
        What::Exec(exec) => format!("{when}: {} in {}", exec.argv.join(" "), exec.pod),
        What::Write(_) => format!("{when}: writes"),
        What::Entries(_) => format!("{scenario}: entries"),
        What::Fault(Fault { act, proof }) => {
            format!("{scenario}: {act} {}", if proof.is_some() { "proved" } else { "asked for" })
        }
        What::Snapshot(snapshot) => format!("{scenario}: {:?} (#{})", snapshot.of, record.seq),
        What::Step(Step { phase: Phase::Begin, .. }) => format!("{scenario} begins"),
        What::Step(_) => format!("{scenario} ends"),
        What::Object(event) => return class_of_event(stored, event, stored.scenario(record.seq)),
        _ => return None,
    })
}

/// Events are not answers. Of a pod, these count: creation, end, and all changes between. Of a claim or a volume, all
/// events count. Of the StatefulSet, the events in scenarios that wait for its controller count.
fn class_of_event(stored: &Stored, event: &ObjectEvent, within: Option<Scenario>) -> Option<String> {
    let name = event.object["metadata"]["name"].as_str()?;
    let uid = event.object["metadata"]["uid"].as_str()?;
    let kind = event.object_kind.as_str();
    let in_set = |pod: &str| stored.subject.pods().any(|of_set| of_set == pod);
    let claims = || {
        stored
            .subject
            .claims
            .iter()
            .flat_map(|template| stored.subject.pods().map(move |pod| format!("{template}-{pod}")))
    };
    let is_ours = match kind {
        "Pod" => in_set(name) || name == stored.subject.nth(stored.subject.replicas),
        "PersistentVolumeClaim" => claims().any(|claim| claim == name),
        "PersistentVolume" => claims().any(|claim| event.object["spec"]["claimRef"]["name"] == claim.as_str()),
        "StatefulSet" => matches!(within, Some(Scenario::Scale | Scenario::Roll)),
        _ => false,
    };
    // The scenario `claims` deletes the last pod's claim on purpose, so what the pod stores after that is not compared.
    let since = stored.events_of(kind, uid).first().and_then(|first| stored.scenario(first));
    let uid = &uid[..8.min(uid.len())];
    Some(match (kind, event.event) {
        _ if !is_ours || (kind.starts_with("Persistent") && since == Some(Scenario::Claims)) => return None,
        ("Pod", EventType::Listed) => format!("{kind} listed"),
        // After a gap, listed claims, volumes and StatefulSets are unchanged, because nothing deleted them during the
        // gap.
        (_, EventType::Listed) => return None,
        ("Pod", of) => format!("{kind} {name} {uid} {of:?}"),
        ("StatefulSet", _) => format!("{kind} in {}", within.map_or("", Scenario::name)),
        _ => format!("{kind} {name} {uid}"),
    })
}

/// The checks that are likely to notice. To ask them first saves time.
fn likely(what: &What) -> &'static [&'static str] {
    match what {
        What::Dns(dns) => match dns.record_type.as_str() {
            "SRV" => &["dns::srv_lists_every_pod"],
            "PTR" => &["dns::ptr_points_back"],
            _ => &["dns::each_pod_has_its_name", "dns::service_resolves_to_ready_pods", "dns::name_follows_the_pod"],
        },
        What::Sql(sql) => match sql.question {
            Question::Ping => &["ordering::ready_means_serving"],
            Question::Identity => &["identity::identity_survives_restart", "identity::server_ids_are_distinct"],
            Question::ReplicaStatus => &["replication::replicas_follow_by_stable_name"],
            Question::TryWrite => &["replication::replicas_refuse_writes"],
            Question::Settings => &["persistence::durability_settings"],
            Question::Entries => &["replication::no_acknowledged_write_is_lost"],
            _ => &["replication::replicas_hold_the_same_rows", "persistence::rows_survive_pod_deletion"],
        },
        What::Exec(_) => &["identity::hostname_is_pod_name", "dns::short_names_resolve", "dns::each_pod_has_its_name"],
        What::Write(_) => &["replication::replicas_hold_the_same_rows"],
        What::Entries(_) => &["replication::no_acknowledged_write_is_lost"],
        What::Fault(_) => &["replication::recovers_within_budget", "ordering::rolls_highest_ordinal_first"],
        What::Object(_) => &["identity::identity_survives_restart", "ordering::starts_in_ordinal_order"],
        _ => &[],
    }
}

/// Corrupts these records.
pub(crate) fn corrupted(stored: &Stored, places: &Places) -> Change {
    let places = places.clone();
    let question = match places.first().map(|seq| &stored.at(seq).what) {
        Some(What::Sql(sql)) => sql.question,
        // An object that is different from its first event on is right. It must change later.
        Some(What::Object(event)) if event.object_kind.starts_with("Persistent") => {
            let end = stored.scenarios().first().and_then(|(_, first)| first.last()).unwrap_or(1);
            return said(places.since(end), corrupt);
        }
        Some(What::Object(event)) if event.object_kind == "StatefulSet" => {
            return shown(places, |object| {
                object["status"]["observedGeneration"] = 0.into();
                object["status"]["updateRevision"] = "another".into();
            });
        }
        _ => return said(places, corrupt),
    };
    match question {
        Question::Identity if value(&stored.at(places.first().unwrap_or(1)).what, "server_uuid").is_none() => {
            valued(places, "server_id", "4711")
        }
        Question::Identity => valued(places, "server_uuid", "00000000-0000-0000-0000-000000000000"),
        Question::GtidExecuted => valued(places, "gtid_executed", ""),
        Question::Barrier => valued(places, "reached", "0"),
        Question::Digest => valued(places, "checksum", "4711"),
        Question::Settings => valued(places, "sync_binlog", "0"),
        Question::Entries => valued(places, "ids", "2"),
        _ => said(places, corrupt),
    }
}

/// Corrupts one record.
fn corrupt(what: &mut What) {
    match what {
        What::Dns(dns) => {
            let lie = if data(dns).is_empty() {
                Reply::Data(vec!["10.99.99.99".to_owned()])
            } else {
                Reply::Code("NXDOMAIN")
            };
            dns.answer = lie.answer();
        }
        What::Sql(sql) => corrupt_answer(sql),
        What::Exec(Exec { answer, .. }) => {
            let stdout = "10.99.99.99 STREAM stranger".to_owned();
            *answer = steadfast::evidence::ExecAnswer::Exited { code: 0, stdout, stderr: String::new() };
        }
        What::Write(Write { outcome, .. }) => *outcome = WriteOutcome::Rejected("read only".to_owned()),
        What::Entries(entries) => {
            for write in &mut entries.writes {
                write.outcome = match write.outcome {
                    WriteOutcome::Acknowledged => WriteOutcome::Rejected("read only".to_owned()),
                    _ => WriteOutcome::Acknowledged,
                };
            }
        }
        What::Fault(fault) => match &mut fault.proof {
            Some(proof) => *proof = vec![1],
            None => fault.act = Act::Uncordon { node: "another".to_owned() },
        },
        What::Snapshot(snapshot) => corrupt_snapshot(snapshot),
        What::Step(step) => step.phase = Phase::Failed("it did not work".to_owned()),
        What::Object(event) => {
            event.object["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000".into();
        }
        _ => {}
    }
}

fn corrupt_answer(sql: &mut Sql) {
    sql.answer = match sql.question {
        Question::TryWrite => SqlAnswer::Rows(Vec::new()),
        Question::Rows => match &sql.answer {
            SqlAnswer::Rows(rows) => SqlAnswer::Rows(rows.iter().skip(1).cloned().collect()),
            _ => broken(),
        },
        Question::ReplicaStatus => SqlAnswer::Rows(Vec::new()),
        _ => error(1045),
    };
}

fn corrupt_snapshot(snapshot: &mut Snapshot) {
    let other = "00000000-0000-0000-0000-000000000000";
    match snapshot.of {
        SnapshotOf::Node | SnapshotOf::ApiServer => {
            if let Ok(mut state) = serde_json::from_value::<NodeState>(snapshot.value.clone()) {
                "broken".clone_into(&mut state.state);
                snapshot.value = json!(state);
            }
        }
        SnapshotOf::Applied => {
            let objects = snapshot.value.as_array_mut().into_iter().flatten();
            objects.for_each(|object| object["uid"] = other.into());
        }
        SnapshotOf::LeftoverObjects | SnapshotOf::LeftoverResources => {
            let left = Leftover { kind: "volume".into(), name: "left".into(), held_by: None };
            snapshot.value = json!([left]);
        }
        _ => snapshot.value = json!(null),
    }
}
