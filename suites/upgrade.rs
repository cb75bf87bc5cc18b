//! The upgrade suite: every check of an upgrade is a trial, and all trials share one run. The run upgrades its own kind
//! cluster in place, and then runs all other checks on the new version.
//!
//! `STEADFAST_KUBERNETES` is the version to start with, and `STEADFAST_UPGRADE` the version to end with. By default the
//! run ends with the default version, and starts with the latest version in the lab from which an upgrade to it is
//! possible. If only a part of the suites is selected (`STEADFAST_PART`), the upgrade is left out: it takes as long as
//! several parts.

use std::process::ExitCode;

use steadfast::check::UPGRADE_CHECKS;
use steadfast::cluster::{Lab, Version};
use steadfast::driver::Rate;
use steadfast::run::{RunConfig, Settings};
use steadfast_suites::environment::{no_cluster, variable};
use steadfast_suites::part::no_upgrades;
use steadfast_suites::{check_trials, settings};

/// An upgrade takes several times as long as a run, and a recreated replica must fetch everything that was written.
const LEDGER: Rate = Rate { writers: 8, per_second: 2 };

fn main() -> ExitCode {
    if let Some(reason) = no_cluster().or_else(no_upgrades) {
        return check_trials::ignore(UPGRADE_CHECKS, &reason);
    }
    let to = variable::<Version>("STEADFAST_UPGRADE").or_else(|| {
        let lab = Lab::read().unwrap_or_else(|error| panic!("{error}"));
        lab.default_kubernetes.parse().ok()
    });
    let rerun = "cargo test --test upgrade -- --exact";
    check_trials::run(UPGRADE_CHECKS, |checks| {
        let settings = settings::usual(settings::new_cluster(), checks, rerun);
        Settings { upgrade: to, config: RunConfig { ledger: LEDGER, ..settings.config }, ..settings }
    })
}
