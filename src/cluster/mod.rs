//! Where a run takes place: a kind cluster that it makes, or one that is there and that it was told to use by name.

pub mod doctor;
mod gates;
pub mod kind;
mod lab;
mod lease;
mod nodes;
mod program;
mod release;
mod version;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

pub use gates::feature_gates;
pub use lab::{Image, LAB_VARIABLE, Lab, LabError, NodeImage, cache_dir};
pub use lease::{Lease, abandoned, kept};
pub use nodes::{Nodes, SERVERS};
pub use release::Release;
pub use version::{UpgradeError, Version, VersionError};

/// The API server sends a bookmark on every watch about once a minute, and answers anything else far sooner.
const SILENT_FOR: Duration = Duration::from_secs(120);

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A cluster cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read.
    #[error("cannot read the kubeconfig {path}: {reason}; give one by --kubeconfig")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The kubeconfig has no such context.
    #[error("the kubeconfig {path} has no context `{context}`; it has: {known}; name one of those by --context")]
    NoContext {
        /// The file.
        path: PathBuf,
        /// The context asked for.
        context: String,
        /// The contexts there are.
        known: String,
    },
    /// The context is not usable.
    #[error("context `{context}` of {path} cannot be used: {reason}")]
    Context {
        /// The file.
        path: PathBuf,
        /// The context.
        context: String,
        /// Why.
        reason: String,
    },
    /// The API server does not answer.
    #[error("the API server {server} does not answer: {reason}; is the cluster up, and is the address reachable?")]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
}

/// A connection to a cluster, and what was read there first.
#[derive(Clone)]
pub struct Cluster {
    /// The client.
    pub client: Client,
    /// The context it came from.
    pub context: String,
    /// The API server's address.
    pub server: String,
    /// The API server's version, such as `v1.37.2`.
    pub version: String,
}

impl Cluster {
    /// Connects by a kubeconfig file and one of its contexts, the current one unless another one is named.
    ///
    /// # Errors
    /// When the file, the context or the API server is not there.
    pub async fn connect(path: &Path, context: Option<&str>) -> Result<Self, ConnectError> {
        let unreadable = |error: kube::config::KubeconfigError| ConnectError::Kubeconfig {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let kubeconfig = Kubeconfig::read_from(path).map_err(unreadable)?;
        let known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        let context = context.map(str::to_owned).or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
        if !known.contains(&context) {
            return Err(ConnectError::NoContext { path: path.to_owned(), context, known: known.join(", ") });
        }
        let unusable =
            |reason: String| ConnectError::Context { path: path.to_owned(), context: context.clone(), reason };
        let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unusable(error.to_string()))?;
        // Silent retries would hide outages from the evidence.
        config.default_retry = false;
        // A connection that has gone dead says nothing: without this, a watch on it would be silent for ever.
        config.read_timeout = Some(SILENT_FOR);
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| unusable(error.to_string()))?;
        let unreachable = |reason| ConnectError::Unreachable { server: server.clone(), reason };
        let version = match tokio::time::timeout(ANSWER_WITHIN, client.apiserver_version()).await {
            Ok(version) => version.map_err(|error| unreachable(with_causes(&error)))?.git_version,
            Err(_) => return Err(unreachable(format!("nothing came within {ANSWER_WITHIN:?}"))),
        };
        Ok(Self { client, context, server, version })
    }
}

/// An error with its causes, each once: the client's own words leave out what the system said.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
