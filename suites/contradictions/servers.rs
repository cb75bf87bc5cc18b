//! Servers that change or answer differently: their identity, their names, and how they store commits.

use std::collections::BTreeSet;

use steadfast::evidence::{Checkpoint, Question, Record, Scenario, Sql, SqlAnswer, What};

use super::change::{Change, Places, delayed, dropped};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{answered, broken, error, exited, not_seen, sql, unreachable, value, valued};
use super::stored::{Part, Stored, told};

const SURVIVES: Checks = &["identity::identity_survives_restart"];
const DISTINCT: Checks = &["identity::server_ids_are_distinct"];
const HOSTNAME: Checks = &["identity::hostname_is_pod_name"];
const SERVING: Checks = &["ordering::ready_means_serving"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "servers::another_one_comes_back",
        why: "A pod that was deleted, by whomever, comes back with the server_id and server_uuid that it had.",
        part: Part::Answers,
        of: |stored| became_another(stored, true),
    },
    Class {
        name: "servers::one_becomes_another_while_its_pod_stays",
        why: "What identifies a server cannot change while its pod is there: one of the two answers is not its own.",
        part: Part::Answers,
        of: |stored| became_another(stored, false),
    },
    Class {
        name: "servers::two_are_one",
        why: "Two servers that are there at one time must not have one server_id or server_uuid, the fourth pod included.",
        part: Part::Answers,
        of: two_are_one,
    },
    Class {
        name: "servers::one_is_called_otherwise",
        why: "hostname, `hostname -f` and @@hostname are the pod's, wherever they are read.",
        part: Part::Answers,
        of: called_otherwise,
    },
    Class {
        name: "servers::somebody_else_answers",
        why: "What a pod answered that is gone, or another one, says nothing of the one that is there.",
        part: Part::Answers,
        of: somebody_else_answers,
    },
    Class {
        name: "servers::a_ready_pod_does_not_serve",
        why: "Every pod that became Ready was asked at once, and must have answered.",
        part: Part::Answers,
        of: not_serving,
    },
    Class {
        name: "servers::commits_are_not_kept",
        why: "Each setting of durability is required of every server.",
        part: Part::Answers,
        of: not_durable,
    },
];

/// The scenario and the checkpoint at which a pod was asked, and its answers.
type Occasion = (Option<Scenario>, Checkpoint, Places);

/// The answers of each pod to one question, by occasion.
fn answers(stored: &Stored, question: Question) -> Vec<(String, Vec<Occasion>)> {
    let groups = stored.groups(|record| match &record.what {
        What::Sql(sql) if sql.question == question => {
            Some((sql.pod.clone(), stored.scenario(record.seq), sql.checkpoint.clone()))
        }
        _ => None,
    });
    let pods: BTreeSet<String> = groups.iter().map(|((pod, ..), _)| pod.clone()).collect();
    let of = |pod: &String| {
        let mine = groups.iter().filter(|((of, ..), _)| of == pod);
        mine.map(|((_, scenario, checkpoint), places)| (*scenario, checkpoint.clone(), places.clone())).collect()
    };
    pods.iter().map(|pod| (pod.clone(), of(pod))).collect()
}

/// The pod UID of an answer.
fn uid(record: &Record) -> &str {
    if let What::Sql(sql) = &record.what { &sql.uid } else { "" }
}

fn at<'a>(stored: &'a Stored, places: &Places) -> &'a Record {
    stored.at(places.first().expect("a record"))
}

const COLUMNS: [(&str, &str); 2] = [("server_id", "4711"), ("server_uuid", "00000000-0000-0000-0000-000000000000")];

/// One pod's server is another one from each occasion on, or at this occasion only. `comes_back` selects occasions with
/// a new pod or with the same pod.
fn became_another(stored: &Stored, comes_back: bool) -> Vec<History> {
    let mut histories = Vec::new();
    let last = stored.subject.nth(stored.subject.replicas - 1);
    for (pod, occasions) in answers(stored, Question::Identity) {
        for (index, (scenario, checkpoint, places)) in occasions.iter().enumerate().skip(1) {
            let (now, before) = (at(stored, places), at(stored, &occasions[index - 1].2));
            // Its claim had to be deleted with it, and so its identity.
            let exempt = pod == last && *scenario == Some(Scenario::Claims);
            if exempt || (uid(now) != uid(before)) != comes_back {
                continue;
            }
            let wanted = if comes_back { Wanted::Fails(SURVIVES) } else { Wanted::LeavesGreen(SURVIVES) };
            for (column, other) in COLUMNS.into_iter().filter(|(column, _)| value(&now.what, column).is_some()) {
                let for_good: Places =
                    occasions[index..].iter().flat_map(|it| it.2.iter().collect::<Vec<_>>()).collect();
                let title = format!("{column} of {pod} is another from `{}` on", told(checkpoint));
                histories.push(History::new(title, wanted, valued(for_good, column, other)));
                let title = format!("{column} of {pod} is another at `{}`", told(checkpoint));
                histories.push(History::new(title, wanted, valued(places.clone(), column, other)));
            }
        }
    }
    histories
}

