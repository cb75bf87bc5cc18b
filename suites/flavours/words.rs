//! Tests that the servers accept the harness's statements, and that answers have the expected columns.

use futures::FutureExt;
use libtest_mimic::Failed;
use steadfast::evidence::SqlAnswer;
use steadfast::mysql::flavour::Flavour;
use steadfast::mysql::statements::{self, TRY_WRITE};
use steadfast::mysql::status::ReplicaStatus;

use crate::pair::{Pair, executed};
use crate::server::{ensure, value};
use crate::shared_pair::PairTrialFunction;

pub(crate) const TRIALS: &[(&str, PairTrialFunction)] = &[
    ("says_who_it_is", |pair| says_who_it_is(pair).boxed()),
    ("answers_in_the_columns_that_are_read", |pair| answers_in_the_columns_that_are_read(pair).boxed()),
    ("takes_every_statement", |pair| takes_every_statement(pair).boxed()),
    ("takes_a_host_name_so_long_and_no_longer", |pair| takes_a_host_name_so_long_and_no_longer(pair).boxed()),
];

async fn says_who_it_is(pair: &Pair) -> Result<(), Failed> {
    let image = pair.wanted.replace(':', " ");
    let named = match pair.flavour {
        Flavour::MySql((major, minor, _)) => format!("mysql {major}.{minor}"),
        Flavour::MariaDb((major, minor, _)) => format!("mariadb {major}.{minor}"),
    };
    ensure(image == named, || format!("{image} is taken for {named}"))?;
    for (server, id) in [(&pair.source, "101"), (&pair.replica, "102")] {
        let row = server.row(&[statements::IDENTITY]).await?;
        ensure(value(&row, "hostname")? == server.name && value(&row, "server_id")? == id, || format!("{row:?}"))?;
        let uuid = row.get("server_uuid").ok_or("no column server_uuid")?;
        ensure(uuid.is_some() == pair.flavour.has_server_uuid(), || format!("{row:?}"))?;
        if let Some(uuid) = uuid {
            format!("{uuid}:1").parse::<steadfast::mysql::gtid::GtidSet>()?;
        }
    }
    Ok(())
}

/// The tables that the harness creates, by name.
const TABLES: [&str; 3] = ["steadfast.entries", "steadfast.ledger", "steadfast.reference"];

async fn answers_in_the_columns_that_are_read(pair: &Pair) -> Result<(), Failed> {
    pair.replicating().await?;
    for server in [&pair.source, &pair.replica] {
        ensure(value(&server.row(&[statements::PING]).await?, "ping")? == "1", || "no ping".to_owned())?;
        let settings = server.row(&[statements::SETTINGS]).await?;
        for setting in ["sync_binlog", "innodb_flush_log_at_trx_commit", "relay_log_recovery"] {
            ensure(value(&settings, setting)? == "1", || format!("{settings:?}"))?;
        }
        let rows = server.ask(&[statements::ROWS]).await?;
        let ids = rows.iter().map(|row| value(row, "id")).collect::<Result<Vec<_>, _>>()?;
        ensure(ids == ["1", "2", "3", "4", "5"], || format!("{} has {ids:?}", server.name))?;
        let rows = server.ask(&[statements::TABLES]).await?;
        let tables = rows.iter().map(|row| Ok(value(row, "name")?.to_owned())).collect::<Result<Vec<_>, Failed>>()?;
        let quoted = TABLES.map(|table| format!("`{}`", table.replace('.', "`.`")));
        ensure(tables == quoted, || format!("{tables:?}"))?;
        let digest = server.ask(&[statements::digest(&tables)]).await?;
        let named = digest.iter().map(|row| Ok((value(row, "Table")?, value(row, "Checksum")?.parse::<u64>()?)));
        let named = named.collect::<Result<Vec<_>, Failed>>()?;
        let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
        ensure(names == TABLES, || format!("{digest:?}"))?;
        let entries = server.ask(&[statements::ENTRIES]).await?;
        ensure(entries.is_empty(), || format!("{entries:?}"))?;
        // Not every server has plugins for semi-synchronous replication, but all servers understand the question.
        server.ask(&[statements::SEMI_SYNC, statements::SEMI_SYNC_STATUS]).await?;
        let sets = server.row(&[pair.flavour.executed()]).await?;
        let (all, barrier) = (executed(server, pair.flavour).await?, value(&sets, "barrier")?.parse()?);
        ensure(all.contains(&barrier) && !barrier.is_empty(), || format!("{sets:?}"))?;
    }
    let nothing = pair.source.ask(&[pair.flavour.status()]).await?;
    ensure(nothing.is_empty(), || format!("the source follows somebody: {nothing:?}"))
}

async fn takes_every_statement(pair: &Pair) -> Result<(), Failed> {
    let flavour = pair.flavour;
    pair.anew().await?;
    // Statements that the harness may repeat run twice.
    pair.source.ask(&statements::prepare()[..2]).await?;
    pair.source.ask(&statements::prepare()).await?;
    pair.source.ask(&TRY_WRITE).await?;
    pair.write([0]).await?;
    pair.replica.ask(&pair.follow()).await?;
    pair.caught_up().await?;
    pair.replica.ask(&[flavour.stop(), flavour.start(), flavour.status()]).await?;
    pair.status("both threads", |status| (status.io_running, status.sql_running) == ("Yes", "Yes")).await?;
    pair.replica.ask(&[flavour.make_writable(), flavour.make_read_only(), flavour.make_writable()]).await?;
    pair.replica.ask(&[flavour.stop(), flavour.forget_source()]).await?;
    let status = pair.replica.ask(&[flavour.status()]).await?;
    ensure(status.is_empty(), || format!("the source is not forgotten: {:?}", ReplicaStatus::of(&status[0])))?;
    pair.purge().await?;
    pair.anew().await
}

async fn takes_a_host_name_so_long_and_no_longer(pair: &Pair) -> Result<(), Failed> {
    pair.anew().await?;
    let longest = pair.flavour.longest_host();
    // MySQL silently truncates a longer name; MariaDB refuses it.
    for length in [longest, longest + 1] {
        let change = pair.flavour.follow(&"h".repeat(length), 3306, false).swap_remove(0);
        let kept = match pair.replica.answer(&[change]).await {
            SqlAnswer::Rows(_) => {
                let row = pair.replica.row(&[pair.flavour.status()]).await?;
                ReplicaStatus::of(&row).host.len()
            }
            SqlAnswer::Error { .. } => 0,
            other => return Err(format!("{other:?}").into()),
        };
        ensure((kept == length) == (length == longest), || format!("of {length} characters it keeps {kept}"))?;
    }
    Ok(())
}
