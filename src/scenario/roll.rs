//! Updates the pod template: for the last pod, for all pods, with an image that cannot start, and back again. In the
//! end the StatefulSet is unchanged.

use serde_json::{Value, json};

use super::recover::recovered;
use crate::driver::disrupt::{UNSTARTABLE, quiet};
use crate::driver::{Context, InjectionPoint, ScenarioError};
use crate::evidence::{Act, Scenario};

/// An annotation of the pod template, which changes the revision without any effect on the servers.
const ANNOTATION: &str = "steadfast/roll";

pub(super) async fn roll(context: &Context) -> Result<(), ScenarioError> {
    let subject = &context.workload.subject;
    if !subject.is_updatable() {
        return Ok(());
    }
    let image = server_image(context).await?;
    let rolled = forth_and_back(context, &image).await;
    if rolled.is_err() {
        let restored = context.patch_set("restore the template", template(context, None, &image, subject.partition));
        if let Err(error) = restored.await {
            context.journal.note(format!("the template was not restored: {error}"));
        }
    }
    rolled?;
    recovered(context, Scenario::Roll).await
}

async fn forth_and_back(context: &Context, image: &str) -> Result<(), ScenarioError> {
    let subject = &context.workload.subject;
    let last = subject.replicas - 1;
    // The pods that a complete update reaches, highest ordinal first.
    let all: Vec<String> = (subject.partition..=last).rev().map(|index| subject.nth(index)).collect();
    let mut rest = all.as_slice();
    if subject.partition < last {
        let name = format!("update {}", all[0]);
        context.journal.step(Scenario::Roll, &name, update(context, image, last, &all[..1])).await?;
        context.inject(InjectionPoint::Partitioned).await;
        delete_below(context, last).await?;
        rest = &all[1..];
    }
    context.journal.step(Scenario::Roll, "update all", update(context, image, subject.partition, rest)).await?;
    if subject.partition == last && last > 0 {
        delete_below(context, last).await?;
    }
    let stuck = context.journal.step(Scenario::Roll, "break the template", break_template(context, &all)).await?;
    context.journal.step(Scenario::Roll, "revert the template", revert(context, image, &all, stuck)).await
}

/// Deletes the pod just below a partition: it must come back with the old revision.
async fn delete_below(context: &Context, partition: u32) -> Result<(), ScenarioError> {
    let pod = context.workload.subject.nth(partition - 1);
    let delete = async {
        context.save_logs(&pod).await;
        let old = context.delete(&pod, None).await?;
        context.ready(&pod, Some(&old)).await
    };
    context.journal.step(Scenario::Roll, &format!("delete {pod}, which the update is not for"), delete).await
}

/// Changes the template harmlessly for the pods from an ordinal on, and waits until these are replaced one by one.
async fn update(context: &Context, image: &str, partition: u32, pods: &[String]) -> Result<(), ScenarioError> {
    let doing = async {
        let olds = uids(context, pods);
        context.patch_set("change the template", template(context, Some("1"), image, partition)).await?;
        context.inject(InjectionPoint::Rolling { partition }).await;
        follow(context, pods, &olds).await
    };
    context.disrupt(Act::Roll { partition }, doing).await
}

/// Waits until each of these pods was replaced, in this order.
async fn follow(context: &Context, pods: &[String], olds: &[String]) -> Result<Vec<u64>, ScenarioError> {
    let mut proof = Vec::new();
    for (pod, old) in pods.iter().zip(olds) {
        context.replaced(pod, old).await?;
        proof.push(context.last_record());
    }
    Ok(proof)
}

fn uids(context: &Context, pods: &[String]) -> Vec<String> {
    pods.iter().map(|pod| context.uid(pod).unwrap_or_default()).collect()
}

/// Gives the template an image that cannot start, and waits until the last pod is stuck with it. Then gives the
/// recorder time to see that no other pod follows. Returns the stuck pod's UID.
async fn break_template(context: &Context, all: &[String]) -> Result<String, ScenarioError> {
    let pod = &all[0];
    let old = context.uid(pod).unwrap_or_default();
    let doing = async {
        let broken = template(context, Some("1"), UNSTARTABLE, context.workload.subject.partition);
        context.patch_set("break the template", broken).await?;
        let proof = context.stuck(pod, &old).await?;
        quiet().await;
        Ok::<_, ScenarioError>(vec![proof])
    };
    context.disrupt(Act::BreakTemplate, doing).await?;
    Ok(context.uid(pod).unwrap_or_default())
}

/// Reverts both changes, and deletes the stuck pod, because the controller would wait for it
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback>).
async fn revert(context: &Context, image: &str, all: &[String], stuck: String) -> Result<(), ScenarioError> {
    let pod = &all[0];
    let doing = async {
        let olds = uids(context, &all[1..]);
        let before = template(context, None, image, context.workload.subject.partition);
        context.patch_set("revert the template", before).await?;
        context.inject(InjectionPoint::Reverted).await;
        if context.uid(pod).as_ref() == Some(&stuck) {
            match context.delete(pod, None).await {
                // The controller has replaced the pod already.
                Err(ScenarioError::Api { source, .. }) if is_another(&source) => {}
                deleted => drop(deleted?),
            }
        }
        context.ready(pod, Some(&stuck)).await?;
        let mut proof = vec![context.last_record()];
        proof.extend(follow(context, &all[1..], &olds).await?);
        super::deploy::settled(context, context.workload.subject.replicas).await?;
        Ok::<_, ScenarioError>(proof)
    };
    context.disrupt(Act::RevertTemplate, doing).await
}

/// Whether the API server rejected the request because the pod is gone or was replaced.
fn is_another(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404 || status.code == 409)
}

/// A patch of the StatefulSet: the template's annotation, the server's image, and the partition.
fn template(context: &Context, annotation: Option<&str>, image: &str, partition: u32) -> Value {
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}});
    json!({"spec": {
        "updateStrategy": strategy,
        "template": {
            "metadata": {"annotations": {ANNOTATION: annotation}},
            "spec": {"containers": [{"name": context.workload.subject.container, "image": image}]},
        },
    }})
}

/// The server's image in the template.
async fn server_image(context: &Context) -> Result<String, ScenarioError> {
    let container = &context.workload.subject.container;
    let set = context.workload.manifests.iter().find(|manifest| manifest.kind() == "StatefulSet");
    let containers = set.and_then(|set| set.object.pointer("/spec/template/spec/containers")?.as_array());
    let server = containers.into_iter().flatten().find(|it| it["name"] == container.as_str());
    let image = server.and_then(|server| server["image"].as_str());
    image.map(str::to_owned).ok_or_else(|| ScenarioError::Server {
        pod: context.workload.subject.set.clone(),
        what: "name an image for its server".to_owned(),
        answer: format!("the container {container} has none"),
    })
}
