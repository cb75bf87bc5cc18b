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

mod common;
#[path = "common/settings.rs"]
mod settings;
#[path = "common/shared.rs"]
mod shared;
#[path = "common/upgrades.rs"]
mod upgrades;

/// An upgrade takes several times as long as a run, and a replica that begins anew has to fetch all that was written.
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
