//! Upgrades the cluster in place, following kubeadm's documentation: the control plane, then each node by drain, new
//! kubelet and uncordon. Between any two steps the complete state is read
//! (<https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/>).

mod components;
mod kubelet;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::deploy::settled;
use super::drain::{empty, evict};
use crate::cluster::Release;
use crate::driver::disrupt::failed;
use crate::driver::{Context, Disrupted, InjectionPoint, ScenarioError};
use crate::evidence::{Act, ComponentSummary, Scenario, SnapshotOf, Stage, State};
use crate::record::WaitStatus;
use crate::workload::{self, Manifest};

pub(super) use components::ready as control_plane_ready;

/// A StatefulSet without pods. Once the StatefulSet controller has seen it, it has seen every older one too.
const HANDSHAKE: &str = include_str!("../../manifests/witness/handshake.yaml");

/// The annotation of static pods, which no API server can evict.
const MIRROR: &str = "kubernetes.io/config.mirror";

pub(super) async fn upgrade(context: &Context) -> Result<(), ScenarioError> {
    let Some(newer) = &context.cluster.newer else {
        return Err(ScenarioError::NoNode { what: "upgraded", why: "no newer release was named".to_owned() });
    };
    let control_planes = context.control_planes().await?;
    let nodes: Api<Node> = Api::all(context.cluster.client.clone());
    let all = nodes.list(&ListParams::default()).await.map_err(failed("list the nodes".to_owned()))?;
    let all: Vec<String> = all.items.iter().map(ResourceExt::name_any).collect();
    let release = context
        .journal
        .step(Scenario::Upgrade, "bring the release into the nodes", async {
            let beneath = context.logs.parent().unwrap_or(&context.logs);
            let release = Release::unpack(&newer.lab, &newer.node, beneath).await?;
            for node in &all {
                context.disrupts(&Disrupted::Upgraded(node.clone())).await;
            }
            try_join_all(all.iter().map(|node| release.bring(node))).await?;
            Ok::<_, ScenarioError>(release)
        })
        .await?;
    let known = read(context, Stage::Nothing, 0).await?.control_plane;
    let mut steps = 0;
    for (index, node) in control_planes.iter().enumerate() {
        let doing = control_plane(context, &release, node, index == 0, &known);
        context.journal.step(Scenario::Upgrade, &format!("upgrade the control plane on {node}"), doing).await?;
        steps += 1;
        read(context, Stage::ControlPlane { node: node.clone() }, steps).await?;
    }
    let workers = all.iter().filter(|node| !control_planes.contains(node));
    for node in control_planes.iter().chain(workers) {
        renew(context, &release, node, !control_planes.contains(node), &known).await?;
        steps += 1;
        read(context, Stage::Node { node: node.clone() }, steps).await?;
    }
    Ok(())
}

/// Reads the state, once the workload and DNS are stable.
pub(super) async fn read(context: &Context, stage: Stage, steps: u32) -> Result<State, ScenarioError> {
    let name = format!("read the state {stage}");
    let doing = async {
        settled(context, context.workload.subject.replicas).await?;
        context.dns_rolled_out().await?;
        context.state(stage, steps).await
    };
    context.journal.step(Scenario::Upgrade, &name, doing).await
}

/// Upgrades the control plane on a node, and waits until the new controllers have seen every StatefulSet: whatever they
/// would do to one happens then.
async fn control_plane(
    context: &Context,
    release: &Release,
    node: &str,
    first: bool,
    known: &[ComponentSummary],
) -> Result<(), ScenarioError> {
    let to = release.version.clone();
    let doing = async {
        let said = release.upgrade_control_plane(node, first).await?;
        context.save_text(&format!("{node}.kubeadm.log"), &said);
        let what = format!("an API server {to}");
        let version = context.poll(&what, context.timeouts.pod_ready, async || {
            match context.cluster.client.apiserver_version().await {
                Ok(version) if version.git_version == to => WaitStatus::Met(version.git_version),
                Ok(version) => WaitStatus::Pending(version.git_version),
                Err(error) => WaitStatus::Pending(error.to_string()),
            }
        });
        let version = version.await?;
        Ok::<_, ScenarioError>(vec![context.node_state(SnapshotOf::ApiServer, node, &version)])
    };
    context.disrupt(Act::UpgradeControlPlane { node: node.to_owned(), to: to.clone() }, doing).await?;
    controllers_at_work(context).await?;
    context.inject(InjectionPoint::ControlPlaneUpgraded).await;
    // Meanwhile the recorder watches for what must not happen to the workload.
    components::ready(context, known, components::STEADY).await;
    Ok(())
}

