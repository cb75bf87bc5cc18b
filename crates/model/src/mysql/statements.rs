//! The statements that the harness sends and every server understands; [`Flavour`](super::flavour::Flavour) has those
//! that differ between servers.

/// The schema that the harness writes to.
pub const SCHEMA: &str = "steadfast";

/// The account that replicas use to log in.
pub const REPLICA_USER: &str = "steadfast_replica";

/// The placeholder for that account's password.
pub const REPLICA_PASSWORD: &str = "replica_password";

/// The account that the witness's ledger uses to write and to query replicas.
pub const WRITER_USER: &str = "steadfast_writer";

/// The placeholder for that account's password.
pub const WRITER_PASSWORD: &str = "writer_password";

/// The account that the harness uses where root may not log in from other machines.
pub const ADMIN_USER: &str = "steadfast_admin";

/// The table that the witness's ledger writes to.
pub const ENTRIES_TABLE: &str = "steadfast.entries";

/// Asks whether the server answers an authenticated query.
pub const PING: &str = "SELECT 1 AS ping";

/// Asks who the server is, before its flavour is known. MariaDB has no `server_uuid`: it executes the second comment
/// and skips the first, because it skips comments for versions that only MySQL had
/// (<https://mariadb.com/kb/en/comment-syntax/>). MySQL does the reverse.
pub const IDENTITY: &str = "SELECT @@hostname AS hostname, @@server_id AS server_id, \
    /*!50700 @@server_uuid */ /*M! NULL */ AS server_uuid, @@version AS version";

/// Asks how durable the server makes a commit, and whether it rebuilds a replica's relay log after a crash.
pub const SETTINGS: &str = "SELECT @@GLOBAL.sync_binlog AS sync_binlog, \
    @@GLOBAL.innodb_flush_log_at_trx_commit AS innodb_flush_log_at_trx_commit, \
    @@GLOBAL.relay_log_recovery AS relay_log_recovery";

/// Asks for the settings of semi-synchronous replication: whether commits wait for a replica, how long, and at
/// which point; no row if the plugin is not loaded
/// (<https://dev.mysql.com/doc/refman/8.4/en/replication-semisync-interface.html>).
pub const SEMI_SYNC: &str = "SHOW GLOBAL VARIABLES LIKE 'rpl\\_semi\\_sync\\_%'";

/// Asks how many seconds the server has been running
/// (<https://dev.mysql.com/doc/refman/8.4/en/server-status-variables.html#statvar_Uptime>).
pub const UPTIME: &str = "SHOW GLOBAL STATUS LIKE 'Uptime'";

/// Asks for the cipher of this session; empty if the session is not encrypted
/// (<https://dev.mysql.com/doc/refman/8.4/en/server-status-variables.html#statvar_Ssl_cipher>).
pub const CIPHER: &str = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";

/// Asks which rows the table `ledger` has.
pub const ROWS: &str = "SELECT id FROM steadfast.ledger ORDER BY id";

/// Asks which writes of the witness's ledger the server has, and how often each.
pub const ENTRIES: &str = "SELECT id FROM steadfast.entries ORDER BY id";

/// Asks whether commits wait for a replica, and how many did. A server returns only the variables that it has.
pub const SEMI_SYNC_STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN \
    ('Rpl_semi_sync_master_status', 'Rpl_semi_sync_master_yes_tx', \
    'Rpl_semi_sync_source_status', 'Rpl_semi_sync_source_yes_tx')";

/// Asks for all tables except the server's own; the names are quoted for use in statements.
pub const TABLES: &str = "SELECT CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`') \
    AS name FROM information_schema.tables \
    WHERE table_type = 'BASE TABLE' \
    AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY name";

/// Asks for the tables of the harness's schema, in the same format.
pub const OWN_TABLES: &str = "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') AS name \
    FROM information_schema.tables WHERE table_schema = 'steadfast' ORDER BY name";

/// Tries to write and leaves no trace if the server accepts it.
pub const TRY_WRITE: [&str; 3] =
    ["START TRANSACTION", "INSERT INTO steadfast.ledger (id, payload) VALUES (0, 'must be refused')", "ROLLBACK"];

/// Creates the tables that the harness and the witness write to, and the accounts of the replicas and of the witness's
/// ledger. What an earlier attempt created stays.
pub fn prepare() -> Vec<String> {
    let replicas = [
        format!("CREATE USER IF NOT EXISTS '{REPLICA_USER}'@'%' IDENTIFIED BY ${{{REPLICA_PASSWORD}}}"),
        format!("GRANT REPLICATION SLAVE ON *.* TO '{REPLICA_USER}'@'%'"),
    ];
    replicas.into_iter().chain(install_schema()).collect()
}

