//! What `steadfast trend` refuses or names as missing, and what it says about the stored runs.

use libtest_mimic::Failed;
use steadfast::check::CATALOGUE;
use steadfast::evidence::{Evidence, What};
use steadfast::report::write_all;
use steadfast::run::{Finished, outcome};

use super::call::{Call, STORED, call};
use super::program::Place;

/// It names what is missing.
pub(crate) fn calls() -> Vec<Call> {
    let results = r#"{"schema":1,"run":{"run_id":"mine","steadfast":"0.1.0","kubernetes":"v1.37.2"},
        "interrupted":false,"checks":[{"id":"mine::holds","verdict":"pass","seconds":1.5}]}"#;
    let runs = |name, form: &[&'static str]| {
        call(name, 2, &["trend", "@/runs"])
            .and_arguments(form)
            .with("runs/good/results.json", results)
            .with("runs/new/results.json", results.replace("\"schema\":1", "\"schema\":2"))
            .with("runs/torn/results.json", &results[..60])
            .with("runs/without/results.json", "{}")
    };
    vec![
        call("output::trend_help", 0, &["trend", "--help"]),
        call("trend::no_folder", 2, &["trend"]),
        call("trend::nothing_there", 2, &["trend", "@/nothing"]),
        call("trend::empty_folder", 2, &["trend", "@/empty"]).with("empty/README", ""),
        call("trend::a_file", 2, &["trend", "@/README"]).with("README", ""),
        call("trend::two_forms", 2, &["trend", "@", "--json", "--markdown"]),
        call("trend::a_pipe", 2, &["trend", "@/runs"]).with_pipe("runs/mine/results.json"),
        runs("trend::unread", &[]),
        runs("trend::unread_markdown", &["--markdown"]),
        runs("trend::unread_json", &["--json"]),
        // A killed run has nothing to count. This is not an error.
        call("trend::killed", 0, &["trend", "@/run"]).with("run/evidence.jsonl", STORED),
    ]
}

/// The results of the stored runs, as this program writes them now.
pub(crate) fn of_the_stored_runs() -> Result<(), Failed> {
    let place = Place::new();
    for name in ["made-good", "made-parallel", "seed-1.37.2"] {
        let log = format!("{}/suites/replay/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let mut records = Evidence::read(log.as_ref())?.records;
        for record in &mut records {
            // Hand-made runs have the same name.
            if let What::Run(run) = &mut record.what
                && run.run_id == "hand-made"
            {
                run.run_id = name.to_owned();
            }
        }
        let (directory, evidence) = (place.path(&format!("runs/{name}")), Evidence::new(records));
        std::fs::create_dir_all(&directory)?;
        let finished = Finished { directory, evidence, trouble: None, kept: None };
        let checks: Vec<_> = CATALOGUE.iter().collect();
        write_all(&outcome(&finished, &checks, "steadfast run"), &finished.directory)?;
    }
    place.call(&["trend", "@/runs"], &[]).is("trend::stored_runs", 0)
}
