//! The witness's ledger while the scenarios act.

use super::ScenarioError;
use super::context::Context;

impl Context {
    /// Does something while the ledger writes nothing, so that servers can be compared whole.
    pub(super) async fn at_rest<T>(
        &self,
        doing: impl Future<Output = Result<T, ScenarioError>>,
    ) -> Result<T, ScenarioError> {
        doing.await
    }
}
