//! Scales the set to one pod and back.

use futures::future::join_all;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::ScenarioError;
use super::context::Context;
use super::deploy::{settled, started};
use super::names::Name;
use super::restart::gone;
use crate::evidence::{Act, Fault, Moment, What};

/// Rows that the pods which come back must catch up with.
const ROWS: usize = 5;

pub(super) async fn scale(context: &Context) -> Result<(), ScenarioError> {
    let subject = &context.subject;
    let all = subject.replicas;
    if all < 2 {
        return Ok(());
    }
    let surplus: Vec<String> = subject.replica_pods().collect();
    context.journal.step("scale", "scale to 1", scale_to(context, all, 1, &surplus)).await?;
    let mut names: Vec<Name> = surplus.iter().cloned().map(Name::Pod).collect();
    names.push(Name::Service);
    context.resolve(&Moment::ScaledDown, &names).await;
    let replicating = context.replicating();
    if replicating {
        context.write(&Moment::ScaledDown, ROWS).await;
    }

    context.journal.step("scale", &format!("scale to {all}"), scale_to(context, 1, all, &[])).await?;
    let moment = Moment::ScaledUp;
    let names: Vec<Name> = std::iter::once(Name::Service).chain(subject.pods().map(Name::Pod)).collect();
    context.resolve(&moment, &names).await;
    for pod in subject.pods() {
        context.identity(&moment, &pod).await;
    }
    if replicating {
        context.barrier(&moment, &surplus, context.limits.barrier).await;
        let pods: Vec<String> = subject.pods().collect();
        context.contents(&moment, &pods).await;
        context.replica_status(&moment, &surplus).await;
        context.try_writes(&moment, &surplus).await;
    }
    Ok(())
}

/// Scales the set, and waits until the surplus pods are gone or the new ones are Ready.
async fn scale_to(context: &Context, from: u32, to: u32, surplus: &[String]) -> Result<(), ScenarioError> {
    join_all(surplus.iter().map(|pod| context.save_logs(pod))).await;
    let leaving: Vec<(String, String)> =
        surplus.iter().filter_map(|pod| Some((pod.clone(), context.uid(pod)?))).collect();
    context.journal.log.record(What::Fault(Fault { act: Act::Scale { from, to }, proof: None }));
    let sets: Api<StatefulSet> = Api::namespaced(context.client.clone(), &context.subject.namespace);
    let patch = Patch::Merge(json!({"spec": {"replicas": to}}));
    let patched = sets.patch_scale(&context.subject.set, &PatchParams::default(), &patch).await;
    patched.map_err(|source| ScenarioError::Api { what: format!("scale to {to}"), source: Box::new(source) })?;
    let mut proof = Vec::new();
    for (pod, uid) in &leaving {
        proof.push(gone(context, pod, uid).await?);
    }
    match to > from {
        true => started(context).await?,
        false => settled(context, to).await?,
    }
    if proof.is_empty() {
        proof = context.journal.log.look(|timeline| vec![timeline.last_seq]);
    }
    context.journal.log.record(What::Fault(Fault { act: Act::Scale { from, to }, proof: Some(proof) }));
    Ok(())
}
