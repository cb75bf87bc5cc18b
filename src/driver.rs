//! What acts on pods, servers, nodes and the ledger, and reads their state. Scenarios are built from it.
//!
//! Every scenario works with a [`Context`]. Each file beside it adds the operations on one kind of thing.

mod admit;
mod comeback;
mod contents;
mod context;
mod cuts;
pub(crate) mod disrupt;
mod disrupted;
mod error;
mod fault_injection;
mod injection;
mod journal;
mod ledger;
mod logs;
mod lookups;
pub(crate) mod names;
mod newer;
pub(crate) mod placement;
mod power;
mod probe_readiness;
mod rate;
pub(crate) mod servers;
mod state;
mod timeouts;
mod undo;
mod vain;

pub use context::{Accounts, ClusterAccess, Context, LedgerOptions, Made, Parts, Witnesses, Workload};
pub use cuts::Cuts;
pub(crate) use disrupted::Disrupted;
pub use error::{LostNode, ScenarioError};
pub use injection::{FaultInjection, InjectedFault, InjectionPoint};
pub use journal::Journal;
pub use ledger::collect;
pub use newer::Newer;
pub use probe_readiness::probe_readiness;
pub use rate::Rate;
pub use timeouts::Timeouts;
