//! The mutants suite: workloads that are wrong on purpose, each in a namespace of its own of one kind cluster. A mutant
//! is killed when the checks that it names fail; it survives when one of them does not, or when a check that it does not
//! touch fails too. A check that cannot fail proves nothing.
//!
//! `STEADFAST_MUTANTS=2/5` runs the second fifth of them, so that short runs get through all in turn.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Completion, Failed, Trial};
use serde::Deserialize;
use steadfast::check::{CATALOGUE, Check, Verdict, find};
use steadfast::cluster::Lab;
use steadfast::cluster::kind::{self, KindCluster};
use steadfast::evidence::{Evidence, Log};
use steadfast::report::{Judged, Outcome, Progress, write_all};
use steadfast::run::{self, Bench, Ending, Surroundings, Target, cancelled_by_signals, exercise};
use steadfast::scenario::{Journal, SCENARIOS, Sabotage, plan};
use steadfast::workload::{self, Manifest};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;

mod common;

/// Mutants at once: each is three servers, and two cores carry so many before readiness suffers.
const AT_ONCE: usize = 3;

/// A mutant fails by design, often by not answering: it gets less time than a workload that is to pass.
const TIMEOUT_SCALE: f64 = 0.5;

/// A workload that is wrong on purpose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    /// The kustomization beside the list; the seed with its overlay unless given.
    manifests: Option<PathBuf>,
    /// What is injected while it runs.
    #[serde(default)]
    sabotage: Vec<Sabotage>,
    /// Scenarios that it is put through beside those of the checks that must fail.
    #[serde(default)]
    scenarios: Vec<String>,
    /// The checks that must fail.
    kills: Vec<String>,
    /// The checks that may fail.
    #[serde(default)]
    touches: BTreeSet<String>,
}

