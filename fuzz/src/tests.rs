use arbitrary::{Arbitrary as _, Unstructured};
use steadfast::check::{Verdict, all};
use steadfast::evidence::Evidence;

use super::*;

/// How many stories are told.
const STORIES: u64 = 400;

/// Random bytes, and the same ones for the same seed (splitmix64).
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

fn read(bytes: &[u8]) -> Result<Evidence, String> {
    let story = Story::arbitrary_take_rest(Unstructured::new(bytes)).map_err(|error| error.to_string())?;
    Evidence::parse(&Log::of(&story).bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_story_without_edits_is_the_stored_run() {
    for run in 0..2 {
        let evidence = read(&[run]).expect("a log");
        assert_eq!(evidence.records.len(), Stored::any(run.into()).lines.len());
        let verdicts: Vec<Verdict> = all().map(|check| check.judge(&evidence).verdict).collect();
        assert!(verdicts.contains(&Verdict::Pass) && !verdicts.contains(&Verdict::Fail), "{verdicts:?}");
    }
}

#[test]
fn most_stories_reach_the_judges() {
    let (mut read_well, mut refusals) = (0, std::collections::BTreeMap::<String, u32>::new());
    for seed in 0..STORIES {
        match read(&bytes(seed, 8 + (seed % 120) as usize)) {
            Ok(_) => read_well += 1,
            Err(error) => *refusals.entry(error.split(": ").skip(2).take(1).collect()).or_default() += 1,
        }
    }
    println!("{read_well} of {STORIES}; {refusals:#?}");
    assert!(read_well * 100 >= STORIES * 75, "{read_well} of {STORIES} stories can be read");
}
