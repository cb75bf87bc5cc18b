//! Whether data survives a loss of power, and servers start after it.

use crate::assessment::{Judged, all_of, judged};
use crate::case::{Case, PowerLoss, Seen, unasked};
use crate::evidence::{Mark, PodLife, Question, Scenario, Sql};
use crate::minimum::Need;
use crate::mysql::intervals::Intervals;
use crate::replication::{PowerAccount, held, some};
use crate::words::{seconds, short};
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const ACKNOWLEDGED_WRITES_SURVIVE_POWER_LOSS: Check = Check {
    id: "persistence::acknowledged_writes_survive_power_loss",
    statement: "After a loss of power each acknowledged write MUST be on the primary, and on each replica that has \
                caught up.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html (innodb_flush_log_at_trx_commit), \
             https://dev.mysql.com/doc/refman/8.4/en/replication-options-binary-log.html (sync_binlog) and \
             https://man7.org/linux/man-pages/man8/xfs_io.8.html (shutdown)",
    explain: "\
A server that acknowledges a write before it is on the disk loses it when the power fails. Deleting a pod does not show
that, because the node still writes what is in its memory.
While the witness writes, a node is frozen, the file system below its volumes is shut down without a flush, and the node
is killed and started again: first the primary's node, then all nodes of the set. Two files of the harness prove each
cut: the one that was synced must be whole, and the one that was never synced must not. Then each server is asked for
all writes. The check is inconclusive if a cut is not proved, if a volume was not on the disks, or if no write was
acknowledged just before.
Common causes: innodb_flush_log_at_trx_commit or sync_binlog is not 1; the table is not InnoDB; or a disk acknowledges
what is only in its cache.",
    scenarios: &[Scenario::Replicate, Scenario::PowerCut, Scenario::Settle],
    minimum: &[Need::Acts, Need::Sql(Question::Entries)],
    judge: acknowledged_writes_survive_power_loss,
};

/// How long before a cut the last write must have been acknowledged, at most, for it to be at risk. Servers with relaxed
/// settings write their logs out about every second.
const AT_RISK_US: u64 = 1_000_000;

fn acknowledged_writes_survive_power_loss(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let losses = case.some_power_losses()?;
        let account = PowerAccount::of(case);
        let (mut most, mut dropped) = (0, 0);
        for loss in &losses {
            assessment.check(loss.took_place());
            assessment.check(was_at_risk(&account, loss));
            for life in case.timeline.pods.iter().filter(|life| loss.reached(life)) {
                assessment.check(case.volumes_were_cut(loss, life));
            }
            for pod in case.subject.pods() {
                if let Some((count, seqs)) = assessment.check(kept(case, &account, loss, &pod)) {
                    most = most.max(count);
                    assessment.cite(seqs);
                }
            }
            dropped += case.dropped_bytes(loss);
        }
        let pods: Vec<_> = case.subject.pods().collect();
        let (cuts, pods) = (losses.len(), pods.join(", "));
        Ok(format!(
            "{cuts} power cuts, {dropped} unsynced bytes of the harness dropped: all {most} acknowledged writes are on \
             {pods}; lost: 0"
        ))
    })
}

/// Checks that a write was acknowledged just before a cut.
fn was_at_risk(account: &PowerAccount, loss: &PowerLoss<'_>) -> Judged<()> {
    let (from, to) = (loss.asked.at_us.saturating_sub(AT_RISK_US), loss.asked.at_us);
    if account.acknowledged_between(from, to) {
        return Ok(());
    }
    let (before, seq) = (seconds(AT_RISK_US), loss.asked.seq);
    let reason = format!("no write was acknowledged in the last {before} before power cut {} (#{seq})", loss.number);
    Err(Finding::inconclusive(reason, [seq]))
}

/// How many acknowledged writes a pod has after a cut, with the records that show it. It must have all.
fn kept(case: &Case<'_>, account: &PowerAccount, loss: &PowerLoss<'_>, pod: &str) -> Judged<(u64, Vec<u64>)> {
    let checkpoint = loss.checkpoint();
    let answers: Vec<Seen<'_, Sql>> = case.answers(pod, Question::Entries, &checkpoint).collect();
    if answers.is_empty() {
        return Err(unasked(pod, Question::Entries, &checkpoint));
    }
    let caught_up = account.caught_up(case, pod, &checkpoint)?;
    let counts = all_of(answers.iter().filter(|answer| answer.mark.seq > caught_up).map(|answer| {
        let held = held(*answer)?;
        let wanted = account.acknowledged_before(case.earliest_asked_us(answer));
        let lost: Intervals = wanted.subtract(&held);
        if lost.is_empty() {
            return Ok((wanted.len(), vec![answer.mark.seq]));
        }
        let (number, nodes, asked, seq) = (loss.number, loss.words(), loss.asked.seq, answer.mark.seq);
        let reason = format!(
            "{pod} lost {} of {} acknowledged writes by power cut {number} of {nodes}: {} (#{asked}, #{seq})",
            lost.len(),
            wanted.len(),
            some(&lost)
        );
        Err(Finding::fail(reason, [asked, seq]))
    }))?;
    counts.into_iter().next_back().ok_or_else(|| unasked(pod, Question::Entries, &checkpoint))
}

