//! The statements that the harness sends and that every server understands; [`Flavour`](super::flavour::Flavour) has
//! those that differ.

/// The schema that the harness writes to.
pub const SCHEMA: &str = "steadfast";

/// The account that replicas log in with.
pub const REPLICA_USER: &str = "steadfast_replica";

/// The placeholder of that account's password.
pub const REPLICA_PASSWORD: &str = "replica_password";

/// Asks whether the server answers an authenticated query.
pub const PING: &str = "SELECT 1 AS ping";

/// Asks who the server is, before anything is known of it. MariaDB has no `server_uuid`: it reads the second comment and
/// skips the first, as it does those for versions that only MySQL has had
/// (<https://mariadb.com/kb/en/comment-syntax/>), and MySQL does the reverse.
pub const IDENTITY: &str = "SELECT @@hostname AS hostname, @@server_id AS server_id, \
    /*!50700 @@server_uuid */ /*M! NULL */ AS server_uuid, @@version AS version";

/// Asks what the server does to keep a commit, and to make a replica's relay log anew after a crash.
pub const SETTINGS: &str = "SELECT @@GLOBAL.sync_binlog AS sync_binlog, \
    @@GLOBAL.innodb_flush_log_at_trx_commit AS innodb_flush_log_at_trx_commit, \
    @@GLOBAL.relay_log_recovery AS relay_log_recovery";

/// Asks which rows the ledger's table has.
pub const ROWS: &str = "SELECT id FROM steadfast.ledger ORDER BY id";

/// Asks which tables there are, without the server's own; the names are quoted as statements need them.
pub const TABLES: &str = "SELECT CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`') \
    AS name FROM information_schema.tables \
    WHERE table_type = 'BASE TABLE' \
    AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY name";

/// Tries to write without leaving a trace where the write is accepted.
pub const TRY_WRITE: [&str; 3] =
    ["START TRANSACTION", "INSERT INTO steadfast.ledger (id, payload) VALUES (0, 'must be refused')", "ROLLBACK"];

/// Has the server begin another file of its binary log and throw away all before it: who needs those cannot go on.
pub const PURGE: [&str; 2] = ["FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"];

/// One write of the ledger: a single statement that commits by itself, so that its outcome is one of three.
pub fn write(id: u64) -> String {
    format!("INSERT INTO {SCHEMA}.ledger (id, payload) VALUES ({id}, 'acknowledged rows must stay')")
}

/// Asks for the checksum of every table.
pub fn digest(tables: &[String]) -> String {
    format!("CHECKSUM TABLE {}", tables.join(", "))
}
