//! Identity: what a pod is called, and what stays the same when it is created again.

use std::collections::{BTreeSet, HashMap};

use crate::evidence::{Evidence, Exec, ExecAnswer, Moment, PodLife, Question, Sql};

use super::{
    Check, Finding,
    case::{Case, Deletion, Seen, doubt, with_others},
    minimum::{FULL_HOSTNAME, HOSTNAME, Need},
    opinion::{Judged, Opinion, judged},
    words::{during, short},
};

mod pod_index;
#[cfg(test)]
mod tests;

pub(super) use pod_index::POD_INDEX_LABEL_MATCHES;

pub(super) const HOSTNAME_IS_POD_NAME: Check = Check {
    id: "identity::hostname_is_pod_name",
    statement: "hostname MUST be the pod's name, `hostname -f` its stable DNS name, @@hostname the same as hostname; \
                the label statefulset.kubernetes.io/pod-name MUST name the pod.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id and #pod-identity",
    explain: "\
MySQL writes its hostname into its replication status, its logs and the default names of its files.
Once all pods are Ready, and where a pod came back, `hostname` and `hostname -f` are run in the container and @@hostname
is read; on every pod that was seen the label statefulset.kubernetes.io/pod-name must be the name.
Names are compared without regard to case and to a trailing dot.
Usually wrong: the template overrides `hostname`, `subdomain`, `setHostnameAsFQDN` or `hostNetwork`; or spec.serviceName
is not the name of the Service. An image without the program `hostname` leaves the question open.",
    scenarios: &["deploy"],
    minimum: &[Need::Exec(HOSTNAME), Need::Exec(FULL_HOSTNAME), Need::Sql(Question::Identity)],
    judge: hostname_is_pod_name,
};

fn hostname_is_pod_name(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        for pod in case.subject.pods() {
            for (argv, expected) in [(&["hostname"][..], pod.clone()), (&["hostname", "-f"], case.subject.fqdn(&pod))] {
                let ours: Vec<_> = case.execs_in(&pod).filter(|exec| exec.argv == argv).collect();
                let last: HashMap<_, _> = ours.iter().map(|exec| (&exec.it.moment, *exec)).collect();
                for moment in with_others(Moment::Deployed, ours.iter().map(|exec| &exec.it.moment)) {
                    let exec = last.get(&moment).copied();
                    let named = printed(&pod, argv, exec, &expected);
                    opinion.weigh(named).into_iter().for_each(|seq| opinion.prove([seq]));
                }
            }
            for moment in case.moments(Moment::Deployed, &pod, Question::Identity) {
                let named = server_is_named(case, &pod, &moment);
                opinion.weigh(named).into_iter().for_each(|seq| opinion.prove([seq]));
            }
        }
        // A pod of which only the DELETED event was seen has told nothing of its labels.
        for life in case.timeline.pods.iter().filter(|life| !life.ready.is_empty()) {
            opinion.weigh(labelled(life));
        }
        let pods: Vec<_> = case.subject.pods().collect();
        Ok(format!("hostname, hostname -f, @@hostname and the label are right on {}", pods.join(", ")))
    })
}

fn same_name(a: &str, b: &str) -> bool {
    a.trim().trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.'))
}

fn printed(pod: &str, argv: &[&str], exec: Option<Seen<'_, Exec>>, expected: &str) -> Judged<u64> {
    let command = argv.join(" ");
    let exec = exec.ok_or_else(|| Finding::inconclusive(format!("`{command}` was not run in {pod}"), []))?;
    let seq = exec.mark.seq;
    match &exec.answer {
        ExecAnswer::Exited { code: 0, stdout, .. } if same_name(stdout, expected) => Ok(seq),
        ExecAnswer::Exited { code: 0, stdout, .. } => {
            let reason = format!("`{command}` in {pod} printed `{stdout}`, not `{expected}` (#{seq})");
            Err(Finding::fail(reason, [seq]))
        }
        // A shell's or a runtime's words for a program that is not in the image.
        ExecAnswer::Exited { code: 126 | 127, stderr, .. } => {
            Err(Finding::inconclusive(format!("{pod} has no program `{}`: {stderr} (#{seq})", argv[0]), [seq]))
        }
        ExecAnswer::Exited { code, stderr, .. } => {
            let reason = format!("`{command}` in {pod} failed with exit code {code}: {stderr} (#{seq})");
            Err(Finding::fail(reason, [seq]))
        }
        ExecAnswer::Broken { message } => {
            Err(Finding::inconclusive(format!("`{command}` could not be run in {pod}: {message} (#{seq})"), [seq]))
        }
    }
}

