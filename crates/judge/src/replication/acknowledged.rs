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
    statement: "Over all disruptions every write that was acknowledged MUST be there in the end, once, and no write \
                that was refused or never sent.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html (innodb_flush_log_at_trx_commit) and \
             https://dev.mysql.com/doc/refman/8.4/en/mysql-acid.html",
    explain: "\
This is what a database is for. The witness writes all the while, whatever is done to the workload: inserts of one row
each with an id of its own, which end acknowledged, refused, or without an answer. When all disruptions are over the
table is read on every pod. Lost is what was acknowledged and is not there; phantom is what is there and was refused or
never sent; a write without an answer may be there or not, and so may the last ones before the witness's own node died,
of which it kept no trace. The primary decides; a replica has to hold the same once it has reached a barrier. Each write
must be accounted for, or the question stays open; so it does where nobody wrote while something was disrupted.
Usually wrong: a volume that is not the pod's own; innodb_flush_log_at_trx_commit or sync_binlog relaxed; or a primary
that was replaced by a replica which did not have everything.",
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
            return Err(undisrupted(case, "nothing was in danger"));
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
