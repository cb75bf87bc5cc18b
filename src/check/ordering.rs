//! Order: pods come one after the other, go in reverse, are updated in reverse, and a name has one bearer at a time.
//!
//! Order is read from one watch's stream. Timestamps have a resolution of a second and come from two clocks, so they
//! are not used.

use crate::evidence::{Evidence, Mark, Moment, PodLife, Question, Sql};

use super::{
    Check, Finding, Verdict,
    case::{Case, ScaleDown, Seen, Unmet, is_before},
    minimum::Need,
    opinion::{Judged, Opinion, judged},
    words::{seconds, short},
};

mod halts;
mod partition;
#[cfg(test)]
mod properties;
mod reapply;
mod rolls;
mod stuck;
#[cfg(test)]
mod tests;
mod updates;

pub(super) use halts::{HALTS_WHILE_PREDECESSOR_UNREADY, NO_DEADLOCK_ON_FAILED_PREDECESSOR};
pub(super) use partition::PARTITION_IS_RESPECTED;
pub(super) use reapply::REAPPLY_CHANGES_NOTHING;
pub(super) use rolls::ROLLS_HIGHEST_ORDINAL_FIRST;
pub(super) use stuck::STUCK_ROLLOUT_RECOVERS;

pub(super) const STARTS_IN_ORDINAL_ORDER: Check = Check {
    id: "ordering::starts_in_ordinal_order",
    statement: "Pods MUST be created in the order of their ordinals, each only after all before it were Ready under \
                their current UID.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees",
    explain: "\
A replica that starts before its source is there initialises alone, and two histories of one database are born.
Judged from the Pod watch: at each ADDED of a pod, every lower ordinal must have a live pod that is not being deleted
and has been Ready. One that was never Ready, or is not there, is a violation. One that was Ready and lost it shortly
before is a `race`: the controller acts on a cache that may be behind, so it is neither a pass nor a failure.
Pods that are created again, after a deletion or a scale-up, are judged in the same way. A lost stretch of the watch
makes the order unknown. With minReadySeconds the controller waits longer than for Ready; Ready is what is judged.
Usually wrong: podManagementPolicy is Parallel, or a pod never becomes Ready and the rest is never created.",
    scenarios: &["deploy"],
    minimum: &[],
    judge: starts_in_ordinal_order,
};

fn starts_in_ordinal_order(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let (begin, _) = case.span("deploy");
        let created: Vec<_> = case.timeline.pods.iter().filter(|life| life.seen_created).collect();
        for life in &created {
            let Some(ordinal) = case.subject.ordinal_of(&life.name) else { continue };
            for before in case.subject.ordinals().filter(|before| *before < ordinal) {
                let ready = waited_for(case, life, &case.subject.pod(before));
                let known = case.gap("Pod", begin, life.added.seq).map_or(ready, Err);
                opinion.weigh(known).into_iter().for_each(|ready| opinion.prove([ready.seq, life.added.seq]));
            }
        }
        let last = created.iter().map(|life| life.added.seq).max().unwrap_or(case.timeline.last_seq);
        if let Some(gap) = case.gap("Pod", begin, last) {
            return Err(gap);
        }
        for pod in case.subject.pods().filter(|pod| created.iter().all(|life| life.name != *pod)) {
            opinion.object(never_created(case, &pod));
        }
        let order: Vec<_> = created.iter().map(|life| format!("{} at #{}", life.name, life.added.seq)).collect();
        opinion.prove(created.iter().map(|life| life.added.seq));
        Ok(format!("ADDED, each after all before it were Ready: {}", order.join(", ")))
    })
}

