//! Fault injection: what a mutant does to the running workload without the scenarios' knowledge, to prove that a check
//! notices.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Service};
use kube::api::{Api, Patch, PatchParams};
use serde_json::Value;

use super::context::Context;
use super::disrupt::failed;
use super::error::ScenarioError;
use super::injection::{InjectedFault, InjectionPoint};
use crate::evidence::{Checkpoint, Question};
use crate::workload::by_uid;

impl Context {
    /// Injects the faults of a point. The evidence holds no act of it. It shows a statement that fails, though, and the
    /// watch shows a changed object.
    pub(crate) async fn inject(&self, point: InjectionPoint) {
        for injection in self.injections.iter().filter(|injection| injection.at == point) {
            let injected = match &injection.fault {
                InjectedFault::Sql { pod, statements } => {
                    let pod = self.workload.subject.nth(*pod);
                    let statements = statements.iter().map(|statement| fill(self, statement)).collect();
                    self.ask(&Checkpoint::Replicating, &pod, Question::FaultInjection, statements).await;
                    Ok(())
                }
                InjectedFault::Set(patch) => self.patch::<StatefulSet>(&self.workload.subject.set, patch).await,
                InjectedFault::Service(patch) => self.patch::<Service>(&self.workload.subject.service, patch).await,
                InjectedFault::ReplacePod { pod } => self.replace_pod(&self.workload.subject.nth(*pod)).await,
                InjectedFault::DeleteClaims { pod } => self.delete_claims(&self.workload.subject.nth(*pod)).await,
            };
            if let Err(error) = injected {
                self.journal.note(format!("the fault injection at {point:?} failed: {error}"));
            }
        }
    }

    async fn patch<K>(&self, name: &str, patch: &Value) -> Result<(), ScenarioError>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope> + Clone + std::fmt::Debug,
        K: serde::de::DeserializeOwned,
        K::DynamicType: Default,
    {
        let api: Api<K> = Api::namespaced(self.cluster.client.clone(), &self.workload.subject.namespace);
        let patched = api.patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await;
        patched.map(drop).map_err(failed(format!("patch {name}")))
    }

    async fn replace_pod(&self, pod: &str) -> Result<(), ScenarioError> {
        let uid = self.uid(pod).unwrap_or_default();
        self.ask_to_go(pod, &uid, None).await?;
        self.replaced(pod, &uid).await
    }

    async fn delete_claims(&self, pod: &str) -> Result<(), ScenarioError> {
        let api: Api<PersistentVolumeClaim> =
            Api::namespaced(self.cluster.client.clone(), &self.workload.subject.namespace);
        for template in &self.workload.subject.claims {
            let claim = self.workload.subject.claim(template, pod);
            let there = api.get_metadata(&claim).await.map_err(failed(format!("read {claim}")))?;
            let uid = there.metadata.uid.unwrap_or_default();
            api.delete(&claim, &by_uid(&uid)).await.map_err(failed(format!("delete {claim}")))?;
        }
        Ok(())
    }
}

fn fill(context: &Context, statement: &str) -> String {
    let mut statement = statement.to_owned();
    for index in 0..context.workload.subject.replicas {
        let place = format!("{{address:{index}}}");
        if statement.contains(&place) {
            let address = context.address(&context.workload.subject.nth(index)).unwrap_or_default();
            statement = statement.replace(&place, &address);
        }
    }
    statement
}
