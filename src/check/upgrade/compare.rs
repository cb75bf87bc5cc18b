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

use serde_json::Value;

use crate::{
    evidence::{ComponentSummary, PodSummary, Stage, State, Subject},
    mysql::statements::SCHEMA,
};

use super::{
    super::dns::lost_of_zone,
    difference::{Difference, differences},
    executed,
};

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

    fn node(&self, it: &Difference) -> Ruling {
        match it.field.as_str() {
            // Who offers clusters may replace a node by another one, which bears another name, or not.
            "" | "uid" => allowed_if(self.is_unseen()),
            "kubelet" => allowed_if(self.was_upgraded(&it.object)),
            "ready" => allowed_if(it.after == true),
            "schedulable" => allowed_if(it.after == true && self.was_upgraded(&it.object)),
            _ => Class::Wrong.into(),
        }
    }

    fn set(&self, it: &Difference) -> Ruling {
        let set = &self.after.set;
        match it.field.as_str() {
            "observed_generation" => allowed_if(set.observed_generation == set.generation),
            "ready" | "available" => allowed_if(it.after == set.replicas),
            // A pod that is created now may be the first one of an update that waits for it.
            "updated" => allowed_if(set.updated > self.before.set.updated && !self.is_control_plane_step()),
            _ => Class::Wrong.into(),
        }
    }

    fn is_control_plane_step(&self) -> bool {
        matches!(self.after.stage, Stage::ControlPlane { .. })
    }

    fn pod(&self, it: &Difference) -> Ruling {
        let (Some(before), Some(after)) = (pod(self.before, &it.object), pod(self.after, &it.object)) else {
            return Class::Wrong.into();
        };
        if before.uid != after.uid && self.may_move(before) {
            return self.moved_pod(it, before, after);
        }
        let passing = ["uid", "containers", "node", "address", "phase", "ready", "ready_since"];
        if !before.ready && passing.contains(&it.head()) {
            return Ruling(Class::Open, Some("it was not Ready before".to_owned()));
        }
        Class::Wrong.into()
    }

    /// Whether the step takes a pod away.
    fn may_move(&self, pod: &PodSummary) -> bool {
        match &self.after.stage {
            Stage::Node { node } => pod.node.as_ref() == Some(node),
            Stage::Unseen => true,
            Stage::ControlPlane { .. } | Stage::Nothing => false,
        }
    }

    /// What a pod of the same name may have that its predecessor had not.
    fn moved_pod(&self, it: &Difference, before: &PodSummary, after: &PodSummary) -> Ruling {
        let expected = self.revision_of_new(&it.object);
        let remade = before.revision != after.revision && after.revision == expected;
        match (it.head(), it.tail()) {
            ("uid", _) if after.containers.iter().any(|it| it.restarts > RESTARTS) => wrong(STAYS_DOWN),
            ("uid" | "ready_since", _) | ("containers", "id" | "restarts") => Class::Allowed.into(),
            ("node" | "address", _) => allowed_if(!it.after.is_null()),
            ("phase", _) => allowed_if(it.after == "Running"),
            ("ready", _) => allowed_if(it.after == true),
            ("containers", _) => allowed_if(remade),
            ("revision", _) | ("labels", "controller-revision-hash") if remade => Class::Allowed.into(),
            ("revision", _) | ("labels", "controller-revision-hash") => {
                wrong(format!("a pod that is created now is to be of {expected}"))
            }
            ("labels", _) => allowed_if(is_clusters_own(it)),
            _ => Class::Wrong.into(),
        }
    }

    /// The revision that the set's controller makes a pod from now
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions>).
    fn revision_of_new(&self, pod: &str) -> &'a str {
        let set = &self.before.set;
        let held = self.subject.index_of(pod).is_some_and(|index| i64::from(index) < set.partition);
        if held && !self.subject.on_delete { &set.current_revision } else { &set.update_revision }
    }

    /// Pods that the step was to take away and that are the same ones. A disruption budget may have kept one, or
    /// nobody drained the node.
    fn unmoved(&self) -> impl Iterator<Item = Classed> + use<'_, 'a> {
        let on_node = |pod: &&PodSummary| self.is_node_step() && self.may_move(pod);
        let same = |before: &PodSummary| pod(self.after, &before.name).is_some_and(|after| after.uid == before.uid);
        self.before.pods.iter().filter(on_node).filter(move |pod| same(pod)).map(|pod| {
            let uid = Value::String(pod.uid.clone());
            let (part, object) = ("pods".to_owned(), pod.name.clone());
            let difference = Difference { part, object, field: "uid".to_owned(), before: uid.clone(), after: uid };
            Classed {
                difference,
                class: Class::Open,
                why: Some("its node was to be drained, and it stayed".to_owned()),
            }
        })
    }

    fn endpoint(&self, it: &Difference) -> Ruling {
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

    /// Kubernetes means to do without the object some day (<https://kubernetes.io/blog/2025/04/24/endpoints-deprecation/>).
    fn legacy(&self, it: &Difference) -> Ruling {
        match it.field.as_str() {
            "" => allowed_if(!self.is_node_step()),
            _ if !self.was_at_rest() => Ruling(Class::Open, Some("not every pod was Ready before".to_owned())),
            _ => Class::Wrong.into(),
        }
    }

    fn was_at_rest(&self) -> bool {
        self.before.pods.iter().all(|pod| pod.ready)
    }

    fn dns(&self, it: &Difference) -> Ruling {
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

    fn component(&self, it: &Difference) -> Ruling {
        let (before, after) = (component(self.before, &it.object), component(self.after, &it.object));
        let node = it.object.rsplit('/').next().unwrap_or_default();
        let (Some(before), Some(after)) = (before, after) else { return self.moved_component(it, before, after) };
        match it.field.as_str() {
            // A new kubelet makes the pods of its manifests anew.
            "uid" if after.restarts > RESTARTS => wrong(STAYS_DOWN),
            "uid" => allowed_if(self.was_upgraded(node)),
            "image" => allowed_if(self.was_upgraded(node) && !self.is_node_step()),
            "ready" => allowed_if(after.ready),
            // What a pod's predecessor had counts for nothing.
            "restarts" if before.uid != after.uid => Class::Allowed.into(),
            "restarts" if after.restarts > most_restarts(before, after) => wrong(STAYS_DOWN),
            "restarts" => Class::Allowed.into(),
            _ => Class::Wrong.into(),
        }
    }

    /// A control plane may be moved to other nodes where nobody watches; none of its components may be missing then.
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
            // A new version may have a component that the old one had not.
            (None, Some(new)) if !there(self.before, new) => allowed_if(!self.is_node_step()),
            _ => allowed_if(self.is_unseen() && !it.after.is_null()),
        }
    }

    fn server(&self, it: &Difference) -> Ruling {
        let server = |state: &'a State| state.servers.iter().find(|server| server.pod == it.object);
        let (Some(before), Some(after)) = (server(self.before), server(self.after)) else {
            return Ruling(Class::Open, Some("nobody read what it says of itself".to_owned()));
        };
        // Trouble is a defect of the state that has it, and leaves empty what it kept from being read.
        let unread = |trouble: &Option<String>, value: &Value| trouble.is_some() && is_empty(value);
        if it.field == "trouble" || unread(&before.trouble, &it.before) || unread(&after.trouble, &it.after) {
            return Class::Allowed.into();
        }
        match it.head() {
            "gtid_executed" => transactions(&before.gtid_executed, &after.gtid_executed),
            "tables" => self.table(it),
            "version" => allowed_if(self.was_remade(&it.object)),
            _ => Class::Wrong.into(),
        }
    }

    /// Between the states nobody writes to the harness's tables. Who else writes to others while nobody watches is not
    /// known.
    fn table(&self, it: &Difference) -> Ruling {
        let name = it.field.strip_prefix("tables/").unwrap_or(&it.field).trim_matches('`');
        let own = name.strip_prefix(SCHEMA).is_some_and(|rest| rest.starts_with(['.', '`']));
        let changed = !it.before.is_null() && !it.after.is_null();
        if self.is_unseen() && !own && (changed || it.before.is_null()) {
            return Ruling(Class::Open, Some("others may have written to it".to_owned()));
        }
        Class::Wrong.into()
    }

    /// Whether a pod was made from another revision, as it was to be.
    fn was_remade(&self, name: &str) -> bool {
        let (before, after) = (pod(self.before, name), pod(self.after, name));
        let remade = |before: &PodSummary, after: &PodSummary| {
            before.uid != after.uid && before.revision != after.revision && after.revision == self.revision_of_new(name)
        };
        before.zip(after).is_some_and(|(before, after)| remade(before, after))
    }
}