/// When the pod of this name had become Ready, seen from the creation of a later one.
fn waited_for(case: &Case<'_>, later: &PodLife, name: &str) -> Judged<Mark> {
    let at = later.added.seq;
    let lives: Vec<_> = case.timeline.pods.bearing(name, at).collect();
    let was_ready = |life: &&PodLife| life.first_ready().filter(is_before(at));
    let holds = |life: &&&PodLife| life.ready_at(at) && !life.deleting_at(at);
    if let Some(ready) = lives.iter().find(holds).and_then(was_ready) {
        return Ok(ready);
    }
    let added = format!("{} was ADDED at #{at}", later.name);
    let Some(life) = lives.last() else {
        return Err(Finding::fail(format!("{added} while {name} did not exist"), [at]));
    };
    let which = format!("{name} (uid {})", short(&life.uid));
    let Some(ready) = lives.iter().find_map(was_ready) else {
        let seen = format!("#{}–#{}", life.added.seq, at - 1);
        return Err(Finding::fail(
            format!("{added} while {which} had never been Ready ({seen})"),
            [at, life.added.seq],
        ));
    };
    let why = if life.deleting_at(at) { "being deleted" } else { "not Ready any more" };
    let reason = format!("race: {added} while {which}, Ready since #{}, was {why}", ready.seq);
    Err(Finding::inconclusive(reason, [at, ready.seq]))
}

fn never_created(case: &Case<'_>, pod: &str) -> Finding {
    let (begin, end) = case.span("deploy");
    match case.unmet_wait(begin, end) {
        Some(wait) => wait.blame(format!("{pod} was never created: {wait}"), [wait.mark.seq]),
        None => Finding::inconclusive(format!("{pod} was not seen to be created"), []),
    }
}

pub(super) const READY_MEANS_SERVING: Check = Check {
    id: "ordering::ready_means_serving",
    statement: "A pod MUST become Ready in its time, and MUST NOT be Ready before its server answers an authenticated \
                query over TCP.",
    source: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes (readinessProbe)",
    explain: "\
Ordered start waits for Ready and nothing else: if Ready comes before the server answers, the order protects nobody.
At the first Ready of every pod one query, SELECT 1 with the password, is sent to the pod's own address, once.
A refused connection or an error of the server is a violation. From when the pod has an address the same is asked until
there is an answer: where a probe broke, or the question came more than a second after Ready, that answer decides, if
it was there in time and from the same container.
A pod that is never Ready until its time is up is a violation too, the last and the only one as well: it crashed, or its
probe never succeeds. Not so where nothing of it ran yet, for want of an image, a node or a volume.
Usually wrong: there is no readinessProbe, so that a started container counts as Ready; or the probe is
`mysqladmin ping`, which succeeds on `access denied` and, on the socket, while the image's entrypoint still
initialises the data directory with a server that does not listen on TCP.",
    scenarios: &["deploy"],
    minimum: &[],
    judge: ready_means_serving,
};

/// How long after Ready a question may be sent, at the latest, for its answer to tell of that moment.
const AT_ONCE_US: u64 = 1_000_000;

fn ready_means_serving(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let mut answered = Vec::new();
        for life in &case.timeline.pods {
            let Some(ready) = life.first_ready() else { continue };
            if let Some(ping) = opinion.weigh(serves(case, life, ready)).flatten() {
                opinion.prove([ready.seq, ping]);
                answered.push(life.name.as_str());
            }
        }
        for pod in case.subject.pods().filter(|pod| case.timeline.lives(pod).all(|life| life.first_ready().is_none())) {
            opinion.object(never_ready(case, &pod));
        }
        if answered.is_empty() {
            return Err(Finding::inconclusive("no pod was asked when it became Ready", []));
        }
        Ok(format!("{} servers answered when their pods became Ready: {}", answered.len(), answered.join(", ")))
    })
}

