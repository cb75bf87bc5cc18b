//! The point in the scenarios at which a question was asked.

use serde::{Deserialize, Serialize};

use super::scenario::Scenario;

/// The point in the scenarios at which a question was asked, such as "after this pod was deleted".
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "after", rename_all = "snake_case")]
pub enum Checkpoint {
    /// A pod has an address, and the harness asks its server until it answers.
    Starting {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
    },
    /// The pod with this UID became Ready for the first time.
    Ready {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
    },
    /// Every pod of the set was Ready for the first time.
    Deployed,
    /// Replication was configured on every replica and rows were written on the primary.
    Replicating,
    /// Just before this pod is deleted.
    BeforeDeletion {
        /// The pod's name.
        pod: String,
    },
    /// This pod was deleted and its successor is Ready.
    Deletion {
        /// The pod's name.
        pod: String,
    },
    /// Just before this pod is deleted without a grace period, or its server is killed.
    BeforeKill {
        /// The pod's name.
        pod: String,
    },
    /// This pod was deleted without a grace period and its successor is Ready, or its server was killed and it is Ready
    /// again.
    Kill {
        /// The pod's name.
        pod: String,
    },
    /// This pod is held unready.
    Held {
        /// The pod's name.
        pod: String,
    },
    /// This pod was held unready and is Ready again.
    Released {
        /// The pod's name.
        pod: String,
    },
    /// The set was scaled down and the surplus pods are gone.
    ScaledDown,
    /// The set was scaled up again and every pod is Ready.
    ScaledUp,
    /// A scenario disrupted the workload, and every pod is Ready again.
    Recovered {
        /// The scenario.
        scenario: Scenario,
    },
    /// Nodes lost their power and have it again, and every pod is Ready.
    PowerCut {
        /// The number of the cut, counted from 1.
        cut: u32,
    },
    /// The set was scaled to one pod more than `spec.replicas`, and the new pod replicates.
    Joined,
    /// The state is read before the upgrade or between two of its steps.
    Upgrading {
        /// The number of completed steps.
        steps: u32,
    },
    /// All disruptions are over and the write ledger has ended.
    Settled,
}
