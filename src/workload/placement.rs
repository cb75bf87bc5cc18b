//! How many nodes a workload's pods need, according to the manifests, before any cluster exists.

use k8s_openapi::api::core::v1::{Node, Taint};
use serde_json::Value;

use super::Manifest;
use crate::lint::manifest::why_apart;
use crate::object::{items, text};

/// The taint of a control plane node.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// A StatefulSet whose pods must be on different nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// The StatefulSet's name.
    pub set: String,
    /// The number of its pods.
    pub pods: usize,
    /// What keeps them apart.
    pub why: String,
    tolerations: Vec<Value>,
}

impl Apart {
    /// Reads it from the manifests of a workload. `None` if pods may share a node.
    pub fn of(manifests: &[Manifest]) -> Option<Self> {
        let set = manifests.iter().find(|manifest| manifest.kind() == "StatefulSet")?;
        let template = set.object.pointer("/spec/template")?;
        let pods = set.object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        Some(Self {
            set: set.name().to_owned(),
            pods: usize::try_from(pods).unwrap_or(usize::MAX),
            why: why_apart(template)?,
            tolerations: items(template, "/spec/tolerations").cloned().collect(),
        })
    }

    /// The number of nodes, given by their taints, that such a pod can be scheduled on.
    pub fn takers(&self, nodes: &[Vec<Taint>]) -> usize {
        let keeps_away = |taint: &&Taint| taint.effect != "PreferNoSchedule";
        let takes = |taints: &&Vec<Taint>| taints.iter().filter(keeps_away).all(|taint| self.tolerates(taint));
        nodes.iter().filter(takes).count()
    }

    /// Whether the pods tolerate a taint
    /// (<https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>).
    fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|it| {
            let said = |field: &str| text(it, field).filter(|value| !value.is_empty());
            let key = said("/key").is_none_or(|key| key == taint.key);
            let effect = said("/effect").is_none_or(|effect| effect == taint.effect);
            let value = said("/operator") == Some("Exists")
                || (said("/key").is_some()
                    && said("/value") == taint.value.as_deref().filter(|value| !value.is_empty()));
            key && effect && value
        })
    }
}

/// The taints of a node, unless it is cordoned.
pub fn taints_of(node: &Node) -> Option<Vec<Taint>> {
    let spec = node.spec.as_ref()?;
    (spec.unschedulable != Some(true)).then(|| spec.taints.clone().unwrap_or_default())
}

/// The taints of a new cluster's nodes: kind taints the control plane node if there are workers.
pub fn taints_of_new(nodes: usize) -> Vec<Vec<Taint>> {
    let taint = || Taint { key: CONTROL_PLANE.to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() };
    (0..nodes).map(|node| if node == 0 && nodes > 1 { vec![taint()] } else { Vec::new() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::parse;

    fn apart(spec: &str) -> Option<Apart> {
        let text = format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db}}\nspec: {{replicas: 3, template: {{metadata: \
             {{labels: {{app: db}}}}, spec: {{{spec}}}}}}}\n"
        );
        Apart::of(&parse("db.yaml", &text).expect("YAML"))
    }

    fn required(rule: &str) -> String {
        format!("affinity: {{podAntiAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{rule}]}}}}")
    }

    #[test]
    fn pods_that_may_share_no_node_need_one_each() {
        for selector in [
            "matchLabels: {app: db}",
            "matchExpressions: [{key: app, operator: In, values: [web, db]}]",
            "matchExpressions: [{key: app, operator: Exists}, {key: tier, operator: NotIn, values: [x]}]",
            "matchExpressions: [{key: tier, operator: DoesNotExist}]",
        ] {
            let rule = format!("{{topologyKey: kubernetes.io/hostname, labelSelector: {{{selector}}}}}");
            let found = apart(&required(&rule)).expect(selector);
            let takers = |nodes: usize| found.takers(&taints_of_new(nodes));
            assert_eq!((found.pods, takers(3), takers(1)), (3, 2, 1), "{selector}");
        }
        let port = apart("containers: [{name: a}, {name: b, ports: [{containerPort: 1, hostPort: 3306}]}]");
        assert_eq!(port.expect("a host port").why, "hostPort 3306");
    }

    #[test]
    fn who_is_kept_from_others_alone_may_share() {
        for rule in [
            "{topologyKey: topology.kubernetes.io/zone, labelSelector: {matchLabels: {app: db}}}",
            "{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}",
            "{topologyKey: kubernetes.io/hostname, labelSelector: {matchExpressions: [{key: app, operator: NotIn, values: [db]}]}}",
            "{topologyKey: kubernetes.io/hostname, namespaces: [other], labelSelector: {matchLabels: {app: db}}}",
            "{topologyKey: kubernetes.io/hostname}",
        ] {
            assert_eq!(apart(&required(rule)), None, "{rule}");
        }
        assert_eq!(apart("containers: [{name: a, ports: [{containerPort: 3306}]}]"), None);
    }

    #[test]
    fn a_control_plane_that_is_tolerated_takes_a_pod_too() {
        let rule = required("{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: db}}}");
        for (toleration, takers) in [
            ("{key: node-role.kubernetes.io/control-plane, operator: Exists}", 3),
            ("{operator: Exists}", 3),
            ("{key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoExecute}", 2),
            ("{key: node-role.kubernetes.io/control-plane}", 3),
            ("{key: node-role.kubernetes.io/control-plane, value: 'true'}", 2),
            ("{key: other, operator: Exists}", 2),
        ] {
            let found = apart(&format!("{rule}, tolerations: [{toleration}]")).expect("apart");
            assert_eq!(found.takers(&taints_of_new(3)), takers, "{toleration}");
        }
    }
}
