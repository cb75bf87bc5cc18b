//! Two servers of a flavour on their own network: a source and a possible replica.

use std::time::Duration;

use libtest_mimic::Failed;
use steadfast::evidence::Row;
use steadfast::mysql::flavour::Flavour;
use steadfast::mysql::gtid::GtidSet;
use steadfast::mysql::statements::{self, PURGE, REPLICA_USER, SCHEMA, WRITER_USER};
use steadfast::mysql::status::ReplicaStatus;
use steadfast_suites::environment::artifacts;
use tokio::try_join;
use tokio_util::sync::CancellationToken;

use crate::server::{SOON, Server, ensure, value};

/// The two servers.
pub(crate) struct Pair {
    /// The image name in manifests.
    pub wanted: String,
    /// The flavour that they report.
    pub flavour: Flavour,
    /// Whether they offer TLS.
    pub tls: bool,
    /// Server 101.
    pub source: Server,
    /// Server 102.
    pub replica: Server,
}

impl Pair {
    /// Starts both. Only the wait can be interrupted: an interrupted creation would leave a container behind.
    pub(crate) async fn start(
        wanted: &str,
        image: &str,
        run: &str,
        cancel: &CancellationToken,
    ) -> Result<Self, Failed> {
        let network = format!("{run}-{}", wanted.replace([':', '.'], "-"));
        let start = |role: &str, id| Server::start(image, run, &network, format!("{network}-{role}"), id);
        // One after the other, because the first creates the network.
        let source = start("source", 101).await?;
        let replica = start("replica", 102).await?;
        let serve = async { try_join!(source.serves(), replica.serves()) };
        let served = tokio::select! {
            served = serve => served,
            () = cancel.cancelled() => Err(Failed::from("interrupted")),
        };
        served?;
        let row = source.row(&[statements::IDENTITY]).await?;
        let flavour = Flavour::of(value(&row, "version")?);
        let row = source.row(&[statements::CIPHER]).await?;
        let tls = !value(&row, "Value")?.is_empty();
        Ok(Self { wanted: wanted.to_owned(), flavour, tls, source, replica })
    }

    /// Removes both servers. The network is removed with the last one.
    pub(crate) async fn remove(self) {
        self.replica.remove().await;
        self.source.remove().await;
    }

    /// Saves the logs of both servers, and returns their location.
    pub(crate) async fn save_logs(&self) -> String {
        let folder = artifacts().join("flavours");
        let mut saved = Vec::new();
        for (server, role) in [(&self.source, "source"), (&self.replica, "replica")] {
            let path = folder.join(format!("{}-{role}.log", self.wanted.replace(':', "-")));
            let log = server.log().await;
            let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, log));
            saved.push(written.map_or_else(|error| error.to_string(), |()| path.display().to_string()));
        }
        format!("the servers' logs: {}", saved.join(", "))
    }

    /// Resets both servers to their first state, whatever an earlier trial did.
    pub(crate) async fn anew(&self) -> Result<(), Failed> {
        let mut statements: Vec<String> = vec![
            self.flavour.stop().to_owned(),
            self.flavour.forget_source().to_owned(),
            self.flavour.make_writable().to_owned(),
            format!("DROP DATABASE IF EXISTS {SCHEMA}"),
        ];
        statements.extend([REPLICA_USER, WRITER_USER].map(|user| format!("DROP USER IF EXISTS '{user}'@'%'")));
        statements.extend(self.flavour.reset().iter().map(|&statement| statement.to_owned()));
        try_join!(self.source.ask(&statements), self.replica.ask(&statements))?;
        for server in [&self.source, &self.replica] {
            let left = executed(server, self.flavour).await?;
            ensure(left.is_empty(), || format!("{} still has {left}", server.name))?;
        }
        Ok(())
    }

    /// Resets both servers, starts replication, and waits until the replica has some rows.
    pub(crate) async fn replicating(&self) -> Result<(), Failed> {
        self.anew().await?;
        self.source.ask(&statements::prepare()).await?;
        self.replica.ask(&self.follow()).await?;
        self.write(1..=5).await?;
        self.caught_up().await
    }

    /// The statements that make the replica follow the source.
    pub(crate) fn follow(&self) -> Vec<String> {
        self.flavour.follow(&self.source.name, 3306, self.tls)
    }

    /// Writes rows of the ledger on the source.
    pub(crate) async fn write(&self, ids: impl IntoIterator<Item = u64>) -> Result<(), Failed> {
        let writes: Vec<String> = ids.into_iter().map(statements::write).collect();
        self.source.ask(&writes).await.map(drop)
    }

    /// Whether the replica reaches the source's current position within this many seconds.
    pub(crate) async fn reaches(&self, seconds: u64) -> Result<bool, Failed> {
        let row = self.source.row(&[self.flavour.executed()]).await?;
        let set = value(&row, "barrier")?;
        let statement = self.flavour.barrier(set, seconds);
        let rows = self.replica.ask_within(&[statement], SOON + Duration::from_secs(seconds)).await?;
        let row = rows.first().ok_or("a barrier gives no row")?;
        ensure(value(row, "gtid_set")? == set.replace('\n', ""), || format!("asked for {set}: {row:?}"))?;
        Ok(value(row, "reached")? == "1")
    }

    /// Checks that the replica reaches the source's current position.
    pub(crate) async fn caught_up(&self) -> Result<(), Failed> {
        let reached = self.reaches(SOON.as_secs()).await?;
        let status = self.replica.row(&[self.flavour.status()]).await?;
        ensure(reached, || format!("the barrier was not reached: {:?}", ReplicaStatus::of(&status)))
    }

    /// Purges the source's binary log except the current file. MariaDB keeps a file until it no longer needs it for
    /// its own recovery, which is a little later.
    pub(crate) async fn purge(&self) -> Result<(), Failed> {
        let [flush, purge] = PURGE;
        self.source.ask(&[flush]).await?;
        let all_gone = |rows: &[Row]| rows.len() == 1;
        self.source.until("one file of the binary log", &[purge, "SHOW BINARY LOGS"], all_gone).await.map(drop)
    }

    /// The transactions of the source and of the replica.
    pub(crate) async fn executed(&self) -> Result<(GtidSet, GtidSet), Failed> {
        try_join!(executed(&self.source, self.flavour), executed(&self.replica, self.flavour))
    }

    /// Waits for the right replica status.
    pub(crate) async fn status(&self, what: &str, right: impl Fn(ReplicaStatus<'_>) -> bool) -> Result<Row, Failed> {
        let right = |rows: &[Row]| rows.first().is_some_and(|row| right(ReplicaStatus::of(row)));
        let mut rows = self.replica.until(what, &[self.flavour.status()], right).await?;
        rows.pop().ok_or_else(|| "a status that was right is gone".into())
    }
}

/// The transactions of a server.
pub(crate) async fn executed(server: &Server, flavour: Flavour) -> Result<GtidSet, Failed> {
    let row = server.row(&[flavour.executed()]).await?;
    Ok(value(&row, "gtid_executed")?.parse()?)
}
