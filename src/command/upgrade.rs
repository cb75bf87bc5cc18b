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
    /// Judge only checks whose id contains this, such as `writes`; the upgrade is acted whole.
    filter: Option<String>,
    /// The Kubernetes version to upgrade to: a later patch, or the next minor version. `--kubernetes` says which one to
    /// begin with [default: the latest that is ready and leads there].
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
                "an upgrade drains every node of a cluster that was there before; agree by --allow-disruption, \
                        or leave the cluster out to make one"
                    .to_owned(),
            );
        }
        let rerun = settings.rerun.replacen("steadfast run", &format!("steadfast upgrade --to {}", self.to), 1);
        Ok(Settings { upgrade: Some(self.to), rerun, ..settings })
    }
}
