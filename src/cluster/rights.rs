//! What an account must be allowed to do, asked of the API server right by right before anything is written.
//!
//! The question is a `SelfSubjectAccessReview`: a POST, as every review is, of an object that no API server stores
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access>). It is the only one
//! whose answer holds for every authorizer; the list of rules that a `SelfSubjectRulesReview` gives may be incomplete.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, ApiResource, PostParams};
use kube::discovery::Scope;

use super::Cluster;
use super::admission::AdmissionError;

/// Reviews under way at once.
const AT_ONCE: usize = 8;

/// What every run does, whatever its manifests hold: namespace, API group, resource, verbs. The run's own namespace is not
/// there yet, so nobody can have been given a right in it: its rights have to hold in all namespaces, which no name means.
const OF_EVERY_RUN: [(&str, &str, &str, &[&str]); 12] = [
    ("", "", "namespaces", &["create", "delete", "get", "list", "watch"]),
    ("", "", "nodes", &["list", "watch"]),
    ("", "", "persistentvolumes", &["list", "watch"]),
    ("", "storage.k8s.io", "storageclasses", &["list"]),
    ("kube-system", "", "configmaps", &["get"]),
    ("", "", "pods", &["create", "delete", "get", "list", "patch", "watch"]),
    // Which verb an exec over a web socket takes depends on the release.
    ("", "", "pods/exec", &["create", "get"]),
    ("", "", "persistentvolumeclaims", &["delete", "get", "list", "watch"]),
    ("", "", "secrets", &["get"]),
    ("", "", "services", &["list", "watch"]),
    ("", "apps", "statefulsets", &["list", "patch", "watch"]),
    ("", "discovery.k8s.io", "endpointslices", &["list", "watch"]),
];

/// Some verbs on a kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    namespace: &'static str,
    group: String,
    resource: String,
    verbs: &'static [&'static str],
}

impl Right {
    /// Those that every run needs.
    pub fn of_every_run() -> Vec<Self> {
        let right = |(namespace, group, resource, verbs): (_, &str, &str, _)| Self {
            namespace,
            group: group.to_owned(),
            resource: resource.to_owned(),
            verbs,
        };
        OF_EVERY_RUN.map(right).to_vec()
    }

    /// What it takes to apply objects of a kind, and to delete them again.
    pub fn to_apply(kind: &ApiResource, scope: &Scope) -> Self {
        let verbs: &[&str] = match scope {
            Scope::Namespaced => &["create", "delete", "get", "patch", "watch"],
            // They are created, never changed.
            Scope::Cluster => &["create", "delete", "get", "watch"],
        };
        Self { namespace: "", group: kind.group.clone(), resource: kind.plural.clone(), verbs }
    }

    fn review(&self, verb: &str) -> SelfSubjectAccessReview {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (resource, subresource) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
        let attributes = ResourceAttributes {
            namespace: text(self.namespace),
            group: text(&self.group),
            resource: text(resource),
            subresource: text(subresource),
            verb: text(verb),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        SelfSubjectAccessReview { spec, ..Default::default() }
    }

    /// As in `create, delete namespaces` or `patch statefulsets.apps`.
    fn described(&self, verbs: &[&str]) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        let place = if self.namespace.is_empty() { String::new() } else { format!(" in {}", self.namespace) };
        format!("{} {}{dot}{}{place}", verbs.join(", "), self.resource, self.group)
    }
}

/// Refuses an account that lacks one of these rights; the error names all that it lacks.
///
/// # Errors
/// When it lacks one, or nobody tells.
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

    use super::*;

    #[test]
    fn a_right_is_asked_for_verb_by_verb() {
        let right = Right::of_every_run().into_iter().find(|right| right.resource == "pods/exec").expect("exec");
        let asked = right.review("create").spec.resource_attributes.expect("attributes");
        assert_eq!((asked.resource.as_deref(), asked.subresource.as_deref()), (Some("pods"), Some("exec")));
        assert_eq!((asked.verb.as_deref(), asked.group, asked.namespace), (Some("create"), None, None));
    }

    /// The role that people are given has what is demanded for the seed's kinds, and no wildcard.
    #[test]
    fn the_role_has_what_is_demanded() {
        let documents = crate::workload::parse("the role", include_str!("../../manifests/account/cluster-role.yaml"));
        let role = documents.expect("a role").remove(0).object;
        let names = |value: &serde_json::Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
        };
        let rules: Vec<[Vec<String>; 3]> = role["rules"]
            .as_array()
            .expect("rules")
            .iter()
            .map(|rule| [names(&rule["apiGroups"]), names(&rule["resources"]), names(&rule["verbs"])])
            .collect();
        assert!(rules.iter().flatten().flatten().all(|word| word != "*"));
        let kind = |group, version, kind, plural| {
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
        };
        let namespaced =
            [("", "Secret", "secrets"), ("", "Service", "services"), ("apps", "StatefulSet", "statefulsets")];
        let mut demanded = Right::of_every_run();
        demanded.extend(
            namespaced
                .map(|(group, name, plural)| Right::to_apply(&kind(group, "v1", name, plural), &Scope::Namespaced)),
        );
        demanded
            .push(Right::to_apply(&kind("storage.k8s.io", "v1", "StorageClass", "storageclasses"), &Scope::Cluster));
        for right in demanded {
            for verb in right.verbs {
                let allowed = rules.iter().any(|[groups, resources, verbs]| {
                    groups.contains(&right.group)
                        && resources.contains(&right.resource)
                        && verbs.iter().any(|it| it == verb)
                });
                assert!(allowed, "{}", right.described(&[verb]));
            }
        }
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
