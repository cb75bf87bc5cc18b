//! Whether the ResourceQuotas of the manifests leave enough room. The API server rejects every pod beyond a quota, so
//! the StatefulSet would wait for ever (<https://kubernetes.io/docs/concepts/policy/resource-quotas/>).

use serde_json::{Value, json};

use super::Manifest;
use crate::object::{items, quantity, text};

/// The witness's resources if a quota counts them: a share of a core, and memory for its ledger.
const WITNESS: [(&str, &str, &str); 4] = [
    ("requests", "cpu", "50m"),
    ("requests", "memory", "64Mi"),
    ("limits", "cpu", "500m"),
    ("limits", "memory", "256Mi"),
];

/// The storage of the claim for the witness's ledger, in bytes, as in manifests/witness/keeper.yaml.
const KEEPER_BYTES: f64 = 1024.0 * 1024.0 * 1024.0;

/// The same, as the resources of a container.
pub fn witness_takes() -> Value {
    let mut takes = json!({});
    for (list, what, amount) in WITNESS {
        takes[list][what] = Value::from(amount);
    }
    takes
}

/// A quota that is too small for the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// The ResourceQuota.
    pub quota: String,
    /// The limited resource, as written in the quota.
    pub resource: String,
    /// The limit, as written in the quota.
    pub hard: String,
    /// Why that is too little.
    pub why: String,
}

/// Whether a quota counts CPU or memory, so that every pod must declare its resources.
pub fn counts_resources(manifests: &[Manifest]) -> bool {
    limits(manifests).any(|(_, resource, _)| compute(resource).is_some())
}

/// The first quota limit that is too small for all pods of the manifests, `more` pods of the StatefulSet, and the
/// witness. A witness that is a keeper has a claim of its own.
pub fn shortage(manifests: &[Manifest], more: u64, keeper: bool) -> Option<Shortage> {
    let pods = pods(manifests, more);
    limits(manifests).find_map(|(quota, resource, hard)| {
        let allowed = quantity(hard)?;
        let needed = match (resource, compute(resource)) {
            ("pods" | "count/pods", _) => Ok(1.0 + pods.iter().map(|pods| pods.count).sum::<f64>()),
            ("persistentvolumeclaims" | "count/persistentvolumeclaims", _) => {
                let own = if keeper { 1.0 } else { 0.0 };
                Ok(own + pods.iter().map(|pods| pods.count * pods.claims().count() as f64).sum::<f64>())
            }
            ("requests.storage", _) => {
                let own = if keeper { KEEPER_BYTES } else { 0.0 };
                Ok(own + pods.iter().map(|pods| pods.count * pods.storage()).sum::<f64>())
            }
            (_, Some(what)) => of_all(manifests, &pods, what),
            _ => return None,
        };
        let why = match needed {
            // The sum of decimal fractions is not exact.
            Ok(needed) if needed <= allowed * (1.0 + 1e-9) => return None,
            Ok(needed) => format!("the pods of the manifests and the witness need {}", rounded(needed)),
            Err(container) => format!("the container `{container}` sets no such request or limit"),
        };
        let hard = hard.as_str().map_or_else(|| hard.to_string(), str::to_owned);
        Some(Shortage { quota: quota.to_owned(), resource: resource.to_owned(), hard, why })
    })
}

/// The limits of the manifests' quotas. A quota with scopes counts only some pods and is left to the API server.
fn limits(manifests: &[Manifest]) -> impl Iterator<Item = (&str, &str, &Value)> {
    let quotas = manifests.iter().filter(|manifest| {
        let scoped = ["/spec/scopes", "/spec/scopeSelector"].iter().any(|it| manifest.object.pointer(it).is_some());
        manifest.kind() == "ResourceQuota" && !scoped
    });
    quotas.flat_map(|quota| {
        let hard = quota.object.pointer("/spec/hard").and_then(Value::as_object);
        hard.into_iter().flatten().map(|(resource, hard)| (quota.name(), resource.as_str(), hard))
    })
}

/// Where containers declare what a quota counts: under requests or under limits.
fn compute(resource: &str) -> Option<(&'static str, &'static str)> {
    Some(match resource {
        "cpu" | "requests.cpu" => ("requests", "cpu"),
        "memory" | "requests.memory" => ("requests", "memory"),
        "limits.cpu" => ("limits", "cpu"),
        "limits.memory" => ("limits", "memory"),
        _ => return None,
    })
}

/// The pods of a StatefulSet or a Deployment.
struct Pods<'a> {
    object: &'a Value,
    count: f64,
}

impl<'a> Pods<'a> {
    fn claims(&self) -> impl Iterator<Item = &'a Value> {
        items(self.object, "/spec/volumeClaimTemplates")
    }

    fn storage(&self) -> f64 {
        self.claims().filter_map(|claim| quantity(claim.pointer("/spec/resources/requests/storage")?)).sum()
    }
}