pub(crate) const STARTS_AFTER_POWER_LOSS: Check = Check {
    id: "persistence::starts_after_power_loss",
    statement: "After a loss of power each server on the node MUST start again by itself within the budget.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/innodb-recovery.html and \
             https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts",
    explain: "\
A server whose power failed finds files that end in the middle. It must repair them alone: at night nobody does.
For each power cut, each pod that was on one of its nodes must become Ready again. The time from the request to restore
the power until the pod is Ready again is compared with the budget `recovery` (two minutes unless --budget sets it).
Common causes: the server's system tables are MyISAM and were not on the disk yet, as in MySQL 5.7 within seconds of its
first start; a relaxed setting left logs that contradict each other; or a liveness probe kills the server during crash
recovery.",
    scenarios: &[Scenario::PowerCut],
    minimum: &[Need::Acts],
    judge: starts_after_power_loss,
};

fn starts_after_power_loss(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let (mut slowest, mut started) = (0, 0);
        for loss in &case.some_power_losses()? {
            for life in case.timeline.pods.iter().filter(|life| loss.reached(life)) {
                assessment.check(case.volumes_were_cut(loss, life));
                if let Some((us, seq)) = assessment.check(starts(case, loss, life)) {
                    slowest = slowest.max(us);
                    started += 1;
                    assessment.cite([loss.asked.seq, seq]);
                }
            }
            assessment.check(loss.took_place());
        }
        if started == 0 {
            return Err(Finding::inconclusive("no pod of the set was on a node whose power was cut", []));
        }
        Ok(format!("servers started {started} times after a power cut, in {} at most", seconds(slowest)))
    })
}

/// How long a pod took to be Ready after its node had power again, in microseconds, and the record that shows it.
fn starts(case: &Case<'_>, loss: &PowerLoss<'_>, life: &PodLife) -> Judged<(u64, u64)> {
    let (pod, uid, asked) = (&life.name, short(&life.uid), loss.asked.seq);
    let Some(restoring) = loss.restoring else {
        let reason = format!("the power of {} was not restored (#{asked})", loss.words());
        return Err(Finding::inconclusive(reason, [asked]));
    };
    let Some(ready) = ready_again(life, loss) else {
        let of = format!("{pod} (uid {uid}) did not become Ready again after power cut {} (#{asked})", loss.number);
        return Err(match case.unmet_after(loss).filter(|wait| wait.is_about(pod)) {
            Some(wait) => wait.blame(format!("{of}: {wait}"), [asked, wait.mark.seq]),
            None => Finding::inconclusive(format!("{of}, and nobody waited for it"), [asked]),
        });
    };
    let (budget, took) = (case.run.budgets.recovery_ms.saturating_mul(1000), ready.at_us - restoring.at_us);
    if case.is_within(&format!("how long {pod} took to start"), (restoring, ready), budget)? {
        return Ok((took, ready.seq));
    }
    let (took, budget, seq) = (seconds(took), seconds(budget), ready.seq);
    let reason =
        format!("{pod} (uid {uid}) was Ready only {took} after its power was back, not within {budget} (#{seq})");
    Err(Finding::fail(reason, [asked, restoring.seq, seq]))
}

/// Since when a pod is Ready with containers that started after a cut, if it stays Ready until the next one.
fn ready_again(life: &PodLife, loss: &PowerLoss<'_>) -> Option<Mark> {
    let before = life.restarts_at(loss.asked.seq);
    let within = |mark: &Mark| loss.asked.seq < mark.seq && mark.seq <= loss.until;
    let restarted = life.restarts.iter().rfind(|it| it.value > before && within(&it.since))?.since;
    let ready = life.ready.iter().rfind(|it| it.since.seq <= loss.until).filter(|it| it.value)?.since;
    Some(if ready.seq < restarted.seq { restarted } else { ready })
}
