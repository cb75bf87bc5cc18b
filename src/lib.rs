//! Steadfast: an end-to-end conformance harness for StatefulSets that run MySQL.
//!
//! A scenario acts, a recorder writes down all that is seen, and checks judge the record. The rooms of the house:
//!
//! | room         | what belongs there |
//! |--------------|--------------------|
//! | [`cluster`]  | where a run takes place: kind, an existing context, the lab, preflight |
//! | [`workload`] | what is under test: manifests parsed, understood, applied, deleted |
//! | [`evidence`] | what was seen: records, the log, the recorder, the timeline |
//! | [`probe`]    | asks the running workload, through the witness and in containers |
//! | [`witness`]  | the part that runs as a pod, asks DNS and MySQL from inside, and keeps the write ledger |
//! | [`scenario`] | the order of acts, one file each |
//! | [`mysql`]    | statements by what a server is, its replication status, GTID sets |
//! | [`check`]    | the catalogue and its judges: pure functions of the evidence |
//! | [`lint`]     | manifests judged without a cluster: rules, and the places that they point to |
//! | [`report`]   | terminal, results.json, JUnit, HTML, GitHub Actions, progress |
//! | [`redaction`] | takes passwords out of all that is written |
//! | [`run`]      | one run, from settings to verdicts |
//! | [`terminal`] | the one writer to standard output and standard error |
//! | [`trend`]    | many runs: how often each check was red, and where figures are going |
//!
//! Dependencies point one way: [`check`] knows only [`evidence`] and the pure part of [`mysql`], and [`lint`] only the
//! part of [`workload`] that reads manifests.

pub mod choice;
pub mod cluster;
pub mod driver;
pub mod probe;
pub mod record;
pub mod redaction;
pub mod report;
pub mod run;
pub mod scenario;
pub mod terminal;
pub mod trend;
pub mod workload;

pub use steadfast_judge as check;
pub use steadfast_lint as lint;
pub use steadfast_model as evidence;
use steadfast_model::{image, object, regular};
pub use steadfast_model::{mysql, text};
pub use steadfast_witness as witness;
