//! Configures replication by the primary's stable name, unless the workload does that itself. Then writes, and compares
//! the servers' contents.

use futures::future::try_join_all;

use crate::driver::{Context, InjectionPoint, ScenarioError};
use crate::evidence::{Checkpoint, Replication, Scenario};
use crate::mysql::statements;

/// The number of rows to write before replicas are compared.
const ROWS: usize = 20;

pub(super) async fn replicate(context: &Context) -> Result<(), ScenarioError> {
    let checkpoint = Checkpoint::Replicating;
    let subject = &context.workload.subject;
    let replicas: Vec<String> = subject.replica_pods().collect();
    context
        .journal
        .step(Scenario::Replicate, "configure replication", async {
            context
                .demand(&checkpoint, &subject.primary(), "make the tables and the accounts", statements::prepare())
                .await?;
            follow(context, &checkpoint, &replicas).await
        })
        .await?;
    context.now_replicating();
    context.inject(InjectionPoint::Configured).await;
    context.write(&checkpoint, ROWS).await;
    let limit = match context.workload.replication {
        Replication::Managed => context.timeouts.barrier,
        // The workload may not have configured replication yet.
        Replication::Observed => context.timeouts.recovery,
    };
    context.barrier(&checkpoint, &replicas, limit).await;
    context.inject(InjectionPoint::Written).await;
    let pods: Vec<String> = subject.pods().collect();
    context.contents(&checkpoint, &pods).await;
    context.replica_status(&checkpoint, &replicas).await;
    context.try_writes(&checkpoint, &replicas).await;
    context.start_ledger().await
}

/// Makes these replicas replicate from the primary by its stable name, unless the workload does that itself.
pub(super) async fn follow(
    context: &Context,
    checkpoint: &Checkpoint,
    replicas: &[String],
) -> Result<(), ScenarioError> {
    if context.workload.replication == Replication::Observed {
        return Ok(());
    }
    let subject = &context.workload.subject;
    let source = subject.fqdn(&subject.primary());
    let longest = context.flavour().longest_host();
    if source.len() > longest {
        let (what, length) = ("follow the primary".to_owned(), source.len());
        let answer = format!(
            "its stable name {source} has {length} characters, but this server accepts {longest}; choose a shorter \
             --namespace"
        );
        return Err(ScenarioError::Server { pod: replicas.join(", "), what, answer });
    }
    let tls = context.is_over_tls(checkpoint, &subject.primary()).await?;
    let statements = context.flavour().follow(&source, subject.port, tls);
    let configured =
        replicas.iter().map(|pod| context.demand(checkpoint, pod, "follow the primary", statements.clone()));
    try_join_all(configured).await.map(drop)
}
