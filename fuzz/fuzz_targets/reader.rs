//! Reads any bytes as a stored log. The reader refuses them, or every check judges the evidence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use steadfast::evidence::Evidence;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(evidence) = Evidence::parse(bytes) {
        steadfast_fuzz::report(&evidence);
    }
});
