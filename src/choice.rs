//! Offers the values of a setting on the command line.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::evidence::Choice;

/// Takes the name of one of the values, and shows all of them in the help.
pub fn choice<T: Choice + Send + Sync>() -> impl TypedValueParser<Value = T> {
    let values = T::ALL.iter().map(|(_, name, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(values).try_map(|name| T::named(&name).ok_or("no such value"))
}
