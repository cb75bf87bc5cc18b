//! Kills the primary's server from its node: the pod stays, and its container is started again.

use super::ScenarioError;
use super::context::Context;
use super::recover::recovered;
use crate::cluster::SERVERS;
use crate::evidence::{Act, Moment};

/// Rows that are written before the server is killed.
const ROWS: usize = 5;

pub(super) async fn crash(context: &Context) -> Result<(), ScenarioError> {
    let pod = context.subject.primary();
    let (before, after) = (Moment::BeforeKill { pod: pod.clone() }, Moment::Kill { pod: pod.clone() });
    let rows = context.replicating();
    if rows {
        context.write(&before, ROWS).await;
        context.rows(&before, &pod).await;
    }
    context.identity(&before, &pod).await;
    context.save_logs(&pod).await;
    context.journal.step("crash", &format!("kill the server in {pod}"), kill(context, &pod)).await?;
    if rows {
        context.rows(&after, &pod).await;
    }
    context.identity(&after, &pod).await;
    recovered(context, "crash").await
}

async fn kill(context: &Context, pod: &str) -> Result<(), ScenarioError> {
    let uid = context.uid(pod).unwrap_or_default();
    let node = context.node_of(pod).unwrap_or_default();
    let doing = async {
        let asked = context.last_record();
        if context.machines()?.kill_servers(&node, &uid).await?.is_empty() {
            let what = format!("run {}", SERVERS.join(" or "));
            let answer = format!("{node} has no such process in the pod with the uid {uid}");
            return Err(ScenarioError::Server { pod: pod.to_owned(), what, answer });
        }
        Ok(context.restarted(pod, &uid, asked).await?.to_vec())
    };
    context.disrupt(Act::KillServer { pod: pod.to_owned(), uid: uid.clone() }, doing).await
}
