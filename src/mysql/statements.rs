//! The statements that the harness sends, chosen by the server's version: names changed between releases
//! (<https://dev.mysql.com/doc/refman/8.0/en/news-8-0-23.html>).

/// The schema that the harness writes to.
pub const SCHEMA: &str = "steadfast";

/// The account that replicas log in with.
pub const REPLICA_USER: &str = "steadfast_replica";

/// The placeholder of that account's password.
pub const REPLICA_PASSWORD: &str = "replica_password";

/// The account that the witness's ledger writes and looks at replicas with.
pub const WRITER_USER: &str = "steadfast_writer";

/// The placeholder of that account's password.
pub const WRITER_PASSWORD: &str = "writer_password";

/// The table that the witness's ledger writes to.
pub const ENTRIES_TABLE: &str = "steadfast.entries";

/// Asks whether the server answers an authenticated query.
pub const PING: &str = "SELECT 1 AS ping";

/// Asks who the server is.
pub const IDENTITY: &str =
    "SELECT @@hostname AS hostname, @@server_id AS server_id, @@server_uuid AS server_uuid, @@version AS version";

/// Asks what the server does to keep a commit, and to make a replica's relay log anew after a crash.
pub const SETTINGS: &str = "SELECT @@GLOBAL.sync_binlog AS sync_binlog, \
    @@GLOBAL.innodb_flush_log_at_trx_commit AS innodb_flush_log_at_trx_commit, \
    @@GLOBAL.relay_log_recovery AS relay_log_recovery";

/// Asks which transactions the server has executed.
pub const GTID_EXECUTED: &str = "SELECT @@GLOBAL.gtid_executed AS gtid_executed";

/// Asks which rows the ledger's table has.
pub const ROWS: &str = "SELECT id FROM steadfast.ledger ORDER BY id";

/// Asks which writes of the witness's ledger the server has, and how often.
pub const ENTRIES: &str = "SELECT id FROM steadfast.entries ORDER BY id";

/// Asks whether commits wait for a replica, and how many did: of a server's names those are left out that it has not.
pub const SEMI_SYNC_STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN \
    ('Rpl_semi_sync_master_status', 'Rpl_semi_sync_master_yes_tx', \
    'Rpl_semi_sync_source_status', 'Rpl_semi_sync_source_yes_tx')";

/// Asks which tables there are, without the server's own; the names are quoted as statements need them.
pub const TABLES: &str = "SELECT CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`') \
    AS name FROM information_schema.tables \
    WHERE table_type = 'BASE TABLE' \
    AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY name";

/// Tries to write without leaving a trace where the write is accepted.
pub const TRY_WRITE: [&str; 3] =
    ["START TRANSACTION", "INSERT INTO steadfast.ledger (id, payload) VALUES (0, 'must be refused')", "ROLLBACK"];

/// Makes the tables that the harness and the witness write to, and the accounts of the replicas and of the witness's
/// ledger. In that ledger's table the id is no key: a write that was applied twice is to show.
pub fn prepare() -> Vec<String> {
    vec![
        format!("CREATE USER IF NOT EXISTS '{REPLICA_USER}'@'%' IDENTIFIED BY ${{{REPLICA_PASSWORD}}}"),
        format!("GRANT REPLICATION SLAVE ON *.* TO '{REPLICA_USER}'@'%'"),
        format!("CREATE USER IF NOT EXISTS '{WRITER_USER}'@'%' IDENTIFIED BY ${{{WRITER_PASSWORD}}}"),
        format!("GRANT INSERT, SELECT ON {SCHEMA}.* TO '{WRITER_USER}'@'%'"),
        format!("CREATE DATABASE {SCHEMA}"),
        format!("CREATE TABLE {SCHEMA}.ledger (id BIGINT UNSIGNED PRIMARY KEY, payload VARCHAR(64) NOT NULL)"),
        format!(
            "CREATE TABLE {ENTRIES_TABLE} \
             (seq BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, id BIGINT UNSIGNED NOT NULL, KEY (id))"
        ),
        format!("CREATE TABLE {SCHEMA}.reference (id INT UNSIGNED PRIMARY KEY, word VARCHAR(64) NOT NULL)"),
        format!("INSERT INTO {SCHEMA}.reference (id, word) VALUES (1, 'one'), (2, 'two'), (3, 'three')"),
    ]
}

