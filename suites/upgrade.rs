//! The upgrade suite: every check of an upgrade is a trial, and all of them rest on one run, which upgrades a kind cluster
//! of its own in place and then puts the new version to all other checks.
//!
//! `STEADFAST_KUBERNETES` is the version to begin with, and `STEADFAST_UPGRADE` the one to end with; otherwise the
//! default version is the end, and the latest that is ready and leads there the beginning. Where only a part of the suites
//! is asked for (`STEADFAST_PART`), the upgrade is none of it: it takes as long as several parts.

use std::process::ExitCode;

use steadfast::check::UPGRADE_CHECKS;
use steadfast::cluster::{Lab, Version};
use steadfast::driver::Rate;
use steadfast::run::{RunConfig, Settings};
use steadfast_suites::environment::{no_cluster, variable};
use steadfast_suites::part::no_upgrades;
use steadfast_suites::{check_trials, settings};

/// An upgrade takes several times as long as a run, and a replica that begins anew has to fetch all that was written.
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
