//! Whether servers can be told apart.

use std::collections::{BTreeMap, BTreeSet};

use super::lacks;
use super::told::{identities, teller};
use crate::assessment::{Assessment, judged};
use crate::case::{Case, Seen, doubt, unasked};
use crate::evidence::{Checkpoint, Question, Scenario, Sql};
use crate::minimum::Need;
use crate::{CaseFile, Check, Finding};

pub(crate) const SERVER_IDS_ARE_DISTINCT: Check = Check {
    id: "identity::server_ids_are_distinct",
    statement: "server_id and server_uuid MUST be different on all servers of the set.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-options.html (server_id, server_uuid)",
    explain: "\
A replica ignores events with its own server_id. A source disconnects the older of two replicas with the same
server_uuid. In both cases servers lose data or never settle, mostly without an error that names the cause.
Both values are read from each server once all pods are Ready, and again whenever a server came back or joined. They
must be different on all servers that exist at that time. MariaDB has no server_uuid, so only server_id is compared
there.
Common causes: one --server-id for all pods in the template; or an auto.cnf that was copied with a data directory.",
    scenarios: &[Scenario::Deploy],
    minimum: &[Need::Sql(Question::Identity)],
    judge: server_ids_are_distinct,
};

fn server_ids_are_distinct(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        if case.subject.replicas < 2 {
            return Err(Finding::skipped("the set has one pod: there is nothing to compare"));
        }
        let answers = identities(case);
        for pod in case.subject.pods().filter(|pod| answers.iter().all(|answer| answer.it.pod != *pod)) {
            assessment.reject(unasked(&pod, Question::Identity, &Checkpoint::Deployed));
        }
        let mut texts = Vec::new();
        for column in ["server_id", "server_uuid"] {
            let told = told(case, assessment, &answers, column);
            if told.is_empty() && column == "server_uuid" && !case.have_server_uuids() {
                texts.push("MariaDB has no server_uuid".to_owned());
                continue;
            }
            find_clashes(case, assessment, column, &told);
            assessment.cite(told.iter().map(|told| told.answer.mark.seq));
            // The first value of each pod.
            let mut first = BTreeMap::new();
            for told in &told {
                first.entry(case.subject.ordinal_of(&told.answer.pod)).or_insert(told.value);
            }
            texts.push(format!("{column} {}", first.into_values().collect::<Vec<_>>().join(", ")));
        }
        Ok(format!("all differ: {}", texts.join("; ")))
    })
}

/// A server's own value of a column.
struct Told<'a> {
    answer: Seen<'a, Sql>,
    value: &'a str,
}

/// All servers' values of a column in all their answers, in order.
fn told<'a>(case: &Case<'a>, assessment: &mut Assessment, answers: &[Seen<'a, Sql>], column: &str) -> Vec<Told<'a>> {
    let mut all = Vec::new();
    for answer in answers.iter().copied().filter(|answer| !lacks(answer, column)) {
        let told = answer.value(column).map_err(doubt).and_then(|value| {
            teller(case, &answer.it.pod, &answer.it.uid, answer.it.took_us, answer.mark)?;
            Ok(Told { answer, value })
        });
        all.extend(assessment.check(told));
    }
    all
}

/// Rejects every two servers that had the same value at the same time; once, however often they are asked.
fn find_clashes(case: &Case<'_>, assessment: &mut Assessment, column: &str, told: &[Told<'_>]) {
    let (mut current, mut known) = (BTreeMap::<&str, &Told<'_>>::new(), BTreeSet::new());
    for new in told {
        let pod = new.answer.it.pod.as_str();
        for (other, old) in current.iter().filter(|(other, old)| **other != pod && clash(case, old, new)) {
            let [first, seq] = [old, new].map(|told| told.answer.mark.seq);
            if known.insert(BTreeSet::from([*other, pod])) {
                let reason = format!("{other} (#{first}) and {pod} (#{seq}) both have {column} {}", new.value);
                assessment.reject(Finding::fail(reason, [first, seq]));
            }
        }
        current.insert(pod, new);
    }
}

/// Whether two pods have the same value, and the first still existed when the second reported it.
fn clash(case: &Case<'_>, old: &Told<'_>, new: &Told<'_>) -> bool {
    let lives = case.timeline.pod_by_uid(&old.answer.uid).is_some_and(|life| life.alive_at(new.answer.mark.seq));
    old.value == new.value && (lives || old.answer.checkpoint == new.answer.checkpoint)
}
