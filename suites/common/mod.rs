//! What the suites that need a cluster share.

use std::path::{Path, PathBuf};

use libtest_mimic::Arguments;

/// The arguments. libtest-mimic does not know one spelling of libtest, so it is translated.
pub fn arguments() -> Arguments {
    let known = |argument: String| if argument == "--no-capture" { "--nocapture".to_owned() } else { argument };
    Arguments::from_iter(std::env::args().map(known))
}

/// The value of a variable, if it is set and not empty.
///
/// # Panics
/// If the value cannot be parsed. Otherwise the suite would test something else than requested.
pub fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, which is not what it takes")))
}

/// Multiplies every time limit, for a slow machine: `STEADFAST_TIMEOUT_SCALE`.
pub fn timeout_scale() -> f64 {
    variable("STEADFAST_TIMEOUT_SCALE").unwrap_or(1.0)
}

/// Where runs are written: `ARTIFACTS`, or `target/steadfast`.
pub fn artifacts() -> PathBuf {
    let given = std::env::var_os("ARTIFACTS").map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/steadfast"))
}
