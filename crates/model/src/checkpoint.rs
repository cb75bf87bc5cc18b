//! When a question was asked: after which act of the scenarios.

use serde::{Deserialize, Serialize};

use super::scenario::Scenario;

/// When a question was asked: after which act of the scenarios.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "after", rename_all = "snake_case")]
pub enum Checkpoint {
    /// A pod has its address, and its server is asked until it answers.
    Starting {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
    },
    /// A pod's Ready condition turned true under this UID for the first time.
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
    /// This pod is held un-Ready.
    Held {
        /// The pod's name.
        pod: String,
    },
    /// This pod was held un-Ready, and is Ready again.
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
    /// The set was scaled to one pod more than it asks for, and the new pod replicates.
    Joined,
    /// The state is read before the upgrade, or between two of its steps, so many of which are done.
    Upgrading {
        /// Steps that are done.
        steps: u32,
    },
    /// Nothing disrupts the workload any more and the write ledger has ended.
    Settled,
}
