//! Identity: what a pod is called, and what stays the same when it is created again.

use crate::evidence::{Evidence, Exec, ExecAnswer, Moment, PodLife, Question, Sql};

use super::{
    Check, Finding,
    case::{Case, Seen, doubt, unasked},
    minimum::{FULL_HOSTNAME, HOSTNAME, Need},
    opinion::{Judged, judged},
    words::short,
};

mod distinct;
mod pod_index;
mod restarts;
mod stops;
mod survives;
#[cfg(test)]
mod tests;
mod told;

pub(super) use distinct::SERVER_IDS_ARE_DISTINCT;
pub(super) use pod_index::POD_INDEX_LABEL_MATCHES;
pub(super) use restarts::CONTAINERS_RESTART_ONLY_WHEN_DISRUPTED;
pub(super) use stops::SERVERS_STOP_WITHIN_THEIR_GRACE;
pub(super) use survives::IDENTITY_SURVIVES_RESTART;
use told::{identities, outputs, teller};

pub(super) const HOSTNAME_IS_POD_NAME: Check = Check {
    id: "identity::hostname_is_pod_name",
    statement: "hostname MUST be the pod's name, `hostname -f` its stable DNS name, @@hostname the same as hostname; \
                the label statefulset.kubernetes.io/pod-name MUST name the pod.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id and #pod-identity",
    explain: "\
MySQL writes its hostname into its replication status, its logs and the default names of its files.
Once all pods are Ready, and where a pod came back or joined, `hostname` and `hostname -f` are run in the container and
@@hostname is read; on every pod that was seen the label statefulset.kubernetes.io/pod-name must be the name throughout.
Names are compared without regard to case and to a trailing dot.
Usually wrong: the template overrides `hostname`, `subdomain`, `setHostnameAsFQDN` or `hostNetwork`; or spec.serviceName
is not the name of the Service. An image without the program `hostname` leaves the question open.",
    scenarios: &["deploy"],
    minimum: &[Need::Exec(HOSTNAME), Need::Exec(FULL_HOSTNAME), Need::Sql(Question::Identity)],
    judge: hostname_is_pod_name,
};

fn hostname_is_pod_name(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let (execs, servers) = (outputs(case, &[HOSTNAME, FULL_HOSTNAME]), identities(case));
        for exec in &execs {
            let named = printed(case, *exec);
            opinion.weigh(named).into_iter().for_each(|seq| opinion.prove([seq]));
        }
        for server in &servers {
            let named = server_is_named(case, *server);
            opinion.weigh(named).into_iter().for_each(|seq| opinion.prove([seq]));
        }
        for pod in case.subject.pods() {
            for argv in [HOSTNAME, FULL_HOSTNAME] {
                if execs.iter().all(|exec| exec.it.pod != pod || exec.it.argv != argv) {
                    let reason = format!("`{}` was not run in {pod}", argv.join(" "));
                    opinion.object(Finding::inconclusive(reason, []));
                }
            }
            if servers.iter().all(|server| server.it.pod != pod) {
                opinion.object(unasked(&pod, Question::Identity, &Moment::Deployed));
            }
        }
        for life in case.shown_pods() {
            opinion.weigh(labelled(life));
        }
        let pods: Vec<_> = case.subject.pods().collect();
        Ok(format!("hostname, hostname -f, @@hostname and the label are right on {}", pods.join(", ")))
    })
}

fn same_name(a: &str, b: &str) -> bool {
    a.trim().trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.'))
}

fn printed(case: &Case<'_>, exec: Seen<'_, Exec>) -> Judged<u64> {
    let (pod, command, seq) = (&exec.pod, exec.argv.join(" "), exec.mark.seq);
    let expected = if exec.argv == HOSTNAME { pod.clone() } else { case.subject.fqdn(pod) };
    match &exec.answer {
        ExecAnswer::Exited { code: 0, stdout, .. } if same_name(stdout, &expected) => {
            teller(case, pod, &exec.uid, exec.took_us, exec.mark).map(|_| seq)
        }
        ExecAnswer::Exited { code: 0, stdout, .. } => {
            let reason = format!("`{command}` in {pod} printed `{stdout}`, not `{expected}` (#{seq})");
            Err(Finding::fail(reason, [seq]))
        }
        // A shell's or a runtime's words for a program that is not in the image.
        ExecAnswer::Exited { code: 126 | 127, stderr, .. } => {
            Err(Finding::inconclusive(format!("{pod} has no program `{}`: {stderr} (#{seq})", HOSTNAME[0]), [seq]))
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

fn server_is_named(case: &Case<'_>, identity: Seen<'_, Sql>) -> Judged<u64> {
    let name = identity.value("hostname").map_err(doubt)?;
    let (pod, seq) = (&identity.pod, identity.mark.seq);
    if same_name(name, pod) {
        return teller(case, pod, &identity.uid, identity.took_us, identity.mark).map(|_| seq);
    }
    Err(Finding::fail(format!("@@hostname of {pod} is `{name}` (#{seq})"), [seq]))
}

/// That a pod had its name for a label as long as it was seen: its container may have read any other.
fn labelled(life: &PodLife) -> Judged<()> {
    let label = "statefulset.kubernetes.io/pod-name";
    let wrong = life.labels.iter().find(|change| change.value.get(label) != Some(&life.name));
    let Some(wrong) = wrong else { return Ok(()) };
    let value = wrong.value.get(label).map_or("missing".to_owned(), |value| format!("`{value}`"));
    let seq = wrong.since.seq;
    let reason = format!("the label {label} of {} (uid {}) is {value} (#{seq})", life.name, short(&life.uid));
    Err(Finding::fail(reason, [seq]))
}

/// Whether this is a column that the server's flavour has nothing to tell in.
fn lacks(answer: &Seen<'_, Sql>, column: &str) -> bool {
    column == "server_uuid" && answer.flavour().is_some_and(|flavour| !flavour.has_server_uuid())
}
