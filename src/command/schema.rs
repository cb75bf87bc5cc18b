//! `steadfast schema`: the JSON schemas of the output for other programs.

use clap::Args;
use steadfast::choice::choice;
use steadfast::evidence::Choice as _;
use steadfast::schema::Document;
use steadfast::terminal::tell;

/// The arguments of `steadfast schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// The document whose schema is printed. Without it, the names of all documents are listed.
    #[arg(value_parser = choice::<Document>())]
    name: Option<Document>,
}

/// Prints a schema, or lists the names.
///
/// # Errors
/// When the schema cannot be written as JSON.
pub(crate) fn act(args: &SchemaArgs) -> anyhow::Result<u8> {
    match args.name {
        Some(document) => tell(&serde_json::to_string_pretty(&document.schema())?),
        None => tell(&names()),
    }
    Ok(0)
}

fn names() -> String {
    let width = Document::ALL.iter().map(|(_, name, _)| name.len()).max().unwrap_or_default();
    let lines = Document::ALL.iter().map(|(_, name, what)| format!("{name:width$}  {what}"));
    lines.collect::<Vec<_>>().join("\n")
}
