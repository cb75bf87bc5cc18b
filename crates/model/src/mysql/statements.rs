//! The statements that the harness sends and that every server understands; [`Flavour`](super::flavour::Flavour) has
//! those that differ.

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

/// The account that the harness logs in with where root may not log in from other machines.
pub const ADMIN_USER: &str = "steadfast_admin";

/// The table that the witness's ledger writes to.
pub const ENTRIES_TABLE: &str = "steadfast.entries";

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

/// Asks whether commits wait for a replica, for how long, and until when; no row where the server has no such plugin
/// (<https://dev.mysql.com/doc/refman/8.4/en/replication-semisync-interface.html>).
pub const SEMI_SYNC: &str = "SHOW GLOBAL VARIABLES LIKE 'rpl\\_semi\\_sync\\_%'";

/// Asks for how many seconds the server has been running
/// (<https://dev.mysql.com/doc/refman/8.4/en/server-status-variables.html#statvar_Uptime>).
pub const UPTIME: &str = "SHOW GLOBAL STATUS LIKE 'Uptime'";

/// Asks by which cipher this session is encrypted; none where it is not
/// (<https://dev.mysql.com/doc/refman/8.4/en/server-status-variables.html#statvar_Ssl_cipher>).
pub const CIPHER: &str = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";

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

/// Asks which tables of the harness's schema there are, in the same form.
pub const OWN_TABLES: &str = "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') AS name \
    FROM information_schema.tables WHERE table_schema = 'steadfast' ORDER BY name";

/// Tries to write without leaving a trace where the write is accepted.
pub const TRY_WRITE: [&str; 3] =
    ["START TRANSACTION", "INSERT INTO steadfast.ledger (id, payload) VALUES (0, 'must be refused')", "ROLLBACK"];

/// Makes the tables that the harness and the witness write to, and the accounts of the replicas and of the witness's
/// ledger. What an earlier try has made already stays.
pub fn prepare() -> Vec<String> {
    let replicas = [
        format!("CREATE USER IF NOT EXISTS '{REPLICA_USER}'@'%' IDENTIFIED BY ${{{REPLICA_PASSWORD}}}"),
        format!("GRANT REPLICATION SLAVE ON *.* TO '{REPLICA_USER}'@'%'"),
    ];
    replicas.into_iter().chain(install_schema()).collect()
}

/// Makes the tables and the account of the witness's ledger, and no account of replicas. In that ledger's table the id is
/// no key: a write that was applied twice is to show.
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

/// Makes that account, or finds it, in one text: the statements have to be of one session. Unless it is `logged`, it is
/// written to no binary log. The password has no quotation mark.
pub fn admit(password: &str, logged: bool) -> String {
    let unlogged = if logged { "" } else { "SET SESSION sql_log_bin = 0; " };
    format!(
        "{unlogged}CREATE USER IF NOT EXISTS '{ADMIN_USER}'@'%' IDENTIFIED BY '{password}'; \
         GRANT ALL PRIVILEGES ON *.* TO '{ADMIN_USER}'@'%' WITH GRANT OPTION"
    )
}

/// Takes away what [`install_schema`] makes.
pub fn uninstall_schema() -> Vec<String> {
    vec![format!("DROP DATABASE IF EXISTS {SCHEMA}"), format!("DROP USER IF EXISTS '{WRITER_USER}'@'%'")]
}

/// Asks whether the harness's schema and account are there: a row for each.
pub fn name_conflicts() -> String {
    format!(
        "SELECT CONCAT('schema ', schema_name) AS name FROM information_schema.schemata WHERE schema_name = '{SCHEMA}' \
         UNION SELECT CONCAT('account ', user) FROM mysql.user WHERE user = '{WRITER_USER}'"
    )
}

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
