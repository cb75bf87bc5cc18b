//! Asks the API server, right by right, whether the account has the rights that a run needs, before anything is
//! written.
//!
//! The question is a `SelfSubjectAccessReview`: like every review, a POST of an object that no API server stores
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access>). Only its answer
//! holds for every authorizer; the rules that a `SelfSubjectRulesReview` returns may be incomplete.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, ApiResource, PostParams};
use kube::discovery::Scope;

use super::Cluster;
use super::admission::AdmissionError;

/// The number of concurrent reviews.
const AT_ONCE: usize = 8;

/// Verbs on a resource of an API group.
type Rule = (&'static str, &'static str, &'static [&'static str]);

/// What every run reads of the cluster as a whole.
const OF_THE_CLUSTER: [Rule; 3] = [
    ("", "nodes", &["list", "watch"]),
    ("", "persistentvolumes", &["list", "watch"]),
    ("storage.k8s.io", "storageclasses", &["list"]),
];

/// What every run does in both of its namespaces. It neither lists nor watches Secrets.
const OF_A_WITNESS: [Rule; 3] = [
    ("", "pods", &["create", "delete", "get", "list", "patch", "watch"]),
    // The verb of an exec over a WebSocket depends on the release.
    ("", "pods/exec", &["create", "get"]),
    ("", "secrets", &["create", "delete", "get", "patch"]),
];

/// What every run also does in the workload's namespace, whatever its manifests hold.
const OF_A_WORKLOAD: [Rule; 4] = [
    ("", "persistentvolumeclaims", &["delete", "get", "list", "watch"]),
    ("", "services", &["list", "watch"]),
    ("apps", "statefulsets", &["list", "patch", "watch"]),
    ("discovery.k8s.io", "endpointslices", &["list", "watch"]),
];

/// What a run needs to find the cluster's DNS without rights in all namespaces.
const OF_DNS: [Rule; 3] = [
    ("", "pods", &["get", "list", "watch"]),
    ("", "services", &["list", "watch"]),
    ("discovery.k8s.io", "endpointslices", &["list", "watch"]),
];

/// The namespace of the cluster's own services.
const SYSTEM: &str = "kube-system";

/// Some verbs on a kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// Empty if the right must hold in all namespaces.
    namespace: String,
    group: String,
    resource: String,
    verbs: &'static [&'static str],
}

impl Right {
    fn of(namespace: &str, (group, resource, verbs): Rule) -> Self {
        Self { namespace: namespace.to_owned(), group: group.to_owned(), resource: resource.to_owned(), verbs }
    }

    /// The rights for a run that creates its namespaces. Nobody can grant rights in a namespace that does not exist
    /// yet, so these must hold in all namespaces.
    pub fn of_every_run() -> Vec<Self> {
        let namespaces: Rule = ("", "namespaces", &["create", "delete", "get", "list", "watch"]);
        let everywhere = [namespaces].into_iter().chain(OF_THE_CLUSTER).chain(OF_A_WITNESS).chain(OF_A_WORKLOAD);
        let corefile = Self::of(SYSTEM, ("", "configmaps", &["get"]));
        everywhere.map(|rule| Self::of("", rule)).chain([corefile]).collect()
    }

    /// The rights for a run in two existing namespaces: the workload's and a witness's.
    pub fn in_namespaces([workload, witness]: [&str; 2]) -> Vec<Self> {
        let looked_at: Rule = ("", "namespaces", &["get"]);
        let of = |namespace, rules: &[Rule]| rules.iter().map(|rule| Self::of(namespace, *rule)).collect::<Vec<_>>();
        let of_both = [&[looked_at][..], &OF_A_WITNESS].concat();
        let apart = [of("", &OF_THE_CLUSTER), of(SYSTEM, &OF_DNS), of(witness, &of_both)];
        [apart.concat(), of(workload, &of_both), of(workload, &OF_A_WORKLOAD)].concat()
    }

