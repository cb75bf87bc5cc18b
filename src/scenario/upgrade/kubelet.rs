//! Replaces a node's kubelet by a newer one. If that does not start, the old one is restored, so that the node can be
//! used again.

use k8s_openapi::api::core::v1::Node;
use kube::api::Api;

use crate::cluster::Release;
use crate::driver::disrupt::failed;
use crate::driver::placement::Renewed;
use crate::driver::{Context, Disrupted, LostNode, ScenarioError};
use crate::evidence::{Act, Scenario, SnapshotOf};
use crate::record::WaitStatus;

/// The kubelet's message for its fatal error.
const LAST_WORDS: &str = "\"command failed\"";

/// Makes a node start the new kubelet.
pub(super) async fn renew(context: &Context, release: &Release, node: &str, worker: bool) -> Result<(), ScenarioError> {
    if worker {
        // On a control plane node, kubeadm has already done so.
        release.upgrade_configuration(node).await?;
    }
    let old = version(context, node).await?;
    let to = release.version.clone();
    let doing = async {
        let before = context.lease(node).await?;
        release.replace_kubelet(node).await?;
        back(context, node, &before, &to).await
    };
    let act = Act::UpgradeNode { node: node.to_owned(), to: to.clone() };
    match context.disrupt(act, doing).await {
        Ok(()) => {
            release.settle_kubelet(node).await?;
            context.stands(&Disrupted::Upgraded(node.to_owned())).await;
            Ok(())
        }
        Err(error) => Err(restored(context, release, node, &old, error).await),
    }
}

async fn version(context: &Context, node: &str) -> Result<String, ScenarioError> {
    let nodes: Api<Node> = Api::all(context.cluster.client.clone());
    let there = nodes.get(node).await.map_err(failed(format!("read the node {node}")))?;
    Ok(there.status.and_then(|status| status.node_info).map(|info| info.kubelet_version).unwrap_or_default())
}

/// Waits until a node is Ready according to a kubelet of this version, and returns the records that show it.
async fn back(context: &Context, node: &str, before: &Renewed, wanted: &str) -> Result<Vec<u64>, ScenarioError> {
    let ready = context.node_ready(node, before).await?;
    let what = format!("a kubelet {wanted} on {node}");
    // On a control plane node it has just restarted the API server, which at first rejects everyone.
    let version = context.poll(&what, context.timeouts.pod_ready, async || match version(context, node).await {
        Ok(version) if version == wanted => WaitStatus::Met(version),
        Ok(version) => WaitStatus::Pending(version),
        Err(error) => WaitStatus::Pending(error.to_string()),
    });
    let state = format!("kubelet {}", version.await?);
    Ok(vec![ready, context.node_state(SnapshotOf::Node, node, &state)])
}

/// Restores the old kubelet, and returns the error that explains the failure and what became of the node.
async fn restored(context: &Context, release: &Release, node: &str, old: &str, error: ScenarioError) -> ScenarioError {
    let log = release.kubelet_log(node).await.unwrap_or_else(|error| error.to_string());
    let file = format!("{node}.kubelet.log");
    context.save_text(&file, &log);
    let restored = async {
        context.undo(&Disrupted::Upgraded(node.to_owned())).await?;
        // Read the lease only now: without a kubelet the node may have no API server.
        let what = format!("the lease of {node}");
        let lease = context.poll(&what, context.timeouts.pod_ready, async || match context.lease(node).await {
            Ok(renewed) => WaitStatus::Met(renewed),
            Err(error) => WaitStatus::Pending(error.to_string()),
        });
        back(context, node, &lease.await?, old).await
    };
    let step = format!("put the kubelet {old} of {node} back");
    let after = match context.journal.step(Scenario::Upgrade, &step, restored).await {
        Ok(_) => format!("the kubelet {old} runs again, and the node is Ready"),
        Err(error) => format!("the kubelet {old} could not be restored either: {error}"),
    };
    let (to, said) = (release.version.clone(), last_error(&log).unwrap_or("no error in its log").to_owned());
    ScenarioError::Lost(Box::new(LostNode { node: node.to_owned(), to, source: error, said, after, file }))
}

/// A kubelet's last error, from its log: its fatal error, or else the last line logged as an error.
fn last_error(log: &str) -> Option<&str> {
    let messages = || log.lines().rev().filter_map(|line| Some(line.split_once("]: ")?.1));
    let severe =
        |message: &&str| message.starts_with(['E', 'F']) && message[1..].starts_with(|c: char| c.is_ascii_digit());
    let found = messages().find(|message| message.contains(LAST_WORDS)).or_else(|| messages().find(severe))?;
    Some(found.split_once("] ").map_or(found, |(_, said)| said))
}

#[cfg(test)]
mod tests {
    use super::last_error;

    #[test]
    fn a_kubelet_ends_with_its_last_words() {
        let log = "\
Nov 25 10:00:01 worker kubelet[1]: E1125 10:00:01.000001       1 run.go:72] \"command failed\" err=\"the first time\"
Nov 25 10:00:02 worker kubelet[2]: E1125 10:00:02.000001       2 run.go:72] \"command failed\" err=\"unrecognized feature gate: X\"
Nov 25 10:00:02 worker kubelet[2]: E1125 10:00:02.000002       2 other.go:7] \"Not the reason\"
Nov 25 10:00:02 worker systemd[1]: kubelet.service: Failed with result 'exit-code'.";
        assert_eq!(last_error(log), Some("\"command failed\" err=\"unrecognized feature gate: X\""));
        let errors = log.replace("command failed", "it goes on");
        assert_eq!(last_error(&errors), Some("\"Not the reason\""));
        assert_eq!(last_error("Nov 25 10:00:02 worker kubelet[2]: Ended it is."), None);
        assert_eq!(last_error(""), None);
    }
}
