//! What a pod keeps when it comes back, whatever deleted it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::lacks;
use super::told::{identities, teller};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, Return, Scenes, Seen, doubt, renewals};
use crate::evidence::{Question, Scenario, Sql};
use crate::minimum::Need;
use crate::words::{during, some_of, times};
use crate::{CaseFile, Check, Finding};

pub(crate) const IDENTITY_SURVIVES_RESTART: Check = Check {
    id: "identity::identity_survives_restart",
    statement: "A pod that was deleted or scaled down MUST come back with the same name, claims, volumes, server_id \
                and server_uuid, and with a new UID.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity",
    explain: "\
To its replicas a server with another server_uuid is a different server, and its old transactions look foreign.
All pods of a name are compared, each with the next one, no matter what removed the earlier pod: the harness, the
controller, a drain or an update. Their claims, the volumes behind them, and all answers of the server about its
identity are compared. If the policy deletes claims with their pod (whenScaled: Delete), volume and server_uuid may
change once; server_id must stay. A new IP address is normal, and an old one may be reused, so addresses are not judged.
MariaDB has no server_uuid.
Common causes: the data directory, where auto.cnf holds the server_uuid, is not on the claim (emptyDir, or a mount at
another path); something deletes claims; or server_id is not derived from the ordinal.",
    scenarios: &[Scenario::Restart],
    minimum: &[Need::Acts, Need::Sql(Question::Identity)],
    judge: identity_survives_restart,
};

fn identity_survives_restart(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let deleted = case.weigh_deletions(assessment, |deletion| Ok((deletion.proved, case.successor(deletion)?)));
        assessment.cite(deleted.iter().map(|(proved, _)| proved.seq));
        let (scenes, returns) = (case.scenes(), case.returns());
        for it in returns.iter().filter(|it| !it.renewed) {
            assessment.check(same_claims(case, &scenes, it)).into_iter().for_each(|seq| assessment.cite([seq]));
        }
        same_servers(case, assessment, &renewals(&returns));
        let same = match case.have_server_uuids() {
            true => "claims, volumes, server_id and server_uuid are unchanged",
            false => "claims, volumes and server_id are unchanged (MariaDB has no server_uuid)",
        };
        Ok(format!("{same} on {}", whom(&returns)))
    })
}

/// The pods, each with how often it came back, and how often it came back without its claims.
fn whom(returns: &[Return<'_>]) -> String {
    let mut back: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for it in returns {
        let (all, renewed) = back.entry(&it.new.name).or_default();
        *all += 1;
        *renewed += usize::from(it.renewed);
    }
    some_of(back.into_iter().map(|(pod, (all, renewed))| match renewed {
        0 => format!("{pod} (back {})", times(all)),
        _ => format!("{pod} (back {}, {} without its claims, as the policy says)", times(all), times(renewed)),
    }))
}

/// Checks that a pod has the claims of its predecessor, by UID, and these their volumes. Returns the record that shows
/// the pod.
fn same_claims(case: &Case<'_>, scenes: &Scenes, it: &Return<'_>) -> Judged<u64> {
    let (pod, added) = (&it.new.name, it.new.added.seq);
    let marks = [it.old.added.seq, added];
    let when = format!("since it came back{} (#{added})", scenes.words(added));
    let (was, is): (BTreeSet<_>, BTreeSet<_>) = (it.old.claims.iter().collect(), it.new.claims.iter().collect());
    if was != is {
        return Err(Finding::fail(format!("{pod} has the claims {is:?} {when}, not {was:?}"), marks));
    }
    if let Some(gap) = case.storage_gap(it.before, it.after) {
        return Err(gap);
    }
    for claim in was {
        let uids = |seq: u64| {
            let bound = case.bound(claim, seq)?;
            Some([bound.claim.uid.as_str(), bound.volume?.uid.as_str()])
        };
        let (Some(was), Some(is)) = (uids(it.before), uids(it.after)) else {
            let reason = format!("the volume of {claim} was not seen before {pod} was gone and {when}");
            return Err(Finding::inconclusive(reason, marks));
        };
        for (what, (was, is)) in ["the claim", "the volume of"].iter().zip(was.iter().zip(&is)) {
            if was != is {
                let reason = format!("{what} {claim} had the uid {was} and has the uid {is} {when}");
                return Err(Finding::fail(reason, marks));
            }
        }
    }
    Ok(added)
}

/// Compares each server's identity with what the servers before it reported.
fn same_servers<'a>(case: &Case<'a>, assessment: &mut Assessment, renewals: &HashMap<&str, usize>) {
    let mut known: HashMap<(&str, &str), (Seen<'a, Sql>, usize)> = HashMap::new();
    for answer in identities(case) {
        let told = answer.rows().map_err(doubt);
        let told = told.and_then(|_| teller(case, &answer.pod, &answer.uid, answer.took_us, answer.mark));
        let Some(life) = assessment.check(told) else { continue };
        let renewals = renewals.get(life.uid.as_str()).copied().unwrap_or(0);
        for column in ["server_id", "server_uuid"].into_iter().filter(|column| !lacks(&answer, column)) {
            let before = known.insert((answer.it.pod.as_str(), column), (answer, renewals));
            // The server_uuid is stored on the claim.
            let before = before.filter(|(_, then)| column == "server_id" || *then == renewals);
            let same = match before {
                Some((before, _)) => same_value(column, before, answer),
                None => answer.value(column).map(drop).map_err(doubt),
            };
            assessment.check(same);
        }
        assessment.cite([answer.mark.seq]);
    }
}

fn same_value(column: &str, before: Seen<'_, Sql>, after: Seen<'_, Sql>) -> Judged<()> {
    let (was, is) = (before.value(column).map_err(doubt)?, after.value(column).map_err(doubt)?);
    if was == is {
        return Ok(());
    }
    let (pod, then, now, when) = (&after.it.pod, before.mark.seq, after.mark.seq, during(&after.it.checkpoint));
    let reason = format!("{column} of {pod} was {was} (#{then}) and is {is} {when} (#{now})");
    Err(Finding::fail(reason, [then, now]))
}