    /// The rights to apply objects of a kind, in a namespace or cluster-wide, and to delete them again.
    pub fn to_apply(kind: &ApiResource, scope: &Scope, namespace: &str) -> Self {
        let (namespace, verbs): (_, &[&str]) = match scope {
            // The deletion of a Secret is polled, so that no account needs the right to watch all Secrets.
            Scope::Namespaced if kind.kind == "Secret" => (namespace, &["create", "delete", "get", "patch"]),
            Scope::Namespaced => (namespace, &["create", "delete", "get", "patch", "watch"]),
            // Cluster-wide objects are created, never changed.
            Scope::Cluster => ("", &["create", "delete", "get", "watch"]),
        };
        let (namespace, group, resource) = (namespace.to_owned(), kind.group.clone(), kind.plural.clone());
        Self { namespace, group, resource, verbs }
    }

    fn review(&self, verb: &str) -> SelfSubjectAccessReview {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (resource, subresource) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
        let attributes = ResourceAttributes {
            namespace: text(&self.namespace),
            group: text(&self.group),
            resource: text(resource),
            subresource: text(subresource),
            verb: text(verb),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        SelfSubjectAccessReview { spec, ..Default::default() }
    }

    /// In words, such as `create, delete namespaces` or `patch statefulsets.apps`.
    fn described(&self, verbs: &[&str]) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        let place = if self.namespace.is_empty() { String::new() } else { format!(" in {}", self.namespace) };
        format!("{} {}{dot}{}{place}", verbs.join(", "), self.resource, self.group)
    }
}