fn main() -> ExitCode {
    let mut arguments = common::arguments();
    let mutants = mutants();
    if std::env::var("STEADFAST_CLUSTER").as_deref() == Ok("none") {
        let reason = "STEADFAST_CLUSTER=none: no cluster is wanted";
        let trials = mutants.into_iter().map(|mutant| ignored(mutant.name, reason.to_owned()));
        return libtest_mimic::run(&arguments, trials.collect()).exit_code();
    }
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let cancel = runtime.block_on(async { cancelled_by_signals() });
    let stage = Arc::new(Stage::new(cancel));
    let part = Part::from_environment();
    let trials = mutants.into_iter().enumerate().map(|(index, mutant)| {
        if !part.has(index) {
            return ignored(mutant.name, format!("not in part {part} of the mutants"));
        }
        let (runtime, stage) = (runtime.clone(), stage.clone());
        Trial::test(mutant.name.clone(), move || runtime.block_on(stage.kill(&mutant)))
    });
    // A trial mostly waits, so the number at once follows from what the cluster carries, not from the cores here.
    arguments.test_threads.get_or_insert(AT_ONCE);
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    match runtime.block_on(stage.strike()) {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ignored(name: String, reason: String) -> Trial {
    Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/mutants")
}

/// The list, refused where it names a check or a scenario that does not exist: such a mutant could never be killed.
fn mutants() -> Vec<Mutant> {
    let path = folder().join("mutants.yaml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let mutants: Vec<Mutant> = serde_saphyr::from_str(&text)
        .unwrap_or_else(|error| panic!("{} is not a list of mutants: {error}", path.display()));
    for mutant in &mutants {
        let unknown = mutant.kills.iter().chain(&mutant.touches).find(|id| find(id).is_none());
        assert!(unknown.is_none(), "mutant {} names {unknown:?}, which is no check", mutant.name);
        let unknown = mutant.scenarios.iter().find(|name| !SCENARIOS.contains(&name.as_str()));
        assert!(unknown.is_none(), "mutant {} names {unknown:?}, which is no scenario", mutant.name);
        assert!(!mutant.kills.is_empty(), "mutant {} names no check that must fail", mutant.name);
    }
    mutants
}

/// Which of the mutants run: all, or one part of several.
#[derive(Debug, Clone, Copy)]
struct Part {
    number: usize,
    of: usize,
}

impl Part {
    fn from_environment() -> Self {
        let Ok(text) = std::env::var("STEADFAST_MUTANTS") else { return Self { number: 1, of: 1 } };
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if number >= 1 && number <= of => Self { number, of },
            _ => panic!("STEADFAST_MUTANTS is `{text}`; give a part as in 2/5"),
        }
    }

    fn has(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// The cluster that all mutants share, made by the first of them.
struct Stage {
    run_id: String,
    cancel: CancellationToken,
    room: Semaphore,
    bench: OnceCell<Result<Bench, String>>,
    cluster: tokio::sync::Mutex<Option<KindCluster>>,
}

impl Stage {
    fn new(cancel: CancellationToken) -> Self {
        let run_id = format!("mutants-{}", run::run_id());
        let (bench, cluster) = (OnceCell::new(), tokio::sync::Mutex::default());
        Self { run_id, cancel, room: Semaphore::new(AT_ONCE), bench, cluster }
    }

    async fn bench(&self) -> Result<&Bench, String> {
        let bench = self.bench.get_or_init(|| async { self.open().await.map_err(|error| error.to_string()) }).await;
        bench.as_ref().map_err(Clone::clone)
    }

    async fn open(&self) -> Result<Bench, run::RunError> {
        let lab = Lab::read()?;
        let directory = run::make_directory(&common::artifacts(), &self.run_id)?;
        kind::sweep(&lab).await?;
        let journal = self.journal(&directory, Progress::new())?;
        let overlay = workload::load(None, &lab.kubectl).await?;
        let name = format!("{}{}", kind::PREFIX, self.run_id);
        let target = Target::New { nodes: 2, kubernetes: None };
        let around = Surroundings { name, directory, journal, timeout_scale: common::timeout_scale() };
        let images = workload::images(&overlay);
        let mut cluster = self.cluster.lock().await;
        let open = Box::pin(Bench::open(lab, &target, &around, &images, &mut cluster));
        let bench = tokio::select! {
            bench = open => bench?,
            () = self.cancel.cancelled() => return Err(run::RunError::Interrupted),
        };
        // All mutants use the overlay's StorageClass: none of them is to take it away under the others.
        let classes: Vec<Manifest> = overlay.into_iter().filter(|it| it.kind() == "StorageClass").collect();
        workload::apply(&bench.cluster.client, &classes, "default", &mut Vec::new()).await?;
        Ok(bench)
    }

    /// Removes the cluster; it is an error if something of it is left.
    async fn strike(&self) -> Result<(), String> {
        let Some(cluster) = self.cluster.lock().await.take() else { return Ok(()) };
        let left = cluster.delete().await.map_err(|error| error.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("left of the cluster: {left:?}")) }
    }

    async fn kill(&self, mutant: &Mutant) -> Result<(), Failed> {
        let _room = self.room.acquire().await.map_err(|error| error.to_string())?;
        let bench = self.bench().await?;
        let evidence = self.put_through(bench, mutant).await.map_err(|error| error.to_string())?;
        verdict(mutant, &evidence, &self.directory(mutant))
    }

    fn directory(&self, mutant: &Mutant) -> PathBuf {
        common::artifacts().join(&self.run_id).join(&mutant.name)
    }

    fn journal(&self, directory: &Path, progress: Progress) -> Result<Journal, run::RunError> {
        let path = directory.join("evidence.jsonl");
        let log = std::fs::create_dir_all(directory).and_then(|()| Log::create(&path));
        let log = log.map_err(|source| run::RunError::File { path, source })?;
        Ok(Journal { log: Arc::new(log), progress })
    }

    async fn put_through(&self, bench: &Bench, mutant: &Mutant) -> Result<Evidence, run::RunError> {
        let directory = self.directory(mutant);
        let journal = self.journal(&directory, Progress::silent())?;
        let evidence = journal.log.path().to_owned();
        let manifests = mutant.manifests.as_ref().map(|path| folder().join(path));
        let name = format!("m-{}", mutant.name);
        let trial = run::Trial {
            manifests: workload::load(manifests.as_deref(), &bench.lab.kubectl).await?,
            namespace: Some(name.clone()),
            scenarios: mutant.plan(),
            sabotage: mutant.sabotage.clone(),
            around: Surroundings { name, directory, journal, timeout_scale: TIMEOUT_SCALE * common::timeout_scale() },
        };
        let ending = Ending { cancel: self.cancel.clone(), keep: &|_| self.cancel.is_cancelled() };
        Box::pin(exercise(bench, &trial, ending)).await?;
        Ok(Evidence::read(&evidence)?)
    }
}

impl Mutant {
    /// The scenarios of the checks that must kill it, and those that it needs besides.
    fn plan(&self) -> Vec<String> {
        let checks = self.kills.iter().filter_map(|id| find(id));
        plan(checks.flat_map(|check| check.scenarios).copied().chain(self.scenarios.iter().map(String::as_str)))
    }
}

/// Whether the mutant was killed by the checks that it names, and nothing else died of it.
fn verdict(mutant: &Mutant, evidence: &Evidence, directory: &Path) -> Result<(), Failed> {
    let acted = evidence.run().map(|run| run.scenarios.clone()).unwrap_or_default();
    let has_evidence = |check: &&Check| check.scenarios.iter().all(|name| acted.iter().any(|it| it == name));
    let judged: Vec<Judged> = CATALOGUE.iter().filter(has_evidence).map(|check| Judged::of(check, evidence)).collect();
    let rerun = format!("cargo test --test mutants -- --exact {}; the check:", mutant.name);
    let outcome = Outcome { evidence, judged, interrupted: false, directory: directory.to_owned(), rerun };
    write_all(&outcome, directory).map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    for judged in &outcome.judged {
        let (id, verdict) = (judged.check.id, judged.finding.verdict);
        if mutant.kills.iter().any(|killer| killer == id) {
            if verdict != Verdict::Fail {
                wrong.push(format!("survived {id}, which says {verdict:?}:\n{}", outcome.explain(judged)));
            }
        } else if !mutant.touches.contains(id) && !matches!(verdict, Verdict::Pass | Verdict::Skipped) {
            wrong.push(format!(
                "{id} says {verdict:?}, though the mutant does not touch it:\n{}",
                outcome.explain(judged)
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failed::from(wrong.join("\n"))) }
}
