//! Edits a stored run so that the reader still accepts it, and judges it with every check.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use steadfast::evidence::Evidence;
use steadfast_fuzz::{Log, Story};

fuzz_target!(|story: Story| -> Corpus {
    // Inputs that the reader refuses are covered by the other target. They are rejected, so that more of the corpus
    // reaches the judges.
    match Evidence::parse(&Log::of(&story).bytes()) {
        Ok(evidence) => {
            steadfast_fuzz::report(&evidence);
            Corpus::Keep
        }
        Err(_) => Corpus::Reject,
    }
});
