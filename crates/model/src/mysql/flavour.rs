//! Server flavours, and the statements and limits that depend on them: MySQL renamed keywords between releases
//! (<https://dev.mysql.com/doc/refman/8.0/en/news-8-0-23.html>), and MariaDB has its own syntax.

use super::statements::{REPLICA_PASSWORD, REPLICA_USER, WRITER_USER};

/// Major, minor and patch.
pub type Version = (u32, u32, u32);

/// The flavour of a server, by its version string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// MySQL or a compatible server.
    MySql(Version),
    /// MariaDB.
    MariaDb(Version),
}

use Flavour::{MariaDb, MySql};

impl Flavour {
    /// Parses `@@version`, such as `5.7.22-log` or `10.11.14-MariaDB-log`.
    pub fn of(version: &str) -> Self {
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let triple = (next(), next(), next());
        if version.to_ascii_lowercase().contains("mariadb") { MariaDb(triple) } else { MySql(triple) }
    }

    /// Whether the server has a `server_uuid` beside its `server_id`.
    pub fn has_server_uuid(self) -> bool {
        matches!(self, MySql(_))
    }

    /// Whether the server understands REPLICA and SOURCE. Older versions and MariaDB need SLAVE and MASTER.
    fn says_replica(self) -> bool {
        matches!(self, MySql(version) if version >= (8, 0, 23))
    }

