//! Whether a Ready pod serves.

use std::collections::BTreeSet;

use crate::assessment::{Judged, judged};
use crate::case::{Case, Seen, Unmet};
use crate::evidence::{Checkpoint, Mark, PodLife, Question, Scenario, Sql};
use crate::words::{seconds, short};
use crate::{CaseFile, Check, Finding, Verdict};

#[cfg(test)]
mod tests;

pub(crate) const READY_MEANS_SERVING: Check = Check {
    id: "ordering::ready_means_serving",
    statement: "A pod MUST become Ready in time, and MUST NOT be Ready before its server answers an authenticated \
                query over TCP.",
    source: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes (readinessProbe)",
    explain: "\
Ordered start waits only for Ready. If a pod is Ready before its server answers, the order protects nothing.
When a pod first becomes Ready, one query (SELECT 1 with the password) is sent once to the pod's own address. A refused
connection or a server error is a violation. The same query is also repeated from when the pod has an address until it
is answered. This result decides if the first probe broke, was sent more than 1 s after Ready, or was answered more than
2 s after it; it must come in time and from the same container. Each pod name, including names that exist only for a
while, needs one pod that was queried and was not being deleted at that time.
A pod that does not become Ready in time is also a violation, even the last or only pod: it crashed, or its probe never
succeeds. This does not apply if nothing in the pod could run yet, because an image, a node or a volume was missing.
Common causes: there is no readinessProbe, so a started container counts as Ready; or the probe is `mysqladmin ping`,
which succeeds on `access denied`, and on the socket while the image's entrypoint still initialises the data directory
with a server that does not listen on TCP.",
    scenarios: &[Scenario::Deploy],
    minimum: &[],
    judge: ready_means_serving,
};

/// How long after Ready a question may be sent so that its answer counts for that time, in microseconds.
const AT_ONCE_US: u64 = 1_000_000;

/// How long after Ready the answer may arrive, in microseconds: a server that needs longer for a constant was not
/// serving.
const ANSWERED_US: u64 = 2_000_000;

fn ready_means_serving(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let (mut answered, mut told) = (Vec::new(), BTreeSet::new());
        for life in &case.timeline.pods {
            let Some(ready) = life.first_ready() else { continue };
            match serves(case, life, ready) {
                Ok(Some(ping)) => {
                    assessment.cite([ready.seq, ping]);
                    answered.push(life.name.as_str());
                    told.insert(life.name.clone());
                }
                Ok(None) => {}
                Err(finding) => {
                    assessment.reject(finding);
                    told.insert(life.name.clone());
                }
            }
        }
        let others = case.timeline.pods.iter().filter(|life| case.subject.index_of(&life.name).is_some());
        let others = others.filter(|life| life.first_ready().is_some()).map(|life| life.name.clone());
        let names: BTreeSet<String> = case.subject.pods().chain(others).collect();
        for pod in names.difference(&told) {
            assessment.reject(untold(case, pod));
        }
        Ok(format!("{} servers answered when their pods became Ready: {}", answered.len(), answered.join(", ")))
    })
}

/// The finding about a name if no answer of its pods counts.
fn untold(case: &Case<'_>, pod: &str) -> Finding {
    let mut ready = case.timeline.lives(pod).filter_map(PodLife::first_ready);
    match ready.next() {
        Some(ready) => {
            let reason = format!("{pod} was already being deleted whenever it was queried (#{})", ready.seq);
            Finding::inconclusive(reason, [ready.seq])
        }
        None => never_ready(case, pod),
    }
}

/// The finding about a pod that existed and was never Ready: a failure if the harness waited until the deadline, unless
/// nothing of the pod ran yet.
fn never_ready(case: &Case<'_>, pod: &str) -> Finding {
    let reason = format!("{pod} was never Ready");
    let (begin, end) = case.span(Scenario::Deploy);
    let wait = case.unmet_waits(begin, end).find(|wait| wait.is_about(pod));
    let awaited = |wait: &Unmet<'_>| case.timeline.pods.coming(pod, 0, wait.mark.seq).next_back();
    let Some((wait, life)) = wait.and_then(|wait| Some((wait, awaited(&wait)?))) else {
        return Finding::inconclusive(reason, []);
    };
    if let Some(gap) = case.gap("Pod", begin, wait.mark.seq) {
        return gap;
    }
    let (reason, evidence) = (format!("{reason}: {wait}"), [life.added.seq, wait.mark.seq]);
    if case.had_begun(life, &wait) { wait.blame(reason, evidence) } else { Finding::inconclusive(reason, evidence) }
}

