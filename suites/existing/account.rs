//! Accounts of the cluster, each as its own kubeconfig.

use libtest_mimic::Failed;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::shared_cluster::Made;

/// An account that may read everything except Secrets.
pub fn viewer(made: &Made) -> Result<NamedTempFile, Failed> {
    of(made, "shop", "viewer")
}

/// An account with the rights of `manifests/account`.
pub fn runner(made: &Made) -> Result<NamedTempFile, Failed> {
    of(made, "shop", "runner")
}

/// The cluster's kubeconfig with a token of this account instead of the administrator's certificate.
pub fn of(made: &Made, namespace: &str, account: &str) -> Result<NamedTempFile, Failed> {
    let token = made.kubectl(&["create", "token", account, "--namespace", namespace, "--duration=1h"])?;
    let text = made.kubectl(&["config", "view", "--raw", "--output", "json"])?;
    let mut kubeconfig: Value = serde_json::from_str(&text)?;
    kubeconfig["users"][0]["user"] = json!({"token": token.trim()});
    let file = NamedTempFile::new()?;
    std::fs::write(file.path(), kubeconfig.to_string())?;
    Ok(file)
}
