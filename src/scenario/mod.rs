//! Scenarios: the acts of a run, in order. They act and have everything recorded; what it means is the checks' business.
//!
//! | scenario  | acts |
//! |-----------|------|
//! | deploy    | applies the manifests, waits for every pod, asks each who it is, and DNS for every name |
//! | replicate | configures replication by the primary's stable name, writes, waits for the replicas, compares |
//! | restart   | deletes each pod in turn, highest ordinal first, and sees what comes back |
//! | unready   | holds a pod un-Ready, and takes the primary away meanwhile |
//! | scale     | scales to one pod and back, at first while that one is held un-Ready |
//! | roll      | updates the template for the last pod, for all, with an image that cannot start, and back |
//! | claims    | scales the last pod away while claims are to go with their pods |
//! | teardown  | deletes everything that the run made, and lists what is left |

mod claims;
mod context;
mod deploy;
mod disrupt;
mod journal;
mod logs;
mod lookups;
mod names;
mod replicate;
mod restart;
mod roll;
mod sabotage;
mod scale;
mod servers;
mod teardown;
mod unready;

use crate::evidence::WaitError;
use crate::workload::ApplyError;

pub use context::{Context, Limits, Made, Parts, Witnesses};
pub use deploy::greet;
pub use journal::Journal;
pub use sabotage::{Point, Sabotage, Strike};
pub use teardown::teardown;

/// The scenarios in the order in which they are acted. Each needs all that stand before it in [`needs`].
pub const SCENARIOS: [&str; 17] = [
    "deploy",
    "replicate",
    "restart",
    "unready",
    "crash",
    "together",
    "scale",
    "grow",
    "roll",
    "drain",
    "freeze",
    "outage",
    "resolver",
    "control",
    "claims",
    "settle",
    "teardown",
];

/// What a scenario builds on.
pub fn needs(scenario: &str) -> &'static [&'static str] {
    match scenario {
        "restart" | "crash" | "together" | "grow" | "drain" | "freeze" | "outage" | "resolver" | "control"
        | "settle" => &["deploy", "replicate"],
        "replicate" | "unready" | "scale" | "roll" | "claims" | "teardown" => &["deploy"],
        _ => &[],
    }
}

/// The scenarios to act for these, with what they build on, in order. Teardown always comes last.
pub fn plan<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut all = vec!["teardown"];
    for scenario in wanted {
        all.extend(needs(scenario));
        all.push(scenario);
    }
    SCENARIOS.iter().filter(|scenario| all.contains(*scenario)).map(|&scenario| scenario.to_owned()).collect()
}

/// A scenario could not be acted to its end. What it recorded until then is evidence all the same.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A wait ended without what was awaited.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The API server refused an object.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The API server could not be asked.
    #[error("cannot {what}: {source}")]
    Api {
        /// What was tried.
        what: String,
        /// What happened.
        source: Box<kube::Error>,
    },
    /// A server did not do what the scenario needs.
    #[error("{pod} did not {what}: {answer}")]
    Server {
        /// The pod.
        pod: String,
        /// What was asked of it.
        what: String,
        /// What it answered.
        answer: String,
    },
}

/// Acts one scenario other than teardown.
///
/// # Errors
/// When it cannot be acted to its end.
pub async fn act(context: &Context, scenario: &str) -> Result<(), ScenarioError> {
    let acted = async {
        match scenario {
            "deploy" => Box::pin(deploy::deploy(context)).await,
            "replicate" => Box::pin(replicate::replicate(context)).await,
            "restart" => Box::pin(restart::restart(context)).await,
            "unready" => Box::pin(unready::unready(context)).await,
            "scale" => Box::pin(scale::scale(context)).await,
            "roll" => Box::pin(roll::roll(context)).await,
            "claims" => Box::pin(claims::claims(context)).await,
            _ => Ok(()),
        }
    };
    context.journal.step(scenario, scenario, acted).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_what_a_scenario_builds_on() {
        assert_eq!(plan(["restart"]), ["deploy", "replicate", "restart", "teardown"]);
        assert_eq!(plan(["scale", "deploy"]), ["deploy", "scale", "teardown"]);
        assert_eq!(plan(["teardown"]), ["deploy", "teardown"]);
        assert_eq!(plan([]), ["teardown"]);
    }
}
