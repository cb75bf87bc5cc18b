//! The three formats with findings of every kind, and properties of all positions.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::manifest::{Dialect, Text};
use crate::text::WIDTH;

/// An error, a warning and a note; a rendered text, and a text with multi-byte characters.
fn sample() -> Linted {
    let service = "# Der Dienst für alle\napiVersion: v1\nkind: Service\nmetadata: {name: dä}\n\
                   spec: {selector: {app: ü}, ports: [{port: 3306}], clusterIP: None}\n";
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: db\nspec:\n  serviceName: dä\n  \
               podManagementPolicy: Parallel\n  selector: {matchLabels: {app: db}}\n  template: {metadata: {labels: {app: db}}}\n";
    let mut input = Input::default();
    input.add(&Text::alone("a folder/dienst.yaml", service), Dialect::Kubectl).expect("YAML");
    input.add(&Text::alone("over (rendered by kubectl kustomize)", set), Dialect::Kubectl).expect("YAML");
    input.sources[1].stands_for = Some("over/kustomization.yaml".to_owned());
    let linted = judge(input);
    let found: Vec<&str> = linted.findings.iter().map(|finding| finding.rule.id).collect();
    assert_eq!(found, ["selector-mismatch", "unnamed-port", "server-unknown", "parallel-pods"]);
    linted
}

#[test]
fn as_text() {
    let text = for_people::render(&sample(), WIDTH);
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
            let error = lint(&Sources::of(Some(file.clone())), &[], "").await.expect_err("no set").to_string();
            error.replace(&file.display().to_string(), "a.yaml")
        }
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
    assert_snapshot!(refused(pod).await, @"a.yaml has no StatefulSet (only Pod a); give the manifests of one");
    assert_snapshot!(refused("").await, @"a.yaml has no StatefulSet (it is empty); give the manifests of one");
}

/// The result for the sample's set with this comment, and with these rules accepted.
async fn accepting(comment: &str, rules: &[&str]) -> Result<Linted, String> {
    let set = format!(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db}}\nspec:\n  serviceName: db # {comment}\n  \
         podManagementPolicy: Parallel\n  selector: {{matchLabels: {{app: db}}}}\n  \
         template: {{metadata: {{labels: {{app: db}}}}}}\n"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.yaml");
    std::fs::write(&file, set).expect("written");
    let rules: Vec<String> = rules.iter().map(|&rule| rule.to_owned()).collect();
    let linted = lint(&Sources::of(Some(file.clone())), &rules, "").await;
    linted.map_err(|error| error.to_string().replace(&file.display().to_string(), "a.yaml"))
}

fn rules_of(linted: &Linted) -> (Vec<&str>, Vec<(&str, &str)>) {
    let open = linted.findings.iter().map(|it| it.rule.id).collect();
    (open, linted.accepted.iter().map(|(it, reason)| (it.rule.id, reason.as_str())).collect())
}

#[tokio::test]
async fn what_is_accepted_is_set_apart_with_its_reason() {
    let all = accepting("", &[]).await.expect("readable");
    assert_eq!(rules_of(&all), (vec!["server-unknown", "no-governing-service", "parallel-pods"], vec![]));
    // A comment covers its own line and the next one.
    let by_comment = accepting("steadfast: accept parallel-pods: members are equal", &[]).await.expect("readable");
    let accepted = vec![("parallel-pods", "members are equal")];
    assert_eq!(rules_of(&by_comment), (vec!["server-unknown", "no-governing-service"], accepted));
    let of_another = accepting("steadfast: accept server-unknown: it is one", &[]).await.expect("readable");
    assert_eq!(rules_of(&of_another).1, vec![]);
    let by_flag = accepting("", &["no-governing-service"]).await.expect("readable");
    assert_eq!(rules_of(&by_flag).1, vec![("no-governing-service", "--accept")]);
    let levels = [Level::Error, Level::Warning, Level::Note].map(|level| by_flag.summary().has(level));
    assert_eq!(levels, [false, false, true]);
    let text = anstream::adapter::strip_str(&for_people::render(&by_flag, WIDTH)).to_string();
    assert!(text.ends_with("0 errors, 0 warnings, 2 notes, 1 accepted in 1 object\n"), "{text}");
    let sarif: serde_json::Value = serde_json::from_str(&sarif::render(&by_comment)).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"][2]["suppressions"][0]["justification"], "members are equal");
}

#[test]
fn hostile_names_are_inert_in_text_and_sarif() {
    for hostile in crate::text::HOSTILE {
        let container = serde_json::json!({"name": hostile, "image": "mysql:5.7"});
        let template =
            serde_json::json!({"metadata": {"labels": {"app": hostile}}, "spec": {"containers": [container]}});
        let set = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": hostile},
            "spec": {"serviceName": hostile, "selector": {"matchLabels": {"app": hostile}}, "template": template},
        });
        // Escaped, because YAML does not allow all of these characters literally.
        let escaped = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
        let text: String = set.to_string().chars().map(escaped).collect();
        let mut input = Input::default();
        input.add(&Text::alone("set.json", text), Dialect::Kubectl).expect("an object");
        let linted = judge(input);
        assert!(!linted.findings.is_empty());
        let shown = anstream::adapter::strip_str(&for_people::render(&linted, WIDTH)).to_string();
        let sarif: serde_json::Value = serde_json::from_str(&sarif::render(&linted)).expect("JSON");
        let results = sarif["runs"][0]["results"].as_array().expect("results");
        let told = results.iter().filter_map(|result| Some(result["message"]["text"].as_str()?.to_owned()));
        let told: Vec<String> = told.collect();
        for line in shown.lines().chain(told.iter().map(String::as_str)) {
            assert!(!line.contains(crate::text::is_hidden), "{line:?}");
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line:?}");
        }
        assert!(told.iter().all(|text| !text.contains("](")), "{told:?}");
    }
}

#[tokio::test]
async fn what_is_accepted_without_a_reason_or_a_rule_is_refused() {
    let refused = async |comment: &str, rules: &[&str]| accepting(comment, rules).await.expect_err("refused");
    assert_snapshot!(refused("steadfast: accept parallel-pods", &[]).await, @"a.yaml, line 5: say why parallel-pods is accepted: `# steadfast: accept parallel-pods: REASON`");
    for words in [refused("steadfast: accept nothing: why", &[]).await, refused("", &["nothing"]).await] {
        assert!(words.contains("there is no rule `nothing`; there is no-root-password, "), "{words}");
    }
}

const SEED: &str = concat!(
    include_str!("../../../manifests/seed/service.yaml"),
    "---\n",
    include_str!("../../../manifests/seed/statefulset.yaml")
);

proptest! {
    /// Whatever is removed from the seed or inserted between its lines, a finding points into its file.
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
        // A text that is not YAML, or not an object, has no findings.
        if input.add(&Text::alone("seed.yaml", lines.join(ending)), Dialect::Kubectl).is_err() {
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
        for_people::render(&linted, WIDTH);
    }
}
