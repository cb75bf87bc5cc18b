//! The options of a run on the command line, and the settings that they stand for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use steadfast::check::{CATALOGUE, Check};
use steadfast::cluster::FileSystem;
use steadfast::cluster::kind::IpFamily;
use steadfast::evidence::Scenario;
use steadfast::run::{Keep, RunConfig, Settings, Target};
use steadfast::text::quoted;
use steadfast::workload::Sources;

/// What a run can be told.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// The manifests of the StatefulSet and its Service: a kustomization, a folder of YAML or JSON, a file, a Helm
    /// chart, or `-` for standard input. Can be repeated [default: the seed].
    #[arg(long, value_name = "PATH")]
    manifests: Vec<PathBuf>,
    /// Render the chart with this values file. Can be repeated.
    #[arg(long, value_name = "FILE", requires = "manifests")]
    values: Vec<PathBuf>,
    /// The number of nodes of the new cluster, including the control plane.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9), conflicts_with_all = ["cluster", "context", "kubeconfig"])]
    nodes: u8,
    /// The Kubernetes version of the new cluster [default: the lab's].
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["cluster", "context", "kubeconfig"])]
    kubernetes: Option<String>,
    /// The IP address family of the new cluster: IPv4, IPv6 or both.
    #[arg(long, value_enum, value_name = "FAMILY", default_value = "ipv4", conflicts_with_all = ["cluster", "context", "kubeconfig"])]
    ip_family: IpFamily,
    /// The file system of the disks below the volumes of the new cluster. The scenario power-cut stops it.
    #[arg(long, value_enum, value_name = "NAME", default_value = "ext4", conflicts_with_all = ["cluster", "context", "kubeconfig"])]
    file_system: FileSystem,
    /// Use this kind cluster on this machine instead of creating one.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["context", "kubeconfig"])]
    cluster: Option<String>,
    /// Use this context of the kubeconfig instead of creating a cluster.
    #[arg(long, requires = "kubeconfig")]
    context: Option<String>,
    /// The kubeconfig file of an existing cluster. It is never taken from the environment.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The UID of that cluster's namespace kube-system, which identifies the cluster. A run without it prints the UID
    /// and stops.
    #[arg(long, value_name = "UID", requires = "kubeconfig")]
    cluster_uid: Option<String>,
    /// Accept an API server that cannot be authenticated. Anyone on the network path can then read and change all
    /// traffic.
    #[arg(long, requires = "kubeconfig")]
    allow_insecure: bool,
    /// The witness image for a cluster that pulls its images. ci/setup builds the image to push.
    #[arg(long, value_name = "IMAGE", requires = "kubeconfig")]
    witness_image: Option<String>,
    /// Allow pods in the run's own namespace to be deleted, killed and scaled on an existing cluster. Without it,
    /// checks that need this are skipped.
    #[arg(long)]
    allow_disruption: bool,
    /// The workload's namespace. It must not exist [default: the one in the manifests, or one named after the run].
    #[arg(long)]
    namespace: Option<String>,
    /// Create no namespaces: use --namespace for the workload and this one for a witness. Both must exist and be
    /// unused. The account then needs rights only in these two (manifests/account/namespaces.yaml).
    #[arg(long, value_name = "NAMESPACE", requires_all = ["kubeconfig", "namespace"])]
    witness_namespace: Option<String>,
    #[command(flatten)]
    config: RunConfig,
    /// The folder in which run directories are created.
    #[arg(long, value_name = "DIR", env = "ARTIFACTS", default_value = "target/steadfast")]
    artifacts: PathBuf,
    /// When to keep the cluster and the workload after the run.
    #[arg(long, value_enum, default_value = "never")]
    keep: Keep,
    /// Multiply every timeout, for a slow machine.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = scale)]
    timeout_scale: f64,
}

pub(crate) fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (0.1..=100.0).contains(&factor) => Ok(factor),
        _ => Err("give a number from 0.1 to 100".to_owned()),
    }
}

