//! Which differences a step of an upgrade explains, and which it does not.
//!
//! What no rule speaks of must be the same. By the class of the step:
//!
//! - The control plane: nothing of the workload may change at all. The control plane's own pods may be others, with
//!   other images, on that node; the DNS servers may have another image, and the Corefile be kubeadm's migrated one.
//! - A node: the pods that were on it are others, of the same names, claims and revision, unless the set says otherwise
//!   of pods that are created now; what DNS and endpoints say of them follows. Its kubelet may make the control plane's
//!   pods there anew, of the same images. Nothing else may change.
//! - Unseen: what either step explains, wherever; so a pod may be another one, but one that is not must be untouched.

mod cluster;
mod servers;
mod workload;

use super::difference::{Difference, differences};
use crate::evidence::{PodSummary, Stage, State, Subject};

/// What a difference is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The step explains it.
    Allowed,
    /// It may be the step's doing or not.
    Open,
    /// The step must not have made it.
    Wrong,
}

/// A difference and what it is worth.
#[derive(Debug, Clone)]
pub(super) struct Classed {
    /// The difference.
    pub difference: Difference,
    /// What it is worth.
    pub class: Class,
    /// More of it, for people.
    pub why: Option<String>,
}

impl Classed {
    /// The difference in words, with what more there is to say.
    pub fn words(&self) -> String {
        let why = self.why.as_ref().map_or(String::new(), |why| format!(" ({why})"));
        format!("{}{why}", self.difference)
    }
}

/// What a rule says.
struct Ruling(Class, Option<String>);

impl From<Class> for Ruling {
    fn from(class: Class) -> Self {
        Self(class, None)
    }
}

/// Allowed, if so; else wrong.
fn allowed_if(explained: bool) -> Ruling {
    if explained { Class::Allowed } else { Class::Wrong }.into()
}

fn wrong(why: impl Into<String>) -> Ruling {
    Ruling(Class::Wrong, Some(why.into()))
}

/// How often a component may be started again in a step that does not replace it: each waits for the API server, which is
/// away for a while, and some end over that.
const RESTARTS: i64 = 1;

/// What is said of one that was started again more often.
const STAYS_DOWN: &str = "it was started again and again";

/// All differences between two states of which the second was read after one more step.
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
            // What older versions did not write down is no difference.
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
