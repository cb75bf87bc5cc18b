//! Identity: what a pod is called, and what stays the same when it is created again.

use std::collections::BTreeSet;

use crate::evidence::{Evidence, Exec, ExecAnswer, Moment, PodLife, Question};

use super::{
    Check, Finding,
    case::{Case, Deletion, Seen, doubt},
    opinion::{Judged, Opinion, judged},
    words::short,
};

#[cfg(test)]
mod tests;

pub(super) const HOSTNAME_IS_POD_NAME: Check = Check {
    id: "identity::hostname_is_pod_name",
    statement: "hostname MUST be the pod's name, `hostname -f` its stable DNS name, @@hostname the same as hostname; \
                the labels MUST name the pod and its ordinal.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id and #pod-identity",
    explain: "\
MySQL writes its hostname into its replication status, its logs and the default names of its files.
Once all pods are Ready, `hostname` and `hostname -f` are run in each container and @@hostname is read; the label
statefulset.kubernetes.io/pod-name must be the name, and apps.kubernetes.io/pod-index, where it is there, the ordinal.
Names are compared without regard to case and to a trailing dot.
Usually wrong: the template overrides `hostname`, `subdomain`, `setHostnameAsFQDN` or `hostNetwork`; or spec.serviceName
is not the name of the Service. An image without the program `hostname` leaves the question open.",
    scenarios: &["deploy"],
    judge: hostname_is_pod_name,
};

fn hostname_is_pod_name(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        for pod in case.subject.pods() {
            for (argv, expected) in [(&["hostname"][..], pod.clone()), (&["hostname", "-f"], case.subject.fqdn(&pod))] {
                let named = printed(case, &pod, argv, &expected);
                opinion.weigh(named).into_iter().for_each(|seq| opinion.prove([seq]));
            }
            let named = server_is_named(case, &pod);
            opinion.weigh(named).into_iter().for_each(|seq| opinion.prove([seq]));
        }
        // A pod of which only the DELETED event was seen has told nothing of its labels.
        for life in case.timeline.pods.iter().filter(|life| !life.ready.is_empty()) {
            opinion.weigh(labelled(case, life));
        }
        let pods: Vec<_> = case.subject.pods().collect();
        Ok(format!("hostname, hostname -f, @@hostname and the labels are right on {}", pods.join(", ")))
    })
}

fn same_name(a: &str, b: &str) -> bool {
    a.trim().trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.'))
}

fn printed(case: &Case<'_>, pod: &str, argv: &[&str], expected: &str) -> Judged<u64> {
    let command = argv.join(" ");
    let ours = |exec: &Seen<'_, Exec>| exec.pod == pod && exec.argv == argv && exec.moment == Moment::Deployed;
    let Some(exec) = case.execs().filter(ours).last() else {
        return Err(Finding::inconclusive(format!("`{command}` was not run in {pod}"), []));
    };
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

fn server_is_named(case: &Case<'_>, pod: &str) -> Judged<u64> {
    let identity = case.last_answer(pod, Question::Identity, &Moment::Deployed)?;
    let name = identity.value("hostname").map_err(doubt)?;
    let seq = identity.mark.seq;
    if same_name(name, pod) {
        return Ok(seq);
    }
    Err(Finding::fail(format!("@@hostname of {pod} is `{name}` (#{seq})"), [seq]))
}

fn labelled(case: &Case<'_>, life: &PodLife) -> Judged<()> {
    let index = case.subject.ordinal_of(&life.name).map(|ordinal| ordinal.to_string());
    let name = life.labels.get("statefulset.kubernetes.io/pod-name");
    let labelled_index = life.labels.get("apps.kubernetes.io/pod-index");
    let wrong = if name != Some(&life.name) {
        ("statefulset.kubernetes.io/pod-name", name)
    } else if labelled_index.is_some() && labelled_index != index.as_ref() {
        ("apps.kubernetes.io/pod-index", labelled_index)
    } else {
        return Ok(());
    };
    let value = wrong.1.map_or("missing".to_owned(), |value| format!("`{value}`"));
    let reason = format!("the label {} of {} (uid {}) is {value}", wrong.0, life.name, short(&life.uid));
    Err(Finding::fail(reason, [life.added.seq]))
}

pub(super) const IDENTITY_SURVIVES_RESTART: Check = Check {
    id: "identity::identity_survives_restart",
    statement: "A pod that was deleted MUST come back under its name, with a new UID, the same claims and volumes, and \
                the same server_id and server_uuid.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity",
    explain: "\
A server that comes back with another server_uuid is another server to its replicas: its old transactions look foreign.
Each pod is deleted; before and after, its claims, the volumes behind them and the server's own identity are compared.
A new address is normal, and an old one may be handed out again, so addresses are not judged.
Usually wrong: the data directory, where auto.cnf holds the server_uuid, is not on the claim (emptyDir, or a mount at
another path); or server_id comes from something else than the ordinal.",
    scenarios: &["restart"],
    judge: identity_survives_restart,
};

fn identity_survives_restart(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let kept = case.weigh_deletions(opinion, |deletion| same_identity(case, deletion));
        let pods: Vec<_> = kept.iter().map(|(pod, _)| *pod).collect();
        opinion.prove(kept.iter().flat_map(|(_, evidence)| *evidence));
        Ok(format!("claims, volumes, server_id and server_uuid are what they were on {}", pods.join(", ")))
    })
}

