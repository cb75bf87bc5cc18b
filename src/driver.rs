//! What acts on pods, servers, nodes and the ledger, and what is known of them: scenarios are made of it.
//!
//! [`Context`] is what every scenario works with; each file beside it adds what it can do to one thing.

mod admit;
mod comeback;
mod context;
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
mod probe_readiness;
mod rate;
pub(crate) mod servers;
mod state;
mod timeouts;
mod undo;
mod vain;

pub use context::{Accounts, ClusterAccess, Context, LedgerOptions, Made, Parts, Witnesses, Workload};
pub(crate) use disrupted::Disrupted;
pub use error::{LostNode, ScenarioError};
pub use injection::{FaultInjection, InjectedFault, InjectionPoint};
pub use journal::Journal;
pub use ledger::collect;
pub use newer::Newer;
pub use probe_readiness::probe_readiness;
pub use rate::Rate;
pub use timeouts::Timeouts;
