//! `steadfast down`: removes what runs left or kept.

use std::path::{Path, PathBuf};

use super::ending::usage;
use clap::Args;
use steadfast::cluster::book::Of;
use steadfast::cluster::{Cluster, Lab, is_meant, kept, kind};
use steadfast::run::{self, RunError};
use steadfast::terminal::tell;

/// What `down` can be told.
#[derive(Debug, Args)]
pub(crate) struct DownOptions {
    /// The name of the cluster, as `steadfast up` printed it.
    cluster: Option<String>,
    /// The kubeconfig file of the existing cluster that the runs used. It is never taken from the environment.
    #[arg(long, value_name = "FILE", requires = "cluster_uid", conflicts_with = "cluster")]
    kubeconfig: Option<PathBuf>,
    /// The context in that file [default: its current one].
    #[arg(long, requires = "kubeconfig")]
    context: Option<String>,
    /// The UID of that cluster's namespace kube-system. It makes sure that no other cluster is used by mistake.
    #[arg(long, value_name = "UID", requires = "kubeconfig")]
    cluster_uid: Option<String>,
    /// Accept an API server that cannot be authenticated. Anyone on the network path can then read and change all
    /// traffic.
    #[arg(long, requires = "kubeconfig")]
    allow_insecure: bool,
}

/// Runs the command.
pub(crate) async fn act(options: &DownOptions) -> anyhow::Result<u8> {
    match &options.kubeconfig {
        Some(kubeconfig) => on_a_cluster(kubeconfig, options).await,
        None => clusters(options.cluster.as_deref()).await,
    }
}

/// Removes what dead and kept runs made on a cluster that existed before them.
async fn on_a_cluster(kubeconfig: &Path, options: &DownOptions) -> anyhow::Result<u8> {
    let found = find(kubeconfig, options).await;
    let (cluster, uid) = match found {
        Err(error) if error.is_bad_input() => return Ok(usage(&error.to_string())),
        found => found?,
    };
    let removed = run::sweep_cluster(&cluster, &uid, Of::KeptRuns).await?;
    for run in &removed {
        tell(&format!("removed the objects that {run} created"));
    }
    if removed.is_empty() {
        tell("this machine has no record of objects that a run left on this cluster");
    }
    Ok(0)
}

/// The cluster in question, and its UID.
async fn find(kubeconfig: &Path, options: &DownOptions) -> Result<(Cluster, String), RunError> {
    let cluster = Cluster::connect(kubeconfig, options.context.as_deref(), options.allow_insecure).await?;
    let uid = cluster.identity().await?;
    is_meant(&cluster, &uid, options.cluster_uid.as_deref())?;
    Ok((cluster, uid))
}

/// Removes kept clusters and the clusters of killed runs.
async fn clusters(cluster: Option<&str>) -> anyhow::Result<u8> {
    let lab = Lab::read()?;
    for name in kind::sweep(&lab).await? {
        tell(&format!("removed {name}, which a killed run left"));
    }
    let kept = kept(&kind::lease_folder());
    let wanted: Vec<String> = match cluster {
        Some(name) if kept.iter().any(|known| known == name) => vec![name.to_owned()],
        Some(name) => {
            let known = if kept.is_empty() { "none".to_owned() } else { kept.join(", ") };
            return Ok(usage(&format!("this program kept no cluster `{name}`; kept clusters: {known}")));
        }
        None => kept,
    };
    for name in &wanted {
        kind::remove(&lab, name).await?;
        kind::forget(name);
        tell(&format!("removed {name}"));
    }
    Ok(0)
}
