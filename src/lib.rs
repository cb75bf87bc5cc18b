//! Steadfast: an end-to-end conformance harness for StatefulSets that run MySQL.
//!
//! A scenario acts, a recorder writes down everything that it sees, and checks judge the records.
//!
//! | module        | what belongs there |
//! |---------------|--------------------|
//! | [`cluster`]   | where a run takes place: kind, an existing context, the lab |
//! | [`workload`]  | what is under test: manifests are parsed, applied and deleted |
//! | [`record`]    | the append-only log and the recorder that fills it |
//! | [`probe`]     | asks the running workload, through the witness and in containers |
//! | [`driver`]    | what acts on pods, servers, nodes and the ledger |
//! | [`scenario`]  | the order of acts, one file each |
//! | [`run`]       | one run, from settings to verdicts |
//! | [`report`]    | terminal, results.json, JUnit, HTML, GitHub Actions, progress |
//! | [`trend`]     | many runs: how often each check was red, and how figures develop |
//! | [`schema`]    | the JSON schemas of what other programs read |
//! | [`redaction`] | removes passwords from everything that is written |
//! | [`terminal`]  | the one writer to standard output and standard error |
//! | [`choice`]    | settings with a few named values, on the command line |
//!
//! Crates of their own, so that the compiler enforces the boundaries:
//!
//! | here          | crate               | what belongs there |
//! |---------------|---------------------|--------------------|
//! | [`evidence`], [`mysql`], [`text`] | `steadfast-model` | records, index, timeline, scenarios, budgets; what servers say |
//! | [`check`]     | `steadfast-judge`   | the catalogue of checks and their judges: pure functions of the evidence |
//! | [`lint`]      | `steadfast-lint`    | manifests read and judged without a cluster |
//! | [`witness`]   | `steadfast-witness` | the part that runs as a pod, asks DNS and MySQL from inside, and keeps the write ledger |
//!
//! A stored run is judged again without a cluster:
//!
//! ```
//! use steadfast::check::{Verdict, find};
//! use steadfast::evidence::Evidence;
//!
//! let log = concat!(env!("CARGO_MANIFEST_DIR"), "/suites/replay/made-good.jsonl");
//! let evidence = Evidence::read(log.as_ref())?;
//! let check = find("ordering::starts_in_ordinal_order").ok_or("no such check")?;
//! assert_eq!(check.judge(&evidence).verdict, Verdict::Pass);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `docs/architecture.md` follows an option, a pod's event and a write through all of them.

pub mod choice;
pub mod cluster;
pub mod driver;
pub mod probe;
pub mod record;
pub mod redaction;
pub mod report;
pub mod run;
pub mod scenario;
pub mod schema;
pub mod terminal;
pub mod trend;
pub mod workload;

pub use steadfast_judge as check;
pub use steadfast_lint as lint;
pub use steadfast_model as evidence;
use steadfast_model::{image, object, regular};
pub use steadfast_model::{mysql, text};
pub use steadfast_witness as witness;
