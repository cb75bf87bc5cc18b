//! `steadfast list`: lists the checks.

use steadfast::check::all;
use steadfast::terminal::tell;

/// Lists the checks, for people or as JSON.
pub(crate) fn act(json: bool) -> anyhow::Result<u8> {
    if json {
        // By way of a value, whose keys are in alphabetic order.
        let checks = serde_json::to_value(all().collect::<Vec<_>>())?;
        tell(&serde_json::to_string_pretty(&checks)?);
    } else {
        let width = all().map(|check| check.id.len()).max().unwrap_or_default();
        let lines: Vec<String> = all().map(|check| format!("{:width$}  {}", check.id, check.statement)).collect();
        tell(&lines.join("\n"));
    }
    Ok(0)
}
