//! What a step explains about the nodes, the cluster's DNS and its control plane.

use super::{Class, RESTARTS, Rules, Ruling, STAYS_DOWN, allowed_if, wrong};
use crate::dns::lost_of_zone;
use crate::evidence::{ComponentSummary, State};
use crate::upgrade::difference::Difference;

impl Rules<'_> {
    pub(super) fn node(&self, it: &Difference) -> Ruling {
        match it.field.as_str() {
            // A provider may replace a node by another one, with or without a new name.
            "" | "uid" => allowed_if(self.is_unseen()),
            "kubelet" => allowed_if(self.was_upgraded(&it.object)),
            "ready" => allowed_if(it.after == true),
            "schedulable" => allowed_if(it.after == true && self.was_upgraded(&it.object)),
            _ => Class::Wrong.into(),
        }
    }

    pub(super) fn dns(&self, it: &Difference) -> Ruling {
        match it.field.as_str() {
            "image" => allowed_if(!self.is_node_step()),
            "ready" => allowed_if(it.after == self.after.dns.wanted),
            "wanted" => allowed_if(self.is_unseen()),
            "corefile" if !self.is_node_step() => {
                let lost = lost_of_zone(&self.before.dns.corefile, &self.after.dns.corefile, &self.subject.domain);
                if lost.is_empty() { Class::Allowed.into() } else { wrong(lost.join("; ")) }
            }
            _ => Class::Wrong.into(),
        }
    }

    pub(super) fn component(&self, it: &Difference) -> Ruling {
        let (before, after) = (component(self.before, &it.object), component(self.after, &it.object));
        let node = it.object.rsplit('/').next().unwrap_or_default();
        let (Some(before), Some(after)) = (before, after) else { return self.moved_component(it, before, after) };
        match it.field.as_str() {
            // A new kubelet recreates the static pods of its manifests.
            "uid" if after.restarts > RESTARTS => wrong(STAYS_DOWN),
            "uid" => allowed_if(self.was_upgraded(node)),
            "image" => allowed_if(self.was_upgraded(node) && !self.is_node_step()),
            "ready" => allowed_if(after.ready),
            // The restarts of an earlier pod do not count.
            "restarts" if before.uid != after.uid => Class::Allowed.into(),
            "restarts" if after.restarts > most_restarts(before, after) => wrong(STAYS_DOWN),
            "restarts" => Class::Allowed.into(),
            _ => Class::Wrong.into(),
        }
    }

    /// A control plane may move to other nodes if nobody watches, but must keep all its components.
    fn moved_component(
        &self,
        it: &Difference,
        before: Option<&ComponentSummary>,
        after: Option<&ComponentSummary>,
    ) -> Ruling {
        let there = |state: &State, known: &ComponentSummary| {
            state.control_plane.iter().any(|other| other.component == known.component)
        };
        match (before, after) {
            (Some(gone), None) => allowed_if(self.is_unseen() && there(self.after, gone)),
            // A new version may have a new component.
            (None, Some(new)) if !there(self.before, new) => allowed_if(!self.is_node_step()),
            _ => allowed_if(self.is_unseen() && !it.after.is_null()),
        }
    }
}

/// The highest allowed restart count: one more if the container has another image.
fn most_restarts(before: &ComponentSummary, after: &ComponentSummary) -> i64 {
    before.restarts + RESTARTS + i64::from(before.image != after.image)
}

fn component<'s>(state: &'s State, name: &str) -> Option<&'s ComponentSummary> {
    state.control_plane.iter().find(|it| format!("{}/{}", it.component, it.node) == name)
}
