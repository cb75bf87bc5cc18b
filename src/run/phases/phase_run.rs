//! The cluster as both phases find it: the state file tells which objects were created there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use serde_json::json;

use super::error::PhaseError;
use super::saved::{Phase, Saved, Thing};
use crate::cluster::{Cluster, Lab, book, engine};
use crate::driver::{Accounts, Context, LedgerOptions, Made, Parts, Timeouts, Witnesses, Workload};
use crate::evidence::{Budgets, Disrupts, Replication, Run, Scenario, Substitution, Upgrade};
use crate::record::Recorder;
use crate::run::beside::Beside;
use crate::run::budget::held_to;
use crate::run::password::password;
use crate::run::scope::Scope;
use crate::run::test_cluster::{RunContext, TestCluster, reach};
use crate::run::witness::{self, Passwords};
use crate::run::workload_run::description;
use crate::run::{RunConfig, RunError, Target, WorkloadRun, guest};
use crate::text::quoted;
use crate::witness::protocol::Secret;
use crate::workload::{self, ApplyError, Hints, Manifest};

/// Time for a witness to become Ready: its claim is provisioned first, and its image may have to be pulled.
const WITNESS_READY_WITHIN: Duration = Duration::from_secs(180);

/// A phase in progress.
pub(super) struct PhaseRun<'a> {
    pub test_cluster: TestCluster,
    pub run_context: &'a RunContext,
    pub saved: Saved,
    /// The state file.
    pub path: &'a Path,
}

/// A context, and the watches that feed it.
pub(super) struct WatchedContext {
    pub context: Arc<Context>,
    _recorder: Recorder,
}

/// Connects to the cluster, and rejects one that the state file is not about, before anything is written to it.
///
/// # Errors
/// When it is another cluster, or when it cannot be reached.
pub(super) async fn connect(
    lab: &Lab,
    target: &Target,
    run_context: &RunContext,
    known: Option<(&Saved, &Path)>,
) -> Result<(Cluster, String), RunError> {
    if let Target::Kind(_) = target {
        engine(lab).await?;
    }
    let cluster = reach(lab, target, run_context, &mut None).await?.cluster;
    let uid = cluster.identity().await?;
    match known {
        Some((saved, path)) if saved.place.uid != uid => {
            let words = |context: &str, server: &str, uid: &str| {
                format!("context {context} at {server}, whose namespace kube-system has the UID {uid}")
            };
            let place = &saved.place;
            let known = words(&place.context, &place.server, &place.uid);
            let found = words(&cluster.context, &cluster.server, &uid);
            Err(PhaseError::AnotherCluster { path: path.to_owned(), known, found }.into())
        }
        _ => Ok((cluster, uid)),
    }
}

/// Reads an object as it is now.
async fn read(
    test_cluster: &TestCluster,
    kind: (&str, &str),
    namespace: &str,
    name: &str,
) -> Result<Option<DynamicObject>, RunError> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(kind.0, "v1", kind.1));
    let api: Api<DynamicObject> = Api::namespaced_with(test_cluster.cluster.client.clone(), namespace, &resource);
    let there = api.get_opt(name).await;
    there.map_err(|source| RunError::api(&format!("read the {} {name} of {namespace}", kind.1), source))
}

/// A running workload: its StatefulSet and governing Service.
///
/// # Errors
/// `gone`, with kind and name, for an object that does not exist.
pub(super) async fn live(
    test_cluster: &TestCluster,
    namespace: &str,
    set: &str,
    gone: impl Fn(&'static str, String) -> PhaseError,
) -> Result<Vec<Manifest>, RunError> {
    let there = read(test_cluster, ("apps", "StatefulSet"), namespace, set).await?;
    let there = there.ok_or_else(|| gone("StatefulSet", set.to_owned()))?;
    let service = there.data.pointer("/spec/serviceName").and_then(|name| name.as_str()).unwrap_or_default().to_owned();
    let governing = read(test_cluster, ("", "Service"), namespace, &service).await?;
    let governing = governing.ok_or_else(|| gone("Service", service.clone()))?;
    let manifest = |object: DynamicObject, api_version: &str, kind: &str| {
        let mut object = serde_json::to_value(object).unwrap_or_default();
        // The API server returns a single object without its apiVersion and kind.
        (object["apiVersion"], object["kind"]) = (json!(api_version), json!(kind));
        Manifest { origin: format!("the cluster's {kind}"), object }
    };
    Ok(vec![manifest(governing, "v1", "Service"), manifest(there, "apps/v1", "StatefulSet")])
}

/// The prefixes of a namespace's labels that control the admission of its pods or the injection of sidecars.
const ADMITTING: [&str; 4] = ["pod-security.kubernetes.io/", "istio-injection", "istio.io/", "linkerd.io/"];

/// A Namespace manifest with these labels of an existing namespace.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn namespace_like(test_cluster: &TestCluster, name: &str) -> Result<Manifest, RunError> {
    let namespaces: Api<Namespace> = Api::all(test_cluster.cluster.client.clone());
    let there = namespaces.get_metadata(name).await;
    let there = there.map_err(|source| RunError::api(&format!("read the namespace {name}"), source))?;
    let mut labels = there.metadata.labels.unwrap_or_default();
    // Other labels might make a tool treat the namespace as its own.
    labels.retain(|label, _| ADMITTING.iter().any(|prefix| label.starts_with(prefix)));
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    Ok(Manifest { origin: format!("the namespace {name}"), object })
}

