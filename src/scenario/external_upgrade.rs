//! What is done before and after an upgrade that somebody else makes, and nobody watches.

use std::time::Duration;

use futures::future::join_all;

use super::deploy::started;
use super::upgrade::{control_plane_ready, read};
use crate::driver::Context;
use crate::driver::ScenarioError;
use crate::driver::servers::column;
use crate::evidence::{Checkpoint, Question, Replication, Scenario, SqlAnswer, Stage, State};
use crate::mysql::statements;

/// Looks at a workload that somebody else deployed, and refuses it where the harness would write into what is not its own.
///
/// # Errors
/// When it does not run, or has something that is called like the harness's own.
pub async fn find(context: &Context) -> Result<(), ScenarioError> {
    let (checkpoint, primary) = (Checkpoint::Deployed, context.workload.subject.primary());
    let doing = async {
        started(context).await?;
        context.identity(&checkpoint, &primary).await;
        let answer = context.ask(&checkpoint, &primary, Question::Configure, vec![statements::name_conflicts()]).await;
        let there: Vec<String> = match &answer {
            SqlAnswer::Rows(rows) => rows.iter().filter_map(|row| column(row, "name")).collect(),
            other => vec![format!("no answer to that: {other:?}")],
        };
        if there.is_empty() {
            return Ok(());
        }
        Err(ScenarioError::Server {
            pod: primary.clone(),
            what: "show that it has nothing that is called like the harness's own".to_owned(),
            answer: format!("it has {}; drop or rename it", there.join(", ")),
        })
    };
    context.journal.step(Scenario::Deploy, "find the workload", doing).await
}

/// Makes what the ledger needs in servers that somebody else deployed, and starts it.
///
/// # Errors
/// When a server or the witness does not do as it is asked.
pub async fn install_schema(context: &Context) -> Result<(), ScenarioError> {
    let (checkpoint, primary) = (Checkpoint::Replicating, context.workload.subject.primary());
    let doing = async {
        context.identity(&checkpoint, &primary).await;
        context.demand(&checkpoint, &primary, "make the tables and the account", statements::install_schema()).await?;
        context.start_ledger().await
    };
    context.journal.step(Scenario::Replicate, "start the ledger", doing).await
}

/// Has replicas forget whom an earlier try, which was cut short, had them follow.
pub async fn unfollow(context: &Context) {
    if context.workload.replication == Replication::Observed {
        return;
    }
    let checkpoint = Checkpoint::Replicating;
    context.identity(&checkpoint, &context.workload.subject.primary()).await;
    let flavour = context.flavour();
    let replicas: Vec<String> = context.workload.subject.replica_pods().collect();
    // One that follows nobody yet may say so.
    let forgetting = replicas.iter().map(|pod| {
        let statements = [flavour.stop(), flavour.forget_source()].map(str::to_owned).to_vec();
        context.ask(&checkpoint, pod, Question::Configure, statements)
    });
    join_all(forgetting).await;
}

/// Reads the state before the upgrade. With a ledger that an earlier call started, `again`.
///
/// # Errors
/// When it cannot be read.
pub async fn before(context: &Context, again: bool) -> Result<State, ScenarioError> {
    if again {
        meet_again(context, 0).await?;
    }
    read(context, Stage::Nothing, 0).await
}

/// Reads the state after the upgrade, once the control plane is as it was before.
///
/// # Errors
/// When it cannot be read.
pub async fn after(context: &Context, before: Option<&State>) -> Result<(), ScenarioError> {
    let doing = async {
        meet_again(context, 1).await?;
        let known = before.map_or(&[][..], |state| &state.control_plane);
        control_plane_ready(context, known, Duration::ZERO).await;
        read(context, Stage::Unseen, 1).await.map(drop)
    };
    context.journal.scenario(Scenario::Upgrade, doing).await
}

/// Takes away what the harness made in servers that somebody else deployed.
///
/// # Errors
/// When the primary does not do as it is asked.
pub async fn uninstall_schema(context: &Context) -> Result<(), ScenarioError> {
    let (checkpoint, primary) = (Checkpoint::Settled, context.workload.subject.primary());
    let gone = context.demand(&checkpoint, &primary, "drop the tables and the account", statements::uninstall_schema());
    context.journal.step(None, "move out of the servers", gone).await
}

/// Learns what the servers are, once the workload runs, and takes over the ledger.
async fn meet_again(context: &Context, steps: u32) -> Result<(), ScenarioError> {
    started(context).await?;
    context.identity(&Checkpoint::Upgrading { steps }, &context.workload.subject.primary()).await;
    context.take_over_ledger().await
}
