//! The two servers that all trials of a flavour share. They start with the first trial, serve one trial at a time,
//! and are removed after the last one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use libtest_mimic::Failed;
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use crate::context::FlavoursContext;
use crate::pair::Pair;

/// The function of a trial with the two servers.
pub(crate) type PairTrialFunction = for<'a> fn(&'a Pair) -> BoxFuture<'a, Result<(), Failed>>;

/// The state of the servers of a flavour.
enum Servers {
    NotStarted,
    Running(Box<Pair>, OwnedSemaphorePermit),
    Failed(String),
}

impl Servers {
    async fn remove(&mut self) {
        if let Self::Running(pair, _permit) = std::mem::replace(self, Self::NotStarted) {
            pair.remove().await;
        }
    }
}

/// The servers of one flavour, and the number of trials that still need them.
pub(crate) struct SharedPair {
    /// The image name in manifests.
    pub wanted: String,
    context: Arc<FlavoursContext>,
    servers: Mutex<Servers>,
    /// The number of trials that have not ended yet.
    left: AtomicUsize,
}

impl SharedPair {
    /// Creates a pair without starting it.
    pub(crate) fn new(wanted: &str, context: Arc<FlavoursContext>) -> Self {
        let servers = Mutex::new(Servers::NotStarted);
        Self { wanted: wanted.to_owned(), context, servers, left: AtomicUsize::new(0) }
    }

    /// Counts a trial that will run with the servers.
    pub(crate) fn expect(&self, will_run: bool) {
        self.left.fetch_add(will_run.into(), Ordering::Relaxed);
    }

    /// Removes the servers, if they run.
    pub(crate) async fn remove(&self) {
        self.servers.lock().await.remove().await;
    }

    /// Runs a trial, which has the servers for itself. The last trial removes them, even if it fails.
    pub(crate) async fn run(&self, function: PairTrialFunction) -> Result<(), Failed> {
        let mut servers = self.servers.lock().await;
        let mut result = AssertUnwindSafe(self.run_with(&mut servers, function)).catch_unwind().await;
        if let (Ok(Err(failed)), Servers::Running(pair, _)) = (&mut result, &*servers) {
            *failed = Failed::from(format!("{}\n{}", failed.message().unwrap_or(""), pair.save_logs().await));
        }
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 || self.context.cancel.is_cancelled() {
            servers.remove().await;
        }
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    async fn run_with(&self, servers: &mut Servers, function: PairTrialFunction) -> Result<(), Failed> {
        if self.context.cancel.is_cancelled() {
            return Err(Failed::from("interrupted"));
        }
        if matches!(servers, Servers::NotStarted) {
            *servers =
                self.start().await.unwrap_or_else(|failed| Servers::Failed(failed.message().unwrap_or("").to_owned()));
        }
        match servers {
            Servers::Running(pair, _) => tokio::select! {
                result = function(pair) => result,
                () = self.context.cancel.cancelled() => Err(Failed::from("interrupted")),
            },
            Servers::Failed(why) => Err(Failed::from(format!("the servers did not start: {why}"))),
            Servers::NotStarted => unreachable!("they were started"),
        }
    }

    async fn start(&self) -> Result<Servers, Failed> {
        let lab = self.context.lab().await?;
        let wanted = &self.wanted;
        let image = lab.image(wanted).ok_or_else(|| {
            let ready: Vec<_> = lab.images.iter().map(|image| image.wanted.as_str()).collect();
            format!("no image stands for {wanted} (there is {}): run ci/setup", ready.join(", "))
        })?;
        let permit = self.context.at_once.clone().acquire_owned().await?;
        let pair = Pair::start(wanted, &image.image, &self.context.run, &self.context.cancel).await?;
        Ok(Servers::Running(Box::new(pair), permit))
    }
}
