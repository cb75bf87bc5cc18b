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

mod admit;
mod apiserver_kill;
mod claims;
mod comeback;
mod context;
mod delete_all;
mod deploy;
mod disrupt;
mod dns_replace;
mod drain;
pub mod external_upgrade;
mod fault_injection;
mod grow;
mod journal;
mod ledger;
mod logs;
mod lookups;
mod names;
mod node_pause;
mod node_stop;
mod placement;
mod probe_readiness;
mod recover;
mod replicate;
mod restart;
mod roll;
mod scale;
mod server_kill;
mod servers;
mod settle;
mod state;
mod teardown;
mod timeouts;
mod undo;
mod unready;
mod upgrade;

use std::time::Duration;

use crate::cluster::kind::CommandError;
use crate::record::WaitError;
use crate::workload::{ApplyError, ManifestError};

pub use crate::evidence::{Scenario, plan};
pub use context::{Context, Made, Parts, Witnesses};
pub use fault_injection::{FaultInjection, InjectedFault, InjectionPoint};
pub use journal::Journal;
pub use ledger::{Rate, collect};
pub use probe_readiness::probe_readiness;
pub use teardown::teardown;
pub use timeouts::Timeouts;
pub use upgrade::{LostNode, Newer};

/// A scenario could not be acted to its end. What it recorded until then is evidence all the same.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A wait ended without what was awaited.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// A manifest of the harness's own is not one.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
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
    /// The engine did not do something to a node.
    #[error(transparent)]
    Node(#[from] CommandError),
    /// No node may be disrupted.
    #[error("no node with a pod of the set can be {what}: {why}; give the cluster more nodes by --nodes")]
    NoNode {
        /// What was to be done to it.
        what: &'static str,
        /// What each of them carries.
        why: String,
    },
    /// A server, or a node, did not do what the scenario needs.
    #[error("{pod} did not {what}: {answer}")]
    Server {
        /// The pod, or the node.
        pod: String,
        /// What was asked of it.
        what: String,
        /// What it answered.
        answer: String,
    },
    /// A node did not come back with a newer kubelet.
    #[error(transparent)]
    Lost(Box<LostNode>),
    /// The end of the scenarios came first, since the workload did not come back.
    #[error("cut short {after:?} after the workload had been awaited in vain")]
    CutShort {
        /// How long after that.
        after: Duration,
    },
    /// The witness did not do with its ledger what the scenario needs.
    #[error("the witness did not {what}: {reason}")]
    Ledger {
        /// What was asked of it.
        what: String,
        /// Why not.
        reason: String,
    },
}

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
