//! Asks each server while its pod starts and when it becomes Ready: only then does readiness that comes too early show.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use crate::evidence::{Checkpoint, PodLife, Question, Timeline};
use crate::mysql::statements;

/// How long the witness waits for a server per question. It may go on for this long after the answer is no longer
/// wanted.
const TURN: Duration = Duration::from_secs(2);

/// Asks each server once when its pod first becomes Ready, and repeatedly from when the pod has an address until it
/// answers. On a busy cluster the question at Ready may come too late to say anything about that time, but a server
/// that answered earlier was already serving. Runs until the scenarios have ended and all questions are answered.
pub async fn probe_readiness(context: Arc<Context>, ended: CancellationToken) {
    let mut changed = context.journal.log.subscribe();
    let (mut awaited, mut probed) = (HashSet::new(), HashSet::new());
    let mut questions = JoinSet::new();
    context.now_probing();
    loop {
        for (pod, uid) in pods(&context, |life, timeline| is_starting(life, timeline) && !awaited.contains(&life.uid)) {
            awaited.insert(uid.clone());
            questions.spawn(until_answered(context.clone(), ended.clone(), pod, uid));
        }
        // Include pods that are already being deleted: without a question their state would stay unknown.
        for (pod, uid) in pods(&context, |life, _| life.first_ready().is_some() && !probed.contains(&life.uid)) {
            probed.insert(uid.clone());
            let context = context.clone();
            questions.spawn(async move {
                let checkpoint = Checkpoint::Ready { pod: pod.clone(), uid };
                context.ask(&checkpoint, &pod, Question::Ping, vec![statements::PING.to_owned()]).await;
            });
        }
        if ended.is_cancelled() {
            break;
        }
        tokio::select! {
            _ = changed.changed() => {}
            () = ended.cancelled() => {}
        }
    }
    while questions.join_next().await.is_some() {}
}

/// Names and UIDs of the pods that satisfy the predicate.
fn pods(context: &Context, are: impl Fn(&PodLife, &Timeline) -> bool) -> Vec<(String, String)> {
    context.journal.log.look(|timeline| {
        let pods = timeline.pods.iter().filter(|life| are(life, timeline));
        pods.map(|life| (life.name.clone(), life.uid.clone())).collect()
    })
}

/// Whether a pod has an address and was never Ready yet.
fn is_starting(life: &PodLife, timeline: &Timeline) -> bool {
    let here = life.deleted.is_none() && life.address_at(timeline.last_seq).is_some();
    here && life.first_ready().is_none()
}

/// Asks a starting server until it answers, as long as its pod exists and was not asked when it became Ready.
async fn until_answered(context: Arc<Context>, ended: CancellationToken, pod: String, uid: String) {
    let checkpoint = Checkpoint::Starting { pod: pod.clone(), uid: uid.clone() };
    let is_wanted =
        |timeline: &Timeline| timeline.pod_by_uid(&uid).is_some_and(|life| life.deleted.is_none() && !life.probed);
    while !ended.is_cancelled() && context.journal.log.look(is_wanted) {
        let next = Instant::now() + TURN;
        if context.ask_until_answered(&checkpoint, &pod, TURN).await {
            return;
        }
        // If the turn is not over, the witness could not be asked at all. Wait before the next try.
        tokio::select! {
            () = sleep_until(next) => {}
            () = ended.cancelled() => {}
        }
    }
}
