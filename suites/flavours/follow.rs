//! Replication between two real servers, right and wrong.

use futures::FutureExt;
use libtest_mimic::Failed;
use steadfast::evidence::SqlAnswer;
use steadfast::mysql::flavour::Flavour;
use steadfast::mysql::gtid::GtidSet;
use steadfast::mysql::statements::{self, TRY_WRITE};
use steadfast::mysql::status::ReplicaStatus;
use tokio::time::Instant;
use tokio::try_join;

use crate::pair::Pair;
use crate::server::ensure;
use crate::shared_pair::PairTrialFunction;

pub(crate) const TRIALS: &[(&str, PairTrialFunction)] = &[
    ("a_replica_follows_by_name", |pair| a_replica_follows_by_name(pair).boxed()),
    ("both_speak_tls_where_they_offer_it", |pair| both_speak_tls_where_they_offer_it(pair).boxed()),
    ("a_replica_refuses_writes", |pair| a_replica_refuses_writes(pair).boxed()),
    ("missing_and_errant_transactions_show", |pair| missing_and_errant_transactions_show(pair).boxed()),
    ("a_stopped_replica_misses_the_barrier", |pair| a_stopped_replica_misses_the_barrier(pair).boxed()),
    ("a_wrong_password_shows", |pair| a_wrong_password_shows(pair).boxed()),
    ("purged_transactions_show", |pair| purged_transactions_show(pair).boxed()),
    ("a_source_that_restarts_is_followed_again", |pair| a_source_that_restarts_is_followed_again(pair).boxed()),
    ("a_replica_that_restarts_goes_on", |pair| a_replica_that_restarts_goes_on(pair).boxed()),
];

fn runs(status: ReplicaStatus<'_>) -> bool {
    (status.io_running, status.sql_running) == ("Yes", "Yes")
}

/// Checks that both hold the same transactions, rows and checksums.
async fn same(pair: &Pair) -> Result<(), Failed> {
    let (ours, theirs) = pair.executed().await?;
    ensure(ours == theirs && !ours.is_empty(), || format!("the source has {ours}, the replica {theirs}"))?;
    let digest = statements::digest(&["steadfast.ledger".to_owned(), "steadfast.reference".to_owned()]);
    for statement in [statements::ROWS, &digest] {
        let statements = [statement];
        let (ours, theirs) = try_join!(pair.source.ask(&statements), pair.replica.ask(&statements))?;
        ensure(ours == theirs, || format!("{statement}: {ours:?}, and on the replica {theirs:?}"))?;
    }
    Ok(())
}

async fn a_replica_follows_by_name(pair: &Pair) -> Result<(), Failed> {
    pair.replicating().await?;
    same(pair).await?;
    let row = pair.status("both threads", runs).await?;
    let status = ReplicaStatus::of(&row);
    ensure(status.host == pair.source.name && status.finds_place, || format!("{status:?}"))?;
    ensure(status.seconds_behind.is_some() && status.errors().is_empty(), || format!("{status:?}"))?;
    ensure((status.io_error.0, status.sql_error.0) == (0, 0), || format!("{status:?}"))?;
    let (ours, _) = pair.executed().await?;
    let retrieved: GtidSet = status.retrieved.parse()?;
    ensure(!retrieved.is_empty() && ours.contains(&retrieved), || format!("{ours} was executed: {status:?}"))?;
    // MariaDB reports the executed transactions only in a variable, not in the status.
    let told: GtidSet = status.executed.parse()?;
    ensure(told.is_empty() != pair.flavour.has_server_uuid() && ours.contains(&told), || format!("{status:?}"))
}

/// MySQL 8.0 and later create their own certificate. Version 8.0.15 from Maven has OpenSSL 1.0.2 and so offers no
/// ECDHE. The other servers here have no certificate.
async fn both_speak_tls_where_they_offer_it(pair: &Pair) -> Result<(), Failed> {
    let offers = matches!(pair.flavour, Flavour::MySql(version) if version >= (8, 0, 16));
    ensure(pair.tls == offers, || format!("it offers TLS: {}", pair.tls))?;
    if !offers {
        let answer = pair.source.answer_over_tls(&[statements::PING]).await;
        return ensure(matches!(answer, SqlAnswer::Unreachable { .. }), || format!("TLS was required: {answer:?}"));
    }
    pair.source.ask(&["SET GLOBAL require_secure_transport = ON"]).await?;
    pair.replicating().await?;
    let row = pair.status("both threads", runs).await?;
    let allowed = row.iter().find(|(name, _)| name.ends_with("_SSL_Allowed"));
    ensure(allowed.is_some_and(|(_, it)| it.as_deref() == Some("Yes")), || format!("{allowed:?}"))?;
    pair.source.ask(&["SET GLOBAL require_secure_transport = OFF"]).await.map(drop)
}

