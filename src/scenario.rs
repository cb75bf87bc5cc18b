//! Scenarios: the acts of a run, in order. Scenarios act and cause records; checks interpret the records. The names,
//! acts, requirements and disruptions of all scenarios are in [`crate::evidence::SCENARIOS`].
//!
//! If the workload does not recover from a scenario, the driver disrupts nothing more. After each disruptive scenario
//! from `server-kill` on, `recover` records the complete state of the workload.

mod apiserver_kill;
mod claims;
mod delete_all;
mod deploy;
mod dns_replace;
mod drain;
pub mod external_upgrade;
mod grow;
mod node_pause;
mod node_stop;
mod power_cut;
mod recover;
mod replicate;
mod restart;
mod roll;
mod scale;
mod server_kill;
mod settle;
mod teardown;
mod unready;
mod upgrade;

pub use crate::evidence::{Scenario, plan};
pub use teardown::teardown;

use crate::driver::{Context, ScenarioError};

/// Runs one scenario other than teardown.
///
/// # Errors
/// When it cannot be completed.
pub async fn act(context: &Context, scenario: Scenario) -> Result<(), ScenarioError> {
    let acted = async {
        match scenario {
            Scenario::Deploy => Box::pin(deploy::deploy(context)).await,
            Scenario::Replicate => Box::pin(replicate::replicate(context)).await,
            Scenario::Upgrade => Box::pin(upgrade::upgrade(context)).await,
            Scenario::Restart => Box::pin(restart::restart(context)).await,
            Scenario::Unready => Box::pin(unready::unready(context)).await,
            Scenario::ServerKill => Box::pin(server_kill::server_kill(context)).await,
            Scenario::DeleteAll => Box::pin(delete_all::delete_all(context)).await,
            Scenario::Scale => Box::pin(scale::scale(context)).await,
            Scenario::Grow => Box::pin(grow::grow(context)).await,
            Scenario::Roll => Box::pin(roll::roll(context)).await,
            Scenario::Drain => Box::pin(drain::drain(context)).await,
            Scenario::NodePause => Box::pin(node_pause::node_pause(context)).await,
            Scenario::NodeStop => Box::pin(node_stop::node_stop(context)).await,
            Scenario::PowerCut => Box::pin(power_cut::power_cut(context)).await,
            Scenario::DnsReplace => Box::pin(dns_replace::dns_replace(context)).await,
            Scenario::ApiserverKill => Box::pin(apiserver_kill::apiserver_kill(context)).await,
            Scenario::Claims => Box::pin(claims::claims(context)).await,
            Scenario::Settle => Box::pin(context.vain.in_time(settle::settle(context))).await,
            // Clean-up runs teardown, however the run ends.
            Scenario::Teardown => Ok(()),
        }
    };
    context.journal.scenario(scenario, acted).await
}