fn server_is_named(case: &Case<'_>, pod: &str, moment: &Moment) -> Judged<u64> {
    let identity = case.last_answer(pod, Question::Identity, moment)?;
    let name = identity.value("hostname").map_err(doubt)?;
    let seq = identity.mark.seq;
    if same_name(name, pod) {
        return Ok(seq);
    }
    Err(Finding::fail(format!("@@hostname of {pod} is `{name}` (#{seq})"), [seq]))
}

fn labelled(life: &PodLife) -> Judged<()> {
    let label = "statefulset.kubernetes.io/pod-name";
    let name = life.labels.get(label);
    if name == Some(&life.name) {
        return Ok(());
    }
    let value = name.map_or("missing".to_owned(), |value| format!("`{value}`"));
    let reason = format!("the label {label} of {} (uid {}) is {value}", life.name, short(&life.uid));
    Err(Finding::fail(reason, [life.added.seq]))
}

pub(super) const IDENTITY_SURVIVES_RESTART: Check = Check {
    id: "identity::identity_survives_restart",
    statement: "A pod that was deleted, or scaled away, MUST come back under its name, with a new UID, the same claims \
                and volumes, and the same server_id and server_uuid.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity",
    explain: "\
A server that comes back with another server_uuid is another server to its replicas: its old transactions look foreign.
Each pod is deleted with its grace period, and one without grace where the run has the scenario unready; before and
after, its claims, the volumes behind them and the server's own identity are compared, and likewise from the first start
to the scale-up where the run scales.
A new address is normal, and an old one may be handed out again: neither is judged. MariaDB has no server_uuid.
Usually wrong: the data directory, where auto.cnf holds the server_uuid, is not on the claim (emptyDir, or a mount at
another path); persistentVolumeClaimRetentionPolicy deletes claims; or server_id does not come from the ordinal.",
    scenarios: &["restart"],
    minimum: &[Need::Acts, Need::Sql(Question::Identity)],
    judge: identity_survives_restart,
};

fn identity_survives_restart(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let kept = case.weigh_deletions(opinion, |deletion| same_identity(case, deletion));
        opinion.prove(kept.iter().flat_map(|(_, evidence)| *evidence));
        let pods: Vec<_> = kept.iter().map(|(pod, _)| pod.as_str()).collect();
        let mut whom = pods.join(", ");
        let rescaled: Vec<_> =
            rescaled(case).into_iter().filter_map(|pod| Some((opinion.weigh(came_back(case, &pod))?, pod))).collect();
        opinion.prove(rescaled.iter().flat_map(|(evidence, _)| *evidence));
        if !rescaled.is_empty() {
            let pods: Vec<_> = rescaled.iter().map(|(_, pod)| pod.as_str()).collect();
            whom.push_str(&format!(", and after the scale-up on {}", pods.join(", ")));
        }
        let same = match case.have_server_uuids() {
            true => "claims, volumes, server_id and server_uuid are what they were",
            false => "claims, volumes and server_id are what they were (MariaDB has no server_uuid)",
        };
        Ok(format!("{same} on {whom}"))
    })
}

/// The pods that went in the scale-down and were asked who they are after the scale-up.
fn rescaled(case: &Case<'_>) -> Vec<String> {
    let stay = case.scale_down().map_or(u32::MAX, |scaled| scaled.to);
    let went = case.subject.ordinals().skip(stay as usize).map(|ordinal| case.subject.pod(ordinal));
    went.filter(|pod| case.answers(pod, Question::Identity, &Moment::ScaledUp).next().is_some()).collect()
}

