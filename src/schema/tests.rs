//! Tests that the output of this program matches its schemas.

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::*;
use crate::check::Outcome;
use crate::lint::{Format, lint};
use crate::report::{sample, write_all};
use crate::trend::{Form, gather};
use crate::workload::Sources;

fn validator(document: Document) -> Validator {
    jsonschema::draft202012::new(document.schema().as_value()).expect("a schema")
}

fn assert_valid(validator: &Validator, value: &Value, of: &str) {
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{of}: {}", errors.join("; "));
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("readable")).expect("JSON")
}

#[test]
fn every_record_of_the_stored_runs_is_valid() {
    let validator = validator(Document::Evidence);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/replay");
    let files = folder.read_dir().expect("the stored runs").map(|entry| entry.expect("an entry").path());
    let logs: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    assert!(!logs.is_empty());
    for log in logs {
        for (index, line) in std::fs::read_to_string(&log).expect("readable").lines().enumerate() {
            let record = serde_json::from_str(line).expect("JSON");
            assert_valid(&validator, &record, &format!("{}:{}", log.display(), index + 1));
        }
    }
}

#[test]
fn every_kind_of_record_is_valid() {
    let validator = validator(Document::Evidence);
    for record in sample::one_of_each() {
        assert_valid(&validator, &serde_json::to_value(&record).expect("JSON"), &format!("#{}", record.seq));
    }
}

/// The places of all parts of a value, including the whole value.
fn places(value: &Value) -> Vec<String> {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, part)| (name.clone(), part)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, part)| (index.to_string(), part)).collect(),
        _ => Vec::new(),
    };
    let below = |(name, part): (String, &Value)| places(part).into_iter().map(move |rest| format!("/{name}{rest}"));
    std::iter::once(String::new()).chain(parts.into_iter().flat_map(below)).collect()
}

/// The value with an unknown field, without a part, or with a part of another type.
fn changed(value: &Value) -> Vec<(String, Value)> {
    let with = |place: &str, change: &dyn Fn(&mut Value)| {
        let mut changed = value.clone();
        change(changed.pointer_mut(place).expect("a place"));
        changed
    };
    let mut all = Vec::new();
    for place in places(value) {
        let part = value.pointer(&place).expect("a place");
        if part.is_object() {
            all.push((format!("unknown field at {place}"), with(&place, &|it| it["unknown"] = json!(1))));
        }
        for other in [json!(true), json!(-7.5), json!("odd"), json!({ "odd": [true] })] {
            // Another text may be valid only because of its words, so a text never replaces a text.
            if !(part.is_string() && other.is_string()) {
                all.push((format!("{other} at {place}"), with(&place, &|it| *it = other.clone())));
            }
        }
        let (parent, name) = place.rsplit_once('/').unwrap_or_default();
        let without = |it: &mut Value| _ = it.as_object_mut().and_then(|fields| fields.remove(name));
        all.push((format!("nothing at {place}"), with(parent, &without)));
    }
    all
}

/// Also tests which fields may be missing, and that readers ignore unknown fields.
#[test]
fn the_schema_of_a_record_allows_what_is_read() {
    let validator = validator(Document::Evidence);
    let (mut read, mut refused) = (0, 0);
    for record in sample::one_of_each() {
        for (change, value) in changed(&serde_json::to_value(&record).expect("JSON")) {
            let is_read = serde_json::from_value::<Record>(value.clone()).is_ok();
            assert_eq!(validator.is_valid(&value), is_read, "#{}: {change}: {value}", record.seq);
            *if is_read { &mut read } else { &mut refused } += 1;
        }
    }
    assert!(read > 100 && refused > 100, "{read} were read, {refused} refused");
}

#[test]
fn results_and_trends_are_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, outcome: &Outcome<'_>| {
        let directory = folder.path().join(name);
        std::fs::create_dir(&directory).expect("a folder");
        write_all(outcome, &directory).expect("written");
        assert_valid(&validator(Document::Results), &json_of(&directory.join("results.json")), name);
    };
    write("passing", &sample::passing(&sample::passing_evidence()));
    write("failing", &sample::failing(&sample::failing_evidence()));
    write("measured", &sample::measured(&sample::disrupted_evidence()));
    write("interrupted", &sample::interrupted(&sample::interrupted_evidence()));
    write("empty", &sample::empty(&crate::evidence::Evidence::new(Vec::new())));
    let trend = Trend::of(gather(&[folder.path().to_owned()])).render(Form::Json);
    assert_valid(&validator(Document::Trend), &serde_json::from_str(&trend).expect("JSON"), "trend");
}

#[tokio::test]
async fn findings_are_valid_also_where_one_is_accepted() {
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/seed/statefulset.yaml");
    let accepted = ["no-governing-service".to_owned()];
    let linted = lint(&Sources::of(Some(set)), &accepted, "no kubectl").await.expect("readable");
    assert_eq!((linted.findings.is_empty(), linted.accepted.len()), (false, 1));
    let json = linted.render(Format::Json, 80);
    assert_valid(&validator(Document::Lint), &serde_json::from_str(&json).expect("JSON"), "lint");
}

#[test]
fn a_wrong_type_is_no_result() {
    let results = validator(Document::Results);
    let mut value = json!({
        "schema": 1, "run": null, "interrupted": false, "checks": [], "disruptions": [], "ledger": null,
        "summary": { "pass": 0, "fail": 0, "inconclusive": 0, "skipped": 0 }, "left_out": [], "exercised": [],
    });
    assert_valid(&results, &value, "results");
    value["interrupted"] = json!("no");
    assert!(!results.is_valid(&value));
    value["interrupted"] = json!(false);
    value["schema"] = json!(2);
    assert!(!results.is_valid(&value), "another format");
}

#[test]
fn the_checks_are_valid() {
    let checks: Vec<_> = crate::check::all().collect();
    assert_valid(&validator(Document::Checks), &serde_json::to_value(checks).expect("JSON"), "checks");
}

#[test]
fn a_schema_says_of_which_draft_it_is_and_names_no_item_of_the_program() {
    for (document, name, _) in Document::ALL {
        let schema = document.schema();
        assert_eq!(schema.get("$schema"), Some(&json!("https://json-schema.org/draft/2020-12/schema")), "{name}");
        assert!(!schema.as_value().to_string().contains("[`"), "{name} has links of Rust's documentation");
    }
}
