use std::fs;
use std::path::Path;

use arbitrary::{Arbitrary as _, Unstructured};
use steadfast::check::{Verdict, all};
use steadfast::evidence::Evidence;

use super::random::Random;
use super::*;

/// How many stories the test tells.
const STORIES: u64 = 400;

/// Random bytes. The same seed gives the same bytes.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    Random(seed).flat_map(u64::to_le_bytes).take(length).collect()
}

fn read(bytes: &[u8]) -> Result<Evidence, String> {
    let story = Story::arbitrary_take_rest(Unstructured::new(bytes)).map_err(|error| error.to_string())?;
    Evidence::parse(&Log::of(&story).bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_story_without_edits_is_the_stored_run() {
    for (run, stored) in (0..).zip(Stored::all()) {
        let evidence = read(&[run]).expect("a log");
        assert_eq!(evidence.records.len(), stored.lines.len());
        let verdicts: Vec<Verdict> = all().map(|check| check.judge(&evidence).verdict).collect();
        assert!(verdicts.contains(&Verdict::Pass) && !verdicts.contains(&Verdict::Fail), "{verdicts:?}");
    }
}

#[test]
fn most_stories_reach_the_judges() {
    let refusals: Vec<String> =
        (0..STORIES).filter_map(|seed| read(&bytes(seed, 8 + (seed % 120) as usize)).err()).collect();
    println!("{} of {STORIES} stories reach the judges", STORIES as usize - refusals.len());
    assert!(refusals.len() as u64 * 10 < STORIES, "{refusals:#?}");
}

#[test]
fn seeds_break_nothing() {
    let seeds = |target: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        let files = fs::read_dir(&folder).expect("seeds").map(|entry| entry.expect("a seed").path());
        files.map(|file| fs::read(file).expect("a seed")).collect::<Vec<_>>()
    };
    let reader: Vec<Evidence> = seeds("reader").iter().filter_map(|seed| Evidence::parse(seed).ok()).collect();
    let judges: Vec<Evidence> = seeds("judges").iter().filter_map(|seed| read(seed).ok()).collect();
    assert!(!reader.is_empty() && !judges.is_empty());
    reader.iter().chain(&judges).for_each(report);
}
