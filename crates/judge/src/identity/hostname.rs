//! The names that a pod's container and server report.

use std::collections::BTreeSet;

use super::told::{identities, outputs, teller};
use crate::assessment::{Judged, judged};
use crate::case::{Case, Seen, doubt, unasked};
use crate::evidence::{Checkpoint, Exec, ExecAnswer, HOSTS, KERNEL_HOSTNAME, PodLife, Question, Scenario, Sql};
use crate::minimum::{FULL_HOSTNAME, HOSTNAME, Need};
use crate::words::short;
use crate::{CaseFile, Check, Finding};

pub(crate) const HOSTNAME_IS_POD_NAME: Check = Check {
    id: "identity::hostname_is_pod_name",
    statement: "`hostname` MUST print the pod's name, `hostname -f` its stable DNS name, and @@hostname MUST equal \
                `hostname`. The label statefulset.kubernetes.io/pod-name MUST be the pod's name.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id and #pod-identity",
    explain: "\
MySQL uses its host name in its replication status, in its logs and in the default names of its files.
`hostname` and `hostname -f` are run in the container, and @@hostname is read, once all pods are Ready and whenever a
pod came back or joined. The label statefulset.kubernetes.io/pod-name of each pod must always be the pod's name. If the
image has no program `hostname`, /proc/sys/kernel/hostname and /etc/hosts are read instead; the first name in the pod's
own line of /etc/hosts is what `hostname -f` prints. Without `cat` as well, only @@hostname decides. The comparison
ignores case and a trailing dot.
Common causes: the template sets `hostname`, `subdomain`, `setHostnameAsFQDN` or `hostNetwork`; or spec.serviceName is
not the name of the Service.",
    scenarios: &[Scenario::Deploy],
    minimum: &[Need::Exec(HOSTNAME), Need::Exec(FULL_HOSTNAME), Need::Sql(Question::Identity)],
    judge: hostname_is_pod_name,
};

fn hostname_is_pod_name(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let (execs, servers) = (outputs(case, &[HOSTNAME, FULL_HOSTNAME]), identities(case));
        let mut sources = BTreeSet::new();
        for exec in &execs {
            let told = if exec.answer.lacks_program() { in_its_place(case, *exec, &servers) } else { Ok(*exec) };
            let named = told.and_then(|told| printed(case, told).map(|seq| (seq, told)));
            if let Some((seq, told)) = assessment.check(named) {
                assessment.cite([seq]);
                sources.extend((!told.answer.lacks_program()).then(|| told.argv.join(" ")));
            }
        }
        for server in &servers {
            let named = server_is_named(case, *server);
            assessment.check(named).into_iter().for_each(|seq| assessment.cite([seq]));
        }
        for pod in case.subject.pods() {
            for argv in [HOSTNAME, FULL_HOSTNAME] {
                if execs.iter().all(|exec| exec.it.pod != pod || exec.it.argv != argv) {
                    let reason = format!("`{}` was not run in {pod}", argv.join(" "));
                    assessment.reject(Finding::inconclusive(reason, []));
                }
            }
            if servers.iter().all(|server| server.it.pod != pod) {
                assessment.reject(unasked(&pod, Question::Identity, &Checkpoint::Deployed));
            }
        }
        for life in case.shown_pods() {
            assessment.check(labelled(life));
        }
        let pods: Vec<_> = case.subject.pods().collect();
        let sources: Vec<String> = sources.into_iter().map(|source| format!("{source}, ")).collect();
        Ok(format!("{}@@hostname and the label are correct on {}", sources.concat(), pods.join(", ")))
    })
}

/// Replaces a command whose program the container lacks: by the command that was run instead, or, if the container has
/// no program for that either, by the command itself if its server answered.
fn in_its_place<'a>(case: &Case<'a>, exec: Seen<'a, Exec>, servers: &[Seen<'a, Sql>]) -> Judged<Seen<'a, Exec>> {
    let instead = if exec.argv == HOSTNAME { KERNEL_HOSTNAME } else { HOSTS };
    let mut others = outputs(case, &[instead]).into_iter();
    let other =
        others.find(|other| (&other.pod, &other.uid, &other.checkpoint) == (&exec.pod, &exec.uid, &exec.checkpoint));
    let spoke = || servers.iter().any(|server| (&server.pod, &server.uid) == (&exec.pod, &exec.uid));
    match other {
        Some(other) if !other.answer.lacks_program() => Ok(other),
        Some(_) if spoke() => Ok(exec),
        _ => {
            let (pod, seq, command) = (&exec.pod, exec.mark.seq, exec.argv.join(" "));
            let instead = instead.join(" ");
            let reason =
                format!("{pod} has no program for `{command}` (#{seq}), and `{instead}` gave no answer instead");
            Err(Finding::inconclusive(reason, [seq]))
        }
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.trim().trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.'))
}

/// The first name in the first line of a hosts file that contains this name: `hostname -f` prints it.
fn canonical<'a>(hosts: &'a str, name: &str) -> &'a str {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let names = lines.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>());
    let mut own = names.filter(|names| names.iter().any(|it| same_name(it, name)));
    own.next().map_or("", |names| names[0])
}

fn printed(case: &Case<'_>, exec: Seen<'_, Exec>) -> Judged<u64> {
    let (pod, command, seq) = (&exec.pod, exec.argv.join(" "), exec.mark.seq);
    let short_one = exec.argv == HOSTNAME || exec.argv == KERNEL_HOSTNAME;
    let expected = if short_one { pod.clone() } else { case.subject.fqdn(pod) };
    match &exec.answer {
        ExecAnswer::Exited { code: 0, stdout, .. } => {
            let name = if exec.argv == HOSTS { canonical(stdout, pod) } else { stdout };
            if same_name(name, &expected) {
                return teller(case, pod, &exec.uid, exec.took_us, exec.mark).map(|_| seq);
            }
            let reason = format!("`{command}` in {pod} printed `{name}`, not `{expected}` (#{seq})");
            Err(Finding::fail(reason, [seq]))
        }
        answer if answer.lacks_program() => teller(case, pod, &exec.uid, exec.took_us, exec.mark).map(|_| seq),
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

/// Checks that the pod's name label always had its name: its container may have read any other value.
fn labelled(life: &PodLife) -> Judged<()> {
    let label = "statefulset.kubernetes.io/pod-name";
    let wrong = life.labels.iter().find(|change| change.value.get(label) != Some(&life.name));
    let Some(wrong) = wrong else { return Ok(()) };
    let value = wrong.value.get(label).map_or("missing".to_owned(), |value| format!("`{value}`"));
    let seq = wrong.since.seq;
    let reason = format!("the label {label} of {} (uid {}) is {value} (#{seq})", life.name, short(&life.uid));
    Err(Finding::fail(reason, [seq]))
}
