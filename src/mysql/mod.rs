//! What the harness knows of MySQL: the statements that a server's version understands, and GTID sets.

pub mod gtid;
pub mod intervals;
pub mod statements;