fn pods(manifests: &[Manifest], more: u64) -> Vec<Pods<'_>> {
    let mut more = more as f64;
    let controllers = manifests.iter().filter(|it| ["StatefulSet", "Deployment"].contains(&it.kind()));
    controllers
        .map(|it| {
            let replicas = it.object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1) as f64;
            // The first StatefulSet is the one under test.
            let added = if it.kind() == "StatefulSet" { std::mem::take(&mut more) } else { 0.0 };
            Pods { object: &it.object, count: replicas + added }
        })
        .collect()
}

/// The total of all pods and the witness. A container without a declared value, and without a default from a
/// LimitRange, is an error.
fn of_all(manifests: &[Manifest], pods: &[Pods<'_>], (list, what): (&str, &str)) -> Result<f64, String> {
    let own = WITNESS.iter().find(|(its, of, _)| (*its, *of) == (list, what));
    let mut sum = own.and_then(|(.., amount)| quantity(&Value::from(*amount))).unwrap_or(0.0);
    let usual = usual(manifests, list, what);
    for pods in pods.iter().filter(|pods| pods.count > 0.0) {
        sum += pods.count * pods.takes(list, what, usual)?;
    }
    Ok(sum)
}

/// The default for a container that declares nothing
/// (<https://kubernetes.io/docs/concepts/policy/limit-range/#limitrange-and-admission-checks-for-pods>).
fn usual(manifests: &[Manifest], list: &str, what: &str) -> Option<f64> {
    let ranges = manifests.iter().filter(|it| it.kind() == "LimitRange");
    let mut limits = ranges.flat_map(|it| items(&it.object, "/spec/limits"));
    let lists: &[&str] =
        if list == "requests" { &["defaultRequest", "default", "max", "min"] } else { &["default", "max"] };
    limits.find_map(|limit| {
        let of_container = text(limit, "/type") == Some("Container");
        lists.iter().filter(|_| of_container).find_map(|list| quantity(limit.pointer(&format!("/{list}/{what}"))?))
    })
}

impl Pods<'_> {
    /// The total of one pod: the sum of all containers and sidecars, or the largest init container if that is more
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>).
    fn takes(&self, list: &str, what: &str, usual: Option<f64>) -> Result<f64, String> {
        // A missing request defaults to the limit.
        let said = |of: &Value| {
            [list, "limits"].into_iter().find_map(|list| quantity(of.pointer(&format!("/resources/{list}/{what}"))?))
        };
        let Some(pod) = self.object.pointer("/spec/template/spec") else { return Ok(0.0) };
        if let Some(of_pod) = said(pod) {
            return Ok(of_pod);
        }
        let (mut together, mut largest) = (0.0_f64, 0.0_f64);
        for container in items(pod, "/containers").chain(items(pod, "/initContainers")) {
            let name = || text(container, "/name").unwrap_or_default().to_owned();
            let takes = said(container).or(usual).ok_or_else(name)?;
            let prepares = items(pod, "/initContainers").any(|it| std::ptr::eq(it, container))
                && text(container, "/restartPolicy") != Some("Always");
            if prepares { largest = largest.max(takes) } else { together += takes }
        }
        Ok(together.max(largest))
    }
}

/// A number without trailing zeros.
fn rounded(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::parse;

    const SET: &str = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n  replicas: 3\n  \
        template: {spec: {containers: [{name: server, resources: {limits: {memory: 1Gi}}}]}}\n  \
        volumeClaimTemplates: [{metadata: {name: data}, spec: {resources: {requests: {storage: 2Gi}}}}]\n---\n";

    fn judged(hard: &str, more: u64) -> Option<String> {
        let quota =
            format!("apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: small}}\nspec: {{hard: {{{hard}}}}}\n");
        let manifests = parse("db.yaml", &format!("{SET}{quota}")).expect("YAML");
        shortage(&manifests, more, false).map(|it| format!("{} {} {}: {}", it.quota, it.resource, it.hard, it.why))
    }

    #[test]
    fn a_quota_has_room_for_the_pods_and_the_witness() {
        assert_eq!(judged("pods: 4", 0), None);
        assert_eq!(
            judged("pods: '3'", 0).as_deref(),
            Some("small pods 3: the pods of the manifests and the witness need 4")
        );
        assert!(judged("pods: 4", 1).is_some() && judged("count/pods: 5", 1).is_none());
        assert_eq!(judged("persistentvolumeclaims: 3, requests.storage: 6Gi", 0), None);
        assert!(judged("requests.storage: 5Gi", 0).is_some() && judged("persistentvolumeclaims: 2", 0).is_some());
        assert_eq!(judged("services: 1, requests.nvidia.com/gpu: 0", 0), None);
    }

    #[test]
    fn who_is_counted_has_to_say_how_much_it_takes() {
        assert_eq!(judged("requests.memory: 4Gi", 0), None);
        assert!(judged("limits.memory: 3Gi", 0).is_some_and(|why| why.contains("need 3489660928")));
        assert!(
            judged("requests.cpu: 9", 0).is_some_and(|why| why.ends_with("`server` sets no such request or limit"))
        );
    }
}
