//! Selects checks by id.

use steadfast::check::{CATALOGUE, Check, UPGRADE_CHECKS, all, find};

/// The checks whose ids contain the filter.
///
/// # Errors
/// When there is none. The message names the properties.
pub(crate) fn select(filter: Option<&str>) -> Result<Vec<&'static Check>, String> {
    matching(CATALOGUE.iter(), filter).map_err(|message| {
        let of_upgrades = filter.is_some_and(|filter| UPGRADE_CHECKS.iter().any(|check| check.id.contains(filter)));
        if of_upgrades { format!("{message}; `steadfast upgrade` judges the checks of an upgrade") } else { message }
    })
}

/// The given checks whose ids contain the filter.
///
/// # Errors
/// When there is none.
pub(crate) fn matching(
    checks: impl Iterator<Item = &'static Check>,
    filter: Option<&str>,
) -> Result<Vec<&'static Check>, String> {
    let filter = filter.unwrap_or_default();
    let checks: Vec<&Check> = checks.filter(|check| check.id.contains(filter)).collect();
    if checks.is_empty() {
        return Err(format!("no check id contains `{filter}`; `steadfast list` shows all ids"));
    }
    Ok(checks)
}

/// The check with this id.
///
/// # Errors
/// When there is none. The message suggests similar ids.
pub(crate) fn check(id: &str) -> Result<&'static Check, String> {
    find(id).ok_or_else(|| {
        let last = id.rsplit("::").next().unwrap_or(id);
        let like: Vec<&str> = all().map(|check| check.id).filter(|known| known.contains(last)).collect();
        match like.as_slice() {
            [] => format!("there is no check `{id}`; `steadfast list` shows all checks"),
            like => format!("there is no check `{id}`; similar checks: {}", like.join(", ")),
        }
    })
}