/// Waits until the StatefulSet controller has seen a new StatefulSet: it has then seen the existing ones.
async fn controllers_at_work(context: &Context) -> Result<(), ScenarioError> {
    let manifests: Vec<Manifest> = workload::parse("the handshake's manifest", HANDSHAKE)?;
    let namespace = &context.witnesses.far_namespace;
    let mut made = Vec::new();
    let applied = workload::apply(&context.cluster.client, &manifests, namespace, &mut made).await;
    context.workload.made.lock().await.extend(made.iter().cloned());
    applied?;
    let Some(set) = made.first() else { return Ok(()) };
    context
        .poll("the controller of StatefulSets at work", context.timeouts.pod_ready, async || {
            match set.api.get(&set.name).await {
                Ok(there) if there.data.pointer("/status/observedGeneration").is_some() => WaitStatus::Met(()),
                Ok(_) => WaitStatus::Pending(format!("it has not seen StatefulSet {} of {namespace} yet", set.name)),
                Err(error) => WaitStatus::Pending(error.to_string()),
            }
        })
        .await?;
    workload::delete(set).await?;
    Ok(())
}

/// Drains a node, makes it start the new kubelet, and uncordons it even after an error.
async fn renew(
    context: &Context,
    release: &Release,
    node: &str,
    worker: bool,
    known: &[ComponentSummary],
) -> Result<(), ScenarioError> {
    let pods = context.pods_on(node);
    for (pod, _) in &pods {
        context.save_logs(pod).await;
    }
    let cordoned = Disrupted::Cordoned(node.to_owned());
    context.disrupts(&cordoned).await;
    let renewed = async {
        let drained = drain(context, node, &pods);
        context.journal.step(Scenario::Upgrade, &format!("drain {node}"), drained).await?;
        let kubelet = kubelet::renew(context, release, node, worker);
        context.journal.step(Scenario::Upgrade, &format!("upgrade the kubelet of {node}"), kubelet).await
    };
    let renewed = renewed.await;
    if !worker {
        // The node's kubelet also restarts the API server.
        components::ready(context, known, components::STEADY).await;
    }
    let back = context.journal.step(Scenario::Upgrade, &format!("uncordon {node}"), context.undo(&cordoned)).await;
    let ready = async {
        for (pod, old) in pods.iter().filter(|(_, old)| context.gone_already(old)) {
            context.ready(pod, Some(old)).await?;
        }
        Ok::<_, ScenarioError>(())
    };
    // Wait even if the old kubelet was restored: everything written meanwhile is read back in the end.
    let ready = context.journal.step(Scenario::Upgrade, &format!("wait for the pods of {node}"), ready).await;
    renewed.and(back).and(ready)?;
    context.inject(InjectionPoint::NodeUpgraded).await;
    Ok(())
}

/// Evicts every pod that can come back elsewhere or later: pods with a controller, except those bound to the node. A
/// witness has no controller and stays, so the ledger continues.
async fn drain(context: &Context, node: &str, pods: &[(String, String)]) -> Result<(), ScenarioError> {
    empty(context, node, pods).await?;
    if let Some((pod, _)) = pods.iter().find(|(_, uid)| !context.gone_already(uid)) {
        return Err(ScenarioError::Server {
            pod: pod.clone(),
            what: format!("leave {node}"),
            answer: "its PodDisruptionBudget did not allow the eviction; raise maxUnavailable, or add pods to the \
                     StatefulSet"
                .to_owned(),
        });
    }
    let all: Api<Pod> = Api::all(context.cluster.client.clone());
    let on_node = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let there = all.list(&on_node).await.map_err(failed(format!("list the pods on {node}")))?;
    let mut evicted = Vec::new();
    for pod in there {
        let of_node = pod.annotations().contains_key(MIRROR)
            || pod.owner_references().iter().all(|owner| owner.kind == "DaemonSet" || owner.kind == "Node");
        if of_node {
            continue;
        }
        let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
        let (pods, uid): (Api<Pod>, _) = (Api::namespaced(context.cluster.client.clone(), &namespace), pod.uid());
        if evict(context, &pods, &name, uid.as_deref().unwrap_or_default()).await? {
            evicted.extend(uid);
        } else {
            context.journal.note(format!("{name} of {namespace} stayed on {node}: its budget would not let it go"));
        }
    }
    let what = format!("what was evicted gone from {node}");
    let gone = context.poll(&what, context.timeouts.pod_gone, async || {
        let there = match all.list(&on_node).await {
            Ok(there) => there,
            Err(error) => return WaitStatus::Pending(error.to_string()),
        };
        let still = there.iter().find(|pod| pod.metadata.uid.as_ref().is_some_and(|uid| evicted.contains(uid)));
        still.map_or(WaitStatus::Met(()), |pod| WaitStatus::Pending(format!("{} is there", pod.name_any())))
    });
    gone.await
}
