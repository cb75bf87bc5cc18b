//! Any bytes as a stored log: they are refused, or what they say is judged by every check.
#![no_main]

use libfuzzer_sys::fuzz_target;
use steadfast::evidence::Evidence;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(evidence) = Evidence::parse(bytes) {
        steadfast_fuzz::report(&evidence);
    }
});
