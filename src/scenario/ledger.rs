//! The witness's ledger while the scenarios act.

use super::context::Context;

impl Context {
    /// Does something while the ledger's writers rest, so that servers can be compared whole.
    pub(super) async fn at_rest<T>(&self, doing: impl Future<Output = T>) -> T {
        doing.await
    }
}
