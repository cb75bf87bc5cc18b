//! Which differences a step of an upgrade explains, and which it does not.
//!
//! A value without a rule must stay the same. The rules depend on the step:
//!
//! - Control plane: nothing of the workload may change. On that node, the control plane's own pods may be replaced and
//!   have other images. The DNS servers may have another image, and the Corefile may be kubeadm's migrated one.
//! - Node: the pods on the node are replaced by pods with the same names, claims and revision, unless the set itself
//!   creates pods of another revision now. DNS and endpoints follow the pods. The kubelet may recreate the control
//!   plane's pods on the node with the same images. Nothing else may change.
//! - Unseen: whatever either step explains, on any node. So a pod may be replaced, but a pod that was not replaced must
//!   be untouched.

mod cluster;
mod servers;
mod workload;

use super::difference::{Difference, differences};
use crate::evidence::{PodSummary, Stage, State, Subject};

/// The class of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The step explains it.
    Allowed,
    /// The step may have made it or not.
    Open,
    /// The step must not make it.
    Wrong,
}

/// A difference with its class.
#[derive(Debug, Clone)]
pub(super) struct Classed {
    /// The difference.
    pub difference: Difference,
    /// Its class.
    pub class: Class,
    /// An explanation, for people.
    pub why: Option<String>,
}

impl Classed {
    /// The difference in words, with its explanation.
    pub(super) fn words(&self) -> String {
        let why = self.why.as_ref().map_or(String::new(), |why| format!(" ({why})"));
        format!("{}{why}", self.difference)
    }
}

/// The result of a rule.
struct Ruling(Class, Option<String>);

impl From<Class> for Ruling {
    fn from(class: Class) -> Self {
        Self(class, None)
    }
}

/// Allowed if the step explains it, otherwise wrong.
fn allowed_if(explained: bool) -> Ruling {
    if explained { Class::Allowed } else { Class::Wrong }.into()
}

fn wrong(why: impl Into<String>) -> Ruling {
    Ruling(Class::Wrong, Some(why.into()))
}

/// How often a component may restart in a step that does not replace it: components depend on the API server, which is
/// interrupted, and some exit because of that.
const RESTARTS: i64 = 1;

/// The explanation for a component that restarted more often.
const STAYS_DOWN: &str = "it restarted several times";

/// All differences between two states, the second of which was read one step after the first.
pub(super) fn compare(subject: &Subject, before: &State, after: &State) -> Vec<Classed> {
    let rules = Rules { subject, before, after };
    let classed = differences(before, after).into_iter().map(|difference| {
        let Ruling(class, why) = rules.of(&difference);
        Classed { difference, class, why }
    });
    classed.chain(rules.unmoved()).collect()
}

struct Rules<'a> {
    subject: &'a Subject,
    before: &'a State,
    after: &'a State,
}

impl<'a> Rules<'a> {
    fn of(&self, it: &Difference) -> Ruling {
        match it.part.as_str() {
            "kubernetes" => allowed_if(!self.is_node_step()),
            "nodes" => self.node(it),
            "set" => self.set(it),
            "pods" => self.pod(it),
            "endpoints" => self.endpoint(it),
            "legacy_endpoints" => self.legacy(it),
            "dns" => self.dns(it),
            "control_plane" => self.component(it),
            "servers" => self.server(it),
            // Older versions did not record the families.
            "service" if it.field == "ip_families" => allowed_if(it.before.is_null()),
            _ => Class::Wrong.into(),
        }
    }

    fn is_node_step(&self) -> bool {
        matches!(self.after.stage, Stage::Node { .. })
    }

    fn is_unseen(&self) -> bool {
        self.after.stage == Stage::Unseen
    }

    /// Whether a node was upgraded in this step.
    fn was_upgraded(&self, name: &str) -> bool {
        match &self.after.stage {
            Stage::ControlPlane { node } | Stage::Node { node } => node == name,
            Stage::Unseen => true,
            Stage::Nothing => false,
        }
    }

    fn is_control_plane_step(&self) -> bool {
        matches!(self.after.stage, Stage::ControlPlane { .. })
    }
}

fn pod<'s>(state: &'s State, name: &str) -> Option<&'s PodSummary> {
    state.pods.iter().find(|pod| pod.name == name)
}
