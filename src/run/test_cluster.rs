//! A cluster that is ready for workloads, and facts read there once for all of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Taint};
use kube::ResourceExt;
use kube::api::Api;
use serde_json::json;

use super::guest::{self, Place};
use super::images::{Loader, taken_from_nodes, to_load};
use super::listed::{Wanted, ready};
use super::target::Target;
use super::{RunError, dns, preflight};
use crate::check::{dns_budget_ms, dns_reverse_budget_ms};
use crate::cluster::kind::{self, KindCluster, Shape};
use crate::cluster::{Cluster, Disks, Lab, NodeImage, Nodes, feature_gates};
use crate::driver::{ClusterAccess, Journal, Newer};
use crate::evidence::{DnsServer, Snapshot, SnapshotOf, Substitution, What};
use crate::probe::Session;
use crate::workload::{self, Manifest};

const READY_WITHIN: Duration = Duration::from_secs(180);

/// The name of the DNS server that pods ask when the servers behind it are unknown.
const OF_PODS: &str = "resolv.conf";

/// A run's name, and where it writes.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// The name of the run, and of the cluster that it creates.
    pub name: String,
    /// The run's directory.
    pub directory: PathBuf,
    /// Where everything that is done is recorded.
    pub journal: Journal,
    /// Multiplies every time limit.
    pub timeout_scale: f64,
}

impl RunContext {
    fn scaled(&self, limit: Duration) -> Duration {
        limit.mul_f64(self.timeout_scale)
    }
}

/// A cluster that is ready for workloads.
pub struct TestCluster {
    /// The lab of this machine.
    pub lab: Lab,
    /// The connection.
    pub cluster: Cluster,
    /// The name of the kind cluster, or of the context.
    pub name: String,
    /// The description for reports.
    pub description: String,
    loader: Loader,
    /// The witness's image.
    pub witness_image: String,
    /// The node image that stands in for another one.
    pub node_substitution: Option<Substitution>,
    /// The API server's feature gates, as far as the account may read them.
    pub gates: BTreeMap<String, bool>,
    /// The taints of each node that takes pods.
    pub taints: Vec<Vec<Taint>>,
    /// The number of nodes.
    pub size: usize,
    /// The nodes, if they are containers of this machine.
    pub nodes: Option<Nodes>,
    /// The disks below the volumes of the nodes, if all nodes have one.
    pub disks: Option<Disks>,
    /// The cluster's DNS.
    dns: dns::Dns,
    /// The cluster's DNS zone.
    pub domain: String,
    /// How long DNS may take to follow a change, in milliseconds.
    pub dns_budget_ms: u64,
    /// The same for the names of addresses.
    dns_reverse_budget_ms: u64,
    /// How to find an existing cluster of a kubeconfig again.
    pub(super) place: Option<Place>,
}

/// How a cluster was reached.
pub(super) struct Reached {
    /// The connection.
    pub cluster: Cluster,
    /// The name of the kind cluster, if it is on this machine. Then images can be loaded.
    kind: Option<String>,
    nodes: Option<NodeImage>,
    witness_image: Option<String>,
}

impl TestCluster {
    /// What scenarios need of the cluster.
    pub(super) fn access(&self, dns_servers: Vec<(String, SocketAddr)>, newer: Option<Newer>) -> ClusterAccess {
        ClusterAccess {
            client: self.cluster.client.clone(),
            nodes: self.nodes.clone(),
            disks: self.disks.clone(),
            dns_servers: Mutex::new(dns_servers),
            dns_budget_ms: self.dns_budget_ms,
            dns_reverse_budget_ms: self.dns_reverse_budget_ms,
            newer,
        }
    }

    /// The witness's namespace, if the run's namespaces were prepared beforehand.
    pub(super) fn witness_namespace(&self) -> Option<&str> {
        let [_, witness] = self.place.as_ref()?.namespaces.as_ref()?;
        Some(witness)
    }

    /// Whether the run's namespaces were prepared beforehand.
    pub(super) fn has_namespaces(&self) -> bool {
        self.witness_namespace().is_some()
    }