impl RunOptions {
    /// The settings of a run of these checks.
    pub(crate) fn settings(&self, mut checks: Vec<&'static Check>) -> Settings {
        if self.keep == Keep::Always {
            // What is kept on request cannot be judged for its removal.
            checks.retain(|check| !check.scenarios.contains(&Scenario::Teardown));
        }
        let target = match (&self.cluster, &self.kubeconfig) {
            (Some(cluster), _) => Target::Kind(cluster.clone()),
            (None, Some(kubeconfig)) => {
                let (kubeconfig, context) = (kubeconfig.clone(), self.context.clone());
                let (uid, witness_image) = (self.cluster_uid.clone(), self.witness_image.clone());
                let allow_insecure = self.allow_insecure;
                let namespaces = self.namespace.clone().zip(self.witness_namespace.clone()).map(<[String; 2]>::from);
                Target::Context { kubeconfig, context, uid, witness_image, allow_insecure, namespaces }
            }
            (None, None) => {
                let (nodes, kubernetes) = (usize::from(self.nodes), self.kubernetes.clone());
                Target::New {
                    nodes,
                    kubernetes,
                    domain: None,
                    ip_family: self.ip_family,
                    file_system: self.file_system,
                }
            }
        };
        Settings {
            checks,
            manifests: Sources { paths: self.manifests.clone(), values: self.values.clone() },
            target,
            allow_disruption: self.allow_disruption,
            namespace: self.namespace.clone(),
            config: self.config.clone(),
            artifacts: self.artifacts.clone(),
            keep: self.keep,
            upgrade: None,
            injections: Vec::new(),
            timeout_scale: self.timeout_scale,
            rerun: self.rerun(),
        }
    }

    /// Whether the options name namespaces that exist beforehand.
    pub(crate) fn has_namespaces(&self) -> bool {
        self.witness_namespace.is_some()
    }

    /// The settings of `up`: everything up to replication, and nothing is removed.
    pub(crate) fn up(&self) -> Settings {
        let checks = CATALOGUE
            .iter()
            .filter(|check| check.scenarios.iter().all(|name| [Scenario::Deploy, Scenario::Replicate].contains(name)));
        Settings { keep: Keep::Always, ..self.settings(checks.collect()) }
    }

    /// The command that repeats a run, with all options that differ from the defaults.
    fn rerun(&self) -> String {
        let mut words = vec!["steadfast run".to_owned()];
        let named = |flag: &'static str, paths: &[PathBuf]| {
            let word = |path: &PathBuf| format!("{flag} {}", quoted(&path.display().to_string()));
            paths.iter().map(word).collect::<Vec<_>>()
        };
        words.extend(named("--manifests", &self.manifests));
        words.extend(named("--values", &self.values));
        words.extend(named("--kubeconfig", self.kubeconfig.as_slice()));
        let texts = [
            ("--cluster", &self.cluster),
            ("--context", &self.context),
            ("--cluster-uid", &self.cluster_uid),
            ("--namespace", &self.namespace),
            ("--witness-namespace", &self.witness_namespace),
            ("--kubernetes", &self.kubernetes),
            ("--witness-image", &self.witness_image),
        ];
        words.extend(texts.iter().filter_map(|(flag, text)| Some(format!("{flag} {}", quoted(text.as_ref()?)))));
        if self.nodes != 3 {
            words.push(format!("--nodes {}", self.nodes));
        }
        if let Some(family) = self.ip_family.to_possible_value().filter(|_| self.ip_family != IpFamily::default()) {
            words.push(format!("--ip-family {}", family.get_name()));
        }
        if self.file_system == FileSystem::Xfs {
            words.push("--file-system xfs".to_owned());
        }
        words.extend(self.config.options());
        if (self.timeout_scale - 1.0).abs() > f64::EPSILON {
            words.push(format!("--timeout-scale {}", self.timeout_scale));
        }
        if self.allow_disruption {
            words.push("--allow-disruption".to_owned());
        }
        words.join(" ")
    }
}

#[cfg(test)]
mod tests;
