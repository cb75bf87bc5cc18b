//! Scenarios: the acts of a run, in order. They act and have everything recorded; what it means is the checks' business.
//!
//! | scenario  | acts |
//! |-----------|------|
//! | deploy    | applies the manifests, waits for every pod, asks each who it is, and DNS for every name |
//! | replicate | configures replication by the primary's stable name, writes, compares, starts the write ledger |
//! | upgrade   | upgrades the control plane, then each node, and reads the whole state between the steps |
//! | restart   | deletes each pod in turn, highest ordinal first, and sees what comes back |
//! | unready   | holds a pod un-Ready, and takes the primary away meanwhile |
//! | crash     | kills the primary's server |
//! | together  | deletes every pod at once |
//! | scale     | scales to one pod and back, at first while that one is held un-Ready |
//! | grow      | scales to one pod more, which joins the replicas, and back |
//! | roll      | updates the template for the last pod, for all, with an image that cannot start, and back |
//! | drain     | cordons a node and evicts the set's pods there, which must wait for it |
//! | freeze    | pauses a node for some seconds |
//! | outage    | shuts a node down and starts it again |
//! | resolver  | replaces the cluster's DNS servers |
//! | control   | kills the API server |
//! | claims    | scales the last pod away while claims are to go with their pods |
//! | settle    | stops the write ledger, waits for the replicas, and reads back what they hold |
//! | teardown  | deletes everything that the run made, and lists what is left |
//!
//! Where the workload does not come back from one of them, `comeback` sees to it that nothing more is disrupted.
//!
//! After what disrupts the workload from `crash` on, `recover` asks for the whole state of it. Nodes come before the DNS
//! servers: new ones may come to be on any node, and nodes with DNS servers are left alone. Claims come last: from there
//! on the last pod's data is new.

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

/// Acts one scenario other than teardown.
///
/// # Errors
/// When it cannot be acted to its end.
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
            Scenario::DnsReplace => Box::pin(dns_replace::dns_replace(context)).await,
            Scenario::ApiserverKill => Box::pin(apiserver_kill::apiserver_kill(context)).await,
            Scenario::Claims => Box::pin(claims::claims(context)).await,
            Scenario::Settle => Box::pin(context.vain.in_time(settle::settle(context))).await,
            // The clean-up acts it, whatever ends the run.
            Scenario::Teardown => Ok(()),
        }
    };
    context.journal.scenario(scenario, acted).await
}
