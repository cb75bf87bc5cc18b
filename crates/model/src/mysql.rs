//! What the harness knows of MySQL and MariaDB: statements by what the server is, what a replica says of itself, and
//! GTID sets. All of it is pure.

pub mod flavour;
pub mod gtid;
pub mod intervals;
pub mod statements;
pub mod status;
