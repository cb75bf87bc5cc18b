//! What the cluster and the containers said, on one line each.

use serde_json::Value;

use crate::evidence::{ContainerLog, Warning};

/// The number of characters that are shown from the end of a container's log.
const LAST_WORDS: usize = 220;

pub(super) fn warning_line(warning: &Warning<'_>) -> String {
    let Warning { kind, name, reason, message, count, .. } = warning;
    let times = if *count > 1 { format!(", {count} times by then") } else { String::new() };
    format!("the cluster warned of {kind} {name}: {reason}: {message}{times}")
}

/// The end of a container's log. The first lines of a long log are left out, because the last ones explain more.
pub(super) fn last_lines(value: &Value) -> String {
    let Ok(log) = serde_json::from_value::<ContainerLog>(value.clone()) else { return value.to_string() };
    let ContainerLog { pod, container, previous, lines, .. } = log;
    let which = if previous { "the earlier " } else { "" };
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let mut told = lines.join(" | ");
    if let Some((cut, _)) = told.char_indices().rev().nth(LAST_WORDS) {
        told = format!("… {}", &told[cut..]);
    }
    format!("last words of {which}container {container} of {pod}: {told}")
}
