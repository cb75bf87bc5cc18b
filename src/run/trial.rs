//! A trial: one workload, put through scenarios on a bench, with everything recorded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret as SecretObject};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;
use kube::api::{Api, ListParams, LogParams};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::RunError;
use super::bench::{Bench, all_ready};
use crate::evidence::{Budgets, Log, Note, Recorder, Run, SCHEMA, Snapshot, SnapshotOf, Subject, Substitution, What};
use crate::probe::Session;
use crate::report::Progress;
use crate::scenario::{self, Context, Limits, Made, Parts, SCENARIOS, Sabotage, Witnesses, step};
use crate::witness::protocol::Secret;
use crate::workload::{self, Credentials, Manifest, Owned};

const WITNESS: &str = include_str!("../../manifests/witness/pod.yaml");
const WITNESS_READY_WITHIN: Duration = Duration::from_secs(60);

/// What a trial puts to the test.
pub struct Trial {
    /// Names the trial, in the evidence and on its namespace.
    pub run_id: String,
    /// The workload's manifests.
    pub manifests: Vec<Manifest>,
    /// The namespace; one named after the run, unless given or named by the manifests.
    pub namespace: Option<String>,
    /// The scenarios, in order.
    pub scenarios: Vec<String>,
    /// What a mutant injects.
    pub sabotage: Vec<Sabotage>,
    /// Multiplies every time limit.
    pub timeout_scale: f64,
    /// The run's directory.
    pub directory: PathBuf,
}

/// How a trial is cut short, and what then becomes of what it made.
pub struct Ending<'a> {
    /// Cuts the scenarios short.
    pub cancel: CancellationToken,
    /// Whether to leave everything as it is, asked once the scenarios have ended.
    pub keep: &'a (dyn Fn(bool) -> bool + Send + Sync),
}

/// Acts the scenarios and deletes what they made.
///
/// # Errors
/// When the trial cannot begin, or was cut short. A scenario that fails is evidence, not an error.
pub async fn exercise(
    bench: &Bench,
    trial: &Trial,
    log: &Arc<Log>,
    progress: &Progress,
    ending: Ending<'_>,
) -> Result<(), RunError> {
    let made = Made::default();
    let limits = Limits::scaled(trial.timeout_scale);
    let mut namespace = String::new();
    let mut recorder = None;
    let acted = tokio::select! {
        acted = Box::pin(act(bench, trial, log, progress, limits, &made, &mut namespace, &mut recorder)) => acted,
        () = ending.cancel.cancelled() => Err(RunError::Interrupted),
    };
    if (ending.keep)(acted.is_ok()) {
        return acted;
    }
    let made: Vec<Owned> = std::mem::take(&mut *made.lock().await);
    if !made.is_empty() {
        progress.say("deleting what the run made");
        let teardown = scenario::teardown(&bench.cluster.client, log, &namespace, made, limits.teardown);
        let torn_down = async {
            teardown.await;
            Ok::<_, RunError>(())
        };
        step(log, "teardown", "teardown", torn_down).await?;
    }
    acted
}

