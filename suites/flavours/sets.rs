//! Compares our arithmetic of GTID sets with that of the servers.

use std::collections::BTreeMap;

use futures::FutureExt;
use libtest_mimic::Failed;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use steadfast::mysql::flavour::Flavour;
use steadfast::mysql::gtid::GtidSet;

use crate::pair::Pair;
use crate::server::{ensure, value};
use crate::shared_pair::PairTrialFunction;

pub(crate) const TRIALS: &[(&str, PairTrialFunction)] =
    &[("counts_sets_as_we_do", |pair| counts_sets_as_we_do(pair).boxed())];

/// The number of random pairs.
const PAIRS: usize = 100;

async fn counts_sets_as_we_do(pair: &Pair) -> Result<(), Failed> {
    pair.anew().await?;
    match pair.flavour {
        Flavour::MySql(version) => mysql(pair, version >= (8, 3, 0)).await,
        Flavour::MariaDb(_) => mariadb(pair).await,
    }
}

/// Draws this many random values.
fn drawn<T>(strategy: impl Strategy<Value = T>) -> Result<Vec<T>, Failed> {
    let mut runner = TestRunner::default();
    let one = |_| strategy.new_tree(&mut runner).map(|tree| tree.current()).map_err(Failed::from);
    (0..PAIRS).map(one).collect()
}

const SERVERS: [&str; 3] = [
    "3e11fa47-71ca-11e1-9e33-c80aa9429562",
    "3E11FA47-71CA-11E1-9E33-C80AA9429563",
    "ffffffff-0000-4000-8000-00000000000a",
];

/// A set in a form that a person may write: in any order, with overlapping ranges.
fn written(tags: bool) -> impl Strategy<Value = String> {
    let tag = if tags { vec!["", ":tag", ":Tag_2", ":a:7-9:b"] } else { vec![""] };
    let part = (prop::sample::select(&SERVERS), prop::sample::select(tag), 1_u64..25, 0_u64..6)
        .prop_map(|(server, tag, first, more)| format!("{server}{tag}:{first}-{}", first + more));
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.join(", "))
}

/// Compares all pairs in one statement, one row each.
async fn mysql(pair: &Pair, tags: bool) -> Result<(), Failed> {
    let pairs = drawn((written(tags), written(tags)))?;
    let row = |(index, (a, b)): (usize, &(String, String))| {
        format!(
            "SELECT {index} AS pair, GTID_SUBSET('{a}', '{b}') AS subset, GTID_SUBTRACT('{a}', '{b}') AS difference, \
             GTID_SUBTRACT('{a},{b}', '') AS both_of_them"
        )
    };
    let selects: Vec<String> = pairs.iter().enumerate().map(row).collect();
    let rows = pair.source.ask(&[format!("{} ORDER BY pair", selects.join(" UNION ALL "))]).await?;
    ensure(rows.len() == PAIRS, || format!("{} rows for {PAIRS} pairs", rows.len()))?;
    for ((a, b), row) in pairs.iter().zip(&rows) {
        let (x, y): (GtidSet, GtidSet) = (a.parse()?, b.parse()?);
        ensure(y.contains(&x) == (value(row, "subset")? == "1"), || format!("{a} in {b}: {row:?}"))?;
        for (ours, column) in [(x.subtract(&y), "difference"), (x.union(&y), "both_of_them")] {
            let theirs = value(row, column)?;
            ensure(ours == theirs.parse()?, || format!("{a} and {b}: {ours}, and on the server {theirs}"))?;
            // The text must be the same too, not only the set.
            let theirs = theirs.replace('\n', "");
            ensure(ours.to_string() == theirs, || format!("we print {ours}, and the server {theirs}"))?;
        }
    }
    Ok(())
}

/// A position in some domains, all from one server, because waiting for a set compares only numbers.
fn place() -> impl Strategy<Value = BTreeMap<u32, u64>> {
    prop::collection::btree_map(0_u32..4, 1_u64..6, 0..4)
}

/// The last number of every server in every domain.
fn state() -> impl Strategy<Value = BTreeMap<(u32, u32), u64>> {
    prop::collection::btree_map((0_u32..3, 101_u32..104), 1_u64..9, 1..7)
}

/// MariaDB has no functions for sets. But it stores positions that it receives, and can tell whether a position is
/// reached.
async fn mariadb(pair: &Pair) -> Result<(), Failed> {
    let text = |place: &BTreeMap<u32, u64>| {
        place.iter().map(|(domain, number)| format!("{domain}-101-{number}")).collect::<Vec<_>>().join(",")
    };
    for (is, wanted) in drawn((place(), place()))? {
        let (is, wanted) = (text(&is), text(&wanted));
        let set = format!("SET GLOBAL gtid_slave_pos = '{is}'");
        let ask = format!("SELECT @@GLOBAL.gtid_slave_pos AS place, MASTER_GTID_WAIT('{wanted}', 0) = 0 AS reached");
        let row = pair.replica.row(&[set, ask]).await?;
        let (x, y): (GtidSet, GtidSet) = (is.parse()?, wanted.parse()?);
        ensure(x == value(&row, "place")?.parse()?, || format!("{is} became {row:?}"))?;
        ensure(x.contains(&y) == (value(&row, "reached")? == "1"), || format!("{wanted} at {is}: {row:?}"))?;
    }
    for state in drawn(state())? {
        let entries = state.iter().map(|((domain, server), number)| format!("{domain}-{server}-{number}"));
        let text = entries.collect::<Vec<_>>().join(",");
        let set = format!("SET GLOBAL gtid_binlog_state = '{text}'");
        let row = pair.replica.row(&["RESET MASTER", set.as_str(), pair.flavour.executed()]).await?;
        let ours: GtidSet = text.parse()?;
        ensure(ours == value(&row, "gtid_executed")?.parse()?, || format!("{text} became {row:?}"))?;
        // The barrier is the last number of each domain, which is part of the set.
        let barrier: GtidSet = value(&row, "barrier")?.parse()?;
        ensure(ours.contains(&barrier) && !barrier.is_empty(), || format!("{text} became {row:?}"))?;
    }
    pair.anew().await
}