/// A pod as it was at one record.
struct Bearer<'a> {
    life: &'a PodLife,
    seq: u64,
}

/// Compares a pod that was scaled away and back with what it was at first.
fn came_back(case: &Case<'_>, pod: &str) -> Judged<[u64; 2]> {
    let before = case.last_answer(pod, Question::Identity, &Moment::Deployed)?;
    let after = case.last_answer(pod, Question::Identity, &Moment::ScaledUp)?;
    let bearer = |of: &Seen<'_, Sql>| {
        let unseen =
            || Finding::inconclusive(format!("the pod {pod} of #{} was never seen", of.mark.seq), [of.mark.seq]);
        let life = case.timeline.pod_by_uid(&of.uid).ok_or_else(unseen)?;
        Ok(Bearer { life, seq: of.mark.seq })
    };
    same_claims(case, &bearer(&before)?, &bearer(&after)?, &Moment::ScaledUp)?;
    same_server(before, after)?;
    Ok([before.mark.seq, after.mark.seq])
}

/// A pod that is what it was before its deletion, in words, and the records that show it.
fn same_identity(case: &Case<'_>, deletion: &Deletion<'_>) -> Judged<(String, [u64; 3])> {
    let (new, _) = case.successor(deletion)?;
    let old = case.timeline.pod_by_uid(deletion.uid).ok_or_else(|| {
        let reason = format!("the pod {} that was deleted at #{} was never seen", deletion.pod, deletion.asked.seq);
        Finding::inconclusive(reason, [deletion.asked.seq])
    })?;
    let (was, is) = (Bearer { life: old, seq: deletion.asked.seq }, Bearer { life: new, seq: deletion.until });
    same_claims(case, &was, &is, &deletion.after())?;
    let before = case.answer_before(deletion, Question::Identity)?;
    let after = case.answer_after(deletion, deletion.pod, Question::Identity)?;
    let evidence = [before.mark.seq, deletion.proved.seq, after.mark.seq];
    if before.uid != old.uid || after.uid != new.uid {
        let reason = format!("the identity of {} was not read from both of its pods", deletion.pod);
        return Err(Finding::inconclusive(reason, evidence));
    }
    same_server(before, after)?;
    Ok((format!("{}{}", deletion.pod, deletion.manner()), evidence))
}

fn same_server(before: Seen<'_, Sql>, after: Seen<'_, Sql>) -> Judged<()> {
    for column in ["server_id", "server_uuid"] {
        if [before, after].iter().all(|answer| lacks(answer, column)) {
            continue;
        }
        let (was, is) = (before.value(column).map_err(doubt)?, after.value(column).map_err(doubt)?);
        if was != is {
            let (pod, then, now) = (&after.it.pod, before.mark.seq, after.mark.seq);
            let when = during(&after.it.moment);
            let reason = format!("{column} of {pod} was {was} (#{then}) and is {is} {when} (#{now})");
            return Err(Finding::fail(reason, [then, now]));
        }
    }
    Ok(())
}

/// Whether this is a column that the server's flavour has nothing to tell in.
fn lacks(answer: &Seen<'_, Sql>, column: &str) -> bool {
    column == "server_uuid" && answer.flavour().is_some_and(|flavour| !flavour.has_server_uuid())
}

/// That a pod came back with the claims that it had, by UID, and these with their volumes.
fn same_claims(case: &Case<'_>, old: &Bearer<'_>, new: &Bearer<'_>, moment: &Moment) -> Judged<()> {
    let (pod, when) = (&new.life.name, during(moment));
    let marks = [old.life.added.seq, new.life.added.seq];
    let (was, is): (BTreeSet<_>, BTreeSet<_>) = (old.life.claims.iter().collect(), new.life.claims.iter().collect());
    if was != is {
        return Err(Finding::fail(format!("{pod} came back with the claims {is:?}, not {was:?}"), marks));
    }
    for claim in was {
        let uids = |seq: u64| {
            let bound = case.timeline.claim_at(claim, seq)?;
            Some([bound.uid.as_str(), case.timeline.volume_at(bound, seq)?.uid.as_str()])
        };
        let (Some(was), Some(is)) = (uids(old.seq), uids(new.seq)) else {
            let reason = format!("what {claim} was bound to before and {when} was not seen");
            return Err(Finding::inconclusive(reason, marks));
        };
        for (what, (was, is)) in ["the claim", "the volume of"].iter().zip(was.iter().zip(&is)) {
            if was != is {
                let reason = format!("{what} {claim} had the uid {was} and has the uid {is} {when}");
                return Err(Finding::fail(reason, marks));
            }
        }
    }
    Ok(())
}