/// At each occasion, each pod gives the last answer of another existing pod.
fn two_are_one(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let all = answers(stored, Question::Identity);
    for (pod, occasions) in &all {
        for (_, checkpoint, places) in occasions {
            let seq = places.first().expect("an answer");
            for (other, theirs) in all.iter().filter(|(other, _)| other != pod) {
                let there =
                    |record: &&Record| stored.timeline.pod_by_uid(uid(record)).is_some_and(|life| life.alive_at(seq));
                let known = theirs.iter().map(|(_, _, places)| at(stored, places));
                let Some(known) = known.filter(|record| record.seq < seq).rfind(there) else { continue };
                for (column, _) in COLUMNS {
                    let Some(same) = value(&known.what, column) else { continue };
                    let title = format!("{column} of {pod} is that of {other} at `{}`", told(checkpoint));
                    histories.push(History::new(title, Wanted::Fails(DISTINCT), valued(places.clone(), column, same)));
                }
            }
        }
    }
    histories
}

fn called_otherwise(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (pod, occasions) in answers(stored, Question::Identity) {
        for (_, checkpoint, places) in occasions {
            let title = format!("@@hostname of {pod} is another at `{}`", told(&checkpoint));
            let change = valued(places, "hostname", "another");
            histories.push(History::new(title, Wanted::Fails(HOSTNAME), change));
        }
    }
    let commands = stored.groups(|record| match &record.what {
        What::Exec(exec) if exec.argv[0] == "hostname" => {
            Some((exec.pod.clone(), stored.scenario(record.seq), exec.checkpoint.clone(), exec.argv.join(" ")))
        }
        _ => None,
    });
    for ((pod, _, checkpoint, command), places) in commands {
        let title = format!("`{command}` in {pod} at `{}`", told(&checkpoint));
        let changes = [
            ("another", Wanted::Fails(HOSTNAME), exited(places.clone(), 0, "another")),
            ("the name of another pod", Wanted::Fails(HOSTNAME), exited(places.clone(), 0, format!("{pod}0"))),
            ("exit code 1", Wanted::Fails(HOSTNAME), exited(places.clone(), 1, "")),
            ("no such program", Wanted::LeavesGreen(HOSTNAME), exited(places.clone(), 127, "")),
            ("not seen", Wanted::LeavesGreen(HOSTNAME), not_seen(places.clone())),
            ("not run", Wanted::LeavesGreen(HOSTNAME), dropped(places)),
        ];
        histories
            .extend(changes.map(|(word, wanted, change)| History::new(format!("{title}: {word}"), wanted, change)));
    }
    histories
}

/// The checks that read the answers to a question.
fn readers(question: Question) -> Option<Checks> {
    Some(match question {
        Question::Ping => SERVING,
        Question::Identity => &["identity::identity_survives_restart", "identity::server_ids_are_distinct"],
        Question::ReplicaStatus => &["replication::replicas_follow_by_stable_name"],
        Question::GtidExecuted | Question::Barrier | Question::Digest => &["replication::replicas_hold_the_same_rows"],
        Question::Rows => &["persistence::rows_survive_pod_deletion", "replication::replicas_hold_the_same_rows"],
        Question::TryWrite => &["replication::replicas_refuse_writes"],
        Question::Settings => &["persistence::durability_settings"],
        Question::Entries => &["replication::no_acknowledged_write_is_lost"],
        Question::Configure | Question::SemiSync | Question::Uptime | Question::FaultInjection => return None,
    })
}