/// Rejects an account that lacks one of these rights. The error names all missing rights.
///
/// # Errors
/// When one is missing, or when the API server does not answer.
pub async fn demand(cluster: &Cluster, rights: &[Right]) -> Result<(), AdmissionError> {
    let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let asked = rights.iter().flat_map(|right| right.verbs.iter().map(move |verb| (right, *verb)));
    let reviews = asked.map(|(right, verb)| {
        let (api, review) = (api.clone(), right.review(verb));
        async move {
            let answer = api.create(&PostParams::default(), &review).await?;
            Ok::<_, kube::Error>((right, verb, answer.status.is_some_and(|status| status.allowed)))
        }
    });
    let answers: Vec<(&Right, &str, bool)> =
        futures::stream::iter(reviews).buffered(AT_ONCE).try_collect().await.map_err(|error| {
            AdmissionError::NotTold {
                context: cluster.context.clone(),
                server: cluster.server.clone(),
                reason: super::words(&error),
            }
        })?;
    let missing: Vec<String> = rights
        .iter()
        .filter_map(|right| {
            let denied = answers.iter().filter(|(asked, _, allowed)| std::ptr::eq(*asked, right) && !allowed);
            let verbs: Vec<&str> = denied.map(|(_, verb, _)| *verb).collect();
            (!verbs.is_empty()).then(|| right.described(&verbs))
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (context, server) = (cluster.context.clone(), cluster.server.clone());
    Err(AdmissionError::NotAllowed { context, server, missing: missing.join("; ") })
}

#[cfg(test)]
mod tests {
    use kube::core::GroupVersionKind;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_right_is_asked_for_verb_by_verb() {
        let right = Right::of_every_run().into_iter().find(|right| right.resource == "pods/exec").expect("exec");
        let asked = right.review("create").spec.resource_attributes.expect("attributes");
        assert_eq!((asked.resource.as_deref(), asked.subresource.as_deref()), (Some("pods"), Some("exec")));
        assert_eq!((asked.verb.as_deref(), asked.group, asked.namespace), (Some("create"), None, None));
    }

    /// The rules of a role in the manifests: API groups, resources and verbs.
    fn rules(role: &Value) -> Vec<[Vec<String>; 3]> {
        let names = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
        };
        let rules = role["rules"].as_array().expect("rules");
        rules.iter().map(|rule| [&rule["apiGroups"], &rule["resources"], &rule["verbs"]].map(names)).collect()
    }

    fn allows(rules: &[[Vec<String>; 3]], right: &Right, verb: &str) -> bool {
        rules.iter().any(|[groups, resources, verbs]| {
            groups.contains(&right.group) && resources.contains(&right.resource) && verbs.iter().any(|it| it == verb)
        })
    }

    /// The rights to apply the seed.
    fn of_the_seed(namespace: &str, with_class: bool) -> Vec<Right> {
        let kind = |group, version, kind, plural| {
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
        };
        let namespaced =
            [("", "Secret", "secrets"), ("", "Service", "services"), ("apps", "StatefulSet", "statefulsets")];
        let class = kind("storage.k8s.io", "v1", "StorageClass", "storageclasses");
        let class = with_class.then(|| Right::to_apply(&class, &Scope::Cluster, namespace));
        let namespaced = namespaced.map(|(group, name, plural)| {
            Right::to_apply(&kind(group, "v1", name, plural), &Scope::Namespaced, namespace)
        });
        namespaced.into_iter().chain(class).collect()
    }

    /// The published role has every demanded right for the seed's kinds, and no wildcard.
    #[test]
    fn the_role_has_what_is_demanded() {
        let documents = crate::workload::parse("the role", include_str!("../../manifests/account/cluster-role.yaml"));
        let rules = rules(&documents.expect("a role").remove(0).object);
        assert!(rules.iter().flatten().flatten().all(|word| word != "*"));
        for right in [Right::of_every_run(), of_the_seed("", true)].concat() {
            for verb in right.verbs {
                assert!(allows(&rules, &right, verb), "{}", right.described(&[verb]));
            }
        }
    }

    /// The published roles for two namespaces have every demanded right, and otherwise only optional ones, which they
    /// mark as such.
    #[test]
    fn the_roles_for_two_namespaces_have_what_is_demanded_and_no_more() {
        let text = include_str!("../../manifests/account/namespaces.yaml");
        let documents = crate::workload::parse("the roles", text).expect("roles");
        let demanded = [Right::in_namespaces(["workload", "witness"]), of_the_seed("workload", false)].concat();
        let roles = documents.iter().filter(|it| it.kind().ends_with("Role"));
        let of: Vec<(&str, Vec<[Vec<String>; 3]>)> =
            roles.map(|role| (role.text("/metadata/namespace"), rules(&role.object))).collect();
        for right in &demanded {
            let (_, rules) = of.iter().find(|(namespace, _)| *namespace == right.namespace).expect("a role");
            for verb in right.verbs {
                assert!(allows(rules, right, verb), "{}", right.described(&[verb]));
            }
        }
        let mut more = Vec::new();
        for (namespace, rules) in &of {
            for [groups, resources, verbs] in rules {
                let pairs = groups.iter().flat_map(|group| resources.iter().map(move |resource| (group, resource)));
                for (group, resource) in pairs {
                    let is_demanded = |verb: &String| {
                        let is_it =
                            |it: &&Right| (&*it.namespace, &it.group, &it.resource) == (*namespace, group, resource);
                        demanded.iter().filter(is_it).any(|right| right.verbs.contains(&&**verb))
                    };
                    let verbs = verbs.iter().filter(|verb| !is_demanded(verb));
                    more.extend(verbs.map(|verb| format!("{verb} {resource} in {namespace}")));
                }
            }
        }
        let optional = [
            "get pods/log in workload",
            "list events in workload",
            "watch events in workload",
            "get configmaps in kube-system",
            "get namespaces in ",
        ];
        assert_eq!(more, optional);
    }

    #[test]
    fn what_is_missing_reads_as_rbac_has_it() {
        let described = |resource: &str, verbs: &[&str]| {
            let right = Right::of_every_run().into_iter().find(|right| right.resource == resource).expect("known");
            right.described(verbs)
        };
        assert_eq!(described("namespaces", &["create", "delete"]), "create, delete namespaces");
        assert_eq!(described("statefulsets", &["patch"]), "patch statefulsets.apps");
        assert_eq!(described("configmaps", &["get"]), "get configmaps in kube-system");
    }
}