fn same_identity<'a>(case: &Case<'a>, deletion: &Deletion<'a>) -> Judged<(&'a str, [u64; 3])> {
    let (new, _) = case.successor(deletion)?;
    let old = case.timeline.pod_by_uid(deletion.uid).ok_or_else(|| {
        let reason = format!("the pod {} that was deleted at #{} was never seen", deletion.pod, deletion.asked.seq);
        Finding::inconclusive(reason, [deletion.asked.seq])
    })?;
    same_claims(case, deletion, old, new)?;
    let before = case.last_answer(deletion.pod, Question::Identity, &deletion.before())?;
    let after = case.last_answer(deletion.pod, Question::Identity, &deletion.after())?;
    let evidence = [before.mark.seq, deletion.proved.seq, after.mark.seq];
    if before.uid != old.uid || after.uid != new.uid {
        let reason = format!("the identity of {} was not read from both of its pods", deletion.pod);
        return Err(Finding::inconclusive(reason, evidence));
    }
    for column in ["server_id", "server_uuid"] {
        let (was, is) = (before.value(column).map_err(doubt)?, after.value(column).map_err(doubt)?);
        if was != is {
            let (then, now) = (before.mark.seq, after.mark.seq);
            let reason =
                format!("{column} of {} was {was} (#{then}) and is {is} after its deletion (#{now})", deletion.pod);
            return Err(Finding::fail(reason, evidence));
        }
    }
    Ok((deletion.pod, evidence))
}

fn same_claims(case: &Case<'_>, deletion: &Deletion<'_>, old: &PodLife, new: &PodLife) -> Judged<()> {
    let marks = [old.added.seq, new.added.seq];
    let (was, is): (BTreeSet<_>, BTreeSet<_>) = (old.claims.iter().collect(), new.claims.iter().collect());
    if was != is {
        let reason = format!("{} came back with the claims {is:?}, not {was:?}", deletion.pod);
        return Err(Finding::fail(reason, marks));
    }
    for claim in was {
        let volume = |seq: u64| {
            let bound = case.timeline.claim_at(claim, seq);
            bound.and_then(|bound| case.timeline.volume_at(bound, seq)).map(|volume| volume.uid.as_str())
        };
        let end = deletion.until - 1;
        match (volume(deletion.asked.seq), volume(end)) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => {
                let reason = format!(
                    "{claim} was on the volume with uid {was} and is on the one with uid {is} after the \
                                      deletion of {}",
                    deletion.pod
                );
                return Err(Finding::fail(reason, marks));
            }
            _ => {
                let reason =
                    format!("the volume of {claim} was not seen before and after the deletion of {}", deletion.pod);
                return Err(Finding::inconclusive(reason, marks));
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
Both values are read from every server once all pods are Ready.
Usually wrong: one --server-id for all pods in the template, or an auto.cnf that was copied with a data directory.",
    scenarios: &["deploy"],
    judge: server_ids_are_distinct,
};

fn server_ids_are_distinct(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        if case.subject.replicas < 2 {
            return Err(Finding::skipped("the set has one pod: there is nothing to tell apart"));
        }
        let mut texts = Vec::new();
        for column in ["server_id", "server_uuid"] {
            let values = read(case, opinion, column);
            for (index, (pod, value, seq)) in values.iter().enumerate() {
                if let Some((other, _, first)) = values[..index].iter().find(|(_, earlier, _)| earlier == value) {
                    let reason = format!("{other} (#{first}) and {pod} (#{seq}) both have {column} {value}");
                    opinion.object(Finding::fail(reason, [*first, *seq]));
                }
            }
            opinion.prove(values.iter().map(|(_, _, seq)| *seq));
            let list: Vec<_> = values.iter().map(|(_, value, _)| *value).collect();
            texts.push(format!("{column} {}", list.join(", ")));
        }
        Ok(format!("all differ: {}", texts.join("; ")))
    })
}

/// Each pod with this column of its identity and the record that tells it.
fn read<'a>(case: &Case<'a>, opinion: &mut Opinion, column: &str) -> Vec<(String, &'a str, u64)> {
    let mut values = Vec::new();
    for pod in case.subject.pods() {
        let identity = case.last_answer(&pod, Question::Identity, &Moment::Deployed);
        let value = identity.and_then(|it| Ok((it.value(column).map_err(doubt)?, it.mark.seq)));
        values.extend(opinion.weigh(value).map(|(value, seq)| (pod, value, seq)));
    }
    values
}
