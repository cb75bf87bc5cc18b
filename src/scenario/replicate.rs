//! Configures replication by the primary's stable name, writes, and compares what the servers then hold.

use futures::future::try_join_all;

use super::ScenarioError;
use super::context::Context;
use super::sabotage::{Point, strike};
use crate::evidence::Moment;
use crate::mysql::statements;

/// Rows that are written before replicas are compared.
const ROWS: usize = 20;

pub(super) async fn replicate(context: &Context) -> Result<(), ScenarioError> {
    let moment = Moment::Replicating;
    let subject = &context.subject;
    let replicas: Vec<String> = subject.replica_pods().collect();
    context
        .journal
        .step("replicate", "configure replication", async {
            context
                .demand(&moment, &subject.primary(), "make the tables and the account", statements::prepare())
                .await?;
            let source = subject.fqdn(&subject.primary());
            let longest = context.dialect().longest_host();
            if source.len() > longest {
                let (what, length) = ("follow the primary".to_owned(), source.len());
                let answer = format!(
                    "its stable name {source} has {length} characters, and this server takes {longest}; \
                 choose a shorter --namespace"
                );
                return Err(ScenarioError::Server { pod: replicas.join(", "), what, answer });
            }
            let follow = context.dialect().follow(&source, subject.port);
            let configured =
                replicas.iter().map(|pod| context.demand(&moment, pod, "follow the primary", follow.clone()));
            try_join_all(configured).await.map(drop)
        })
        .await?;
    context.now_replicating();
    strike(context, Point::Configured, &moment).await;
    context.write(&moment, ROWS).await;
    context.barrier(&moment, &replicas, context.limits.barrier).await;
    strike(context, Point::Written, &moment).await;
    let pods: Vec<String> = subject.pods().collect();
    context.contents(&moment, &pods).await;
    context.replica_status(&moment, &replicas).await;
    context.try_writes(&moment, &replicas).await;
    Ok(())
}
