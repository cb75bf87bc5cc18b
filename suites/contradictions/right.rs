//! Unusual histories that are right. No check may change its verdict because of them.

use steadfast::evidence::{
    DnsAnswer, Entries, EventType, Note, Question, Record, SqlAnswer, Wait, WaitOutcome, What, WriteOutcome,
};

use super::change::{Change, Places, added_after, dropped, said};
use super::class::{Class, History, Wanted};
use super::edits::{dns, event, exec, set_ready, sql, value, valued};
use super::stored::{Part, Stored};

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "right::names_are_spelled_otherwise",
        why: "DNS knows no case and may end a name with a dot; priority, weight and TTL are free.",
        part: Part::Right,
        of: spelled_otherwise,
    },
    Class {
        name: "right::servers_spell_otherwise",
        why: "Columns were renamed, and sets of transactions have more than one spelling.",
        part: Part::Servers,
        of: servers_spell_otherwise,
    },
    Class {
        name: "right::a_former_primary_is_remembered",
        why: "MariaDB's binlog state names servers that wrote long ago, on all of them alike, which no barrier does.",
        part: Part::Servers,
        of: former_primary,
    },
    Class {
        name: "right::readiness_flaps",
        why: "A pod may cease to be Ready for a moment while nobody waits for it.",
        part: Part::Right,
        of: flapping,
    },
    Class {
        name: "right::a_write_was_not_answered",
        why: "A write without an answer may be there or not.",
        part: Part::Right,
        of: not_answered,
    },
    Class {
        name: "right::more_is_told_than_is_judged",
        why: "Notes, waits that were met and endpoints are for people.",
        part: Part::Right,
        of: for_people,
    },
];

fn stays(name: &str, change: Change) -> History {
    History::new(name, Wanted::StaysAsItWas, change)
}

/// Changes the records in DNS answers.
fn records(stored: &Stored, record_type: &'static str, otherwise: fn(&mut String, &mut u32)) -> Change {
    let asked = stored.places(|what| matches!(what, What::Dns(dns) if dns.record_type == record_type));
    dns(asked, move |dns| {
        if let DnsAnswer::Response { records, .. } = &mut dns.answer {
            records.iter_mut().for_each(|record| otherwise(&mut record.data, &mut record.ttl));
        }
    })
}

fn spelled_otherwise(stored: &Stored) -> Vec<History> {
    let all = stored.places(|what| matches!(what, What::Dns(_)));
    let other_service = format!("10-0-0-1.reading.{}.svc.{}", stored.subject.namespace, stored.subject.domain);
    let beside = stored.places(|what| matches!(what, What::Dns(dns) if dns.record_type == "PTR"));
    let beside = dns(beside, move |dns| {
        if let DnsAnswer::Response { records, .. } = &mut dns.answer {
            let mut other = records.clone();
            other.truncate(1);
            other.iter_mut().for_each(|record| record.data.clone_from(&other_service));
            records.extend(other);
        }
    });
    let hostnames = stored.places(|what| matches!(what, What::Exec(exec) if exec.argv[0] == "hostname"));
    let dotted = exec(hostnames, |exec| {
        if let steadfast::evidence::ExecAnswer::Exited { stdout, .. } = &mut exec.answer {
            *stdout = format!("{}.", stdout.to_uppercase());
        }
    });
    vec![
        stays("questions in capitals, with a dot", dns(all, |dns| dns.name = format!("{}.", dns.name.to_uppercase()))),
        stays(
            "SRV in capitals, with a dot",
            records(stored, "SRV", |data, _| *data = format!("{}.", data.to_uppercase())),
        ),
        stays(
            "PTR in capitals, with a dot",
            records(stored, "PTR", |data, _| *data = format!("{}.", data.to_uppercase())),
        ),
        stays(
            "SRV with another weight",
            records(stored, "SRV", |data, _| {
                let rest: Vec<&str> = data.splitn(3, ' ').collect();
                *data = format!("10 25 {}", rest.last().copied().unwrap_or_default());
            }),
        ),
        stays("TTL of 5 s", records(stored, "A", |_, ttl| *ttl = 5)),
        stays("TTL of 0", records(stored, "A", |_, ttl| *ttl = 0)),
        stays("PTR names another Service too", beside),
        stays("hostname in capitals, with a dot", dotted),
    ]
}

fn asked(stored: &Stored, question: Question) -> Places {
    stored.places(|what| matches!(what, What::Sql(sql) if sql.question == question))
}

