//! Asks the running workload: SQL and DNS through the witness, commands in containers.

mod exec;
mod witness;

pub use exec::{exec, exec_with};
pub use witness::{Session, WitnessError};
