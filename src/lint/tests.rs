//! The three formats on findings of every kind, and what holds for all positions.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

/// An error, a warning and a note; a text that is rendered, and one with letters of several bytes.
fn sample() -> Linted {
    let service = "# Der Dienst für alle\napiVersion: v1\nkind: Service\nmetadata: {name: dä}\n\
                   spec: {selector: {app: ü}, ports: [{port: 3306}], clusterIP: None}\n";
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: db\nspec:\n  serviceName: dä\n  \
               podManagementPolicy: Parallel\n  template: {metadata: {labels: {app: db}}}\n";
    let mut input = Input::default();
    input.add(Source::new("a folder/dienst.yaml", service)).expect("YAML");
    let stands_for = Some("over/kustomization.yaml".to_owned());
    input.add(Source { stands_for, ..Source::new("over (rendered by kubectl kustomize)", set) }).expect("YAML");
    let linted = judge(input);
    let found: Vec<&str> = linted.findings.iter().map(|finding| finding.rule.id).collect();
    assert_eq!(found, ["selector-mismatch", "unnamed-port", "server-unknown", "parallel-pods"]);
    linted
}

#[test]
fn as_text() {
    let text = text::render(&sample(), terminal::WIDTH);
    assert!(text.contains("\u{1b}["), "it has colours");
    assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
}

#[test]
fn as_json() {
    assert_snapshot!(json::render(&sample()));
}

#[test]
fn as_sarif() {
    let sarif: serde_json::Value = serde_json::from_str(&sarif::render(&sample())).expect("JSON");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(RULES.len()));
    for result in run["results"].as_array().expect("results") {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
    insta::assert_json_snapshot!(run["results"]);
}

#[tokio::test]
async fn manifests_without_a_set_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.yaml");
    let refused = |text: &str| {
        std::fs::write(&file, text).expect("written");
        let file = file.clone();
        async move {
            let error = lint(&file, "").await.expect_err("no set").to_string();
            error.replace(&file.display().to_string(), "a.yaml")
        }
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
    assert_snapshot!(refused(pod).await, @"a.yaml holds no StatefulSet (only Pod a); give the manifests of one");
    assert_snapshot!(refused("").await, @"a.yaml holds no StatefulSet (it is empty); give the manifests of one");
}

const SEED: &str = concat!(
    include_str!("../../manifests/seed/service.yaml"),
    "---\n",
    include_str!("../../manifests/seed/statefulset.yaml")
);

proptest! {
    /// Whatever is taken away from the seed or put between its lines, a finding points into its file.
    #[test]
    fn positions_lie_inside_their_files(
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            Just(None), Just(Some("# ä\u{1F600}")), Just(Some("---")), Just(Some("")), Just(Some("  x: 'é\u{1F600}'")),
        ]), 0..8),
        ending in prop_oneof![Just("\n"), Just("\r\n")],
    ) {
        let mut lines: Vec<&str> = SEED.lines().collect();
        for (index, line) in edits {
            let at = index.index(lines.len());
            match line {
                None => drop(lines.remove(at)),
                Some(line) => lines.insert(at, line),
            }
        }
        let mut input = Input::default();
        // What is no YAML, or no object, has no findings.
        if input.add(Source::new("seed.yaml", lines.join(ending))).is_err() {
            return Ok(());
        }
        let linted = judge(input);
        for finding in &linted.findings {
            let shown = linted.source(finding).text.get(finding.range.clone());
            prop_assert!(shown.is_some_and(|shown| !shown.contains(['\n', '\r'])), "{finding:?}");
            let spot = linted.spot(finding);
            let line = lines.get(spot.start.line - 1).map_or(0, |line| line.chars().count());
            prop_assert!(spot.start.line == spot.end.line && spot.end.column <= line + 1, "{finding:?}");
        }
        text::render(&linted, terminal::WIDTH);
    }
}
