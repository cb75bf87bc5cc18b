//! What the test suites share. A suite is a test of the root package: `suites/NAME.rs`, or `suites/NAME/main.rs` where it
//! has several files.
//!
//! | module               | what belongs there | suites |
//! |----------------------|--------------------|--------|
//! | [`trials`]           | trials that share nothing, each with a cluster of its own | `botched`, `interrupts`, `phases`, `secrets` |
//! | [`check_trials`]     | trials that are checks, all on one run | `conformance`, `upgrade` |
//! | [`workload_trials`]  | trials that are workloads, many in one cluster | `mutants`, `variants` |
//! | [`shared_cluster`]   | a cluster on which trials call the program | `existing`, `refusals` |
//! | [`workload_cluster`] | a cluster for many workloads at once | `mutants`, `variants` |
//! | [`older_cluster`]    | a cluster that a trial upgrades | `botched`, `phases` |
//! | [`program`]          | the program with a cache of its own | `existing`, `interrupts` |
//! | [`settings`]         | what a run is asked to do | `botched`, `conformance`, `upgrade` |
//! | [`environment`]      | the environment variables | all |
//! | [`part`]             | one part of a suite: `STEADFAST_PART` | `mutants`, `variants`, `refusals` |
//!
//! A mutant is declared in `manifests/mutants/mutants.yaml`, a variant in `manifests/variants/variants.yaml`; the suites
//! `mutants` and `variants` read these lists.

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
