//! Whether acknowledged writes are still there at the end.

use super::account::Account;
use super::budget::{DISRUPTIVE, of_interest, took_place, undisrupted, was_written_to};
use crate::assessment::judged;
use crate::case::Case;
use crate::evidence::Question;
use crate::minimum::Need;
use crate::words::seconds;
use crate::{CaseFile, Check, Finding};

pub(crate) const NO_ACKNOWLEDGED_WRITE_IS_LOST: Check = Check {
    id: "replication::no_acknowledged_write_is_lost",
    statement: "After all disruptions each acknowledged write MUST be there exactly once, and a write that was refused \
                or never sent MUST NOT be there.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html (innodb_flush_log_at_trx_commit) and \
             https://dev.mysql.com/doc/refman/8.4/en/mysql-acid.html",
    explain: "\
A database must keep what it has acknowledged.
The witness writes all the time, whatever is done to the workload. Each write inserts one row with its own id, and is
acknowledged, refused, or left without an answer. After all disruptions the table is read on each pod. A write is lost
if it was acknowledged and is missing. It is a phantom if it is there but was refused or never sent. A write without an
answer may be there or not, and so may the last writes before the witness's own node died, which left no trace. The
primary decides, and a replica must have the same rows once it has reached a barrier. The check is inconclusive if a
write is unaccounted for, or if nothing was written during a disruption.
Common causes: the volume is not the pod's own; innodb_flush_log_at_trx_commit or sync_binlog is relaxed; or a replica
that did not have all transactions replaced the primary.",
    scenarios: &DISRUPTIVE,
    minimum: &[Need::Acts, Need::Sql(Question::Entries)],
    judge: no_acknowledged_write_is_lost,
};

fn no_acknowledged_write_is_lost(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let account = Account::weighed(case, assessment)?;
        let measures = file.measures();
        let longest = measures.ledger.as_ref().and_then(|ledger| ledger.longest_outage).map_or(0, |outage| outage.us());
        let disruptions = of_interest(&measures.disruptions);
        if disruptions.is_empty() {
            return Err(undisrupted(case, "no write was at risk"));
        }
        for disruption in &disruptions {
            assessment.check(took_place(disruption));
            assessment.check(was_written_to(disruption));
        }
        assessment.cite(disruptions.iter().map(|disruption| disruption.began().seq));
        let names: Vec<String> = disruptions.iter().map(|it| it.title()).collect();
        Ok(format!(
            "{}, over {}{}; the longest time without an acknowledged write was {}",
            account.words(case),
            names.join("; "),
            left_out(case),
            seconds(longest)
        ))
    })
}

/// The disruptions that were left out, and why, as part of a sentence.
fn left_out(case: &Case<'_>) -> String {
    let of_interest = case.run.left_out.iter().filter(|it| DISRUPTIVE.contains(&it.scenario));
    let told: Vec<String> = of_interest.map(|it| format!("{} ({})", it.scenario, it.why)).collect();
    if told.is_empty() { String::new() } else { format!("; not over {}", told.join(", ")) }
}