#[expect(clippy::too_many_arguments, reason = "the parts of a trial outlive it one by one when it is cut short")]
async fn act(
    bench: &Bench,
    trial: &Trial,
    log: &Arc<Log>,
    progress: &Progress,
    limits: Limits,
    made: &Made,
    namespace: &mut String,
    recorder: &mut Option<Recorder>,
) -> Result<(), RunError> {
    let client = &bench.cluster.client;
    let named = workload::namespace(&trial.manifests, trial.namespace.as_deref())?;
    *namespace = named.unwrap_or_else(|| short_name(&trial.run_id));
    let (subject, credentials) = workload::subject(&trial.manifests, namespace, &bench.domain)?;
    let images = workload::images(&trial.manifests);
    let mut substitutions = bench.provide(&images, log).await?;
    let manifests = workload::with_random_values(substituted(&trial.manifests, &substitutions));
    substitutions.extend(bench.node_substitution.clone());
    storage_classes(bench, &manifests).await?;

    let far = format!("{namespace}-witness");
    for name in [namespace.as_str(), &far] {
        let owned = workload::create_namespace(client, name, &trial.run_id).await?;
        made.lock().await.push(owned);
    }
    log.record(What::Run(Box::new(description(bench, trial, &subject, substitutions, limits))));
    *recorder = Some(Recorder::start(client, namespace, log).await?);
    progress.say("starting the witnesses");
    let witnesses = step(log, "run", "start the witnesses", async {
        let (near, far_session) = tokio::try_join!(witness(bench, namespace, made), witness(bench, &far, made))?;
        Ok::<_, RunError>(Witnesses { near, far: far_session, far_namespace: far.clone() })
    })
    .await?;
    log.record(What::Snapshot(Snapshot { of: SnapshotOf::Corefile, value: json!(bench.corefile) }));
    let root_password = password(bench, &manifests, namespace, &credentials, made).await?;
    let context = Arc::new(Context::new(Parts {
        client: client.clone(),
        manifests,
        log: log.clone(),
        progress: progress.clone(),
        witnesses,
        dns_servers: bench.dns_servers.clone(),
        dns_budget_ms: bench.dns_budget_ms,
        root_password,
        replica_password: Secret::from(workload::random_word()),
        limits,
        sabotage: trial.sabotage.clone(),
        made: made.clone(),
        subject,
    }));
    let greeter = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(scenario::greet(context.clone())));
    act_scenarios(&context, trial, progress).await;
    drop(greeter);
    collect(&context, trial).await;
    Ok(())
}

/// Acts each scenario whose foundations stand.
async fn act_scenarios(context: &Context, trial: &Trial, progress: &Progress) {
    let mut fallen: Vec<&str> = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| trial.scenarios.iter().any(|wanted| wanted == *scenario)) {
        if *scenario == "teardown" {
            continue;
        }
        let missing = scenario::needs(scenario).iter().find(|needed| fallen.contains(needed));
        if let Some(missing) = missing {
            let message = format!("{scenario} was not acted: {missing} did not come to its end");
            context.log.record(What::Note(Note { message }));
            fallen.push(scenario);
            continue;
        }
        progress.begin(scenario);
        let acted = Box::pin(scenario::act(context, scenario)).await;
        let trouble = acted.err().map(|error| error.to_string());
        progress.end(scenario, trouble.as_deref().map_or(Ok(()), Err));
        if trouble.is_some() {
            fallen.push(scenario);
        }
    }
}

/// A namespace named after the run, and short: MySQL before 8.0.17 takes at most 60 characters for a source's name
/// (<https://dev.mysql.com/doc/relnotes/mysql/8.0/en/news-8-0-17.html>).
fn short_name(run_id: &str) -> String {
    format!("{}{}", crate::cluster::kind::PREFIX, run_id.rsplit('-').next().unwrap_or(run_id))
}

fn description(
    bench: &Bench,
    trial: &Trial,
    subject: &Subject,
    substitutions: Vec<Substitution>,
    limits: Limits,
) -> Run {
    let milliseconds = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    Run {
        schema: SCHEMA,
        run_id: trial.run_id.clone(),
        steadfast: env!("CARGO_PKG_VERSION").to_owned(),
        kubernetes: bench.cluster.version.clone(),
        cluster: bench.description.clone(),
        substitutions,
        subject: subject.clone(),
        budgets: Budgets { resume_ms: milliseconds(limits.resume), barrier_ms: milliseconds(limits.barrier) },
        scenarios: trial.scenarios.clone(),
    }
}

/// The manifests with the images that run in place of those they name.
fn substituted(manifests: &[Manifest], substitutions: &[Substitution]) -> Vec<Manifest> {
    let mut manifests = manifests.to_vec();
    for manifest in &mut manifests {
        for list in ["/spec/template/spec/containers", "/spec/template/spec/initContainers"] {
            let containers = manifest.object.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
            for container in containers {
                let stand_in = substitutions.iter().find(|substitution| container["image"] == substitution.wanted);
                if let Some(stand_in) = stand_in {
                    container["image"] = json!(stand_in.image);
                }
            }
        }
    }
    manifests
}