    /// The unprivileged account that a trial write must use; `None` where `super_read_only` refuses every account.
    /// MariaDB never refuses an account with READ_ONLY ADMIN, which ALL PRIVILEGES includes.
    pub fn ordinary_writer(self) -> Option<&'static str> {
        matches!(self, MariaDb(_)).then_some(WRITER_USER)
    }

    /// Makes a server a replica of the source: over TLS if the source offers it, positioned by GTID, retrying every
    /// second, and refusing writes.
    pub fn follow(self, host: &str, port: u16, tls: bool) -> Vec<String> {
        let (change, source) = match self.says_replica() {
            true => ("CHANGE REPLICATION SOURCE TO", "SOURCE"),
            false => ("CHANGE MASTER TO", "MASTER"),
        };
        // A stopping source can fail to wake its dump thread, which then ends only with the next heartbeat. The default
        // period is as long as a pod's default grace period.
        let common = format!(
            "{change} {source}_HOST = '{host}', {source}_PORT = {port}, {source}_USER = '{REPLICA_USER}', \
             {source}_PASSWORD = ${{{REPLICA_PASSWORD}}}, {source}_CONNECT_RETRY = 1, {source}_HEARTBEAT_PERIOD = 1"
        );
        let own = match self {
            MariaDb(_) => "MASTER_USE_GTID = slave_pos".to_owned(),
            MySql(version) => {
                // The default plugin since 8.0.4 sends no password over an unencrypted connection without the server's
                // public key.
                let key = if version >= (8, 0, 4) { format!(", GET_{source}_PUBLIC_KEY = 1") } else { String::new() };
                // 8.4 stops retrying after ten attempts by default.
                format!("{source}_AUTO_POSITION = 1, {source}_RETRY_COUNT = 86400{key}")
            }
        };
        let tls = match (self, tls) {
            (MySql(_), false) => String::new(),
            // From 11.4 on MariaDB requires TLS by default and rejects a self-signed certificate of the source.
            (MariaDb(_), false) => ", MASTER_SSL = 0, MASTER_SSL_VERIFY_SERVER_CERT = 0".to_owned(),
            (MariaDb(_), true) => ", MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 0".to_owned(),
            (MySql(_), true) => format!(", {source}_SSL = 1"),
        };
        vec![format!("{common}, {own}{tls}"), self.start().to_owned(), self.make_read_only().to_owned()]
    }

    /// Starts the replication threads.
    pub fn start(self) -> &'static str {
        if self.says_replica() { "START REPLICA" } else { "START SLAVE" }
    }

    /// Stops the replication threads.
    pub fn stop(self) -> &'static str {
        if self.says_replica() { "STOP REPLICA" } else { "STOP SLAVE" }
    }

    /// Makes a stopped replica forget its source.
    pub fn forget_source(self) -> &'static str {
        if self.says_replica() { "RESET REPLICA ALL" } else { "RESET SLAVE ALL" }
    }

    /// Queries the replication status; [`ReplicaStatus`](super::status::ReplicaStatus) parses the answer.
    pub fn status(self) -> &'static str {
        if self.says_replica() { "SHOW REPLICA STATUS" } else { "SHOW SLAVE STATUS" }
    }

    /// Makes a server refuse writes.
    pub fn make_read_only(self) -> &'static str {
        match self {
            MySql(_) => "SET GLOBAL super_read_only = ON",
            MariaDb(_) => "SET GLOBAL read_only = ON",
        }
    }

    /// Makes a server accept writes from every account again: `super_read_only` needs `read_only`, so this clears both.
    pub fn make_writable(self) -> &'static str {
        "SET GLOBAL read_only = OFF"
    }

    /// Queries the transactions that a server has, and the set that its replicas must reach to have them all. MariaDB
    /// reports the last number of each server for the one, and the last number of each domain for the other.
    pub fn executed(self) -> &'static str {
        match self {
            MySql(_) => "SELECT @@GLOBAL.gtid_executed AS gtid_executed, @@GLOBAL.gtid_executed AS barrier",
            MariaDb(_) => "SELECT @@GLOBAL.gtid_binlog_state AS gtid_executed, @@GLOBAL.gtid_binlog_pos AS barrier",
        }
    }

    /// Waits on a replica until it has executed a set of transactions, for at most this many seconds.
    pub fn barrier(self, set: &str, seconds: u64) -> String {
        let set = set.replace(char::is_whitespace, "");
        let wait = match self {
            MySql(_) => "WAIT_FOR_EXECUTED_GTID_SET",
            MariaDb(_) => "MASTER_GTID_WAIT",
        };
        format!("SELECT '{set}' AS gtid_set, {wait}('{set}', {seconds}) = 0 AS reached")
    }

    /// Makes a server without a source forget all its transactions and start a new binary log; the data stays.
    pub fn reset(self) -> &'static [&'static str] {
        match self {
            MySql(version) if version >= (8, 4, 0) => &["RESET BINARY LOGS AND GTIDS"],
            MySql(_) => &["RESET MASTER"],
            MariaDb(_) => &["RESET MASTER", "SET GLOBAL gtid_slave_pos = ''"],
        }
    }

    /// The maximum length of the source's host name in characters: on MySQL 255 from 8.0.17 on, 60 before
    /// (<https://dev.mysql.com/doc/refman/8.0/en/change-master-to.html>). MySQL truncates a longer name silently.
    pub fn longest_host(self) -> usize {
        match self {
            MySql(version) if version < (8, 0, 17) => 60,
            MariaDb(version) if version < (10, 6, 0) => 60,
            _ => 255,
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const OLD: Flavour = MySql((5, 7, 22));
    const NEW: Flavour = MySql((9, 7, 4));
    const MARIADB: Flavour = MariaDb((10, 11, 14));

    #[test]
    fn the_version_tells_the_flavour() {
        for (version, flavour) in [
            ("5.7.22-log", OLD),
            ("8.0.15", MySql((8, 0, 15))),
            ("9.7.4-1", NEW),
            ("10.11.14-MariaDB-0+deb12u2-log", MARIADB),
            ("", MySql((0, 0, 0))),
        ] {
            assert_eq!(Flavour::of(version), flavour, "{version}");
        }
    }

    fn follow(flavour: Flavour) -> String {
        flavour.follow("mysql-0.mysql-h", 3306, false).join(";\n")
    }

    #[test]
    fn every_server_follows_in_its_own_words() {
        assert_snapshot!(follow(OLD), @"
        CHANGE MASTER TO MASTER_HOST = 'mysql-0.mysql-h', MASTER_PORT = 3306, MASTER_USER = 'steadfast_replica', MASTER_PASSWORD = ${replica_password}, MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1, MASTER_AUTO_POSITION = 1, MASTER_RETRY_COUNT = 86400;
        START SLAVE;
        SET GLOBAL super_read_only = ON
        ");
        assert_snapshot!(follow(MySql((8, 0, 22))), @"
        CHANGE MASTER TO MASTER_HOST = 'mysql-0.mysql-h', MASTER_PORT = 3306, MASTER_USER = 'steadfast_replica', MASTER_PASSWORD = ${replica_password}, MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1, MASTER_AUTO_POSITION = 1, MASTER_RETRY_COUNT = 86400, GET_MASTER_PUBLIC_KEY = 1;
        START SLAVE;
        SET GLOBAL super_read_only = ON
        ");
        assert_snapshot!(follow(NEW), @"
        CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'mysql-0.mysql-h', SOURCE_PORT = 3306, SOURCE_USER = 'steadfast_replica', SOURCE_PASSWORD = ${replica_password}, SOURCE_CONNECT_RETRY = 1, SOURCE_HEARTBEAT_PERIOD = 1, SOURCE_AUTO_POSITION = 1, SOURCE_RETRY_COUNT = 86400, GET_SOURCE_PUBLIC_KEY = 1;
        START REPLICA;
        SET GLOBAL super_read_only = ON
        ");
        assert_snapshot!(follow(MARIADB), @"
        CHANGE MASTER TO MASTER_HOST = 'mysql-0.mysql-h', MASTER_PORT = 3306, MASTER_USER = 'steadfast_replica', MASTER_PASSWORD = ${replica_password}, MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1, MASTER_USE_GTID = slave_pos, MASTER_SSL = 0, MASTER_SSL_VERIFY_SERVER_CERT = 0;
        START SLAVE;
        SET GLOBAL read_only = ON
        ");
    }

    #[test]
    fn replicas_use_tls_where_the_source_offers_it() {
        let change = |flavour: Flavour, tls| flavour.follow("h", 1, tls)[0].clone();
        for (flavour, more) in [
            (OLD, ", MASTER_SSL = 1"),
            (NEW, ", SOURCE_SSL = 1"),
            (MARIADB, ", MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 0"),
        ] {
            assert!(change(flavour, true).ends_with(more) && !change(flavour, false).contains("_SSL = 1"));
        }
    }

    #[test]
    fn words_change_with_the_release_that_has_new_ones() {
        let words = |version| [MySql(version).start(), MySql(version).status(), MySql(version).stop()];
        assert_eq!(words((8, 0, 22)), ["START SLAVE", "SHOW SLAVE STATUS", "STOP SLAVE"]);
        assert_eq!(words((8, 0, 23)), ["START REPLICA", "SHOW REPLICA STATUS", "STOP REPLICA"]);
        assert!(!follow(MySql((8, 0, 3))).contains("PUBLIC_KEY") && follow(MySql((8, 0, 4))).contains("PUBLIC_KEY"));
        assert_eq!(MySql((8, 3, 0)).reset(), ["RESET MASTER"]);
        assert_eq!(MySql((8, 4, 0)).reset(), ["RESET BINARY LOGS AND GTIDS"]);
        assert_eq!([MySql((8, 0, 16)).longest_host(), MySql((8, 0, 17)).longest_host()], [60, 255]);
    }

    #[test]
    fn a_barrier_takes_a_set_over_several_lines() {
        assert_snapshot!(NEW.barrier("a:1-3,\nb:1", 5), @"SELECT 'a:1-3,b:1' AS gtid_set, WAIT_FOR_EXECUTED_GTID_SET('a:1-3,b:1', 5) = 0 AS reached");
        assert_snapshot!(MARIADB.barrier("0-1-3,1-1-2", 5), @"SELECT '0-1-3,1-1-2' AS gtid_set, MASTER_GTID_WAIT('0-1-3,1-1-2', 5) = 0 AS reached");
    }

    #[test]
    fn only_mariadb_needs_an_ordinary_account() {
        assert_eq!([OLD, NEW, MARIADB].map(Flavour::ordinary_writer), [None, None, Some(WRITER_USER)]);
    }

    #[test]
    fn no_password_stands_in_a_statement() {
        let statements = [OLD, NEW, MARIADB].map(|flavour| flavour.follow("h", 1, false)).concat();
        for statement in statements.iter().filter(|statement| statement.contains("_PASSWORD = ")) {
            assert!(statement.contains("_PASSWORD = ${"), "{statement}");
        }
    }
}
