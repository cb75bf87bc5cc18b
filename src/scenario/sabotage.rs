//! Sabotage: statements that a mutant injects into the running workload, to prove that a check notices.

use serde::Deserialize;

use super::context::Context;
use crate::evidence::{Moment, Question};

/// Where in the scenarios sabotage strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Replication is configured; nothing is written yet.
    Configured,
    /// The rows are written and the replicas have them; nothing is compared yet.
    Written,
}

/// Statements for one pod at one point.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sabotage {
    /// When.
    pub at: Point,
    /// On which pod, counted from the set's first one.
    pub pod: u32,
    /// What; `{address:N}` becomes the address of pod N, counted likewise.
    pub statements: Vec<String>,
}

/// Runs the sabotage of a point. A statement that fails shows as such in the evidence.
pub(super) async fn strike(context: &Context, point: Point, moment: &Moment) {
    for sabotage in context.sabotage.iter().filter(|sabotage| sabotage.at == point) {
        let pod = context.subject.pod(context.subject.first_ordinal + sabotage.pod);
        let statements = sabotage.statements.iter().map(|statement| fill(context, statement)).collect();
        context.ask(moment, &pod, Question::Sabotage, statements).await;
    }
}

fn fill(context: &Context, statement: &str) -> String {
    let mut statement = statement.to_owned();
    for ordinal in context.subject.ordinals() {
        let place = format!("{{address:{}}}", ordinal - context.subject.first_ordinal);
        if statement.contains(&place) {
            let address = context.address(&context.subject.pod(ordinal)).unwrap_or_default();
            statement = statement.replace(&place, &address);
        }
    }
    statement
}
