//! Steadfast: an end-to-end conformance harness for StatefulSets that run MySQL.
//!
//! A scenario acts, a recorder writes down all that is seen, and checks judge the record: three rooms with one-way
//! doors. The rest of the house serves them.

pub mod check;
pub mod cluster;
pub mod evidence;
pub mod mysql;
pub mod probe;
pub mod report;
pub mod run;
pub mod scenario;
pub mod witness;
pub mod workload;
