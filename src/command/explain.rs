//! `steadfast explain`: explains one check.

use steadfast::check::Check;
use steadfast::evidence::Scenario;
use steadfast::terminal::tell;

use super::ending::usage;
use super::select::check;

/// Explains a check.
pub(crate) fn act(id: &str) -> u8 {
    match check(id) {
        Ok(check) => {
            let scenarios = Scenario::names(check.scenarios.iter().copied());
            let Check { id, statement, source, explain, .. } = check;
            let minimum: String = check.minimum.iter().map(|need| format!("\n  - {need}")).collect();
            let minimum = if minimum.is_empty() { minimum } else { format!("\nA pass needs:{minimum}") };
            let explain = explain.trim();
            tell(&format!("{id}\n\n{statement}\n\n{explain}\n\nSource: {source}\nScenarios: {scenarios}{minimum}"));
            0
        }
        Err(message) => usage(&message),
    }
}
