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
    statement: "Every write that was acknowledged while the cluster was upgraded MUST be there afterwards, once, and no \
                write that was refused or never sent.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/mysql-acid.html and \
             https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/",
    explain: "\
Clients go on writing while a cluster is upgraded; what they were told is committed has to be there when it is over. The
witness writes from before the upgrade until after it, without the API server: inserts of one row each with an id of its
own, which end acknowledged, refused, or without an answer. Then its ledger ends, and the table is read on every pod.
Lost is what was acknowledged and is not there; phantom is what is there and was refused or never sent; a write without
an answer may be there or not. Not one may be lost, and each must be accounted for, or the question stays open. For how
long no write was acknowledged is told for every step: how much is too much is yours to say.
Usually wrong: a volume that did not follow its pod; innodb_flush_log_at_trx_commit or sync_binlog relaxed; a grace
period that is too short for the server to shut down; or a drain that took all pods at once.",
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
