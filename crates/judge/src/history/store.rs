//! Writes the stored runs of `suites/replay`.

use std::collections::BTreeMap;

use super::History;
use crate::evidence::{Fault, Record, What};

/// Writes the stored runs of `suites/replay` again: `cargo test -p steadfast-judge -- --ignored store_the_runs`.
#[test]
#[ignore = "writes suites/replay"]
fn store_the_runs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/replay");
    for (name, history) in [
        ("made-good", History::good()),
        ("made-parallel", History::parallel()),
        ("made-upgraded", History::upgraded()),
        ("made-unwatched", History::around_an_upgrade()),
    ] {
        let records = numbered(history.records);
        let lines = records.iter().map(|record| serde_json::to_string(record).expect("a record") + "\n");
        std::fs::write(folder.join(name).with_extension("jsonl"), lines.collect::<String>()).expect("a folder");
    }
}

/// Renumbers records without holes, and proofs with them: a history may have removed records.
fn numbered(mut records: Vec<Record>) -> Vec<Record> {
    let now: BTreeMap<u64, u64> = records.iter().map(|record| record.seq).zip(1..).collect();
    for record in &mut records {
        record.seq = now[&record.seq];
        if let What::Fault(Fault { proof: Some(proof), .. }) = &mut record.what {
            *proof = proof.iter().filter_map(|seq| now.get(seq).copied()).collect();
        }
    }
    records
}