/// That a server has all transactions that it had, and none that a source wrote which was no source of any.
fn transactions(before: &str, after: &str) -> Ruling {
    let (before, after) = match (executed(before), executed(after)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(why), _) | (_, Err(why)) => return Ruling(Class::Open, Some(why)),
    };
    let lost = before.subtract(&after);
    if !lost.is_empty() {
        return wrong(format!("{lost} is lost"));
    }
    let foreign: Vec<String> = after.sources().difference(&before.sources()).cloned().collect();
    if foreign.is_empty() {
        return Class::Allowed.into();
    }
    wrong(format!("{} wrote what nobody wrote before", foreign.join(", ")))
}

/// How often a component may have been started again in all: once more where its container is another one.
fn most_restarts(before: &ComponentSummary, after: &ComponentSummary) -> i64 {
    before.restarts + RESTARTS + i64::from(before.image != after.image)
}

/// Whether a label is one that the cluster itself gives to pods: a new version may have more of them, and those of the
/// place follow the node (<https://kubernetes.io/docs/reference/labels-annotations-taints/>).
fn is_clusters_own(it: &Difference) -> bool {
    let label = it.field.strip_prefix("labels/").unwrap_or_default();
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    let owned = ["kubernetes.io", "k8s.io"].iter().any(|own| domain == *own || domain.ends_with(&format!(".{own}")));
    owned && (it.before.is_null() || domain == "topology.kubernetes.io")
}

fn pod<'s>(state: &'s State, name: &str) -> Option<&'s PodSummary> {
    state.pods.iter().find(|pod| pod.name == name)
}

fn component<'s>(state: &'s State, name: &str) -> Option<&'s ComponentSummary> {
    state.control_plane.iter().find(|it| format!("{}/{}", it.component, it.node) == name)
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value == "" || value.as_object().is_some_and(serde_json::Map::is_empty)
}