    /// Records the DNS setup, and returns the servers to ask, by name and address: the servers behind the Service, or,
    /// if the witness reports that pods ask another server, that one.
    ///
    /// # Errors
    /// When the witness does not answer.
    pub(super) async fn record_dns(
        &self,
        journal: &Journal,
        near: &Session,
    ) -> Result<Vec<(String, SocketAddr)>, RunError> {
        let dns::Dns { servers, asked, corefile, unread, zone } = &self.dns;
        let own = near.resolver().await?.filter(|own| {
            let behind = asked.contains(own) || servers.iter().any(|it| it.at.ip() == *own);
            !behind
        });
        let behind = own.is_none();
        let (servers, corefile) = if let Some(own) = own {
            journal.note(format!("pods ask {own} for names, and what stands behind it is not asked by itself"));
            let server = DnsServer { name: OF_PODS.to_owned(), uid: OF_PODS.to_owned(), address: own };
            // The Corefile of servers that pods do not ask says nothing about their answers.
            let corefile = corefile.as_ref().filter(|_| servers.is_empty());
            (vec![dns::Server { server, at: SocketAddr::new(own, 53) }], corefile)
        } else {
            (servers.clone(), corefile.as_ref())
        };
        if zone.is_none() {
            journal
                .note(format!("no Corefile tells the zone of the cluster's names: it is taken to be {}", self.domain));
        }
        let record = |of, value| journal.log.record(What::Snapshot(Snapshot { of, value }));
        match unread.as_ref().filter(|_| behind) {
            // Without the Corefile the possible delay of DNS is unknown.
            Some(why) => journal.note(format!("the Corefile cannot be read: {why}")),
            None => drop(record(SnapshotOf::Corefile, corefile.map_or(json!(false), |text| json!(text)))),
        }
        record(SnapshotOf::DnsServers, servers.iter().map(|it| json!(it.server)).collect());
        Ok(servers.into_iter().map(|it| (it.server.name, it.at)).collect())
    }

    /// Creates or finds the cluster, and brings these images into it. A new cluster is stored in `owned` before it is
    /// created, so that the caller can remove it whatever happens.
    ///
    /// # Errors
    /// When the cluster cannot be created or found, or does not become ready.
    pub async fn open(
        lab: Lab,
        target: &Target,
        run_context: &RunContext,
        images: &[String],
        owned: &mut Option<KindCluster>,
    ) -> Result<Self, RunError> {
        let Reached { cluster, kind, nodes: made, witness_image } = reach(&lab, target, run_context, owned).await?;
        run_context.journal.log.redaction().learn_distinctive(&cluster.secrets);
        let (context, server, version) = (&cluster.context, &cluster.server, &cluster.version);
        let progress = &run_context.journal.progress;
        progress.say(&format!("context {context}, server {server}, Kubernetes {version}"));
        let place = preflight::of_cluster(target, &cluster, progress).await?;
        if let Some(place) = &place {
            guest::sweep_dead_runs(&cluster, &place.uid, &run_context.journal).await;
        }
        let witness_image = match (&kind, witness_image) {
            (_, Some(image)) => image,
            (Some(_), None) => lab.witness.image.clone(),
            (None, None) => {
                let (context, image) = (context.clone(), lab.witness.image.clone());
                return Err(RunError::NoWitnessImage { context, image });
            }
        };
        let nodes: Api<Node> = Api::all(cluster.client.clone());
        let loader = Loader::new(&lab, &cluster.client, kind.clone());
        let ready = run_context.journal.step(None, "wait for nodes and DNS", async {
            let limit = run_context.scaled(READY_WITHIN);
            // An existing cluster may have unneeded nodes that are down.
            let wanted = if owned.is_some() { Wanted::All } else { Wanted::Some };
            tokio::try_join!(ready(&nodes, "", "nodes", wanted, limit), dns::find(&cluster.client, wanted, limit))
        });
        // Nodes accept images long before they are Ready.
        let ((nodes, dns), _) = tokio::try_join!(ready, loader.provide(images, &run_context.journal))?;
        let gates = feature_gates(&cluster.client).await;
        let corefile = dns.corefile.as_deref();
        let domain = dns.zone.clone().unwrap_or_else(|| "cluster.local".to_owned());
        let containers = kind.as_ref().map(|_| Nodes::of(&lab));
        let disks = match Disks::of(&lab).filter(|_| containers.is_some()) {
            Some(disks) => disks.are_on(&nodes.iter().map(Node::name_any).collect::<Vec<_>>()).await.then_some(disks),
            None => None,
        };
        let (what, name) = kind.map_or(("context", cluster.context.clone()), |kind| ("kind cluster", kind));
        Ok(Self {
            description: format!("{what} {name} ({})", plural(nodes.len(), "node")),
            name,
            taints: nodes.iter().filter_map(workload::taints_of).collect(),
            size: nodes.len(),
            nodes: containers,
            disks,
            dns_budget_ms: dns_budget_ms(corefile, &domain),
            dns_reverse_budget_ms: dns_reverse_budget_ms(corefile),
            dns,
            node_substitution: made.filter(|node| node.built).map(|node| node_substitution(&node)),
            gates,
            lab,
            cluster,
            loader,
            witness_image,
            domain,
            place,
        })
    }

