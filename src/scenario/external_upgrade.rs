//! What is done before and after an upgrade that the user performs and the harness does not watch.

use std::time::Duration;

use futures::future::join_all;

use super::deploy::started;
use super::upgrade::{control_plane_ready, read};
use crate::driver::servers::column;
use crate::driver::{Context, ScenarioError};
use crate::evidence::{Checkpoint, Question, Replication, Scenario, SqlAnswer, Stage, State};
use crate::mysql::statements;

/// Inspects an adopted workload, and rejects it if the harness would write to something that it does not own.
///
/// # Errors
/// When it does not run, or when it has something with the name of the harness's own objects.
pub async fn find(context: &Context) -> Result<(), ScenarioError> {
    let (checkpoint, primary) = (Checkpoint::Deployed, context.workload.subject.primary());
    let doing = async {
        started(context).await?;
        context.identity(&checkpoint, &primary).await;
        let answer = context.ask(&checkpoint, &primary, Question::Configure, vec![statements::name_conflicts()]).await;
        let there: Vec<String> = match &answer {
            SqlAnswer::Rows(rows) => rows.iter().filter_map(|row| column(row, "name")).collect(),
            other => vec![format!("no answer to the query: {other:?}")],
        };
        if there.is_empty() {
            return Ok(());
        }
        Err(ScenarioError::Server {
            pod: primary.clone(),
            what: "prove that it has no schema or account with the harness's names".to_owned(),
            answer: format!("it has {}; drop or rename it", there.join(", ")),
        })
    };
    context.journal.step(Scenario::Deploy, "find the workload", doing).await
}

/// Creates what the ledger needs in adopted servers, and starts the ledger.
///
/// # Errors
/// When a server or the witness fails to do so.
pub async fn install_schema(context: &Context) -> Result<(), ScenarioError> {
    let (checkpoint, primary) = (Checkpoint::Replicating, context.workload.subject.primary());
    let doing = async {
        context.identity(&checkpoint, &primary).await;
        context.demand(&checkpoint, &primary, "make the tables and the account", statements::install_schema()).await?;
        context.start_ledger().await
    };
    context.journal.step(Scenario::Replicate, "start the ledger", doing).await
}

/// Makes replicas forget the source that an earlier, interrupted call configured.
pub async fn unfollow(context: &Context) {
    if context.workload.replication == Replication::Observed {
        return;
    }
    let checkpoint = Checkpoint::Replicating;
    context.identity(&checkpoint, &context.workload.subject.primary()).await;
    let flavour = context.flavour();
    let replicas: Vec<String> = context.workload.subject.replica_pods().collect();
    // A replica without a source may answer with an error.
    let forgetting = replicas.iter().map(|pod| {
        let statements = [flavour.stop(), flavour.forget_source()].map(str::to_owned).to_vec();
        context.ask(&checkpoint, pod, Question::Configure, statements)
    });
    join_all(forgetting).await;
}

/// Reads the state before the upgrade. With `again`, an earlier call has started the ledger.
///
/// # Errors
/// When the state cannot be read.
pub async fn before(context: &Context, again: bool) -> Result<State, ScenarioError> {
    if again {
        meet_again(context, 0).await?;
    }
    read(context, Stage::Nothing, 0).await
}

/// Reads the state after the upgrade, once all components of the control plane are back.
///
/// # Errors
/// When the state cannot be read.
pub async fn after(context: &Context, before: Option<&State>) -> Result<(), ScenarioError> {
    let doing = async {
        meet_again(context, 1).await?;
        let known = before.map_or(&[][..], |state| &state.control_plane);
        control_plane_ready(context, known, Duration::ZERO).await;
        read(context, Stage::Unseen, 1).await.map(drop)
    };
    context.journal.scenario(Scenario::Upgrade, doing).await
}

/// Removes what the harness created in adopted servers.
///
/// # Errors
/// When the primary fails to do so.
pub async fn uninstall_schema(context: &Context) -> Result<(), ScenarioError> {
    let (checkpoint, primary) = (Checkpoint::Settled, context.workload.subject.primary());
    let gone = context.demand(&checkpoint, &primary, "drop the tables and the account", statements::uninstall_schema());
    context.journal.step(None, "move out of the servers", gone).await
}

/// Learns the servers' flavour once the workload runs, and takes over the ledger.
async fn meet_again(context: &Context, steps: u32) -> Result<(), ScenarioError> {
    started(context).await?;
    context.identity(&Checkpoint::Upgrading { steps }, &context.workload.subject.primary()).await;
    context.take_over_ledger().await
}
