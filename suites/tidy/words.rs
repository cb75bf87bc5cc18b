//! Rules for words that must not be used.

use super::source::{identifiers, lines};

/// Vague names, and what to use instead.
const BANNED: [(&str, &str); 8] = [
    ("Bench", "what it makes"),
    ("Surroundings", "environment or context"),
    ("Sight", "connection or visibility"),
    ("Moment", "checkpoint or time"),
    ("Sabotage", "fault injection"),
    ("Town", "cluster"),
    ("greet", "handshake"),
    ("unseen", "not_seen"),
];

/// The finding if a name is banned. With `anyhow`, in any spelling.
fn banned(name: &str, anyhow: bool) -> Option<String> {
    // `bench` is Cargo's word, and the variant `Unseen` is not the banned function.
    let is_other = |word: &str| anyhow && !matches!(word, "Bench" | "unseen") && name.eq_ignore_ascii_case(word);
    let (_, better) = BANNED.iter().find(|(word, _)| name == *word || is_other(word))?;
    Some(format!("`{name}` is a name that was given up: say {better}"))
}

/// Banned names in a code file, also in the code spans of its comments.
pub(crate) fn banned_in_code(text: &str) -> Vec<String> {
    let small = text.to_ascii_lowercase();
    if !BANNED.iter().any(|(word, _)| small.contains(&word.to_ascii_lowercase())) {
        return Vec::new();
    }
    let of = |(number, line): (usize, super::source::Line)| {
        let names = identifiers(&line.code).filter_map(|name| banned(name, true));
        let all: Vec<String> = names.chain(banned_in_spans(&line.comment)).collect();
        all.into_iter().map(move |finding| format!("line {}: {finding}", number + 1))
    };
    lines(text).into_iter().enumerate().flat_map(of).collect()
}

/// Banned names in the code spans of a text. In prose these words are fine, and `moment` is a field of records.
pub(crate) fn banned_in_spans(text: &str) -> Vec<String> {
    text.lines().flat_map(spans).flat_map(identifiers).filter_map(|name| banned(name, false)).collect()
}

/// The texts between backticks on a line.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Marks of unfinished work without an issue number, which would be as in `TODO(#12)`.
pub(crate) fn undone(text: &str) -> Vec<String> {
    let of = |(number, line): (usize, &str)| {
        let word = ["TODO", "FIXME"].into_iter().find(|word| {
            let issue = |rest: &str| {
                rest.strip_prefix("(#").is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit()))
            };
            let whole = |at: usize| !line[..at].ends_with(|char: char| char.is_alphanumeric());
            line.match_indices(word).any(|(at, _)| whole(at) && !issue(&line[at + word.len()..]))
        })?;
        Some(format!("line {}: {word} wants an issue: {word}(#12)", number + 1))
    };
    text.lines().enumerate().filter_map(of).collect()
}

/// Lints that are allowed or expected without `reason = "…"`.
pub(crate) fn allowed_without_reason(text: &str) -> Vec<String> {
    if !["[allow(", "[expect("].iter().any(|start| text.contains(start)) {
        return Vec::new();
    }
    let lines = lines(text);
    let of = |(number, line): (usize, &super::source::Line)| {
        let code = line.code.replace(' ', "");
        let is_one = ["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|start| code.contains(start));
        let end = lines.iter().skip(number).position(|line| line.code.contains(")]")).unwrap_or_default();
        let has_reason = lines[number..=number + end].iter().any(|line| line.code.contains("reason ="));
        (is_one && !has_reason).then(|| format!("line {}: give the lint's reason: reason = \"…\"", number + 1))
    };
    lines.iter().enumerate().filter_map(of).collect()
}

/// Former names of scenarios in tables: in the first column, and in columns with `scenario` in their title.
pub(crate) fn former_scenarios(text: &str, former: &[&str]) -> Vec<String> {
    let (mut findings, mut header) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let Some(row) = line.trim().strip_prefix('|') else {
            header.clear();
            continue;
        };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if header.is_empty() {
            header = cells.iter().map(|cell| cell.to_lowercase()).collect();
            continue;
        }
        for (column, cell) in cells.iter().enumerate() {
            let is_of_scenarios = header.get(column).is_some_and(|title| title.contains("scenario"));
            let names = if is_of_scenarios { cell.split(", ").collect() } else { vec![*cell] };
            let is_former =
                |name: &&&str| former.contains(&name.trim_matches('`')) && (name.contains('`') || is_of_scenarios);
            let found = names.iter().find(is_former).filter(|_| column == 0 || is_of_scenarios);
            findings.extend(found.map(|name| format!("line {}: {name} is a scenario's former name", number + 1)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_names_are_found() {
        assert_eq!(
            banned_in_code("fn a() {}\nstruct Bench;"),
            ["line 2: `Bench` is a name that was given up: say what it makes"]
        );
        let each = ["Surroundings", "Sight", "MOMENT", "Sabotage", "Town", "greet", "unseen"];
        assert!(each.iter().all(|name| banned_in_code(&format!("use {name};")).len() == 1));
        assert_eq!(banned_in_code("/// Takes a [`Town`].\nfn a() {}").len(), 1);
        assert_eq!(banned_in_spans("| `Moment` | a `bench` |").len(), 1);
        assert!(banned_in_code("let bench = \"Town\"; // at this moment, Unseen\nState::Unseen").is_empty());
    }

    #[test]
    fn what_is_undone_without_an_issue_is_found() {
        assert_eq!(undone("a\n// TODO: more"), ["line 2: TODO wants an issue: TODO(#12)"]);
        assert_eq!(undone("FIXME(me)").len(), 1);
        assert!(undone("TODO(#12): more\nmkTODO").is_empty());
    }

    #[test]
    fn a_lint_without_a_reason_is_found() {
        assert_eq!(
            allowed_without_reason("#[allow(dead_code)]\nfn a() {}"),
            ["line 1: give the lint's reason: reason = \"…\""]
        );
        assert_eq!(allowed_without_reason("#![expect(\n    dead_code\n)]\n").len(), 1);
        assert!(allowed_without_reason("#[allow(\n    dead_code,\n    reason = \"later\"\n)]\n").is_empty());
    }

    #[test]
    fn former_names_in_tables_are_found() {
        let table = |cells: &str| format!("| name | needs of scenarios |\n| --- | --- |\n| {cells} |\n");
        let found = |cells: &str| former_scenarios(&table(cells), &["crash", "outage"]).len();
        assert_eq!(found("`crash` | one"), 1);
        assert_eq!(found("crash | one"), 0);
        assert_eq!(found("one | `deploy`, `outage`"), 1);
        assert_eq!(found("one | outage"), 1);
        assert!(
            former_scenarios("| option | meaning |\n| --- | --- |\n| a | `outage` |\n`crash`", &["crash", "outage"])
                .is_empty()
        );
    }
}