/// What follows from a pod that was there and never Ready: a violation where the harness waited for it until its time was
/// up, unless nothing of it ran yet.
fn never_ready(case: &Case<'_>, pod: &str) -> Finding {
    let reason = format!("{pod} was never Ready");
    let (begin, end) = case.span("deploy");
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

/// The record of an answer that the server gave when its pod became Ready or before; none where the pod was going already.
fn serves(case: &Case<'_>, life: &PodLife, ready: Mark) -> Judged<Option<u64>> {
    let doubt = match served_at_ready(case, life, ready) {
        Err(finding) if finding.verdict == Verdict::Inconclusive => finding,
        decided => return decided,
    };
    let (pod, uid) = (life.name.clone(), life.uid.clone());
    let mut starting = case.answers(&life.name, Question::Ping, &Moment::Starting { pod, uid });
    // What a container answered that was started again since says nothing of the one that is Ready.
    let in_time = starting.find(|ping| {
        let same = life.restarts_at(ping.mark.seq) == life.restarts_at(ready.seq);
        same && ping.rows().is_ok() && asked_after(ping, ready) <= AT_ONCE_US
    });
    in_time.map_or(Err(doubt), |ping| Ok(Some(ping.mark.seq)))
}

/// The same by the question at Ready alone.
fn served_at_ready(case: &Case<'_>, life: &PodLife, ready: Mark) -> Judged<Option<u64>> {
    let moment = Moment::Ready { pod: life.name.clone(), uid: life.uid.clone() };
    let which = format!("{} (uid {})", life.name, short(&life.uid));
    let Some(ping) = case.answers(&life.name, Question::Ping, &moment).next() else {
        let reason = format!("{which} became Ready at #{} and was not asked", ready.seq);
        return Err(Finding::inconclusive(reason, [ready.seq]));
    };
    let seq = ping.mark.seq;
    if life.deleting_at(seq) {
        return Ok(None);
    }
    let Err(refusal) = ping.rows() else {
        let after = asked_after(&ping, ready);
        if after <= AT_ONCE_US {
            return Ok(Some(seq));
        }
        let late = format!("was asked only {} after Ready (#{}), and answered (#{seq})", seconds(after), ready.seq);
        return Err(Finding::inconclusive(format!("{which} {late}"), [ready.seq, seq]));
    };
    let reason = format!("{which} became Ready at #{}, but {}", ready.seq, refusal.reason);
    if refusal.verdict == Verdict::Fail && life.ready_at(seq) {
        return Err(Finding::fail(reason, [ready.seq, seq]));
    }
    Err(Finding::inconclusive(reason, [ready.seq, seq]))
}

/// How long after Ready a question was sent, at the latest, in microseconds: the answer's way back counts as if it were
/// before the question.
fn asked_after(ping: &Seen<'_, Sql>, ready: Mark) -> u64 {
    ping.mark.at_us.saturating_sub(ping.took_us).saturating_sub(ready.at_us)
}

pub(super) const SCALES_DOWN_IN_REVERSE: Check = Check {
    id: "ordering::scales_down_in_reverse",
    statement: "When the set is scaled down, a pod MUST be gone before the one before it is told to go.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees",
    explain: "\
The primary has the lowest ordinal: going down in reverse keeps a source for every replica that is still there.
Judged from the Pod watch, from the scale-down until the next disruption: the DELETED event of each surplus pod must
come before the deletionTimestamp of the pod before it, and the pods that were to stay must not be told to go.
Where only one pod goes, as from two to one, there is no order to see, and the check is skipped.
Usually wrong: podManagementPolicy is Parallel, so that all surplus pods go at once.",
    scenarios: &["scale"],
    minimum: &[Need::Acts],
    judge: scales_down_in_reverse,
};

fn scales_down_in_reverse(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let scaled = case.scale_down();
        let several = scaled.as_ref().is_some_and(|scaled| scaled.from - scaled.to > 1);
        if case.subject.replicas < 3 && !several {
            let pods = if case.subject.replicas == 1 { "one pod" } else { "two pods" };
            return Err(Finding::skipped(format!("the set has {pods}: going down to one shows no order")));
        }
        let ScaleDown { asked, to, .. } =
            scaled.ok_or_else(|| Finding::inconclusive("the set was not scaled down", []))?;
        let until = case.next_fault(asked);
        if let Some(gap) = case.gap("Pod", asked, until) {
            return Err(gap);
        }
        let there = |ordinal: u32| case.timeline.pod_at(&case.subject.pod(ordinal), asked);
        let mut gone = Vec::new();
        for ordinal in case.subject.ordinals().rev().filter(|ordinal| *ordinal >= case.subject.first_ordinal + to) {
            let Some(life) = there(ordinal) else { continue };
            let left = life.deleted.filter(is_before(until));
            match ordinal.checked_sub(1).and_then(there).filter(|_| ordinal > case.subject.first_ordinal) {
                Some(before) => opinion.weigh(left_first(life, left, before, until)),
                None => None,
            };
            match left {
                Some(mark) => gone.push((life.name.as_str(), mark.seq)),
                None => opinion.object(still_there(life, case.unmet_wait(asked, until), asked)),
            }
        }
        if gone.is_empty() {
            return Err(Finding::inconclusive("no surplus pod was there to go", [asked]));
        }
        opinion.prove([asked].into_iter().chain(gone.iter().map(|(_, seq)| *seq)));
        let order: Vec<_> = gone.iter().map(|(pod, seq)| format!("{pod} at #{seq}")).collect();
        Ok(format!("DELETED one after the other: {}", order.join(", ")))
    })
}

