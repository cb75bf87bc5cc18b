//! `steadfast run` and `steadfast upgrade`: does a run and reports its verdicts.

use steadfast::report::Progress;
use steadfast::run::{self, Settings};

use super::ending::{report, without_secrets};

/// Runs with these settings.
pub(crate) async fn act(settings: &Settings, color: clap::ColorChoice) -> anyhow::Result<u8> {
    let progress = Progress::new();
    let finished = run::run(settings, run::cancelled_by_signals(), &progress).await;
    let finished = finished.map_err(|error| without_secrets(&error, &progress))?;
    report(&finished, &progress, (&settings.checks, &settings.rerun), color)
}
