//! `steadfast upgrade`: a run that upgrades its cluster in place.

use clap::Args;
use steadfast::check::{Check, UPGRADE_CHECKS};
use steadfast::cluster::Version;
use steadfast::run::{Settings, Target};

use super::options::RunOptions;
use super::select::matching;

/// What an upgrade can be told.
#[derive(Debug, Args)]
pub(crate) struct UpgradeOptions {
    /// Judge only checks whose id contains this, such as `writes`. The upgrade itself always runs completely.
    filter: Option<String>,
    /// The Kubernetes version to upgrade to: a later patch, or the next minor version. `--kubernetes` sets the version
    /// to start from [default: the latest prepared version that can be upgraded to it].
    #[arg(long, value_name = "VERSION")]
    to: Version,
    #[command(flatten)]
    run: RunOptions,
}

impl UpgradeOptions {
    /// The settings of the run.
    ///
    /// # Errors
    /// When the filter matches no check, or when an existing cluster may not be disrupted. The message says what to do.
    pub(crate) fn settings(&self) -> Result<Settings, String> {
        let checks: Vec<&'static Check> = matching(UPGRADE_CHECKS.iter(), self.filter.as_deref())?;
        let settings = self.run.settings(checks);
        if !settings.allow_disruption && !matches!(settings.target, Target::New { .. }) {
            return Err(
                "an upgrade drains every node of an existing cluster; allow that with --allow-disruption, or omit the \
                 cluster to create a new one"
                    .to_owned(),
            );
        }
        let rerun = settings.rerun.replacen("steadfast run", &format!("steadfast upgrade --to {}", self.to), 1);
        Ok(Settings { upgrade: Some(self.to), rerun, ..settings })
    }
}