impl PhaseRun<'_> {
    fn budgets(&self) -> Budgets {
        held_to(self.run_context.timeout_scale, &self.saved.conditions.config.budgets)
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        Timeouts::scaled(self.run_context.timeout_scale).at_least(&self.budgets())
    }

    /// Saves the progress in the state file.
    pub(super) fn reached(&mut self, phase: Phase) -> Result<(), RunError> {
        self.saved.phase = self.saved.phase.max(phase);
        Ok(self.saved.write(self.path).map_err(PhaseError::from)?)
    }

    /// Creates the namespaces, or finds those that an interrupted call created.
    pub(super) async fn make_namespaces(&mut self, manifests: &[Manifest]) -> Result<(), RunError> {
        let (client, run) = (self.test_cluster.cluster.client.clone(), self.saved.name());
        for name in [self.saved.near.clone(), self.saved.far.clone()] {
            if self.saved.namespace(&name).is_some() {
                continue;
            }
            let made = match workload::create_namespace(&client, &name, &run, manifests).await {
                Err(ApplyError::NamespaceExists(_)) => {
                    let ours = workload::namespaces_of(&client, &run, &[]).await?;
                    let ours = ours.into_iter().find(|owned| owned.name == name);
                    ours.ok_or(ApplyError::NamespaceExists(name))?
                }
                made => made?,
            };
            self.saved.remember(&[made]);
            self.reached(Phase::Begun)?;
        }
        Ok(())
    }

    /// Returns the workload. Fails if a created namespace, or the workload, no longer exists.
    pub(super) async fn standing(&self) -> Result<Vec<Manifest>, RunError> {
        self.namespaces_stand().await?;
        let subject = &self.saved.subject;
        let namespace = &subject.namespace;
        let gone = |kind, name| self.gone(format!("{kind} {name} of the namespace {namespace} is gone"));
        live(&self.test_cluster, namespace, &subject.set, gone).await
    }

    /// Fails if a created namespace no longer exists.
    pub(super) async fn namespaces_stand(&self) -> Result<(), RunError> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace"));
        let namespaces: Api<DynamicObject> = Api::all_with(self.test_cluster.cluster.client.clone(), &resource);
        for Thing { name, uid, .. } in self.saved.made.iter().filter(|thing| thing.kind == "Namespace") {
            let there = namespaces.get_metadata_opt(name).await;
            let there = there.map_err(|source| RunError::api(&format!("look for the namespace {name}"), source))?;
            if there.and_then(|there| there.uid()).as_ref() != Some(uid) {
                return Err(self.gone(format!("the namespace {name} of UID {uid} is gone")).into());
            }
        }
        Ok(())
    }

    fn gone(&self, what: String) -> PhaseError {
        PhaseError::Gone { what, path: self.path.to_owned() }
    }

    /// Whether the workload's namespace has a Secret of this name.
    pub(super) async fn has_secret(&self, name: &str) -> Result<bool, RunError> {
        Ok(read(&self.test_cluster, ("", "Secret"), &self.saved.subject.namespace, name).await?.is_some())
    }

    /// What the witnesses need to run beside the workload of these manifests.
    pub(super) async fn beside(&self, manifests: &[Manifest]) -> Result<Beside, RunError> {
        let (client, hints) = (&self.test_cluster.cluster.client, &self.saved.conditions.config.hints);
        match self.saved.adopted {
            true => Beside::adopted(client, manifests, hints, &self.saved.subject.namespace).await,
            false => Beside::of(client, manifests, hints).await,
        }
    }

    /// Starts the witnesses. Running ones stay as they are.
    pub(super) async fn make_witnesses(&mut self, manifests: &[Manifest], beside: &Beside) -> Result<(), RunError> {
        let client = self.test_cluster.cluster.client.clone();
        let passwords = Passwords::kept(&client, &self.saved.near).await?.unwrap_or_else(Passwords::random);
        let class = manifests.iter().find(|manifest| manifest.kind() == "StatefulSet");
        let class = class.map(|set| set.text("/spec/volumeClaimTemplates/0/spec/storageClassName"));
        let class = class.filter(|class| !class.is_empty());
        let keepers = witness::keeper(&self.test_cluster.witness_image, &passwords, class, beside)?;
        let classes: Vec<Manifest> =
            manifests.iter().filter(|manifest| manifest.kind() == "StorageClass").cloned().collect();
        let mut made = Vec::new();
        let applied = async {
            workload::apply(&client, &classes, &self.saved.near, &mut made).await?;
            for namespace in [&self.saved.near, &self.saved.far] {
                workload::apply(&client, &keepers, namespace, &mut made).await?;
            }
            Ok::<_, ApplyError>(())
        };
        let applied = self.run_context.journal.step(None, "start the witnesses", applied).await;
        self.saved.remember(&made);
        self.reached(Phase::Begun)?;
        applied?;
        self.reached(Phase::Witnessed)
    }

    /// The description of this run for its evidence.
    pub(super) fn describe(
        &self,
        scenarios: &[Scenario],
        substitutions: Vec<Substitution>,
        upgrade: Option<Upgrade>,
    ) -> Run {
        let scenarios = scenarios.to_vec();
        let scope = Scope { scenarios: scenarios.clone(), left_out: Vec::new() };
        let conditions = &self.saved.conditions;
        let workload_run = WorkloadRun {
            run_context: self.run_context.clone(),
            manifests: Vec::new(),
            namespace: None,
            config: RunConfig { replication: self.replication(), ..conditions.config.clone() },
            scenarios,
            injections: Vec::new(),
            may_disrupt: Disrupts::Nothing,
            newer: None,
        };
        let run =
            description(&self.test_cluster, &workload_run, &scope, &self.saved.subject, substitutions, self.budgets());
        Run { upgrade, ..run }
    }

    /// The hints about the workload. An adopted workload needs no `--statefulset`, which selects one in manifests.
    fn hints(&self) -> Hints {
        let hints = self.saved.conditions.config.hints.clone();
        if self.saved.adopted { Hints { statefulset: None, ..hints } } else { hints }
    }

    fn replication(&self) -> Replication {
        if self.saved.adopted { Replication::Observed } else { self.saved.conditions.config.replication }
    }

    /// Connects to the workload and the witnesses. Whatever is created from here on is added to `made`.
    pub(super) async fn watch(&self, manifests: Vec<Manifest>, made: &Made) -> Result<WatchedContext, RunError> {
        let (client, journal, subject) =
            (&self.test_cluster.cluster.client, &self.run_context.journal, &self.saved.subject);
        let (_, credentials) =
            workload::subject(&manifests, &subject.namespace, &self.test_cluster.domain, &self.hints())?;
        let root_password = password(&self.test_cluster, &manifests, &subject.namespace, &credentials, made).await?;
        let kept = Passwords::kept(client, &self.saved.near).await?;
        let Passwords { writer, replica, admin } =
            kept.unwrap_or(Passwords { writer: empty(), replica: empty(), admin: empty() });
        let redaction = journal.log.redaction();
        workload::hide(redaction, &manifests);
        redaction.learn([&root_password, &replica, &writer, &admin].map(Secret::expose));
        let recorder = Recorder::start(client, &subject.namespace, &journal.log).await?;
        let limit = WITNESS_READY_WITHIN.mul_f64(self.run_context.timeout_scale);
        let session = |namespace| witness::session(client, namespace, limit);
        let (near_namespace, far_namespace) = (self.saved.near.clone(), self.saved.far.clone());
        let watched = async { tokio::try_join!(session(&near_namespace), session(&far_namespace)) };
        let (near, far) = journal.step(None, "meet the witnesses", watched).await?;
        let dns_servers = self.test_cluster.record_dns(journal, &near).await?;
        let conditions = &self.saved.conditions;
        let context = Context::new(Parts {
            cluster: self.test_cluster.access(dns_servers, None),
            workload: Workload {
                subject: subject.clone(),
                manifests,
                hints: conditions.config.hints.clone(),
                replication: self.replication(),
                adopted: self.saved.adopted,
                made: made.clone(),
            },
            accounts: Accounts {
                root_password,
                replica_password: replica,
                writer_password: writer,
                admin_password: admin,
            },
            ledger: LedgerOptions { rate: Some(conditions.config.ledger), semi_sync: conditions.config.semi_sync },
            witnesses: Witnesses { near, near_namespace, far, far_namespace },
            journal: journal.clone(),
            logs: self.run_context.directory.join("logs"),
            timeouts: self.timeouts(),
            cuts: conditions.config.power,
            injections: Vec::new(),
        });
        Ok(WatchedContext { context: Arc::new(context), _recorder: recorder })
    }

    /// Deletes everything that was created, until nothing of it is left.
    ///
    /// # Errors
    /// When something is left.
    pub(super) async fn remove(&self) -> Result<(), RunError> {
        let (run, limit) = (self.saved.name(), self.timeouts().teardown * 2);
        let made = book::Made { run: &run, intents: &self.saved.intents, claims_in: None };
        let removing = async {
            let left = guest::remove(&self.test_cluster.cluster.client, &made, limit).await;
            if left.is_empty() {
                return Ok(());
            }
            let removal = format!("steadfast after --abandon --state {}", quoted(&self.path.display().to_string()));
            Err(RunError::LeftBehind { left, removal, limit })
        };
        self.run_context.journal.step(None, "remove what was made", removing).await
    }
}

/// A placeholder password: a witness without its Secret has none.
fn empty() -> Secret {
    Secret::from(String::new())
}
