//! Command-line values for settings that have a few named values.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::evidence::Choice;

/// A parser that accepts the name of one of the values and lists all of them in the help.
pub fn choice<T: Choice + Send + Sync>() -> impl TypedValueParser<Value = T> {
    let values = T::ALL.iter().map(|(_, name, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(values).try_map(|name| T::named(&name).ok_or("no such value"))
}
