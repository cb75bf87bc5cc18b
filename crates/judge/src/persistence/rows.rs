//! The data of a server outlives the server, however it ended.

use std::collections::BTreeSet;

use crate::assessment::{Judged, judged};
use crate::case::{Acted, Case, Deletion, Seen, doubt, unasked};
use crate::evidence::{Act, Checkpoint, Question, Scenario, Sql, SqlAnswer};
use crate::ledger::Ledger;
use crate::minimum::Need;
use crate::words::some_of;
use crate::{CaseFile, Check, Finding};

/// The scenario that kills a server and keeps its pod.
const KILL: Scenario = Scenario::ServerKill;

pub(crate) const ROWS_SURVIVE_POD_DELETION: Check = Check {
    id: "persistence::rows_survive_pod_deletion",
    statement: "Each acknowledged row that a server had MUST still be there after its pod is deleted, on each ordinal, \
                and after the primary's server is killed.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage",
    explain: "\
This is the main reason to run a database on a StatefulSet.
Each pod is deleted in turn, with its grace period. If the run has the scenario unready, one pod is also deleted without
a grace period, which kills its server. The scenario server-kill kills the primary's server but leaves its pod, and its
container is restarted. The acknowledged row ids that the server had just before must be in the first answer of the
server after it comes back. A server that does not come back, or cannot answer, fails.
No such kill clears the node's page cache, so this check proves nothing about a power loss.
Common causes: the data directory is on an emptyDir; or the claim is not mounted at the data directory.",
    scenarios: &[Scenario::Restart, KILL],
    minimum: &[Need::Acts],
    judge: rows_survive_pod_deletion,
};

fn rows_survive_pod_deletion(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let ledger = Ledger::of(case);
        let deleted = case.weigh_deletions(assessment, |deletion| kept_by_pod(case, &ledger, deletion));
        let kills = case.acts(|act| matches!(act, Act::KillServer { .. }));
        if kills.is_empty() && case.run.acts(KILL) {
            let reason = "no server was killed in its pod, so it is unknown what a server keeps then";
            assessment.reject(Finding::inconclusive(reason, []));
        }
        let kept = kills.iter().filter_map(|kill| match kill.act {
            Act::KillServer { pod, uid } => assessment.check(kept_by_container(case, &ledger, (pod, uid), kill)),
            _ => None,
        });
        let killed: Vec<Kept> = kept.collect();
        assessment.cite(deleted.iter().chain(&killed).flat_map(|kept| kept.evidence));
        let told = |kept: &[Kept]| kept.iter().map(|kept| kept.text.as_str()).collect::<Vec<_>>().join(", ");
        let after = if killed.is_empty() { "" } else { ", and after the server was killed: " };
        Ok(format!("all acknowledged rows were there after the deletion: {}{after}{}", told(&deleted), told(&killed)))
    })
}

/// How many rows a server kept, in words, and the records that show it.
struct Kept {
    text: String,
    evidence: [u64; 3],
}

/// The end of a server that held some rows.
struct End<'a> {
    pod: &'a str,
    /// The kind of end, to follow "its".
    words: &'static str,
    /// A suffix for the pod's name.
    manner: &'static str,
    /// The acknowledged rows that the server held just before.
    held: BTreeSet<u64>,
    /// The answer that shows them.
    before: Seen<'a, Sql>,
}

impl<'a> End<'a> {
    /// The end of the server that answered `before`, in the pod with this UID.
    fn of(
        ledger: &Ledger,
        (pod, uid): (&'a str, &str),
        (words, manner): (&'static str, &'static str),
        before: Seen<'a, Sql>,
    ) -> Judged<Self> {
        let acknowledged = |id: &u64| ledger.acknowledged.has(*id, before.mark.seq);
        let held: BTreeSet<u64> = before.ids().map_err(doubt)?.into_iter().filter(acknowledged).collect();
        if held.is_empty() || before.uid != uid {
            let reason =
                format!("{pod} was not seen to hold an acknowledged row before its {words} (#{})", before.mark.seq);
            return Err(Finding::inconclusive(reason, [before.mark.seq]));
        }
        Ok(Self { pod, words, manner, held, before })
    }

    /// Checks that all rows are in the first usable answer. In a later one a replica may have fetched again what it had
    /// lost.
    fn survived(&self, proved: u64, answers: impl Iterator<Item = Seen<'a, Sql>>) -> Judged<Kept> {
        let Self { pod, words, manner, held, before } = self;
        let answers: Vec<_> = answers.collect();
        let telling = answers.iter().find(|sql| !matches!(sql.answer, SqlAnswer::Broken { .. }));
        let Some(after) = telling.or(answers.first()) else {
            return Err(Finding::inconclusive(format!("{pod} was not asked for its rows after its {words}"), []));
        };
        let evidence = [before.mark.seq, proved, after.mark.seq];
        let lost: Vec<u64> = held.difference(&after.ids()?).copied().collect();
        if lost.is_empty() {
            return Ok(Kept { text: format!("{} on {pod}{manner}", held.len()), evidence });
        }
        let (then, now) = (before.mark.seq, after.mark.seq);
        let reason = format!(
            "{pod} lost {} of {} acknowledged rows by its {words}: {} (there at #{then}, not at #{now})",
            lost.len(),
            held.len(),
            some_of(&lost)
        );
        Err(Finding::fail(reason, evidence))
    }
}

/// What a deleted pod kept, by the answer of its successor.
fn kept_by_pod<'a>(case: &Case<'a>, ledger: &Ledger, deletion: &Deletion<'a>) -> Judged<Kept> {
    let before = case.answer_before(deletion, Question::Rows)?;
    let words = (deletion.words(), deletion.manner());
    let end = End::of(ledger, (deletion.pod, deletion.uid), words, before)?;
    let (new, _) = case.successor(deletion)?;
    let answers = case.answers_after(deletion, deletion.pod, Question::Rows).filter(|sql| sql.uid == new.uid);
    end.survived(deletion.proved.seq, answers)
}

/// What a killed server kept, by the answer of the server that was started in the same pod.
fn kept_by_container<'a>(
    case: &Case<'a>,
    ledger: &Ledger,
    (pod, uid): (&'a str, &str),
    kill: &Acted<'a>,
) -> Judged<Kept> {
    let asked = kill.asked.seq;
    let (before, after) = (Checkpoint::BeforeKill { pod: pod.to_owned() }, Checkpoint::Kill { pod: pod.to_owned() });
    let told = case.answers_between(pod, Question::Rows, &before, 0, asked).next_back();
    let told = told.ok_or_else(|| unasked(pod, Question::Rows, &before))?;
    let end = End::of(ledger, (pod, uid), ("server's kill", ""), told)?;
    let Some((proved, _)) = kill.proved else {
        return Err(match case.unmet_wait(asked, case.next_fault(asked)) {
            Some(wait) => {
                let reason = format!("{pod} did not come back after its server was killed (#{asked}): {wait}");
                wait.blame(reason, [asked, wait.mark.seq])
            }
            None => Finding::inconclusive(
                format!("it is not proved that the server in {pod} was killed (#{asked})"),
                [asked],
            ),
        });
    };
    let until = case.next_fault(proved.seq);
    let answers = case.answers_between(pod, Question::Rows, &after, proved.seq, until).filter(|sql| sql.uid == uid);
    end.survived(proved.seq, answers)
}
