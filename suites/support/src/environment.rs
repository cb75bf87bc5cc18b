//! The environment variables of the suites.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The value of a variable. `None` if it is unset or empty.
///
/// # Panics
/// When the value is invalid: the suite would otherwise test something else.
pub fn variable<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name} is `{text}`: {error}")))
}

/// The reason for creating no cluster, if `STEADFAST_CLUSTER=none` is set.
pub fn no_cluster() -> Option<String> {
    let is_none = variable::<String>("STEADFAST_CLUSTER").is_some_and(|cluster| cluster == "none");
    is_none.then(|| "STEADFAST_CLUSTER=none: no cluster is wanted".to_owned())
}

/// Multiplies every time limit, for a slow machine: `STEADFAST_TIMEOUT_SCALE`.
pub fn timeout_scale() -> f64 {
    variable("STEADFAST_TIMEOUT_SCALE").unwrap_or(1.0)
}

/// The directory for runs: `ARTIFACTS`, or `target/steadfast`.
pub fn artifacts() -> PathBuf {
    let given = std::env::var_os("ARTIFACTS").map(PathBuf::from);
    given.unwrap_or_else(|| repository().join("target/steadfast"))
}

/// The root of the repository.
fn repository() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this package is two folders below the root")
}
