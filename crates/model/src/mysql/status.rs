//! The replication status of a replica. MySQL renamed the columns in 8.0.22, and MariaDB has some of its own.

use crate::Row;

/// A row of `SHOW REPLICA STATUS` or `SHOW SLAVE STATUS`. A missing or NULL column reads as empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaStatus<'a> {
    /// The channel's name: a replica with several sources has a row for each. The default channel's name is empty.
    pub channel: &'a str,
    /// The source's host, as configured.
    pub host: &'a str,
    /// The state of the I/O thread, which fetches: `Yes`, `Connecting`, `No`.
    pub io_running: &'a str,
    /// The state of the SQL thread, which applies: `Yes`, `No`.
    pub sql_running: &'a str,
    /// The last error of the I/O thread: number and message.
    pub io_error: (u16, &'a str),
    /// The last error of the SQL thread: number and message.
    pub sql_error: (u16, &'a str),
    /// The GTID set that was fetched.
    pub retrieved: &'a str,
    /// The GTID set that was executed; MariaDB does not report it here.
    pub executed: &'a str,
    /// Seconds between the source's commit and its execution here; `None` while the I/O thread does not fetch.
    pub seconds_behind: Option<u64>,
    /// Whether the replica uses GTID auto-positioning.
    pub finds_place: bool,
}

impl<'a> ReplicaStatus<'a> {
    /// Parses the row of any flavour.
    pub fn of(row: &'a Row) -> Self {
        let column = |names: &[&str]| names.iter().find_map(|name| row.get(*name)?.as_deref()).unwrap_or("");
        let error = |number: &str, text: &str| (column(&[number]).parse().unwrap_or(0), column(&[text]));
        Self {
            channel: column(&["Channel_Name", "Connection_name"]),
            host: column(&["Source_Host", "Master_Host"]),
            io_running: column(&["Replica_IO_Running", "Slave_IO_Running"]),
            sql_running: column(&["Replica_SQL_Running", "Slave_SQL_Running"]),
            io_error: error("Last_IO_Errno", "Last_IO_Error"),
            sql_error: error("Last_SQL_Errno", "Last_SQL_Error"),
            retrieved: column(&["Retrieved_Gtid_Set", "Gtid_IO_Pos"]),
            executed: column(&["Executed_Gtid_Set"]),
            seconds_behind: column(&["Seconds_Behind_Source", "Seconds_Behind_Master"]).parse().ok(),
            finds_place: matches!(column(&["Auto_Position", "Using_Gtid"]), "1" | "Slave_Pos" | "Current_Pos"),
        }
    }

    /// The last errors of both threads, if any, as the end of a sentence.
    pub fn errors(&self) -> String {
        let named = [("Last_IO_Error", self.io_error.1), ("Last_SQL_Error", self.sql_error.1)];
        let said = named.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("; {name}: {text}"));
        said.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &[(&str, &str)]) -> Row {
        columns.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
    }

    #[test]
    fn old_and_new_columns_say_the_same() {
        let old = row(&[
            ("Master_Host", "mysql-0"),
            ("Slave_IO_Running", "Connecting"),
            ("Slave_SQL_Running", "Yes"),
            ("Last_IO_Errno", "1045"),
            ("Last_IO_Error", "denied"),
            ("Retrieved_Gtid_Set", "a:1-3"),
            ("Executed_Gtid_Set", "a:1-2"),
            ("Seconds_Behind_Master", "7"),
            ("Auto_Position", "1"),
        ]);
        let renamed = |name: &str| name.replace("Master", "Source").replace("Slave", "Replica");
        let new: Row = old.iter().map(|(name, value)| (renamed(name), value.clone())).collect();
        let status = ReplicaStatus::of(&old);
        assert_eq!(status, ReplicaStatus::of(&new));
        assert_eq!((status.host, status.io_running, status.sql_running), ("mysql-0", "Connecting", "Yes"));
        assert_eq!((status.io_error, status.sql_error), ((1045, "denied"), (0, "")));
        assert_eq!((status.retrieved, status.executed), ("a:1-3", "a:1-2"));
        assert_eq!((status.seconds_behind, status.finds_place), (Some(7), true));
        assert_eq!(status.errors(), "; Last_IO_Error: denied");
    }

    #[test]
    fn mariadb_tells_its_place_in_columns_of_its_own() {
        let row = row(&[("Using_Gtid", "Slave_Pos"), ("Gtid_IO_Pos", "0-1-3"), ("Slave_IO_Running", "Yes")]);
        let status = ReplicaStatus::of(&row);
        assert_eq!((status.finds_place, status.retrieved, status.executed), (true, "0-1-3", ""));
    }

    #[test]
    fn what_is_missing_or_null_reads_as_empty() {
        let row =
            Row::from([("Seconds_Behind_Source".to_owned(), None), ("Using_Gtid".to_owned(), Some("No".to_owned()))]);
        let status = ReplicaStatus::of(&row);
        assert_eq!((status.host, status.seconds_behind, status.finds_place), ("", None, false));
        assert_eq!(status.errors(), "");
    }
}
