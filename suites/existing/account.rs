//! Accounts of the cluster, each as its own kubeconfig.

use libtest_mimic::Failed;
use serde_json::{Value, json};
use steadfast_suites::shared_cluster::SharedCluster;
use tempfile::NamedTempFile;

/// An account that may read everything except Secrets.
pub(crate) fn viewer(cluster: &SharedCluster) -> Result<NamedTempFile, Failed> {
    of(cluster, "shop", "viewer")
}

/// An account with the rights of `manifests/account`.
pub(crate) fn runner(cluster: &SharedCluster) -> Result<NamedTempFile, Failed> {
    of(cluster, "shop", "runner")
}

/// The cluster's kubeconfig with a token of this account instead of the administrator's certificate.
pub(crate) fn of(cluster: &SharedCluster, namespace: &str, account: &str) -> Result<NamedTempFile, Failed> {
    let token = cluster.kubectl(&["create", "token", account, "--namespace", namespace, "--duration=1h"])?;
    let text = cluster.kubectl(&["config", "view", "--raw", "--output", "json"])?;
    let mut kubeconfig: Value = serde_json::from_str(&text)?;
    kubeconfig["users"][0]["user"] = json!({"token": token.trim()});
    let file = NamedTempFile::new()?;
    std::fs::write(file.path(), kubeconfig.to_string())?;
    Ok(file)
}