/// One write of the ledger: a single statement that commits by itself, so that its outcome is one of three.
pub fn write(id: u64) -> String {
    format!("INSERT INTO {SCHEMA}.ledger (id, payload) VALUES ({id}, 'acknowledged rows must stay')")
}

/// Waits on the server until it has executed a GTID set, for at most so many seconds.
pub fn barrier(set: &str, seconds: u64) -> String {
    let set = set.replace(char::is_whitespace, "");
    format!("SELECT '{set}' AS gtid_set, WAIT_FOR_EXECUTED_GTID_SET('{set}', {seconds}) = 0 AS reached")
}

/// Asks for the checksum of every table.
pub fn digest(tables: &[String]) -> String {
    format!("CHECKSUM TABLE {}", tables.join(", "))
}

/// The words for replication that a server understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `CHANGE MASTER TO`, `SHOW SLAVE STATUS`: up to 8.0.22, and gone in 8.4.
    Master,
    /// `CHANGE REPLICATION SOURCE TO`, `SHOW REPLICA STATUS`: from 8.0.23.
    Source,
}

impl Dialect {
    /// The dialect of a server by what `@@version` says, such as `5.7.22-log`.
    pub fn of(version: &str) -> Self {
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        if (next(), next(), next()) >= (8, 0, 23) { Self::Source } else { Self::Master }
    }

    /// Makes a server follow the source, find its own place by GTID, try again every second, and refuse writes.
    pub fn follow(self, host: &str, port: u16) -> Vec<String> {
        let password = format!("${{{REPLICA_PASSWORD}}}");
        let (change, start) = match self {
            Self::Master => (
                format!(
                    "CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_PORT = {port}, MASTER_USER = '{REPLICA_USER}', \
                     MASTER_PASSWORD = {password}, MASTER_AUTO_POSITION = 1, MASTER_CONNECT_RETRY = 1"
                ),
                "START SLAVE",
            ),
            Self::Source => (
                format!(
                    "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}, \
                     SOURCE_USER = '{REPLICA_USER}', SOURCE_PASSWORD = {password}, SOURCE_AUTO_POSITION = 1, \
                     SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400, GET_SOURCE_PUBLIC_KEY = 1"
                ),
                "START REPLICA",
            ),
        };
        vec![change, start.to_owned(), "SET GLOBAL super_read_only = ON".to_owned()]
    }

    /// Characters that the source's host name may have: 255 from 8.0.17 on, 60 before
    /// (<https://dev.mysql.com/doc/refman/8.0/en/change-master-to.html>). The servers from 8.0.17 to 8.0.22 are held
    /// to the shorter limit too.
    pub fn longest_host(self) -> usize {
        match self {
            Self::Master => 60,
            Self::Source => 255,
        }
    }

    /// Asks how replication is.
    pub fn status(self) -> &'static str {
        match self {
            Self::Master => "SHOW SLAVE STATUS",
            Self::Source => "SHOW REPLICA STATUS",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_follows_the_version() {
        for version in ["5.7.22-log", "8.0.15", "8.0.22"] {
            assert_eq!(Dialect::of(version), Dialect::Master, "{version}");
        }
        for version in ["8.0.23", "8.4.8", "9.7.4-1"] {
            assert_eq!(Dialect::of(version), Dialect::Source, "{version}");
        }
    }

    #[test]
    fn a_barrier_takes_a_set_over_several_lines() {
        let statement = barrier("a:1-3,\nb:1", 5);
        assert_eq!(
            statement,
            "SELECT 'a:1-3,b:1' AS gtid_set, WAIT_FOR_EXECUTED_GTID_SET('a:1-3,b:1', 5) = 0 AS reached"
        );
    }

    #[test]
    fn no_password_stands_in_a_statement() {
        let statements = [prepare(), Dialect::Master.follow("h", 1), Dialect::Source.follow("h", 1)].concat();
        let with = |placeholder: &str| statements.iter().filter(|statement| statement.contains(placeholder)).count();
        assert_eq!((with("${replica_password}"), with("${writer_password}")), (3, 1));
    }
}
