//! The tidy suite: the files of the repository follow CONTRIBUTING.md. It needs no cluster and no container, and is
//! compiled with the other suites. Each rule is a function from a text to findings, and has a test in which it fails.
//!
//! `docs/checks.md` and `docs/scenarios.md` are generated from the catalogue: `UPDATE_DOCS=1 cargo test --test tidy`.

mod documents;
mod generated;
mod imports;
mod options;
mod places;
mod repository;
mod sizes;
mod source;
mod words;

use repository::{File, documents, path_of, read, rust, scripts};
use steadfast::check::{CATALOGUE, Check, all};
use steadfast::evidence::SCENARIOS;

/// Fails with all findings of a rule, one per line.
#[track_caller]
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// The findings of a rule in these files, each with its path.
fn found(files: &[File], rule: impl Fn(&File) -> Vec<String>) -> Vec<String> {
    let of =
        |file: &File| rule(file).into_iter().map(|finding| format!("{}: {finding}", file.path)).collect::<Vec<_>>();
    files.iter().flat_map(of).collect()
}

#[test]
fn the_repository_is_read() {
    let (rust, documents, scripts) = (rust(), documents(), scripts());
    assert!(rust.len() > 300 && documents.len() > 15 && scripts.len() > 20);
    assert!(rust.iter().any(|file| file.path == "suites/tidy/main.rs"));
}

#[test]
fn modules_are_named_by_their_files() {
    none(found(&rust(), |file| places::module_style(&file.path)));
}

#[test]
fn modules_are_found_by_their_names() {
    none(found(&rust(), |file| places::path_attributes(&file.text)));
}

#[test]
fn imports_have_one_style() {
    none(found(&rust(), |file| imports::style(&file.text)));
}

#[test]
fn tests_stand_where_they_are_looked_for() {
    none(found(&rust(), |file| places::of_tests(&file.path, &file.text)));
}

#[test]
fn files_are_short() {
    let lengths: Vec<_> = rust().into_iter().map(|file| (file.path, sizes::lines_without_tests(&file.text))).collect();
    none(sizes::above("lines without its tests", &lengths, sizes::FILE));
}

#[test]
fn functions_are_short() {
    let of = |file: File| {
        let named = move |(name, lines)| (format!("{}: {name}", file.path), lines);
        sizes::functions(&file.text).into_iter().map(named).collect::<Vec<_>>()
    };
    let lengths: Vec<_> = rust().into_iter().flat_map(of).collect();
    none(sizes::above("lines", &lengths, sizes::FUNCTION));
}

#[test]
fn lints_are_allowed_only_with_a_reason() {
    none(found(&rust(), |file| words::allowed_without_reason(&file.text)));
}

#[test]
fn what_is_to_be_done_is_an_issue() {
    let may_be_undone = |file: &File| !words::undone(&file.text).is_empty();
    let files: Vec<File> = rust().into_iter().filter(may_be_undone).collect();
    none(found(&files, |file| words::undone(&source::comments(&file.text))));
    none(found(&[documents(), scripts()].concat(), |file| words::undone(&file.text)));
}

#[test]
fn names_are_those_of_the_field() {
    none(found(&rust(), |file| words::banned_in_code(&file.text)));
    none(found(&documents(), |file| words::banned_in_spans(&file.text)));
}

#[test]
fn scenarios_have_their_present_names_in_tables() {
    let former: Vec<&str> = SCENARIOS.iter().filter_map(|scenario| scenario.formerly).collect();
    none(found(&documents(), |file| match file.path.as_str() {
        // The changelog mentions the old names.
        "CHANGELOG.md" => Vec::new(),
        _ => words::former_scenarios(&file.text, &former),
    }));
}

#[test]
fn links_lead_to_files() {
    none(found(&documents(), |file| documents::broken_links(&file.path, &file.text, |path| path_of(path).exists())));
}

#[test]
fn the_readme_is_a_page() {
    none(documents::too_long(&read("README.md"), 150));
}

#[test]
fn the_readme_lists_the_properties_and_counts_the_mutants() {
    let readme = read("README.md");
    none(documents::missing_properties(&readme, CATALOGUE.iter().map(Check::property)));
    let mutants = read("manifests/mutants/mutants.yaml").lines().filter(|line| line.starts_with("- name:")).count();
    none(documents::wrong_number(&readme, "workloads and clusters are wrong on purpose", mutants));
}

#[test]
fn the_page_of_checks_is_the_catalogue() {
    none(generated::compared("docs/checks.md", &generated::checks(all())));
}

#[test]
fn the_page_of_scenarios_is_their_table() {
    none(generated::compared("docs/scenarios.md", &generated::scenarios(&SCENARIOS)));
}

#[test]
fn the_page_of_options_lists_where_they_act() {
    let page = options::page(&rust());
    none(generated::compared("docs/options.md", &page));
    none(options::without_effect(&page));
}
