//! The variants suite: workloads that differ from the seed and are right all the same, each in a namespace of its own.
//! Every check must pass on them, or be skipped where the list says that it does not apply. A harness that is red on
//! them would be red on somebody's cluster for no reason.
//!
//! `STEADFAST_PART=2/5` runs the second fifth of them, so that short runs get through all in turn.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use steadfast::check::{Verdict, find};
use steadfast::evidence::Evidence;

use steadfast::run::cancelled_by_signals;
use steadfast::scenario::{SCENARIOS, plan};

mod common;
mod staged;

use staged::part::Part;
use staged::stage::{Act, Ground, Stage};
use staged::{NO_CLUSTER, ignored, judged, strike};

/// Variants at once, on all stages together: they share the machine, whatever cluster they are in.
const AT_ONCE: usize = 2;

/// Several workloads share two cores: what one alone would do in time takes longer.
const PATIENCE: f64 = 1.5;

/// A workload that differs from the seed and is right.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    name: String,
    /// The kustomization beside the list; the seed with its overlay unless given.
    manifests: Option<PathBuf>,
    /// The namespace that its manifests name; one of the suite's unless given.
    namespace: Option<String>,
    /// Where it is put.
    #[serde(default)]
    on: On,
    /// What it is put through; everything unless given.
    scenarios: Option<Vec<String>>,
    /// The checks that do not apply to it, which must say so.
    #[serde(default)]
    skips: BTreeSet<String>,
}

/// The clusters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum On {
    /// Three nodes, and names under `cluster.local`.
    #[default]
    ThreeNodes,
    /// One node, and names under another domain.
    OneNodeOfAnotherDomain,
}

impl On {
    fn ground(self) -> Ground {
        let (nodes, domain) = match self {
            Self::ThreeNodes => (3, None),
            Self::OneNodeOfAnotherDomain => (1, Some("db.example".to_owned())),
        };
        Ground { nodes, domain, corefile: None }
    }
}

fn main() -> ExitCode {
    let mut arguments = common::arguments();
    let variants = variants();
    if staged::no_cluster() {
        let trials = variants.into_iter().map(|variant| ignored(variant.name, NO_CLUSTER.to_owned()));
        return libtest_mimic::run(&arguments, trials.collect()).exit_code();
    }
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let cancel = runtime.block_on(async { cancelled_by_signals() });
    let stage = |suite, on: On| Arc::new(Stage::new(suite, on.ground(), AT_ONCE, cancel.clone()));
    let stages = [stage("variants", On::ThreeNodes), stage("variants-domain", On::OneNodeOfAnotherDomain)];
    let part = Part::from_environment();
    let trials = variants.into_iter().enumerate().map(|(index, variant)| {
        if !part.has(index) {
            return ignored(variant.name, format!("not in part {part} of the variants"));
        }
        let (runtime, stage) = (runtime.clone(), stages[variant.on as usize].clone());
        Trial::test(variant.name.clone(), move || runtime.block_on(variant.pass(&stage)))
    });
    arguments.test_threads.get_or_insert(AT_ONCE);
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    staged::finish(&conclusion, runtime.block_on(strike(&stages)))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/variants")
}

fn variants() -> Vec<Variant> {
    let variants: Vec<Variant> = staged::list(&folder().join("variants.yaml"));
    for variant in &variants {
        let unknown = variant.skips.iter().find(|id| find(id).is_none());
        assert!(unknown.is_none(), "variant {} names {unknown:?}, which is no check", variant.name);
        let unknown = variant.scenarios.iter().flatten().find(|name| !SCENARIOS.contains(&name.as_str()));
        assert!(unknown.is_none(), "variant {} names {unknown:?}, which is no scenario", variant.name);
    }
    variants
}

impl Variant {
    async fn pass(&self, stage: &Stage) -> Result<(), Failed> {
        let act = Act {
            name: self.name.clone(),
            namespace: self.namespace.clone().unwrap_or_else(|| format!("v-{}", self.name)),
            manifests: self.manifests.as_ref().map(|path| folder().join(path)),
            scenarios: self.plan(),
            sabotage: Vec::new(),
            patience: PATIENCE,
        };
        let evidence = stage.perform(&act).await?;
        self.verdict(&evidence, &stage.directory(&self.name))
    }

    fn plan(&self) -> Vec<String> {
        match &self.scenarios {
            Some(scenarios) => plan(scenarios.iter().map(String::as_str)),
            None => plan(SCENARIOS),
        }
    }

    /// Whether everything that was acted passed, but for what does not apply.
    fn verdict(&self, evidence: &Evidence, directory: &Path) -> Result<(), Failed> {
        let rerun = format!("cargo test --test variants -- --exact {}; the check:", self.name);
        let outcome = judged(evidence, directory, rerun)?;
        let wrong = outcome.judged.iter().filter_map(|judged| {
            let skipped = self.skips.contains(judged.check.id);
            let expected = if skipped { Verdict::Skipped } else { Verdict::Pass };
            let found = judged.finding.verdict;
            (found != expected)
                .then(|| format!("{} is to say {expected:?}: {found:?}\n{}", judged.check.id, outcome.explain(judged)))
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() { Ok(()) } else { Err(Failed::from(wrong.join("\n"))) }
    }
}