/// The record of an answer that the server gave when its pod became Ready or before; `None` if the pod was terminating.
fn serves(case: &Case<'_>, life: &PodLife, ready: Mark) -> Judged<Option<u64>> {
    let doubt = match served_at_ready(case, life, ready) {
        Err(finding) if finding.verdict == Verdict::Inconclusive => finding,
        decided => return decided,
    };
    let (pod, uid) = (life.name.clone(), life.uid.clone());
    let mut starting = case.answers(&life.name, Question::Ping, &Checkpoint::Starting { pod, uid });
    // An answer from before a restart of the container says nothing about the one that is Ready.
    let in_time = starting.find(|ping| {
        let same = ping.uid == life.uid && life.restarts_at(ping.mark.seq) == life.restarts_at(ready.seq);
        same && pong(ping).is_ok() && too_late(case, ping, ready).is_none()
    });
    in_time.map_or(Err(doubt), |ping| Ok(Some(ping.mark.seq)))
}

/// The same by the questions at Ready alone: a failure in any answer, or the first answer that proves it.
fn served_at_ready(case: &Case<'_>, life: &PodLife, ready: Mark) -> Judged<Option<u64>> {
    let checkpoint = Checkpoint::Ready { pod: life.name.clone(), uid: life.uid.clone() };
    let (mut proof, mut doubt) = (None, None);
    // An answer of another pod does not count.
    for ping in case.answers(&life.name, Question::Ping, &checkpoint).filter(|ping| ping.uid == life.uid) {
        match told_at_ready(case, life, ready, &ping) {
            Err(finding) if finding.verdict == Verdict::Fail => return Err(finding),
            Err(finding) => doubt = doubt.or(Some(Err(finding))),
            Ok(Some(seq)) => proof = proof.or(Some(Ok(Some(seq)))),
            Ok(None) => doubt = doubt.or(Some(Ok(None))),
        }
    }
    proof.or(doubt).unwrap_or_else(|| {
        let which = format!("{} (uid {})", life.name, short(&life.uid));
        let reason = format!("{which} became Ready at #{} and was not queried", ready.seq);
        Err(Finding::inconclusive(reason, [ready.seq]))
    })
}

/// Judges one answer to the question at Ready.
fn told_at_ready(case: &Case<'_>, life: &PodLife, ready: Mark, ping: &Seen<'_, Sql>) -> Judged<Option<u64>> {
    let (seq, which) = (ping.mark.seq, format!("{} (uid {})", life.name, short(&life.uid)));
    let refusal = match (pong(ping), too_late(case, ping, ready)) {
        (Ok(()), None) => return Ok(Some(seq)),
        // A pod that began to terminate before its answer need not answer.
        (_, None) if life.deleting_at(seq) => return Ok(None),
        (Ok(()), Some(late)) => {
            let reason =
                format!("{which} {late} after Ready (#{}), which is too late to prove anything (#{seq})", ready.seq);
            return Err(Finding::inconclusive(reason, [ready.seq, seq]));
        }
        (Err(refusal), _) => refusal,
    };
    let reason = format!("{which} became Ready at #{}, but {}", ready.seq, refusal.reason);
    if refusal.verdict == Verdict::Fail && life.ready_at(seq) && !life.deleting_at(seq) {
        return Err(Finding::fail(reason, [ready.seq, seq]));
    }
    Err(Finding::inconclusive(reason, [ready.seq, seq]))
}

/// Whether the server answered the query correctly.
fn pong(ping: &Seen<'_, Sql>) -> Judged<()> {
    match ping.value("ping")? {
        "1" => Ok(()),
        other => {
            let (pod, seq) = (&ping.pod, ping.mark.seq);
            let reason = format!("{pod} answered `{other}` to SELECT 1 (#{seq})");
            Err(Finding::inconclusive(reason, [seq]))
        }
    }
}

/// Why an answer says nothing about the time at which the pod became Ready, if so. A delay between the answer and its
/// record counts as a delay of the question.
fn too_late(case: &Case<'_>, ping: &Seen<'_, Sql>, ready: Mark) -> Option<String> {
    let answered = case.lasted(ready, ping.mark).most_us;
    let asked = answered.saturating_sub(ping.took_us);
    if asked > AT_ONCE_US {
        return Some(format!("was queried only {}", seconds(asked)));
    }
    (answered > ANSWERED_US).then(|| format!("answered only {}", seconds(answered)))
}