/// Each answer has the UID of the pod's previous life, or of another pod if there was none.
fn somebody_else_answers(stored: &Stored) -> Vec<History> {
    let groups = stored.groups(|record| match &record.what {
        What::Sql(sql) if !matches!(sql.checkpoint, Checkpoint::Starting { .. }) => {
            Some((sql.pod.clone(), stored.scenario(record.seq), sql.checkpoint.clone(), sql.question))
        }
        _ => None,
    });
    let history =
        |((pod, _, checkpoint, question), places): ((String, Option<Scenario>, Checkpoint, Question), Places)| {
            let seq = places.first()?;
            let dead = stored.timeline.lives(&pod).rfind(|life| life.deleted.is_some_and(|gone| gone.seq < seq));
            let living = stored.timeline.pods.iter().find(|life| life.name != pod && life.alive_at(seq));
            let (whose, other) =
                dead.map(|life| ("its dead self", life)).or(living.map(|life| ("another pod", life)))?;
            let title = format!("{whose} answers for {pod} at `{}`: {question:?}", told(&checkpoint));
            let other = other.uid.clone();
            let change = sql(places, move |sql| sql.uid.clone_from(&other));
            Some(History::new(title, Wanted::SomeLeavesGreen(readers(question)?), change))
        };
    groups.into_iter().filter_map(history).collect()
}

fn not_serving(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for life in stored.lives() {
        let of_life = |checkpoint: &Checkpoint| matches!(checkpoint, Checkpoint::Ready { uid, .. } | Checkpoint::Starting { uid, .. } if *uid == life.uid);
        let asked = stored.places(|what| matches!(what, What::Sql(sql) if of_life(&sql.checkpoint)));
        let greeting = stored.places(
            |what| matches!(what, What::Sql(Sql { checkpoint: Checkpoint::Ready { uid, .. }, .. }) if *uid == life.uid),
        );
        let Some(seq) = greeting.first().filter(|seq| !life.deleting_at(*seq)) else { continue };
        let title = format!("{} (#{seq})", life.name);
        let (noticed, fails) = (Wanted::LeavesGreen(SERVING), Wanted::Fails(SERVING));
        let late = |by_us: u64| {
            // The answer counts as in time if the question was asked earlier, so both are late.
            dropped(starting(stored, &life.uid)).then(delayed(greeting.clone(), by_us))
        };
        let slow = sql(greeting.clone(), |sql| sql.took_us += 9_000_000).then(late(9_000_000));
        let changes = [
            ("not asked", noticed, dropped(asked.clone())),
            ("refused", fails, answered(asked.clone(), unreachable())),
            ("access denied", fails, answered(asked.clone(), error(1045))),
            ("the probe broke", noticed, answered(asked.clone(), broken())),
            ("asked after 5 s", noticed, late(5_000_000)),
            ("answered after 9 s", noticed, slow),
            ("no row", noticed, answered(asked.clone(), SqlAnswer::Rows(Vec::new()))),
        ];
        histories
            .extend(changes.map(|(word, wanted, change)| History::new(format!("{title}: {word}"), wanted, change)));
    }
    histories
}

fn starting(stored: &Stored, of: &str) -> Places {
    stored
        .places(|what| matches!(what, What::Sql(Sql { checkpoint: Checkpoint::Starting { uid, .. }, .. }) if uid == of))
}

fn not_durable(stored: &Stored) -> Vec<History> {
    const DURABLE: Checks = &["persistence::durability_settings"];
    let mut histories = Vec::new();
    for (pod, occasions) in answers(stored, Question::Settings) {
        for (_, checkpoint, places) in occasions {
            let title = format!("{pod} at `{}`", told(&checkpoint));
            let columns = [
                ("sync_binlog", "0"),
                ("sync_binlog", "1000"),
                ("innodb_flush_log_at_trx_commit", "2"),
                ("innodb_flush_log_at_trx_commit", "0"),
                ("relay_log_recovery", "0"),
                ("relay_log_recovery", "OFF"),
            ];
            histories.extend(columns.map(|(column, wrong)| {
                let change: Change = valued(places.clone(), column, wrong);
                History::new(format!("{title}: {column} is {wrong}"), Wanted::Fails(DURABLE), change)
            }));
            let noticed = Wanted::LeavesGreen(DURABLE);
            histories.push(History::new(format!("{title}: not asked"), noticed, dropped(places.clone())));
            histories.push(History::new(
                format!("{title}: not there"),
                noticed,
                answered(places.clone(), unreachable()),
            ));
            let unknown = answered(places, error(1193));
            histories.push(History::new(format!("{title}: not known"), noticed, unknown));
        }
    }
    histories
}