/// A claim whose class does not exist stays Pending for ever: better to say so at once.
async fn storage_classes(bench: &Bench, manifests: &[Manifest]) -> Result<(), RunError> {
    let wanted = manifests
        .iter()
        .filter_map(|manifest| manifest.object.pointer("/spec/volumeClaimTemplates")?.as_array())
        .flatten()
        .filter_map(|claim| claim.pointer("/spec/storageClassName")?.as_str());
    let api: Api<StorageClass> = Api::all(bench.cluster.client.clone());
    let there =
        api.list(&ListParams::default()).await.map_err(|source| RunError::api("list the StorageClasses", source))?;
    let there: Vec<String> = there.items.iter().map(ResourceExt::name_any).collect();
    for class in wanted {
        let brought = manifests.iter().any(|manifest| manifest.kind() == "StorageClass" && manifest.name() == class);
        if !brought && !there.iter().any(|name| name == class) {
            return Err(RunError::NoStorageClass { class: class.to_owned(), there: there.join(", ") });
        }
    }
    Ok(())
}

/// Starts a witness in a namespace.
async fn witness(bench: &Bench, namespace: &str, made: &Made) -> Result<Session, RunError> {
    let mut manifests = workload::parse("the witness's manifest", WITNESS)?;
    for manifest in &mut manifests {
        if let Some(image) = manifest.object.pointer_mut("/spec/containers/0/image") {
            *image = json!(bench.lab.witness.image);
        }
    }
    workload::apply(&bench.cluster.client, &manifests, namespace, &mut *made.lock().await).await?;
    let pods: Api<Pod> = Api::namespaced(bench.cluster.client.clone(), namespace);
    let label = "app.kubernetes.io/name=steadfast-witness";
    let ready = all_ready(&pods, label, &format!("the witness in {namespace}"), WITNESS_READY_WITHIN).await?;
    let name = ready.first().map(ResourceExt::name_any).unwrap_or_default();
    Ok(Session::new(pods, &name))
}

/// The root password, from where the pods take it. Its Secret is applied first, so that it can be read.
async fn password(
    bench: &Bench,
    manifests: &[Manifest],
    namespace: &str,
    credentials: &Credentials,
    made: &Made,
) -> Result<Secret, RunError> {
    let (name, key) = match credentials {
        Credentials::Empty => return Ok(Secret::from(String::new())),
        Credentials::Literal(password) => return Ok(Secret::from(password.clone())),
        Credentials::Secret { name, key } => (name, key),
    };
    let own: Vec<Manifest> =
        manifests.iter().filter(|manifest| manifest.kind() == "Secret" && manifest.name() == name).cloned().collect();
    workload::apply(&bench.cluster.client, &own, namespace, &mut *made.lock().await).await?;
    let secrets: Api<SecretObject> = Api::namespaced(bench.cluster.client.clone(), namespace);
    let missing = || RunError::NoPassword { secret: name.clone(), key: key.clone() };
    let secret = secrets.get_opt(name).await.map_err(|source| RunError::api("read the root password", source))?;
    let data = secret.and_then(|secret| secret.data).ok_or_else(missing)?;
    let bytes = data.get(key).ok_or_else(missing)?;
    Ok(Secret::from(String::from_utf8_lossy(&bytes.0).into_owned()))
}

/// Saves what the servers wrote, also before a restart of their containers. A log that cannot be had is no failure.
async fn collect(context: &Context, trial: &Trial) {
    let folder = trial.directory.join("logs");
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &context.subject.namespace);
    for pod in context.subject.pods() {
        for (previous, suffix) in [(false, ""), (true, ".previous")] {
            let parameters =
                LogParams { previous, container: Some(context.subject.container.clone()), ..LogParams::default() };
            let Ok(Ok(text)) = tokio::time::timeout(Duration::from_secs(10), pods.logs(&pod, &parameters)).await else {
                continue;
            };
            let written = std::fs::create_dir_all(&folder)
                .and_then(|()| std::fs::write(folder.join(format!("{pod}{suffix}.log")), text));
            if let Err(error) = written {
                context.log.record(What::Note(Note { message: format!("the log of {pod} was not saved: {error}") }));
            }
        }
    }
}
