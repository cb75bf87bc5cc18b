//! What the harness knows of MySQL and MariaDB: statements for each flavour of server, the replication status, and GTID
//! sets. All of it is pure.

pub mod flavour;
pub mod gtid;
pub mod intervals;
pub mod statements;
pub mod status;
