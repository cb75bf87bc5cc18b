//! Kills the primary's server from its node: the pod stays, and its container restarts.

use std::time::Instant;

use super::recover::recovered;
use crate::cluster::SERVERS;
use crate::driver::{Context, ScenarioError};
use crate::evidence::{Act, Checkpoint, Scenario, runs_anew};
use crate::record::WaitStatus;

/// The number of rows to write before the server is killed.
const ROWS: usize = 5;

pub(super) async fn server_kill(context: &Context) -> Result<(), ScenarioError> {
    let pod = context.workload.subject.primary();
    let (before, after) = (Checkpoint::BeforeKill { pod: pod.clone() }, Checkpoint::Kill { pod: pod.clone() });
    let rows = context.replicating();
    if rows {
        context.write(&before, ROWS).await;
        context.rows(&before, &pod).await;
    }
    context.identity(&before, &pod).await;
    context.save_logs(&pod).await;
    context.journal.step(Scenario::ServerKill, &format!("kill the server in {pod}"), kill(context, &pod)).await?;
    if rows {
        context.rows(&after, &pod).await;
    }
    context.identity(&after, &pod).await;
    recovered(context, Scenario::ServerKill).await
}

async fn kill(context: &Context, pod: &str) -> Result<(), ScenarioError> {
    let uid = context.uid(pod).unwrap_or_default();
    let node = context.node_of(pod).unwrap_or_default();
    let before = context.uptime(&Checkpoint::BeforeKill { pod: pod.to_owned() }, pod).await;
    let before = before.map(|before_s| (Instant::now(), before_s));
    let doing = async {
        let asked = context.last_record();
        let killed = context.machines()?.kill_servers(&node, &uid).await?;
        if killed.is_empty() {
            let what = format!("run {}", SERVERS.join(" or "));
            let answer = format!("{node} has no such process in the pod with the uid {uid}");
            return Err(ScenarioError::Server { pod: pod.to_owned(), what, answer });
        }
        let restarted = async { Ok(context.restarted(pod, &uid, asked).await?.to_vec()) };
        if killed.iter().any(|killed| killed.is_first) {
            return restarted.await;
        }
        // A parent process in the container may restart the server itself, so that the container continues.
        tokio::select! {
            restarted = restarted => restarted,
            another = another(context, pod, before) => Ok(vec![another?]),
        }
    };
    context.disrupt(Act::KillServer { pod: pod.to_owned(), uid: uid.clone() }, doing).await
}

/// Waits until a pod's server is not the one whose uptime was `before`, and returns the record that shows it.
async fn another(context: &Context, pod: &str, before: Option<(Instant, u64)>) -> Result<u64, ScenarioError> {
    // Without an earlier uptime a new server cannot be recognised.
    let Some((then, before_s)) = before else { return std::future::pending().await };
    let checkpoint = Checkpoint::Kill { pod: pod.to_owned() };
    let ask = async || {
        // This is less than the time between the records that prove the act, so the comparison is safe.
        let elapsed_us = elapsed_us(then);
        match context.uptime(&checkpoint, pod).await {
            Some(now_s) if runs_anew(before_s, elapsed_us, now_s) => WaitStatus::Met(context.last_record()),
            Some(now_s) => WaitStatus::Pending(format!("it has been running for {now_s} s")),
            None => WaitStatus::Pending("it does not answer".to_owned()),
        }
    };
    let what = format!("another server in {pod}");
    context.comes_back(context.poll(&what, context.timeouts.pod_ready, ask)).await
}

fn elapsed_us(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