async fn a_replica_refuses_writes(pair: &Pair) -> Result<(), Failed> {
    pair.replicating().await?;
    let refused = |answer: &SqlAnswer| matches!(answer, SqlAnswer::Error { code: 1290, .. });
    let answer = pair.replica.answer_to_trial(pair.flavour, &TRY_WRITE).await;
    ensure(refused(&answer), || format!("{answer:?}"))?;
    // An account with all privileges is refused too, unless the flavour cannot refuse it.
    let answer = pair.replica.answer(&TRY_WRITE).await;
    let ordinary_only = pair.flavour.ordinary_writer().is_some();
    ensure(refused(&answer) != ordinary_only, || format!("root is answered {answer:?}"))?;
    // The replica refused the write, not the account's rights: the same account may write after this.
    pair.replica.ask(&[pair.flavour.make_writable()]).await?;
    for server in [&pair.source, &pair.replica] {
        let answer = server.answer_to_trial(pair.flavour, &TRY_WRITE).await;
        ensure(matches!(answer, SqlAnswer::Rows(_)), || format!("{}: {answer:?}", server.name))?;
    }
    same(pair).await
}

async fn missing_and_errant_transactions_show(pair: &Pair) -> Result<(), Failed> {
    pair.replicating().await?;
    let (before, _) = pair.executed().await?;
    pair.replica.ask(&[pair.flavour.stop(), pair.flavour.make_writable()]).await?;
    pair.write([6, 7]).await?;
    pair.replica.ask(&[statements::write(1000)]).await?;
    let (ours, theirs) = pair.executed().await?;
    let (missing, errant) = (ours.subtract(&theirs), theirs.subtract(&ours));
    let text = before.to_string();
    let last: u64 = text.rsplit(|character: char| !character.is_ascii_digit()).next().unwrap_or("").parse()?;
    let (source, replica) =
        try_join!(pair.source.row(&[statements::IDENTITY]), pair.replica.row(&[statements::IDENTITY]))?;
    let expected = match (&source["server_uuid"], &replica["server_uuid"]) {
        (Some(source), Some(replica)) => [format!("{source}:{}-{}", last + 1, last + 2), format!("{replica}:1")],
        // Servers number the transactions of a domain together, so an entry covers all numbers up to its own.
        _ => [format!("0-101-{}..{}", last + 1, last + 2), format!("0-102-{}", last + 1)],
    };
    ensure([missing.to_string(), errant.to_string()] == expected, || {
        format!("{expected:?} were expected of {ours} and {theirs}: {missing}; {errant}")
    })?;
    ensure(ours.union(&theirs) == before.union(&missing).union(&errant), || format!("{ours} and {theirs}"))
}

async fn a_stopped_replica_misses_the_barrier(pair: &Pair) -> Result<(), Failed> {
    pair.replicating().await?;
    pair.replica.ask(&[pair.flavour.stop()]).await?;
    ensure(pair.reaches(1).await?, || "what was reached is not reached any more".to_owned())?;
    pair.write([6]).await?;
    let begun = Instant::now();
    ensure(!pair.reaches(1).await?, || "a replica that is stopped reached the barrier".to_owned())?;
    let waited = begun.elapsed().as_millis();
    ensure(waited >= 900, || format!("it gave up after {waited} ms"))?;
    pair.replica.ask(&[pair.flavour.start()]).await?;
    pair.caught_up().await?;
    same(pair).await
}

async fn a_wrong_password_shows(pair: &Pair) -> Result<(), Failed> {
    pair.anew().await?;
    pair.source.ask(&statements::prepare()).await?;
    pair.replica.ask(&pair.follow()).await?;
    pair.caught_up().await?;
    pair.source.ask(&["ALTER USER 'steadfast_replica'@'%' IDENTIFIED BY 'another'"]).await?;
    pair.replica.ask(&[pair.flavour.stop(), pair.flavour.start()]).await?;
    let row = pair.status("error 1045", |status| status.io_error.0 == 1045).await?;
    let status = ReplicaStatus::of(&row);
    ensure(status.io_running != "Yes" && status.errors().contains("Last_IO_Error: "), || format!("{status:?}"))
}

async fn purged_transactions_show(pair: &Pair) -> Result<(), Failed> {
    pair.anew().await?;
    pair.source.ask(&statements::prepare()).await?;
    pair.purge().await?;
    pair.replica.ask(&pair.follow()).await?;
    // MySQL 8.0 gave the error a new number, and has the old one in the text.
    let row = pair.status("error 1236", |status| matches!(status.io_error.0, 1236 | 13114)).await?;
    let status = ReplicaStatus::of(&row);
    ensure(status.io_running == "No" && status.errors().contains("error 1236"), || format!("{status:?}"))
}

async fn a_source_that_restarts_is_followed_again(pair: &Pair) -> Result<(), Failed> {
    pair.replicating().await?;
    pair.source.restart().await?;
    pair.write([6]).await?;
    pair.caught_up().await?;
    pair.status("both threads", runs).await?;
    same(pair).await
}

async fn a_replica_that_restarts_goes_on(pair: &Pair) -> Result<(), Failed> {
    pair.replicating().await?;
    let (restarted, written) = futures::join!(pair.replica.restart(), pair.write([6]));
    restarted.and(written)?;
    pair.caught_up().await?;
    pair.status("both threads", runs).await?;
    same(pair).await
}
