//! Values, places and dialects.

use super::*;

/// The text at each place, with its line, column and pointer.
fn shown(text: &str) -> String {
    let mut lines = Vec::new();
    for document in objects("a.yaml", text, Dialect::Kubectl).expect("YAML") {
        for (pointer, place) in &document.places {
            let before = &text[..place.start];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
            lines.push(format!("{line}:{column} {pointer} {}", &text[place.clone()]));
        }
    }
    lines.join("\n")
}

#[test]
fn several_documents_comments_and_styles() {
    insta::assert_snapshot!(shown("# first\na: 1 # one\n---\n# nothing\n---\nb: {c: 'd e', f: [1, \"2\"]}\ng:\n"), @r#"
    2:4  1
    2:4 /a 1
    6:1  b
    6:1 /b b
    6:8 /b/c 'd e'
    6:15 /b/f f
    6:19 /b/f/0 1
    6:22 /b/f/1 "2"
    7:1 /g g
    "#);
}

#[test]
fn lists_blocks_and_keys_with_slashes() {
    insta::assert_snapshot!(shown("a/b~c:\n- name: x\n  y: |\n    one\n    two\n-   - z\n- >-\n  folded\n"), @"
    1:1  a/b~c
    1:1 /a~1b~0c a/b~c
    2:9 /a~1b~0c/0 x
    2:9 /a~1b~0c/0/name x
    4:5 /a~1b~0c/0/y one
    6:7 /a~1b~0c/1 z
    6:7 /a~1b~0c/1/0 z
    8:3 /a~1b~0c/2 folded
    ");
}

#[test]
fn anchors_lead_to_where_the_value_is_written() {
    insta::assert_snapshot!(shown("a: &a\n  b: 1\nc: *a\nd:\n  <<: *a\n  e: 2\nf: &f x\ng: [*f]\n"), @"
    1:1  a
    1:1 /a a
    2:6 /a/b 1
    3:1 /c c
    2:6 /c/b 1
    4:1 /d d
    2:6 /d/b 1
    6:6 /d/e 2
    7:7 /f x
    8:1 /g g
    7:7 /g/0 x
    ");
}

#[test]
fn what_is_not_ascii_is_counted_in_characters() {
    insta::assert_snapshot!(shown("ä: ö # ü\r\nß: [é, x]\r\n"), @"
    1:4  ö
    2:1 /ß ß
    2:5 /ß/0 é
    2:8 /ß/1 x
    1:4 /ä ö
    ");
}

fn found(text: &str, dialect: Dialect) -> Vec<Placed> {
    objects("a.yaml", text, dialect).expect("YAML")
}

#[test]
fn lists_within_lists_are_their_objects() {
    let list = "kind: List\nitems:\n- kind: PodList\n  items: [{kind: Pod, a: 1}, {kind: Pod, a: 2}]\n- kind: Secret\n";
    let kinds: Vec<Value> = found(list, Dialect::Kubectl).into_iter().map(|it| it.value["kind"].clone()).collect();
    assert_eq!(kinds, ["Pod", "Pod", "Secret"]);
    assert_eq!(found("kind: PriceList\n", Dialect::Kubectl).len(), 1);
}

#[test]
fn json_values_one_after_the_other_are_documents() {
    let text = "{\"kind\": \"A\"}\n{\"kind\": \"B\",\n \"x\": 1}\n";
    let documents = found(text, Dialect::Kubectl);
    let shown: Vec<&str> = documents.iter().map(|it| &text[it.places["/kind"].clone()]).collect();
    assert_eq!((shown, documents[1].document), (vec!["\"A\"", "\"B\""], 2));
}

#[test]
fn words_are_booleans_to_kubectl_and_none_to_kustomize() {
    for word in ["yes", "no", "on", "Off", "y", "N"] {
        let value = |dialect| found(&format!("a: {word}\n"), dialect)[0].value["a"].clone();
        assert!(value(Dialect::Kubectl).is_boolean() && value(Dialect::Kustomize).is_string(), "{word}");
    }
    assert!(found("a: 'yes'\n", Dialect::Kubectl)[0].value["a"].is_string());
    assert_eq!(found("a: 0755\n", Dialect::Kubectl)[0].value["a"], 493);
}

#[test]
fn of_a_repeated_key_the_last_one_counts() {
    let text = "a: 1\nb: {c: 1, c: 2}\na: 3\n";
    let document = found(text, Dialect::Kubectl).remove(0);
    assert_eq!((&document.value["a"], &document.value["b"]["c"]), (&3.into(), &2.into()));
    let again: Vec<(&str, usize)> = document.repeated.iter().map(|(key, at)| (key.as_str(), at.start)).collect();
    assert_eq!(again, [("/b/c", 15), ("/a", 21)]);
}

#[test]
fn a_tab_is_named_by_its_own_line() {
    let error = objects("a.yaml", "a:\n  b: 1\n\tc: 2\n", Dialect::Kubectl).expect_err("a tab").to_string();
    assert!(error.contains("line 3 is indented by a tab"), "{error}");
}

#[test]
fn many_documents_are_read() {
    let text = "a: 1\n---\n".repeat(3_000);
    assert_eq!(found(&text, Dialect::Kubectl).len(), 3_000);
}
