//! The pages that are generated from the catalogue and from the table of scenarios.

use std::fmt::Write as _;

use steadfast::check::Check;
use steadfast::evidence::{Description, Disrupts, Scenario};

use super::repository::{path_of, read};

/// The variable that makes the suite update the pages.
const UPDATE: &str = "UPDATE_DOCS";

/// Compares a page with its expected text. With `UPDATE_DOCS=1`, writes it.
pub(crate) fn compared(path: &str, wanted: &str) -> Vec<String> {
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        std::fs::write(path_of(path), wanted).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    differences(path, &read(path), wanted)
}

/// The first difference between a page and its expected text.
pub(crate) fn differences(path: &str, there: &str, wanted: &str) -> Vec<String> {
    if there == wanted {
        return Vec::new();
    }
    let same = there.lines().zip(wanted.lines()).take_while(|(there, wanted)| there == wanted).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("nothing").to_owned();
    vec![format!(
        "{path}, line {}: it says\n  {}\nand not\n  {}\nWrite it again: {UPDATE}=1 cargo test --test tidy",
        same + 1,
        line(there),
        line(wanted)
    )]
}

/// The page of all checks: a table for each property.
pub(crate) fn checks<'a>(checks: impl Iterator<Item = &'a Check>) -> String {
    let mut page = format!(
        "# Checks\n\nWritten from the catalogue by `{UPDATE}=1 cargo test --test tidy`: change `crates/judge/src`, not this page.\n\
         `steadfast explain CHECK` says more of each. [scenarios.md](scenarios.md) lists the scenarios.\n"
    );
    let mut before = "";
    for check in checks {
        let property = check.id.split("::").next().unwrap_or_default();
        if property != before {
            let _ = write!(
                page,
                "\n## {property}\n\n| check | statement | scenarios | source |\n| --- | --- | --- | --- |\n"
            );
            before = property;
        }
        let scenarios = names(check.scenarios);
        let _ = writeln!(page, "| `{}` | {} | {scenarios} | {} |", check.id, cell(check.statement), cell(check.source));
    }
    page
}

/// The page of all scenarios, in the order in which they run.
pub(crate) fn scenarios(all: &[Description]) -> String {
    let mut page = format!(
        "# Scenarios\n\nWritten from `crates/model/src/scenario.rs` by `{UPDATE}=1 cargo test --test tidy`: change that, not this page.\n\
         A run acts them in this order. [checks.md](checks.md) says which check needs which.\n\n\
         | scenario | formerly | what it does | what it disrupts | what it builds on | what it needs |\n\
         | --- | --- | --- | --- | --- | --- |\n"
    );
    for scenario in all {
        let formerly = scenario.formerly.map(|name| format!("`{name}`")).unwrap_or_default();
        let disrupts = match scenario.disrupts {
            Disrupts::Nothing => "nothing",
            Disrupts::Workload => "pods of the workload",
            Disrupts::Cluster => "the cluster",
        };
        let (name, acts, needs) = (scenario.name, cell(scenario.acts), names(scenario.needs));
        let _ = writeln!(page, "| `{name}` | {formerly} | {acts} | {disrupts} | {needs} | {} |", room(scenario));
    }
    page
}

/// What a scenario needs of the cluster and the workload.
fn room(scenario: &Description) -> String {
    let needs = [
        scenario.in_containers.then(|| "nodes that are containers of this machine".to_owned()),
        scenario.disks.then(|| "disks that can be cut".to_owned()),
        (scenario.nodes > 1).then(|| format!("{} nodes", scenario.nodes)),
        (scenario.pods > 1).then(|| format!("{} pods", scenario.pods)),
        scenario.one_more_pod.then(|| "room for one more pod".to_owned()),
    ];
    needs.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn names(scenarios: &[Scenario]) -> String {
    scenarios.iter().map(|scenario| format!("`{scenario}`")).collect::<Vec<_>>().join(", ")
}

/// A text with everything escaped that a table cell cannot contain.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use steadfast::check::all;
    use steadfast::evidence::SCENARIOS;

    use super::*;

    #[test]
    fn a_page_that_is_not_current_is_found() {
        let page = checks(all());
        assert!(all().all(|check| page.contains(&format!("| `{}` |", check.id))));
        let without = page.lines().filter(|line| !line.contains("no_deadlock")).collect::<Vec<_>>().join("\n");
        let found = differences("docs/checks.md", &without, &page);
        assert!(found[0].contains("ordering::no_deadlock_on_failed_predecessor"), "{found:?}");
        assert!(differences("docs/checks.md", &page, &page).is_empty());
    }

    #[test]
    fn the_table_tells_what_a_scenario_is() {
        let page = scenarios(&SCENARIOS);
        let row = page.lines().find(|line| line.starts_with("| `node-pause` |")).expect("a row");
        assert_eq!(
            row,
            "| `node-pause` | `freeze` | pauses a node for a few seconds | the cluster | `deploy` | 2 nodes |"
        );
        assert_eq!(cell("a|b\nc"), "a\\|b c");
    }
}
