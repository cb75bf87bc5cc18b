//! Whether commits waited for a replica, if they should.

use super::has_replicas;
use crate::assessment::judged;
use crate::evidence::Scenario;
use crate::measure::Waited;
use crate::{CaseFile, Check, Finding};

pub(crate) const COMMITS_WAIT_FOR_A_REPLICA: Check = Check {
    id: "replication::commits_wait_for_a_replica",
    statement: "With semi-synchronous replication, 99 of 100 writes that are acknowledged while nothing is disrupted \
                MUST have waited for a replica.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-semisync.html",
    explain: "\
With semi-synchronous replication a commit is acknowledged once a replica has it in its relay log. A source that has
waited longer than rpl_semi_sync_source_timeout continues without replicas, and only a status variable shows it.
With `steadfast run --semi-sync` the ledger's writers read that status before and after each write, and whether the
count of commits that waited went up. Writes do not count from a disruption until all replicas have caught up with what
was written until the recovery, or until the scenario ends. The report states how many of all writes had waited.
Common causes: the plugin is loaded but not enabled, on the source or on its replicas; it was enabled with SET GLOBAL
and is off since the last restart; or the timeout is so short that a slow replica ends the wait.",
    scenarios: &[Scenario::Replicate, Scenario::Settle],
    minimum: &[],
    judge: commits_wait_for_a_replica,
};

fn commits_wait_for_a_replica(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        if !case.run.semi_sync {
            return Err(Finding::skipped("commits do not wait for a replica; `--semi-sync` makes them wait"));
        }
        let records: Vec<u64> = case.entries().map(|entries| entries.mark.seq).collect();
        let ends = [records.first(), records.last()].into_iter().flatten().copied();
        let Waited { acknowledged, waited } =
            file.measures().ledger.as_ref().map(|ledger| ledger.waited_at_rest).unwrap_or_default();
        if acknowledged == 0 {
            let reason = "no write was acknowledged while nothing was disrupted";
            return Err(Finding::inconclusive(reason, ends));
        }
        let told = format!("{waited} of {acknowledged} writes that were acknowledged at rest had waited for a replica");
        if waited * 100 < acknowledged * 99 {
            return Err(Finding::fail(told, ends));
        }
        assessment.cite(ends);
        Ok(told)
    })
}
