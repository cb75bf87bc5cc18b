//! A stored run, edited in any way that the reader takes, and judged by every check.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use steadfast::evidence::Evidence;
use steadfast_fuzz::{Log, Story};

fuzz_target!(|story: Story| -> Corpus {
    // What is refused is the other target's business: it is not kept, so that more and more of the corpus is judged.
    match Evidence::parse(&Log::of(&story).bytes()) {
        Ok(evidence) => {
            steadfast_fuzz::report(&evidence);
            Corpus::Keep
        }
        Err(_) => Corpus::Reject,
    }
});
