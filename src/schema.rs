//! The JSON schemas of this program's output for other programs
//! (<https://json-schema.org/draft/2020-12/json-schema-core>).

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};

use crate::check::Check;
use crate::evidence::{Applied, Choice, Conformed, ContainerLog, DnsServer, Leftover, NodeState, Record, State};
use crate::lint::Output;
use crate::report::Results;
use crate::trend::Trend;

/// An output format of this program for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// A record of the evidence.
    Evidence,
    /// The results of a run.
    Results,
    /// The findings of the linter in manifests.
    Lint,
    /// The trend over many runs.
    Trend,
    /// The checks.
    Checks,
}

impl Choice for Document {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Evidence, "evidence", "A line of evidence.jsonl: what was seen or done in a run"),
        (Self::Results, "results", "results.json: what a run comes to"),
        (Self::Lint, "lint", "Output of `steadfast lint --format json`: findings in manifests"),
        (Self::Trend, "trend", "Output of `steadfast trend --json`: what many runs say together"),
        (Self::Checks, "checks", "Output of `steadfast list --json`: the checks"),
    ];
}

impl Document {
    /// The schema, of draft 2020-12.
    pub fn schema(self) -> Schema {
        let mut schema = match self {
            Self::Evidence => record(),
            Self::Results => written::<Results<'_>>(),
            Self::Lint => written::<Output<'_>>(),
            Self::Trend => written::<Trend>(),
            Self::Checks => written::<Vec<Check>>(),
        };
        let what = Self::ALL.iter().find(|(document, ..)| *document == self).map(|(_, _, what)| *what);
        schema.insert("title".to_owned(), what.into());
        schema
    }
}

/// The schema of a record for readers: logs are kept, and older versions of the program wrote fewer fields.
fn record() -> Schema {
    let mut generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    define_snapshots(&mut generator);
    generator.into_root_schema_for::<Record>()
}

/// Defines the values of snapshots under their names: a snapshot names its content, but the schema of its value
/// allows anything.
fn define_snapshots(generator: &mut SchemaGenerator) {
    generator.subschema_for::<Applied>();
    generator.subschema_for::<Leftover>();
    generator.subschema_for::<NodeState>();
    generator.subschema_for::<DnsServer>();
    generator.subschema_for::<State>();
    generator.subschema_for::<Conformed>();
    generator.subschema_for::<ContainerLog>();
}

fn written<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

#[cfg(test)]
mod tests;
