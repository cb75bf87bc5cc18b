//! The bench: a cluster that is ready for workloads, with what was read there once for all of them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{Api, ListParams, WatchParams};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RunError;
use crate::check::dns_budget_ms;
use crate::cluster::kind::{self, KindCluster};
use crate::cluster::{Cluster, Image, Lab};
use crate::evidence::{Log, Substitution};
use crate::report::Progress;
use crate::scenario::step;

const NODES_READY_WITHIN: Duration = Duration::from_secs(180);
const DNS_READY_WITHIN: Duration = Duration::from_secs(180);

/// Where a run takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A kind cluster of its own.
    New {
        /// Nodes, the control plane among them.
        nodes: usize,
        /// The Kubernetes version, the lab's default unless given.
        kubernetes: Option<String>,
    },
    /// A kind cluster that is there.
    Kind(String),
    /// A context of a kubeconfig file.
    Context {
        /// The file.
        kubeconfig: PathBuf,
        /// The context; the file's current one unless given.
        context: Option<String>,
    },
}

/// A cluster that is ready for workloads.
pub struct Bench {
    /// What the machine has.
    pub lab: Lab,
    /// The connection.
    pub cluster: Cluster,
    /// In words: for reports.
    pub description: String,
    loader: Loader,
    /// The node image that stands in for another one.
    pub node_substitution: Option<Substitution>,
    /// The DNS servers: pod name and address.
    pub dns_servers: Vec<(String, IpAddr)>,
    /// The Corefile.
    pub corefile: String,
    /// The cluster's DNS zone.
    pub domain: String,
    /// How long DNS may take to follow a change, in milliseconds.
    pub dns_budget_ms: u64,
}

impl Bench {
    /// Makes or finds the cluster, and brings these images into it. A cluster that is made is put into `owned` before it comes to be, so that the
    /// caller can remove it whatever happens.
    ///
    /// # Errors
    /// When the cluster cannot be made, found, or does not get ready.
    #[expect(clippy::too_many_arguments, reason = "a cluster and its surroundings are asked for in one place")]
    pub async fn open(
        lab: Lab,
        target: &Target,
        name: &str,
        folder: &Path,
        images: &[String],
        owned: &mut Option<KindCluster>,
        log: &Log,
        progress: &Progress,
    ) -> Result<Self, RunError> {
        let mut node_substitution = None;
        let (kubeconfig, context, kind) = match target {
            Target::New { nodes, kubernetes } => {
                let node = lab.node_image(kubernetes.as_deref())?.clone();
                let nodes_text = counted(*nodes, "node");
                progress
                    .say(&format!("creating the kind cluster {name}: {nodes_text}, Kubernetes {}", node.kubernetes));
                let cluster = owned.insert(KindCluster::claim(&lab, name, folder)?);
                step(log, "run", "create the cluster", cluster.create(&node.image, nodes.saturating_sub(1))).await?;
                node_substitution = node.built.then(|| Substitution {
                    wanted: format!("kindest/node:v{}", node.kubernetes),
                    image: node.image.clone(),
                    why: "image registry not reached; built from the Kubernetes sources".to_owned(),
                });
                (cluster.kubeconfig.clone(), None, Some(name.to_owned()))
            }
            Target::Kind(cluster) => {
                let path = folder.join("kubeconfig");
                kind::export_kubeconfig(&lab, cluster, &path).await?;
                (path, Some(format!("kind-{cluster}")), Some(cluster.clone()))
            }
            Target::Context { kubeconfig, context } => (kubeconfig.clone(), context.clone(), None),
        };
        let cluster = Cluster::connect(&kubeconfig, context.as_deref()).await?;
        progress
            .say(&format!("context {}, server {}, Kubernetes {}", cluster.context, cluster.server, cluster.version));
        let nodes: Api<Node> = Api::all(cluster.client.clone());
        let dns: Api<Pod> = Api::namespaced(cluster.client.clone(), "kube-system");
        let loader = Loader { lab: lab.clone(), kind: kind.clone(), loaded: tokio::sync::Mutex::default() };
        let ready = step(log, "run", "wait for nodes and DNS", async {
            tokio::try_join!(
                all_ready(&nodes, "", "nodes", NODES_READY_WITHIN),
                all_ready(&dns, "k8s-app=kube-dns", "the DNS servers (pods k8s-app=kube-dns)", DNS_READY_WITHIN),
            )
        });
        // Nodes take images long before they are Ready.
        let ((nodes, dns), _) = tokio::try_join!(ready, loader.provide(images, log))?;
        let corefile = corefile(&cluster).await?;
        let domain = zone(&corefile).unwrap_or("cluster.local").to_owned();
        let (what, name) = match kind {
            Some(kind) => ("kind cluster", kind),
            None => ("context", cluster.context.clone()),
        };
        Ok(Self {
            description: format!("{what} {name} ({})", counted(nodes.len(), "node")),
            dns_servers: dns.iter().filter_map(|pod| Some((pod.name_any(), address(pod)?))).collect(),
            dns_budget_ms: dns_budget_ms(&corefile, &domain),
            lab,
            cluster,
            loader,
            node_substitution,
            corefile,
            domain,
        })
    }

