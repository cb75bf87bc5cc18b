//! Everything that is done with a log that was read.

use std::hint::black_box;

use steadfast::check::{Outcome, all};
use steadfast::evidence::Evidence;
use steadfast::report::explain;

/// Judges the evidence with every check and explains every verdict, as `steadfast judge` does.
pub fn report(evidence: &Evidence) {
    let outcome = Outcome::of(evidence, all());
    for judged in &outcome.judged {
        black_box(explain(&outcome, judged));
    }
}
