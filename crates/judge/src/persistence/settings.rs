//! Settings: how durable the servers make a commit.

use crate::assessment::{Judged, judged};
use crate::case::{Case, Seen, doubt};
use crate::evidence::{Checkpoint, Question, Scenario, Sql, SqlAnswer};
use crate::minimum::Need;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const DURABILITY_SETTINGS: Check = Check {
    id: "persistence::durability_settings",
    statement: "On each pod, sync_binlog and innodb_flush_log_at_trx_commit MUST be 1. If the set has several pods, \
                relay_log_recovery MUST be on.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-options-binary-log.html (sync_binlog), \
             https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html (innodb_flush_log_at_trx_commit) and \
             https://dev.mysql.com/doc/refman/8.4/en/replication-options-replica.html (relay_log_recovery)",
    explain: "\
Deleting a pod keeps the node's page cache, so it cannot show the effect of a power loss. These settings decide it. With
other values of the first two, commits that clients were told of can be lost, or be in the binary log but not in the
tables. Without the third, a replica continues with a relay log that may end in the middle of an event.
All servers are asked for the three variables once all pods are Ready. All pods share one template, and any of them may
be a replica in the future, so the third is required on all of them if there are several. If a server does not know a
variable (error 1193) or does not answer, the check is inconclusive. Only the settings are judged, not the disks: a
volume that acknowledges writes too early still loses commits.
Common causes: values were relaxed for speed; or relay_log_recovery was left at its default, which is off.",
    scenarios: &[Scenario::Deploy],
    minimum: &[Need::Sql(Question::Settings)],
    judge: durability_settings,
};

/// A server variable, its required value, and the forms in which servers print it.
struct Setting {
    name: &'static str,
    must: &'static str,
    printed: &'static [&'static str],
    /// Whether it only matters if there are replicas.
    of_replicas: bool,
}

const SETTINGS: [Setting; 3] = [
    Setting { name: "sync_binlog", must: "1", printed: &["1"], of_replicas: false },
    Setting { name: "innodb_flush_log_at_trx_commit", must: "1", printed: &["1"], of_replicas: false },
    Setting { name: "relay_log_recovery", must: "on", printed: &["1", "ON"], of_replicas: true },
];

impl Setting {
    /// Checks that every server has the value. A wrong value is a failure, even if other servers did not answer.
    fn holds(&self, answers: &[Seen<'_, Sql>]) -> Judged<()> {
        let (mut wrong, mut untold) = (Vec::new(), None);
        for answer in answers {
            match answer.value(self.name) {
                Ok(value) if self.printed.iter().any(|right| right.eq_ignore_ascii_case(value)) => {}
                Ok(value) => wrong.push((format!("{value} on {} (#{})", answer.pod, answer.mark.seq), answer.mark.seq)),
                Err(finding) => untold = Some(doubt(finding)),
            }
        }
        if wrong.is_empty() {
            return untold.map_or(Ok(()), Err);
        }
        let values: Vec<_> = wrong.iter().map(|(value, _)| value.as_str()).collect();
        let reason = format!("{} must be {}, and is {}", self.name, self.must, values.join(", "));
        Err(Finding::fail(reason, wrong.iter().map(|(_, seq)| *seq)))
    }
}

/// ER_UNKNOWN_SYSTEM_VARIABLE.
const UNKNOWN_VARIABLE: u16 = 1193;

fn durability_settings(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let mut answers = Vec::new();
        for pod in case.subject.pods() {
            for checkpoint in case.checkpoints(Checkpoint::Deployed, &pod, Question::Settings) {
                answers.extend(assessment.check(told(case, &pod, &checkpoint)));
            }
        }
        assessment.cite(answers.iter().map(|answer| answer.mark.seq));
        let required = SETTINGS.iter().filter(|setting| !setting.of_replicas || case.subject.replicas > 1);
        let required: Vec<_> =
            required.map(|setting| (setting, format!("{} is {}", setting.name, setting.must))).collect();
        // One failure for each setting: a wrong setting is usually wrong on every pod.
        for (setting, _) in &required {
            assessment.check(setting.holds(&answers));
        }
        let settings: Vec<_> = required.iter().map(|(_, text)| text.as_str()).collect();
        let pods: Vec<_> = case.subject.pods().collect();
        Ok(format!("on {}: {}", pods.join(", "), settings.join(", ")))
    })
}

/// A server's last answer about its settings at a checkpoint.
fn told<'a>(case: &Case<'a>, pod: &str, checkpoint: &Checkpoint) -> Judged<Seen<'a, Sql>> {
    let answer = case.last_answer(pod, Question::Settings, checkpoint)?;
    if let SqlAnswer::Error { code: UNKNOWN_VARIABLE, message } = &answer.answer {
        let seq = answer.mark.seq;
        let unknown = format!("the server of {pod} does not know a setting (error {UNKNOWN_VARIABLE}: {message})");
        let reason = format!("{unknown}, so its durability is unknown (#{seq})");
        return Err(Finding::inconclusive(reason, [seq]));
    }
    answer.rows().map_err(doubt)?;
    Ok(answer)
}
