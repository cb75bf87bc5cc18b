//! The options of a run on the command line, and the settings that they stand for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use steadfast::check::{CATALOGUE, Check};
use steadfast::cluster::kind::IpFamily;
use steadfast::evidence::Scenario;
use steadfast::run::{Keep, RunConfig, Settings, Target};
use steadfast::text::quoted;
use steadfast::workload::Sources;

/// What a run can be told.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// A kustomization, a folder of YAML or JSON, a file, a Helm chart, or `-` for standard input, with the StatefulSet and
    /// its Service; can be repeated [default: the seed].
    #[arg(long, value_name = "PATH")]
    manifests: Vec<PathBuf>,
    /// Render the chart with this file of values; can be repeated.
    #[arg(long, value_name = "FILE", requires = "manifests")]
    values: Vec<PathBuf>,
    /// Nodes of the cluster that is made: the control plane and workers.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9), conflicts_with_all = ["cluster", "context", "kubeconfig"])]
    nodes: u8,
    /// Kubernetes version of the cluster that is made [default: the lab's].
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["cluster", "context", "kubeconfig"])]
    kubernetes: Option<String>,
    /// The addresses of the cluster that is made: of IPv4, of IPv6, or of both.
    #[arg(long, value_enum, value_name = "FAMILY", default_value = "ipv4", conflicts_with_all = ["cluster", "context", "kubeconfig"])]
    ip_family: IpFamily,
    /// Use this kind cluster of this machine instead of making one.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["context", "kubeconfig"])]
    cluster: Option<String>,
    /// Use this context of the kubeconfig instead of making a cluster.
    #[arg(long, requires = "kubeconfig")]
    context: Option<String>,
    /// The kubeconfig file of an existing cluster; never taken from the environment.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The UID of that cluster's namespace kube-system, which no other cluster has; a run without it tells it and ends.
    #[arg(long, value_name = "UID", requires = "kubeconfig")]
    cluster_uid: Option<String>,
    /// Use an API server that does not prove who it is: whoever stands in between reads and changes all that is asked.
    #[arg(long, requires = "kubeconfig")]
    allow_insecure: bool,
    /// The witness's image for a cluster that pulls its images; ci/setup makes the one to push.
    #[arg(long, value_name = "IMAGE", requires = "kubeconfig")]
    witness_image: Option<String>,
    /// Agree that pods of the run's own namespace are deleted, killed and scaled on a cluster that was there before;
    /// without it, what needs that is skipped.
    #[arg(long)]
    allow_disruption: bool,
    /// The workload's namespace; it must not exist [default: the manifests', or one named after the run].
    #[arg(long)]
    namespace: Option<String>,
    /// Make no namespaces: that of --namespace is there and unused, and so is this one, for a witness. The account then needs
    /// rights in these two alone (manifests/account/namespaces.yaml).
    #[arg(long, value_name = "NAMESPACE", requires_all = ["kubeconfig", "namespace"])]
    witness_namespace: Option<String>,
    #[command(flatten)]
    config: RunConfig,
    /// Where the directories of runs are made.
    #[arg(long, value_name = "DIR", env = "ARTIFACTS", default_value = "target/steadfast")]
    artifacts: PathBuf,
    /// What becomes of cluster and workload after the run.
    #[arg(long, value_enum, default_value = "never")]
    keep: Keep,
    /// Multiply every time limit, for a slow machine.
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
                Target::New { nodes, kubernetes, domain: None, ip_family: self.ip_family }
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
