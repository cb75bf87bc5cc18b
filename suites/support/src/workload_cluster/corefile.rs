//! Changes the Corefile of a workload cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;

/// How long the DNS servers may take to stop. They continue to serve for a while.
const GONE_WITHIN: Duration = Duration::from_secs(90);

const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Changes the Corefile and replaces the DNS servers, which read it when they start.
pub(super) async fn change(client: &Client, edit: fn(&str) -> String) -> Result<(), String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
    let map = maps.get("coredns").await.map_err(|error| error.to_string())?;
    let corefile = map.data.and_then(|mut data| data.remove("Corefile")).unwrap_or_default();
    let changed = edit(&corefile);
    if changed == corefile {
        return Err(format!("the Corefile was not changed:\n{corefile}"));
    }
    let patch = Patch::Merge(json!({"data": {"Corefile": changed}}));
    maps.patch("coredns", &PatchParams::default(), &patch).await.map_err(|error| error.to_string())?;

    let pods: Api<Pod> = Api::namespaced(client.clone(), "kube-system");
    let servers = ListParams::default().labels("k8s-app=kube-dns");
    let uids = async || {
        let list = pods.list(&servers).await.map_err(|error| error.to_string())?;
        Ok::<BTreeSet<String>, String>(list.items.iter().filter_map(ResourceExt::uid).collect())
    };
    let old = uids().await?;
    pods.delete_collection(&DeleteParams::default(), &servers).await.map_err(|error| error.to_string())?;
    let gone = async {
        while uids().await?.intersection(&old).next().is_some() {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        }
        Ok::<_, String>(())
    };
    let gone = tokio::time::timeout(GONE_WITHIN, gone).await;
    gone.unwrap_or_else(|_| {
        Err(format!("the DNS servers with the old Corefile were still there after {GONE_WITHIN:?}"))
    })
}
