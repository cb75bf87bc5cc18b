//! Whether the writes of clients during the upgrade are still there.

use super::states::{Step, across, covered, states, steps};
use crate::assessment::judged;
use crate::case::Case;
use crate::evidence::{Scenario, Stage};
use crate::measure::{longest_outage_ever, longest_outages};
use crate::replication::Account;
use crate::words::seconds;
use crate::{CaseFile, Check, Finding};

pub(crate) const WRITES_SURVIVE_THE_UPGRADE: Check = Check {
    id: "upgrade::writes_survive_the_upgrade",
    statement: "Each write that was acknowledged during the upgrade MUST be there afterwards, exactly once. A write \
                that was refused or never sent MUST NOT be there.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/mysql-acid.html and \
             https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/",
    explain: "\
Clients keep writing during a cluster upgrade. What was acknowledged to them must be there afterwards.
The witness writes from before the upgrade until after it, without the API server. Each write inserts one row with its
own id, and is acknowledged, refused, or left without an answer. Then its ledger ends and the table is read on each pod.
A write is lost if it was acknowledged and is missing. It is a phantom if it is there but was refused or never sent. A
write without an answer may be there or not. A single lost write is a failure, and if a write is unaccounted for the
check is inconclusive. The reason states for each step how long no write was acknowledged; that time is not judged.
Common causes: a volume did not follow its pod; innodb_flush_log_at_trx_commit or sync_binlog is relaxed; the grace
period is too short for the server to shut down; or a drain evicted all pods at once.",
    scenarios: &[Scenario::Upgrade, Scenario::Settle],
    minimum: &[],
    judge: writes_survive_the_upgrade,
};

fn writes_survive_the_upgrade(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let account = Account::weighed(case, assessment)?;
        let states = states(case)?;
        covered(case, assessment, &states);
        let steps: Vec<Step<'_>> = steps(&states).collect();
        let mut told = Vec::new();
        for (step, longest) in steps.iter().zip(outages(case, &steps)) {
            match longest {
                Some(longest) => told.push(format!("{} {}", seconds(longest), during(step))),
                None => {
                    let reason = format!("the witness did not write during {} ({})", step.stage().step(), step.quote());
                    assessment.reject(Finding::inconclusive(reason, step.seqs()));
                }
            }
            assessment.cite(step.seqs());
        }
        let across = across(case, steps);
        let longest = told.join(", ");
        Ok(format!("{}; the longest time without an acknowledged write was {longest}{across}", account.words(case)))
    })
}

/// The longest outage of each step. The time of an upgrade that nobody watched is unknown: the longest outage of all
/// counts.
fn outages(case: &Case<'_>, steps: &[Step<'_>]) -> Vec<Option<u64>> {
    let windows: Vec<(u64, u64)> = steps.iter().map(|step| (step.before.mark.at_us, step.after.mark.at_us)).collect();
    let within = longest_outages(case, &windows);
    let not_seen = |step: &Step<'_>| *step.stage() == Stage::Unseen;
    let longest = |(step, within)| if not_seen(step) { longest_outage_ever(case) } else { within };
    steps.iter().zip(within).map(longest).collect()
}

fn during(step: &Step<'_>) -> String {
    format!("during {}", step.stage().step())
}