    /// Brings images into the cluster, where it is one that images can be loaded into, and tells which stand in for
    /// others.
    ///
    /// # Errors
    /// When an image is neither ready, nor in the engine, nor to be pulled.
    pub async fn provide(&self, images: &[String], log: &Log) -> Result<Vec<Substitution>, RunError> {
        self.loader.provide(images, log).await
    }
}

/// Loads images into a cluster's nodes, each once.
struct Loader {
    lab: Lab,
    kind: Option<String>,
    loaded: tokio::sync::Mutex<BTreeSet<String>>,
}

impl Loader {
    async fn provide(&self, images: &[String], log: &Log) -> Result<Vec<Substitution>, RunError> {
        let ready: Vec<&Image> = images.iter().filter_map(|wanted| self.lab.image(wanted)).collect();
        let built = ready.iter().filter(|image| image.built);
        let substitutions = built.map(|image| Substitution {
            wanted: image.wanted.clone(),
            image: image.image.clone(),
            why: image.why.clone(),
        });
        let substitutions = substitutions.collect();
        let Some(cluster) = &self.kind else { return Ok(substitutions) };
        let mut loaded = self.loaded.lock().await;
        let witness = (self.lab.witness.image.as_str(), self.lab.witness.archive.as_path());
        let archives = ready.iter().map(|image| (image.image.as_str(), image.archive.as_path())).chain([witness]);
        let archives: Vec<(&str, &Path)> = archives.filter(|(image, _)| !loaded.contains(*image)).collect();
        let others = images.iter().filter(|wanted| self.lab.image(wanted).is_none());
        let others: Vec<&str> = others.map(String::as_str).filter(|image| !loaded.contains(*image)).collect();
        for image in &others {
            let provided = kind::provide_image(&self.lab, image).await;
            provided.map_err(|source| RunError::NoImage { image: (*image).to_owned(), source })?;
        }
        if archives.is_empty() && others.is_empty() {
            return Ok(substitutions);
        }
        let paths: Vec<&Path> = archives.iter().map(|(_, path)| *path).collect();
        step(log, "run", "load images", async {
            tokio::try_join!(
                kind::load_archives(&self.lab, cluster, &paths),
                kind::load_images(&self.lab, cluster, &others)
            )
        })
        .await?;
        loaded.extend(archives.iter().map(|(image, _)| *image).chain(others).map(str::to_owned));
        Ok(substitutions)
    }
}

/// A number of things, in words that fit one of them too.
fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

async fn corefile(cluster: &Cluster) -> Result<String, RunError> {
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "kube-system");
    let map = maps.get("coredns").await.map_err(|source| RunError::api("read the ConfigMap coredns", source))?;
    Ok(map.data.and_then(|mut data| data.remove("Corefile")).unwrap_or_default())
}

/// The cluster's zone: the first one that the kubernetes plugin serves
/// (<https://coredns.io/plugins/kubernetes/>).
fn zone(corefile: &str) -> Option<&str> {
    let mut lines = corefile.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.find_map(|line| line.trim().strip_prefix("kubernetes ")?.split_whitespace().find(|word| *word != "{"))
}

fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

/// Waits until there are such objects and all of them have the condition Ready.
pub(super) async fn all_ready<K>(api: &Api<K>, selector: &str, what: &str, limit: Duration) -> Result<Vec<K>, RunError>
where
    K: Resource + Clone + DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    let mut last_seen = "none".to_owned();
    let ready = async {
        loop {
            let Ok(list) = api.list(&ListParams::default().labels(selector)).await else {
                // The API server may still be starting.
                tokio::time::sleep(Duration::from_millis(250)).await;
                continue;
            };
            let waiting: Vec<String> =
                list.items.iter().filter(|object| !is_ready(object)).map(ResourceExt::name_any).collect();
            if waiting.is_empty() && !list.items.is_empty() {
                return list.items;
            }
            last_seen = if waiting.is_empty() {
                "none is there".to_owned()
            } else {
                format!("not Ready: {}", waiting.join(", "))
            };
            let version = list.metadata.resource_version.unwrap_or_default();
            let Ok(events) = api.watch(&WatchParams::default().labels(selector).timeout(30), &version).await else {
                continue;
            };
            pin_mut!(events);
            // Any change is a reason to look at the whole again.
            let _ = events.next().await;
        }
    };
    let ready = tokio::time::timeout(limit, ready).await;
    ready.map_err(|_| RunError::NotReady { what: what.to_owned(), limit, last_seen })
}

fn is_ready(object: &impl serde::Serialize) -> bool {
    let object = serde_json::to_value(object).unwrap_or_default();
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::{counted, zone};

    #[test]
    fn one_node_is_no_plural() {
        assert_eq!([1, 3].map(|number| counted(number, "node")), ["1 node", "3 nodes"]);
    }

    #[test]
    fn the_zone_is_read_from_the_corefile() {
        let corefile =
            ".:53 {\n    errors\n    # kubernetes old.zone\n    kubernetes corp.example in-addr.arpa {\n    }\n}";
        assert_eq!(zone(corefile), Some("corp.example"));
        assert_eq!(zone(".:53 { forward . /etc/resolv.conf }"), None);
    }
}
