//! Stored runs, parsed once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

use crate::seen::{Named, named};
use crate::thin::Thin;

/// How many records of the real run are used: up to the end of the scenario `server-kill`. Its objects are complete, as
/// an API server returns them, and it has events and waits.
const BEGINNING: usize = 728;

static RUNS: LazyLock<[Stored; 3]> = LazyLock::new(|| {
    [
        // Runs of all scenarios, and of a cluster upgrade.
        Stored::of(include_str!("../../suites/replay/made-good.jsonl").lines()),
        Stored::of(include_str!("../../suites/replay/made-upgraded.jsonl").lines()),
        Stored::of(include_str!("../../suites/replay/mysql-9.7-semi-sync.jsonl").lines().take(BEGINNING)),
    ]
});

/// A stored run.
#[derive(Debug)]
pub struct Stored {
    /// Its records, in order.
    pub lines: Vec<Line>,
    /// How many kinds of records it has.
    pub kinds: usize,
    /// The values at each kind of place.
    alike: BTreeMap<String, Vec<Value>>,
    /// The values of each type.
    by_type: BTreeMap<&'static str, Vec<Value>>,
}

/// A record of a stored run.
#[derive(Debug)]
pub struct Line {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at_us: u64,
    /// Its content.
    pub what: Value,
    /// The rest of the line after the time.
    pub tail: String,
    /// The pods that it names.
    pub named: Vec<Named>,
    /// Its kind: a number below [`Stored::kinds`].
    pub kind: usize,
}

impl Stored {
    /// All stored runs that stories use.
    pub fn all() -> &'static [Self] {
        &*RUNS
    }

    /// Parses the lines of a log.
    fn of<'a>(log: impl Iterator<Item = &'a str>) -> Self {
        let mut kinds: Vec<String> = Vec::new();
        let line = |mut record: Value| {
            let number = |field: &str| record[field].as_u64().expect("a number");
            let (seq, at_us) = (number("seq"), number("at_us"));
            let tail = format!(",\"wall\":{},\"what\":{}}}\n", record["wall"], record["what"]);
            let kind = kind(&record["what"]);
            let known = kinds.iter().position(|known| *known == kind);
            let kind = known.unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len() - 1
            });
            let what = record["what"].take();
            Line { seq, at_us, named: named(&what), what, tail, kind }
        };
        let (mut thin, parse) = (Thin::default(), |line| serde_json::from_str(line).expect("a record"));
        let lines: Vec<Line> = log.map(parse).filter_map(|record| thin.keep(record)).map(line).collect();
        let (alike, by_type) = values(&lines);
        Self { lines, kinds: kinds.len(), alike, by_type }
    }

    /// The values of the run at similar places: the same field in records of the same kind.
    pub fn alike(&self, kind: usize, pointer: &str) -> &[Value] {
        self.alike.get(&place(kind, pointer)).map_or(&[], Vec::as_slice)
    }

    /// The values of the run that are of the same type as this one.
    pub fn of_type(&self, value: &Value) -> &[Value] {
        self.by_type.get(type_of(value)).map_or(&[], Vec::as_slice)
    }
}

/// The kind of a record. Two records of one kind have the same fields.
fn kind(what: &Value) -> String {
    let words = ["kind", "object_kind", "of", "question", "act"].map(|field| match &what[field] {
        Value::String(word) => word.clone(),
        Value::Object(fields) => fields.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    });
    words.join(" ")
}

/// A place in a record. All items of a list have the same place.
fn place(kind: usize, pointer: &str) -> String {
    let parts = pointer.split('/').map(|part| if part.parse::<usize>().is_ok() { "*" } else { part });
    format!("{kind}{}", parts.collect::<Vec<_>>().join("/"))
}

/// Values by place, and by type.
type Values = (BTreeMap<String, Vec<Value>>, BTreeMap<&'static str, Vec<Value>>);

/// The distinct values of these records, by place and by type.
fn values(lines: &[Line]) -> Values {
    let (mut alike, mut by_type): (BTreeMap<_, Vec<_>>, BTreeMap<_, Vec<_>>) = (BTreeMap::new(), BTreeMap::new());
    let (mut seen, mut seen_alike) = (BTreeSet::new(), BTreeSet::new());
    for line in lines {
        for pointer in pointers(&line.what) {
            let value = line.what.pointer(&pointer).expect("a place");
            let (place, text) = (place(line.kind, &pointer), value.to_string());
            if seen.insert(text.clone()) {
                by_type.entry(type_of(value)).or_default().push(value.clone());
            }
            if seen_alike.insert((place.clone(), text)) {
                alike.entry(place).or_default().push(value.clone());
            }
        }
    }
    (alike, by_type)
}

/// The places of the values in a record, as JSON pointers. The fields that give the record's kind are left out.
pub fn pointers(what: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(what, "", &mut found);
    found.retain(|pointer| pointer != "/kind" && !pointer.is_empty());
    found
}

fn collect(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| collect(item, &format!("{pointer}/{at}"), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            collect(field, &format!("{pointer}/{name}"), found);
        }),
        _ => {}
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
