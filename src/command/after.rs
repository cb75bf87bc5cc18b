//! `steadfast after`: the second half of an upgrade that somebody else makes.

use std::path::PathBuf;

use clap::Args;
use steadfast::check::UPGRADE_CHECKS;
use steadfast::report::Progress;
use steadfast::run::{self, Keep, Target, phases};
use steadfast::text::quoted;

use super::ending::{refused, report};
use super::options::scale;

/// What `after` can be told.
#[derive(Debug, Args)]
pub(crate) struct AfterOptions {
    /// The file that `steadfast before` wrote.
    #[arg(long, value_name = "FILE", default_value = "steadfast-state.json")]
    state: PathBuf,
    /// Compare nothing. Remove the objects that `before` created, and the state file.
    #[arg(long, conflicts_with_all = ["keep", "allow_disruption"])]
    abandon: bool,
    /// The kubeconfig file of the cluster, if it has changed since `before`. It is never taken from the environment.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context in that file [default: its current one].
    #[arg(long, requires = "kubeconfig")]
    context: Option<String>,
    /// Accept an API server that cannot be authenticated. Anyone on the network path can then read and change all
    /// traffic.
    #[arg(long, requires = "kubeconfig")]
    allow_insecure: bool,
    /// The witness image for a cluster that pulls its images, if it has changed since `before`.
    #[arg(long, value_name = "IMAGE", requires = "kubeconfig")]
    witness_image: Option<String>,
    /// Allow pods of the workload that `after` deploys to be deleted, killed and scaled. Without it, checks that need
    /// this are skipped. Nodes, DNS servers, the API server and the compared workload are never disrupted.
    #[arg(long)]
    allow_disruption: bool,
    /// The folder in which run directories are created.
    #[arg(long, value_name = "DIR", env = "ARTIFACTS", default_value = "target/steadfast")]
    artifacts: PathBuf,
    /// When to keep the objects that `before` created. While they exist, `after` can be run again.
    #[arg(long, value_enum, default_value = "on-failure")]
    keep: Keep,
    /// Multiply every timeout, for a slow machine [default: the value that `before` used].
    #[arg(long, value_name = "N", value_parser = scale)]
    timeout_scale: Option<f64>,
}

impl AfterOptions {
    fn request(&self) -> phases::After {
        let target = self.kubeconfig.clone().map(|kubeconfig| Target::Context {
            kubeconfig,
            context: self.context.clone(),
            // The UID comes from the state file.
            uid: None,
            witness_image: self.witness_image.clone(),
            allow_insecure: self.allow_insecure,
            namespaces: None,
        });
        let agreed = if self.allow_disruption { " --allow-disruption" } else { "" };
        phases::After {
            state: self.state.clone(),
            target,
            allow_disruption: self.allow_disruption,
            artifacts: self.artifacts.clone(),
            keep: self.keep,
            timeout_scale: self.timeout_scale,
            rerun: format!("steadfast after --state {}{agreed}", quoted(&self.state.display().to_string())),
        }
    }
}

/// Runs the command.
pub(crate) async fn act(options: &AfterOptions, color: clap::ColorChoice) -> anyhow::Result<u8> {
    let (request, progress) = (options.request(), Progress::new());
    if options.abandon {
        let done = phases::abandon(&request, &progress).await;
        return done.map_or_else(|error| refused(&error, &progress), |()| Ok(0));
    }
    let finished = match phases::after(&request, run::cancelled_by_signals(), &progress).await {
        Err(error) => return refused(&error, &progress),
        Ok(finished) => finished,
    };
    let checks: Vec<_> = UPGRADE_CHECKS.iter().collect();
    report(&finished, &progress, (&checks, &request.rerun), color)
}
