//! `steadfast up`: deploys the workload up to replication and leaves it running.

use steadfast::report::Progress;
use steadfast::run;
use steadfast::terminal::tell;

use super::ending::{tell_kept, trouble, without_secrets};
use super::options::RunOptions;

/// Deploys, and leaves everything running.
pub(crate) async fn act(options: &RunOptions) -> anyhow::Result<u8> {
    let settings = options.up();
    let progress = Progress::new();
    let finished = run::run(&settings, run::cancelled_by_signals(), &progress).await;
    let finished = finished.map_err(|error| without_secrets(&error, &progress))?;
    let outcome = run::outcome(&finished, &settings.checks, &settings.rerun);
    run::write_reports(&outcome)?;
    let trouble = trouble(&finished, &progress);
    if let Some(run) = finished.evidence.run() {
        tell(&format!("namespace: {}", run.subject.namespace));
    }
    tell_kept(&finished);
    Ok(trouble.unwrap_or(outcome.exit_code()))
}
