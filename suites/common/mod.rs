//! What the suites that need a cluster share.

use std::path::{Path, PathBuf};

use libtest_mimic::Arguments;

/// The arguments, with the spelling of libtest that libtest-mimic does not know.
pub fn arguments() -> Arguments {
    let known = |argument: String| if argument == "--no-capture" { "--nocapture".to_owned() } else { argument };
    Arguments::from_iter(std::env::args().map(known))
}

/// Where runs are written: `ARTIFACTS`, or `target/steadfast`.
pub fn artifacts() -> PathBuf {
    let given = std::env::var_os("ARTIFACTS").map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/steadfast"))
}
