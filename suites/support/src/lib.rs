//! Shared code of the test suites. A suite is a test of the root package: `suites/NAME.rs`, or `suites/NAME/main.rs`
//! if it has several files.
//!
//! | module               | content            | suites |
//! |----------------------|--------------------|--------|
//! | [`trials`]           | trials, each with its own cluster | `botched`, `interrupts`, `phases`, `secrets` |
//! | [`check_trials`]     | trials that are checks of one shared run | `conformance`, `upgrade` |
//! | [`workload_trials`]  | trials that are workloads, many in one cluster | `mutants`, `variants` |
//! | [`shared_cluster`]   | a cluster on which trials call the program | `existing`, `refusals` |
//! | [`workload_cluster`] | a cluster for many workloads at once | `mutants`, `variants` |
//! | [`older_cluster`]    | a cluster that a trial upgrades | `botched`, `phases` |
//! | [`program`]          | the program with a separate cache | `existing`, `interrupts` |
//! | [`settings`]         | the settings of a run | `botched`, `conformance`, `upgrade` |
//! | [`environment`]      | the environment variables | all |
//! | [`part`]             | one part of a suite: `STEADFAST_PART` | `mutants`, `variants`, `refusals` |
//!
//! The suites `mutants` and `variants` read the lists of their workloads from `manifests/mutants/mutants.yaml` and
//! `manifests/variants/variants.yaml`.

pub mod check_trials;
pub mod environment;
pub mod older_cluster;
pub mod part;
pub mod program;
pub mod settings;
pub mod shared_cluster;
pub mod trials;
pub mod workload_cluster;
pub mod workload_trials;
