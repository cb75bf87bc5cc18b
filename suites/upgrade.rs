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

mod common;
#[path = "common/settings.rs"]
mod settings;
#[path = "common/shared.rs"]
mod shared;
#[path = "common/upgrades.rs"]
mod upgrades;

/// An upgrade takes several times as long as a run, and a recreated replica must fetch everything that was written.
const LEDGER: Rate = Rate { writers: 8, per_second: 2 };

fn main() -> ExitCode {
    let reason = if std::env::var("STEADFAST_CLUSTER").as_deref() == Ok("none") {
        Some("STEADFAST_CLUSTER=none: no cluster is wanted".to_owned())
    } else {
        upgrades::left_out()
    };
    if let Some(reason) = reason {
        return shared::ignore(UPGRADE_CHECKS, &reason);
    }
    let to = common::variable::<Version>("STEADFAST_UPGRADE").or_else(|| {
        let lab = Lab::read().unwrap_or_else(|error| panic!("{error}"));
        lab.default_kubernetes.parse().ok()
    });
    let rerun = "cargo test --test upgrade -- --exact";
    shared::run(UPGRADE_CHECKS, |checks| {
        let settings = settings::usual(shared::new_cluster(), checks, rerun);
        Settings { upgrade: to, config: RunConfig { ledger: LEDGER, ..settings.config }, ..settings }
    })
}