fn servers_spell_otherwise(stored: &Stored) -> Vec<History> {
    let renamed = sql(asked(stored, Question::ReplicaStatus), |sql| {
        if let SqlAnswer::Rows(rows) = &mut sql.answer {
            for row in rows {
                let other = |name: &str| name.replace("Master", "Source").replace("Slave", "Replica");
                *row = row.iter().map(|(name, value)| (other(name), value.clone())).collect();
            }
        }
    });
    let mut histories = Vec::new();
    let status = asked(stored, Question::ReplicaStatus);
    if status.first().is_some_and(|seq| value(&stored.at(seq).what, "Slave_IO_Running").is_some()) {
        histories.push(stays("the columns of the replication status have new names", renamed));
    }
    let sets: Places = [Question::GtidExecuted, Question::Barrier]
        .iter()
        .flat_map(|it| asked(stored, *it).iter().collect::<Vec<_>>())
        .collect();
    let mysql = sets
        .first()
        .is_some_and(|seq| value(&stored.at(seq).what, "gtid_executed").is_some_and(|set| set.contains(':')));
    if mysql {
        let respelled = |edit: fn(&str) -> String| {
            sql(sets.clone(), move |sql| {
                let SqlAnswer::Rows(rows) = &mut sql.answer else { return };
                let columns =
                    rows.iter_mut().flatten().filter(|(name, _)| name.starts_with("gtid") || *name == "barrier");
                columns.for_each(|(_, set)| *set = set.as_deref().map(edit));
            })
        };
        histories.push(stays("sets of transactions in capitals", respelled(str::to_uppercase)));
        histories.push(stays("sets of transactions with spaces around them", respelled(|set| format!(" {set} "))));
    }
    histories
}

fn former_primary(stored: &Stored) -> Vec<History> {
    let executed = asked(stored, Question::GtidExecuted);
    let mariadb = executed
        .first()
        .is_some_and(|seq| value(&stored.at(seq).what, "gtid_executed").is_some_and(|set| !set.contains(':')));
    if !mariadb {
        return Vec::new();
    }
    let remembered = |former: &'static str| {
        sql(executed.clone(), move |sql| {
            let SqlAnswer::Rows(rows) = &mut sql.answer else { return };
            for set in rows.iter_mut().filter_map(|row| row.get_mut("gtid_executed")?.as_mut()) {
                *set = if set.is_empty() { former.to_owned() } else { format!("{set},{former}") };
            }
        })
    };
    vec![stays("one former primary", remembered("0-7-3")), stays("two former primaries", remembered("0-7-3,0-9-2"))]
}

fn flapping(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (scenario, places) in stored.scenarios() {
        let at = places.first().expect("a record");
        for pod in stored.subject.pods() {
            let Some(life) = stored.timeline.pod_at(&pod, at).filter(|life| life.serving_at(at)) else { continue };
            let Some(last) = stored.last_event("Pod", &life.uid, at) else { continue };
            let turned = |ready| event(last, EventType::Modified, |object| set_ready(object, ready));
            let change = added_after(at, [turned(false), turned(true)]);
            histories.push(History::new(format!("{scenario}: {pod}"), Wanted::NothingTurnsRed, change));
        }
    }
    histories
}

fn not_answered(stored: &Stored) -> Vec<History> {
    let batches = stored.places(|what| matches!(what, What::Entries(it) if !it.writes.is_empty()));
    let unanswered = |seq: u64| {
        said(seq, |what| {
            if let What::Entries(Entries { writes, .. }) = what {
                writes.truncate(writes.len());
                writes[0].outcome = WriteOutcome::Unknown("timed out".to_owned());
            }
        })
    };
    let answered = |seq: &u64| matches!(&stored.at(*seq).what, What::Entries(it) if !matches!(it.writes[0].outcome, WriteOutcome::Unknown(_)));
    let some = batches.iter().filter(answered).step_by(20);
    some.map(|seq| History::new(format!("the first of #{seq}"), Wanted::NothingTurnsRed, unanswered(seq))).collect()
}

fn for_people(stored: &Stored) -> Vec<History> {
    let note = || What::Note(Note { message: "the witness could not be asked for a while".to_owned() });
    let met = || {
        What::Wait(Wait {
            what: "something".to_owned(),
            outcome: WaitOutcome::Met,
            took_us: 1,
            last_seen: "something else".to_owned(),
        })
    };
    let starts = stored.scenarios().into_iter().filter_map(|(scenario, places)| Some((scenario, places.first()?)));
    let mut histories: Vec<History> = starts
        .map(|(scenario, at)| stays(&format!("{scenario}: a note and a wait"), added_after(at, [note(), met()])))
        .collect();
    histories.push(stays("no notes", dropped(stored.places(|what| matches!(what, What::Note(_))))));
    // A proof names the last record, which may be the record of a wait.
    let met = |what: &What| matches!(what, What::Wait(it) if it.outcome == WaitOutcome::Met);
    let proofs: Vec<u64> = stored.records.iter().flat_map(|record| stored.named_by(record.seq)).collect();
    let unnamed = |record: &&Record| met(&record.what) && !proofs.contains(&record.seq);
    let waits: Places = stored.records.iter().filter(unnamed).map(|record| record.seq).collect();
    histories.push(stays("no waits that were met", dropped(waits)));
    histories.push(stays("no endpoints", dropped(stored.events("EndpointSlice", |_| true))));
    let versions = valued(asked(stored, Question::Identity), "another column", "x");
    histories.push(stays("identities with one column more", versions));
    histories
}
