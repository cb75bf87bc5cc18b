//! One run shared by all trials of a suite, in one process or, under nextest, in one process per trial. The first trial
//! carries out the run; the others wait and read what it wrote.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{Finished, RunError, Settings, make_directory, run_in, with_run, write_reports};
use crate::check::{Check, Finding, Judged, Outcome};
use crate::evidence::Evidence;
use crate::report::Progress;

/// The variable that identifies a nextest run across processes.
const NEXTEST_RUN: &str = "NEXTEST_RUN_ID";

/// A run that starts when its first trial asks for it.
pub struct Shared {
    settings: Settings,
    cancel: CancellationToken,
    finished: OnceCell<Result<Finished, String>>,
    carried_out: AtomicBool,
    /// What the checks conclude, once a trial has asked.
    findings: OnceLock<Vec<(&'static Check, Finding)>>,
}

impl Shared {
    /// A run with these settings, not started yet.
    pub fn new(settings: Settings, cancel: CancellationToken) -> Self {
        Self {
            settings,
            cancel,
            finished: OnceCell::new(),
            carried_out: AtomicBool::new(false),
            findings: OnceLock::new(),
        }
    }

    /// Judges a check by the run's evidence.
    ///
    /// # Errors
    /// When the run could not be carried out. The text says why.
    pub async fn judge<R>(
        &self,
        check: &'static Check,
        look: impl FnOnce(&Outcome<'_>, &Judged) -> R,
    ) -> Result<R, String> {
        let finished =
            self.finished.get_or_init(|| async { self.finish().await.map_err(|error| error.to_string()) }).await;
        let finished = finished.as_ref().map_err(Clone::clone)?;
        let outcome = self.outcome(finished);
        let judged = outcome.judged.iter().find(|judged| judged.check.id == check.id);
        let judged = judged.ok_or_else(|| format!("{} is not among this run's checks", check.id))?;
        Ok(look(&outcome, judged))
    }

    /// The outcome of the run. All trials ask for it, so the evidence is judged once.
    fn outcome<'a>(&self, finished: &'a Finished) -> Outcome<'a> {
        let findings = self.findings.get_or_init(|| {
            let outcome = Outcome::of(&finished.evidence, self.settings.checks.iter().copied());
            outcome.judged.into_iter().map(|judged| (judged.check, judged.finding)).collect()
        });
        with_run(finished, Outcome::with(&finished.evidence, findings.iter().cloned()), &self.settings.rerun)
    }

    /// The outcome of the run if this process carried it out, so that only one of the trials reports it.
    pub fn carried_out(&self) -> Option<Outcome<'_>> {
        let finished = self.finished.get().filter(|_| self.carried_out.load(Ordering::Relaxed))?.as_ref().ok()?;
        Some(self.outcome(finished))
    }

    async fn finish(&self) -> Result<Finished, RunError> {
        match std::env::var(NEXTEST_RUN) {
            Ok(id) => self.finish_once(&format!("nextest-{id}")).await,
            Err(_) => {
                let id = super::run_id();
                self.run(&id, &id).await
            }
        }
    }

    async fn run(&self, folder: &str, run_id: &str) -> Result<Finished, RunError> {
        let directory = make_directory(&self.settings.artifacts, folder)?;
        let finished = run_in(&self.settings, run_id, directory, self.cancel.clone(), &Progress::new()).await?;
        write_reports(&self.outcome(&finished))?;
        self.carried_out.store(true, Ordering::Relaxed);
        Ok(finished)
    }

    /// Carries out the run unless another process has done so; waits for one that is doing so.
    async fn finish_once(&self, name: &str) -> Result<Finished, RunError> {
        let artifacts = &self.settings.artifacts;
        let path = artifacts.join(format!("{name}.lock"));
        let refuse = |source| RunError::File { path: path.clone(), source };
        std::fs::create_dir_all(artifacts).map_err(refuse)?;
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(refuse)?;
        let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
        let _lock = locked.map_err(|error| refuse(std::io::Error::other(error)))?.map_err(refuse)?;
        let directory = artifacts.join(name);
        if !directory.join("results.json").is_file() {
            // A directory without a result is of a killed process.
            match std::fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(refuse(error)),
                _ => return self.run(name, &super::run_id()).await,
            }
        }
        let directory: PathBuf = directory.canonicalize().map_err(refuse)?;
        let evidence = Evidence::read(&directory.join("evidence.jsonl"))?;
        Ok(Finished { directory, evidence, trouble: None, kept: None })
    }
}