/// Creates the tables and the account of the witness's ledger, but no account for replicas. In the ledger's table the
/// id is not unique, so that a write that was applied twice shows.
pub fn install_schema() -> Vec<String> {
    vec![
        format!("CREATE USER IF NOT EXISTS '{WRITER_USER}'@'%' IDENTIFIED BY ${{{WRITER_PASSWORD}}}"),
        format!("GRANT INSERT, SELECT ON {SCHEMA}.* TO '{WRITER_USER}'@'%'"),
        format!("CREATE DATABASE IF NOT EXISTS {SCHEMA}"),
        format!(
            "CREATE TABLE IF NOT EXISTS {SCHEMA}.ledger (id BIGINT UNSIGNED PRIMARY KEY, payload VARCHAR(64) NOT NULL)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {ENTRIES_TABLE} \
             (seq BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, id BIGINT UNSIGNED NOT NULL, KEY (id))"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {SCHEMA}.reference (id INT UNSIGNED PRIMARY KEY, word VARCHAR(64) NOT NULL)"
        ),
        format!("REPLACE INTO {SCHEMA}.reference (id, word) VALUES (1, 'one'), (2, 'two'), (3, 'three')"),
    ]
}

/// Creates [`ADMIN_USER`] unless it exists. The statements are one text because they must run in one session. Unless
/// `logged`, they are not written to the binary log. The password must have no quotation mark.
pub fn admit(password: &str, logged: bool) -> String {
    let unlogged = if logged { "" } else { "SET SESSION sql_log_bin = 0; " };
    format!(
        "{unlogged}CREATE USER IF NOT EXISTS '{ADMIN_USER}'@'%' IDENTIFIED BY '{password}'; \
         GRANT ALL PRIVILEGES ON *.* TO '{ADMIN_USER}'@'%' WITH GRANT OPTION"
    )
}

/// Drops what [`install_schema`] creates.
pub fn uninstall_schema() -> Vec<String> {
    vec![format!("DROP DATABASE IF EXISTS {SCHEMA}"), format!("DROP USER IF EXISTS '{WRITER_USER}'@'%'")]
}

/// Asks whether the harness's schema and account exist: a row for each.
pub fn name_conflicts() -> String {
    format!(
        "SELECT CONCAT('schema ', schema_name) AS name FROM information_schema.schemata WHERE schema_name = '{SCHEMA}' \
         UNION SELECT CONCAT('account ', user) FROM mysql.user WHERE user = '{WRITER_USER}'"
    )
}

/// Rotates the binary log and purges all earlier files: a replica that needs those cannot resume.
pub const PURGE: [&str; 2] = ["FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"];

/// One write of the ledger: a single autocommit statement, so that it has exactly one of three outcomes.
pub fn write(id: u64) -> String {
    format!("INSERT INTO {SCHEMA}.ledger (id, payload) VALUES ({id}, 'acknowledged rows must stay')")
}

/// Asks for the checksum of every table.
pub fn digest(tables: &[String]) -> String {
    format!("CHECKSUM TABLE {}", tables.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_and_the_accounts() {
        insta::assert_snapshot!(prepare().join(";\n"), @"
        CREATE USER IF NOT EXISTS 'steadfast_replica'@'%' IDENTIFIED BY ${replica_password};
        GRANT REPLICATION SLAVE ON *.* TO 'steadfast_replica'@'%';
        CREATE USER IF NOT EXISTS 'steadfast_writer'@'%' IDENTIFIED BY ${writer_password};
        GRANT INSERT, SELECT ON steadfast.* TO 'steadfast_writer'@'%';
        CREATE DATABASE IF NOT EXISTS steadfast;
        CREATE TABLE IF NOT EXISTS steadfast.ledger (id BIGINT UNSIGNED PRIMARY KEY, payload VARCHAR(64) NOT NULL);
        CREATE TABLE IF NOT EXISTS steadfast.entries (seq BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, id BIGINT UNSIGNED NOT NULL, KEY (id));
        CREATE TABLE IF NOT EXISTS steadfast.reference (id INT UNSIGNED PRIMARY KEY, word VARCHAR(64) NOT NULL);
        REPLACE INTO steadfast.reference (id, word) VALUES (1, 'one'), (2, 'two'), (3, 'three')
        ");
    }

    #[test]
    fn in_servers_of_others_nothing_else_is_made_and_all_of_it_taken_away() {
        assert_eq!(install_schema(), prepare()[2..]);
        insta::assert_snapshot!(uninstall_schema().join(";\n"), @"
        DROP DATABASE IF EXISTS steadfast;
        DROP USER IF EXISTS 'steadfast_writer'@'%'
        ");
        insta::assert_snapshot!(name_conflicts(), @"SELECT CONCAT('schema ', schema_name) AS name FROM information_schema.schemata WHERE schema_name = 'steadfast' UNION SELECT CONCAT('account ', user) FROM mysql.user WHERE user = 'steadfast_writer'");
    }

    #[test]
    fn what_a_replica_is_given_is_in_no_binary_log() {
        let (source, replica) = (admit("pw", true), admit("pw", false));
        assert_eq!(replica, format!("SET SESSION sql_log_bin = 0; {source}"));
        insta::assert_snapshot!(source, @"CREATE USER IF NOT EXISTS 'steadfast_admin'@'%' IDENTIFIED BY 'pw'; GRANT ALL PRIVILEGES ON *.* TO 'steadfast_admin'@'%' WITH GRANT OPTION");
    }

    #[test]
    fn no_password_stands_in_a_statement() {
        let statements = prepare();
        let with = |placeholder: &str| statements.iter().filter(|statement| statement.contains(placeholder)).count();
        assert_eq!((with("${replica_password}"), with("${writer_password}")), (1, 1));
    }
}
