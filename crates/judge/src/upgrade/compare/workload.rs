//! What a step explains about the set, its pods and their endpoints.

use serde_json::Value;

use super::{Class, Classed, RESTARTS, Rules, Ruling, STAYS_DOWN, allowed_if, pod, wrong};
use crate::evidence::{PodSummary, Stage};
use crate::upgrade::difference::Difference;

impl<'a> Rules<'a> {
    pub(super) fn set(&self, it: &Difference) -> Ruling {
        let set = &self.after.set;
        match it.field.as_str() {
            "observed_generation" => allowed_if(set.observed_generation == set.generation),
            // A pod is available once it has been Ready for minReadySeconds, which may not have passed yet.
            "available" if self.subject.min_ready_seconds > 0 => Class::Allowed.into(),
            "ready" | "available" => allowed_if(it.after == set.replicas),
            // A pod that is created now may be the first one of a pending update.
            "updated" => allowed_if(set.updated > self.before.set.updated && !self.is_control_plane_step()),
            _ => Class::Wrong.into(),
        }
    }

    pub(super) fn pod(&self, it: &Difference) -> Ruling {
        let (Some(before), Some(after)) = (pod(self.before, &it.object), pod(self.after, &it.object)) else {
            return Class::Wrong.into();
        };
        if before.uid != after.uid && self.may_move(before) {
            return self.moved_pod(it, before, after);
        }
        // A pod keeps its addresses. Older versions did not record the second one.
        if it.field == "other_address" && it.before.is_null() {
            return Class::Allowed.into();
        }
        let passing = ["uid", "containers", "node", "address", "other_address", "phase", "ready", "ready_since"];
        if !before.ready && passing.contains(&it.head()) {
            return Ruling(Class::Open, Some("it was not Ready before".to_owned()));
        }
        Class::Wrong.into()
    }

    /// Whether the step deletes a pod.
    fn may_move(&self, pod: &PodSummary) -> bool {
        match &self.after.stage {
            Stage::Node { node } => pod.node.as_ref() == Some(node),
            Stage::Unseen => true,
            Stage::ControlPlane { .. } | Stage::Nothing => false,
        }
    }

    /// Judges how a pod may differ from its predecessor of the same name.
    fn moved_pod(&self, it: &Difference, before: &PodSummary, after: &PodSummary) -> Ruling {
        let expected = self.revision_of_new(&it.object);
        let remade = before.revision != after.revision && after.revision == expected;
        match (it.head(), it.tail()) {
            ("uid", _) if after.containers.iter().any(|it| it.restarts > RESTARTS) => wrong(STAYS_DOWN),
            ("uid" | "ready_since", _) | ("containers", "id" | "restarts") => Class::Allowed.into(),
            ("node" | "address" | "other_address", _) => allowed_if(!it.after.is_null()),
            ("phase", _) => allowed_if(it.after == "Running"),
            ("ready", _) => allowed_if(it.after == true),
            ("containers", _) => allowed_if(remade),
            ("revision", _) | ("labels", "controller-revision-hash") if remade => Class::Allowed.into(),
            ("revision", _) | ("labels", "controller-revision-hash") => {
                wrong(format!("a pod created now must have {expected}"))
            }
            ("labels", _) => allowed_if(is_clusters_own(it)),
            _ => Class::Wrong.into(),
        }
    }

    /// The revision from which the set's controller would create a pod now
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions>).
    fn revision_of_new(&self, pod: &str) -> &'a str {
        let set = &self.before.set;
        let held = self.subject.index_of(pod).is_some_and(|index| i64::from(index) < set.partition);
        if held && !self.subject.on_delete { &set.current_revision } else { &set.update_revision }
    }

    /// Pods that the step should have deleted and that stayed. A PodDisruptionBudget may have kept one, or nobody
    /// drained the node.
    pub(super) fn unmoved(&self) -> impl Iterator<Item = Classed> + use<'_, 'a> {
        let on_node = |pod: &&PodSummary| self.is_node_step() && self.may_move(pod);
        let same = |before: &PodSummary| pod(self.after, &before.name).is_some_and(|after| after.uid == before.uid);
        self.before.pods.iter().filter(on_node).filter(move |pod| same(pod)).map(|pod| {
            let uid = Value::String(pod.uid.clone());
            let (part, object) = ("pods".to_owned(), pod.name.clone());
            let difference = Difference { part, object, field: "uid".to_owned(), before: uid.clone(), after: uid };
            Classed {
                difference,
                class: Class::Open,
                why: Some("it stayed although its node was to be drained".to_owned()),
            }
        })
    }

    pub(super) fn endpoint(&self, it: &Difference) -> Ruling {
        let name = it.object.strip_suffix(" (IPv6)").unwrap_or(&it.object);
        let (before, after) = (pod(self.before, name), pod(self.after, name));
        let moved = before.zip(after).is_some_and(|(before, after)| before.uid != after.uid && self.may_move(before));
        match it.field.as_str() {
            "address" => allowed_if(moved),
            _ if !self.was_at_rest() => Ruling(Class::Open, Some("not every pod was Ready before".to_owned())),
            "ready" | "serving" => allowed_if(it.after == true && after.is_some_and(|pod| pod.ready)),
            "terminating" => allowed_if(it.after == false),
            _ => Class::Wrong.into(),
        }
    }

    /// Kubernetes deprecates the Endpoints object (<https://kubernetes.io/blog/2025/04/24/endpoints-deprecation/>).
    pub(super) fn legacy(&self, it: &Difference) -> Ruling {
        match it.field.as_str() {
            "" => allowed_if(!self.is_node_step()),
            _ if !self.was_at_rest() => Ruling(Class::Open, Some("not every pod was Ready before".to_owned())),
            _ => Class::Wrong.into(),
        }
    }

    fn was_at_rest(&self) -> bool {
        self.before.pods.iter().all(|pod| pod.ready)
    }

    /// Whether a pod was correctly recreated from another revision.
    pub(super) fn was_remade(&self, name: &str) -> bool {
        let (before, after) = (pod(self.before, name), pod(self.after, name));
        let remade = |before: &PodSummary, after: &PodSummary| {
            before.uid != after.uid && before.revision != after.revision && after.revision == self.revision_of_new(name)
        };
        before.zip(after).is_some_and(|(before, after)| remade(before, after))
    }
}

/// Whether the cluster itself sets this label on pods: a new version may add some, and topology labels follow the node
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/>).
fn is_clusters_own(it: &Difference) -> bool {
    let label = it.field.strip_prefix("labels/").unwrap_or_default();
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    let owned = ["kubernetes.io", "k8s.io"].iter().any(|own| domain == *own || domain.ends_with(&format!(".{own}")));
    owned && (it.before.is_null() || domain == "topology.kubernetes.io")
}
