//! The cluster of a run: a kind cluster that the run creates, or an existing one that the user named.

mod admission;
pub mod book;
mod client;
mod disks;
pub mod doctor;
mod engine;
mod gates;
pub mod kind;
mod kubeconfig;
mod lab;
mod lease;
mod load;
mod nodes;
mod program;
mod proxy;
mod release;
mod rights;
mod shape;
mod version;

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};

pub use admission::{AdmissionError, OLDEST, is_meant, is_new_enough};
pub use disks::{Disks, FileSystem};
pub use engine::{EngineError, engine};
pub use gates::feature_gates;
pub use lab::{Image, LAB_VARIABLE, Lab, LabError, NodeImage, cache_dir};
pub use lease::{Lease, abandoned, kept};
pub use nodes::{Nodes, SERVERS};
pub use release::Release;
pub use rights::{Right, demand};
pub use version::{UpgradeError, Version, VersionError};

/// The API server sends a bookmark on every watch about once a minute and answers other requests much sooner.
const SILENT_FOR: Duration = Duration::from_secs(120);

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// How long a credential plugin and its child processes may take. The plugin is killed earlier, but its children may
/// live on.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(90);

/// A cluster cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read.
    #[error("cannot read the kubeconfig {path}: {reason}; choose another one with --kubeconfig")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The kubeconfig has no such context.
    #[error("the kubeconfig {path} has no context `{context}`; it has: {known}; choose one of those with --context")]
    NoContext {
        /// The file.
        path: PathBuf,
        /// The context asked for.
        context: String,
        /// The contexts there are.
        known: String,
    },
    /// No context is named anywhere.
    #[error(
        "the kubeconfig {path} has no current context; choose one of its contexts with --context (it has: {known})"
    )]
    NoCurrentContext {
        /// The file.
        path: PathBuf,
        /// The contexts there are.
        known: String,
    },
    /// The context cannot be used.
    #[error(
        "context `{context}` of {path} cannot be used: {reason}; correct it there, or choose another one with \
         --context"
    )]
    Context {
        /// The file.
        path: PathBuf,
        /// The context.
        context: String,
        /// Why.
        reason: String,
    },
    /// The API server rejects the credentials (401).
    #[error(
        "the API server {server} rejects the credentials of context `{context}` (401 Unauthorized): they are wrong or \
         have expired; renew them in the kubeconfig, or choose another context with --context"
    )]
    Unauthorized {
        /// Its address.
        server: String,
        /// The context.
        context: String,
    },
    /// The API server forbids a request that every run needs (403).
    #[error(
        "the API server {server} does not allow the account of context `{context}` to {what} (403 Forbidden): \
         {reason}; grant it the right, or choose the context of another account with --context"
    )]
    Forbidden {
        /// Its address.
        server: String,
        /// The context.
        context: String,
        /// What was tried.
        what: &'static str,
        /// The API server's words.
        reason: String,
    },
    /// Something other than a Kubernetes API server answers.
    #[error(
        "the server at {server} is not a Kubernetes API server: the request to {what} failed: {reason}; correct the \
         address of the cluster of context `{context}` in the kubeconfig"
    )]
    NoApiServer {
        /// The address.
        server: String,
        /// The context.
        context: String,
        /// What was tried.
        what: &'static str,
        /// What came.
        reason: String,
    },
    /// The connection does not authenticate the API server.
    #[error(
        "the API server {server} of context `{context}` cannot be authenticated, because {why}: anyone on the network \
         path can read the passwords and change the answers; add its certificate authority to the kubeconfig, or \
         accept the risk with --allow-insecure"
    )]
    Unproven {
        /// Its address.
        server: String,
        /// The context.
        context: String,
        /// What the kubeconfig says.
        why: &'static str,
    },
    /// The API server does not answer.
    #[error(
        "the API server {server} does not answer: {reason}; check that the cluster is running and that the address is \
         reachable"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
}

/// A connection to a cluster, and what the first requests returned.
#[derive(Clone)]
pub struct Cluster {
    /// The client.
    pub client: Client,
    /// The context it came from.
    pub context: String,
    /// The API server's address.
    pub server: String,
    /// How the API server is reached, in words, if not directly.
    by: Option<String>,
    /// The API server's version, such as `v1.37.2`.
    pub version: String,
    /// The credentials of the kubeconfig's users.
    pub secrets: Vec<String>,
}