    /// The manifests for nodes into which images were loaded.
    pub(super) fn taking_from_nodes(&self, manifests: Vec<Manifest>, journal: &Journal) -> Vec<Manifest> {
        if self.nodes.is_none() {
            return manifests;
        }
        let (manifests, changed) = taken_from_nodes(manifests);
        if !changed.is_empty() {
            let containers = changed.join(", ");
            journal.note(format!(
                "imagePullPolicy of {containers} is IfNotPresent here: the images were loaded into the nodes"
            ));
        }
        manifests
    }

    /// The images of these manifests to load.
    pub(super) async fn images_of(&self, manifests: &[Manifest], journal: &Journal) -> Vec<String> {
        let target = Target::Kind(self.name.clone());
        if self.nodes.is_none() { Vec::new() } else { to_load(&self.lab, &target, manifests, journal).await }
    }

    /// Brings images into the cluster, if it is one that images can be loaded into, and returns the substitutions.
    ///
    /// # Errors
    /// When an image is neither in the lab nor in the engine, and cannot be pulled.
    pub async fn provide(&self, images: &[String], journal: &Journal) -> Result<Vec<Substitution>, RunError> {
        self.loader.provide(images, journal).await
    }
}

fn plural(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn node_substitution(node: &NodeImage) -> Substitution {
    Substitution {
        wanted: format!("kindest/node:v{}", node.kubernetes),
        image: node.image.clone(),
        why: "image registry not reached; built from the Kubernetes sources".to_owned(),
    }
}

/// Creates the cluster, or finds an existing one.
pub(super) async fn reach(
    lab: &Lab,
    target: &Target,
    run_context: &RunContext,
    owned: &mut Option<KindCluster>,
) -> Result<Reached, RunError> {
    match target {
        Target::New { nodes, kubernetes, domain, ip_family, file_system } => {
            let node = lab.node_image(kubernetes.as_deref())?.clone();
            let (name, nodes_in_words) = (&run_context.name, plural(*nodes, "node"));
            let progress = &run_context.journal.progress;
            progress.say(&format!("kind cluster {name}: {nodes_in_words}, Kubernetes {}", node.kubernetes));
            let cluster = owned.insert(KindCluster::claim(lab, name, &run_context.directory)?);
            let (image, workers, domain) = (node.image.as_str(), nodes.saturating_sub(1), domain.as_deref());
            let shape = Shape { image, workers, domain, ip_family: *ip_family, file_system: *file_system };
            let made = cluster.create(shape, run_context.scaled(kind::CREATE_WITHIN));
            run_context.journal.step(None, "create the cluster", made).await?;
            if let Some(why) = &cluster.without_disks {
                run_context.journal.note(format!("the volumes of the nodes lie on no disk that can be cut: {why}"));
            }
            let connected = Cluster::connect(&cluster.kubeconfig, None, false).await?;
            Ok(Reached { cluster: connected, kind: Some(name.clone()), nodes: Some(node), witness_image: None })
        }
        Target::Kind(name) => {
            let known = kind::clusters(lab).await?;
            if !known.contains(name) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(RunError::NoCluster { name: name.clone(), known });
            }
            // This file holds the keys to a cluster that lives on, so it must not be in the run's directory.
            let keys = tempfile::NamedTempFile::new()
                .map_err(|source| RunError::File { path: std::env::temp_dir(), source })?;
            kind::export_kubeconfig(lab, name, keys.path()).await?;
            let cluster = Cluster::connect(keys.path(), Some(&format!("kind-{name}")), false).await?;
            Ok(Reached { cluster, kind: Some(name.clone()), nodes: None, witness_image: None })
        }
        Target::Context { kubeconfig, context, witness_image, allow_insecure, .. } => {
            let cluster = Cluster::connect(kubeconfig, context.as_deref(), *allow_insecure).await?;
            Ok(Reached { cluster, kind: None, nodes: None, witness_image: witness_image.clone() })
        }
    }
}