/// Whether a pod was gone when the one before it was told to go, if it was, before the next disruption.
fn left_first(life: &PodLife, left: Option<Mark>, before: &PodLife, until: u64) -> Judged<()> {
    let Some(told) = before.deleting.filter(is_before(until)) else { return Ok(()) };
    if left.filter(is_before(told.seq)).is_some() {
        return Ok(());
    }
    let when = left.map_or("was not DELETED by then".to_owned(), |left| format!("was DELETED only at #{}", left.seq));
    let reason = format!("{} was told to go at #{} while {} was there: it {when}", before.name, told.seq, life.name);
    Err(Finding::fail(reason, [told.seq].into_iter().chain(left.map(|left| left.seq))))
}

fn still_there(life: &PodLife, wait: Option<Unmet<'_>>, asked: u64) -> Finding {
    match wait {
        Some(wait) => wait.blame(format!("{} did not go: {wait}", life.name), [asked, wait.mark.seq]),
        None => Finding::inconclusive(format!("{} was not seen to go ({})", life.name, life.summary), [asked]),
    }
}

pub(super) const AT_MOST_ONE_POD_PER_ORDINAL: Check = Check {
    id: "ordering::at_most_one_pod_per_ordinal",
    statement: "Two pods with different UIDs MUST NOT bear the same name at the same time.",
    source: "https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/#statefulset-considerations",
    explain: "\
Two servers on one data directory, or two primaries of one name, destroy data: at most one is the set's main promise.
Judged from the Pod watch: a pod of a name must be DELETED before another UID of that name is ADDED.
What the API server shows is judged. After a forced deletion (grace period 0) a container may still run on a node that
cannot be reached, and no watch can show that.
Usually wrong: nothing that a manifest can do; look for a second controller, or for a store that lost events.",
    scenarios: &["deploy", "restart"],
    minimum: &[Need::Acts],
    judge: at_most_one_pod_per_ordinal,
};

fn at_most_one_pod_per_ordinal(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        for life in &case.timeline.pods {
            let at = life.added.seq;
            for other in case.timeline.pods.bearing(&life.name, at).filter(|other| other.added.seq < at) {
                let ends =
                    other.deleted.map_or("was never seen to go".to_owned(), |gone| format!("went at #{}", gone.seq));
                let (new, old) = (short(&life.uid), short(&other.uid));
                let reason = format!("{} was borne by uid {new} from #{at} while uid {old} {ends}", life.name);
                let fail = Finding::fail(reason, [at, other.added.seq].into_iter().chain(other.deleted.map(|m| m.seq)));
                opinion.object(case.gap("Pod", 0, at).unwrap_or(fail));
            }
        }
        if let Some(gap) = case.gap("Pod", 0, case.timeline.last_seq) {
            return Err(gap);
        }
        bearers(case, opinion)
    })
}

/// How many pods bore each name.
fn bearers(case: &Case<'_>, opinion: &mut Opinion) -> Judged<String> {
    let mut counts = Vec::new();
    for pod in case.subject.pods() {
        let lives: Vec<_> = case.timeline.lives(&pod).collect();
        if lives.is_empty() {
            opinion.object(Finding::inconclusive(format!("{pod} was never seen"), []));
        }
        opinion.prove(lives.iter().map(|life| life.added.seq));
        counts.push(format!("{pod} {}", lives.len()));
    }
    Ok(format!("pods that bore a name, one after the other: {}", counts.join(", ")))
}

/// A doubt, with the wait of that stretch of the log that was not met, where there was one: it says why.
fn left_open(case: &Case<'_>, reason: String, from: u64, to: u64) -> Finding {
    match case.unmet_wait(from, to) {
        Some(wait) => Finding::inconclusive(format!("{reason}: {wait}"), [from, wait.mark.seq]),
        None => Finding::inconclusive(reason, [from]),
    }
}
