//! `steadfast doctor`: checks this machine.

use steadfast::cluster::doctor::{Health, examine};
use steadfast::terminal::tell;

use super::ending::INCONCLUSIVE;

/// Prints whether this machine has what a run needs.
pub(crate) async fn act() -> u8 {
    let items = examine().await;
    for item in &items {
        let sign = match item.health {
            Health::Good => "ok  ",
            Health::Doubtful => "warn",
            Health::Bad => "BAD ",
        };
        tell(&format!("{sign}  {:15} {}", item.name, item.found));
    }
    if items.iter().any(|item| item.health == Health::Bad) { INCONCLUSIVE } else { 0 }
}