impl Cluster {
    /// Connects with a kubeconfig file and one of its contexts: the current one unless `context` names another.
    ///
    /// # Errors
    /// When the file or the context does not exist or cannot be used, or when the API server cannot be reached.
    pub async fn connect(path: &Path, context: Option<&str>, allow_insecure: bool) -> Result<Self, ConnectError> {
        let unreadable = |error: kube::config::KubeconfigError| ConnectError::Kubeconfig {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut kubeconfig = Kubeconfig::read_from(path).map_err(unreadable)?;
        let known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        let context = context.map(str::to_owned).or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
        if context.is_empty() {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(ConnectError::NoCurrentContext { path: path.to_owned(), known });
        }
        if !known.contains(&context) {
            return Err(ConnectError::NoContext { path: path.to_owned(), context, known: known.join(", ") });
        }
        let unusable =
            |reason: String| ConnectError::Context { path: path.to_owned(), context: context.clone(), reason };
        let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
        let secrets = kubeconfig::secrets(&kubeconfig);
        let proxy = kubeconfig::take_proxy(&mut kubeconfig, &context);
        kubeconfig::bound_plugins(&mut kubeconfig);
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unusable(error.to_string()))?;
        // A dead connection reports nothing: without a timeout a watch on it would stay silent for ever.
        config.read_timeout = Some(SILENT_FOR);
        let server = config.cluster_url.to_string();
        if let (Some(why), false) = (unproven(&config), allow_insecure) {
            return Err(ConnectError::Unproven { server, context: context.clone(), why });
        }
        kubeconfig::tell_proxy(&mut config, proxy.as_deref());
        let proxy = proxy::Environment::read().proxy(&config.cluster_url, proxy.as_deref()).map_err(unusable)?;
        // Running a credential plugin blocks the thread, so it gets one of its own.
        let by = proxy.as_ref().map(|proxy| format!("through the proxy {} of {}", proxy.place(), proxy.source));
        let building =
            tokio::task::spawn_blocking(move || client::client(config, proxy.map(|proxy| proxy.to).as_ref()));
        let Ok(built) = tokio::time::timeout(CREDENTIALS_WITHIN, building).await else {
            return Err(unusable(format!("its credentials were not available within {CREDENTIALS_WITHIN:?}")));
        };
        let built = built.map_err(|error| unusable(error.to_string()))?;
        let client = built.map_err(|error| unusable(words(&error)))?;
        let mut cluster = Self { client, context, server, by, version: String::new(), secrets };
        cluster.version = cluster.answer("read its version", cluster.client.apiserver_version()).await?.git_version;
        Ok(cluster)
    }

    /// The identity of this cluster: the UID of the namespace kube-system, which nobody can delete.
    ///
    /// # Errors
    /// When the API server does not answer or refuses.
    pub async fn identity(&self) -> Result<String, ConnectError> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let there = self.answer("read the namespace kube-system", namespaces.get_metadata("kube-system")).await?;
        Ok(there.metadata.uid.unwrap_or_default())
    }

    /// Waits for an answer and maps a failure to the error that says whose side it is on.
    async fn answer<T>(
        &self,
        what: &'static str,
        asking: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ConnectError> {
        let (server, context) = (self.server.clone(), self.context.clone());
        let Ok(answer) = tokio::time::timeout(ANSWER_WITHIN, asking).await else {
            return Err(self.unreachable(format!("no answer within {ANSWER_WITHIN:?}")));
        };
        answer.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 401 => ConnectError::Unauthorized { server, context },
            kube::Error::Api(status) if status.code == 403 => {
                ConnectError::Forbidden { server, context, what, reason: status.message.clone() }
            }
            kube::Error::Api(status) if status.code == 404 => {
                ConnectError::NoApiServer { server, context, what, reason: status.message.clone() }
            }
            kube::Error::SerdeError(error) => {
                ConnectError::NoApiServer { server, context, what, reason: error.to_string() }
            }
            error => self.unreachable(words(&error)),
        })
    }
}

impl Cluster {
    fn unreachable(&self, reason: String) -> ConnectError {
        let reason = self.by.as_ref().map_or_else(|| reason.clone(), |by| format!("{by}: {reason}"));
        ConnectError::Unreachable { server: self.server.clone(), reason }
    }
}

/// Why the kubeconfig leaves the API server unauthenticated. A loopback address counts as safe: nothing is in between.
fn unproven(config: &Config) -> Option<&'static str> {
    if config.accept_invalid_certs {
        return Some("the kubeconfig has insecure-skip-tls-verify");
    }
    let plain = config.cluster_url.scheme_str() == Some("http");
    let here = proxy::is_loopback(config.cluster_url.host().unwrap_or_default());
    (plain && !here).then_some("its address is http://")
}

/// The API server's message, or why there is none.
pub(crate) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        error => kubeconfig::of_credentials(error).unwrap_or_else(|| with_causes(error)),
    }
}

/// An error with its causes, each once: the client's own message leaves out what the system reported.
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