pub(super) const SERVER_IDS_ARE_DISTINCT: Check = Check {
    id: "identity::server_ids_are_distinct",
    statement: "server_id and server_uuid MUST differ between all servers of the set.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-options.html (server_id, server_uuid)",
    explain: "\
A replica ignores what bears its own server_id, and a source disconnects the older of two replicas with one server_uuid:
both lose data or never settle, mostly without an error that names the cause.
Both values are read from every server once all pods are Ready, and again where one came back: they must differ between
all that are there at the time. MariaDB has no server_uuid; its servers are told apart by server_id alone.
Usually wrong: one --server-id for all pods in the template, or an auto.cnf that was copied with a data directory.",
    scenarios: &["deploy"],
    minimum: &[Need::Sql(Question::Identity)],
    judge: server_ids_are_distinct,
};

fn server_ids_are_distinct(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        if case.subject.replicas < 2 {
            return Err(Finding::skipped("the set has one pod: there is nothing to tell apart"));
        }
        let mut texts = Vec::new();
        for column in ["server_id", "server_uuid"] {
            let told = told(case, opinion, column);
            if told.is_empty() && column == "server_uuid" && !case.have_server_uuids() {
                texts.push("MariaDB has no server_uuid".to_owned());
                continue;
            }
            let mut known = BTreeSet::new();
            for (index, new) in told.iter().enumerate() {
                let Some(old) = told[..index].iter().find(|old| clash(case, old, new)) else { continue };
                let [(other, first), (pod, seq)] = [old, new].map(|told| (&told.answer.pod, told.answer.mark.seq));
                // Once for two pods, however often they are asked.
                if known.insert(BTreeSet::from([other, pod])) {
                    let reason = format!("{other} (#{first}) and {pod} (#{seq}) both have {column} {}", new.value);
                    opinion.object(Finding::fail(reason, [first, seq]));
                }
            }
            opinion.prove(told.iter().map(|told| told.answer.mark.seq));
            let at_first = told.iter().filter(|told| told.answer.moment == Moment::Deployed);
            let list: Vec<_> = at_first.map(|told| told.value).collect();
            texts.push(format!("{column} {}", list.join(", ")));
        }
        Ok(format!("all differ: {}", texts.join("; ")))
    })
}

/// What a server said of itself.
struct Told<'a> {
    answer: Seen<'a, Sql>,
    value: &'a str,
}

/// What all servers said of themselves, whenever they were asked, in order.
fn told<'a>(case: &Case<'a>, opinion: &mut Opinion, column: &str) -> Vec<Told<'a>> {
    let mut all = Vec::new();
    for pod in case.subject.pods() {
        for moment in case.moments(Moment::Deployed, &pod, Question::Identity) {
            let answer = case.last_answer(&pod, Question::Identity, &moment);
            if answer.as_ref().is_ok_and(|answer| lacks(answer, column)) {
                continue;
            }
            let told = answer.and_then(|answer| Ok(Told { answer, value: answer.value(column).map_err(doubt)? }));
            all.extend(opinion.weigh(told));
        }
    }
    all.sort_by_key(|told| told.answer.mark.seq);
    all
}

/// Whether two pods said the same, and the first was still there when the second said it.
fn clash(case: &Case<'_>, old: &Told<'_>, new: &Told<'_>) -> bool {
    let lives = case.timeline.pod_by_uid(&old.answer.uid).is_some_and(|life| life.alive_at(new.answer.mark.seq));
    let together = lives || old.answer.moment == new.answer.moment;
    old.value == new.value && old.answer.pod != new.answer.pod && together
}
