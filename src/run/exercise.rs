//! Acts scenarios on one workload in a cluster, with everything recorded, and deletes what they created.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::beside::Beside;
use super::budget::held_to;
use super::guest::{Guest, Plans};
use super::password::password;
use super::prepare::{Prepared, prepare, settle_in, start_witness};
use super::scope::Scope;
use super::test_cluster::TestCluster;
use super::workload_run::{Standing, WorkloadRun, description};
use super::{RunError, preflight_workload, witness};
use crate::driver::{self, Accounts, Context, Journal, LedgerOptions, Parts, Timeouts, Witnesses, Workload};
use crate::evidence::{Note, Scenario, What};
use crate::record::Recorder;
use crate::scenario;
use crate::witness::protocol::Secret;
use crate::workload;

/// How a run is cut short, and whether its objects are kept.
pub struct Ending<'a> {
    /// Cuts the scenarios short.
    pub cancel: CancellationToken,
    /// Whether to leave everything in place. Asked once the scenarios have ended.
    pub keep: &'a (dyn Fn(Result<(), &RunError>) -> bool + Send + Sync),
}

/// Acts the scenarios and deletes what they created.
///
/// # Errors
/// When it cannot begin, or when it was cut short. A scenario that fails is evidence, not an error.
pub async fn exercise(
    test_cluster: &TestCluster,
    workload_run: &WorkloadRun,
    ending: Ending<'_>,
) -> Result<(), RunError> {
    let journal = &workload_run.run_context.journal;
    let standing = Standing::default();
    let acted = tokio::select! {
        acted = caught(Box::pin(act(test_cluster, workload_run, &standing))) => acted,
        () = ending.cancel.cancelled() => Err(RunError::Interrupted),
        // Unrecorded acts prove nothing, so stop disrupting.
        () = journal.log.broken() => Err(RunError::unwritten(&journal.log)),
    };
    if let Some(context) = standing.context.get() {
        context.undo_all().await;
        context.save_all_logs().await;
    }
    if (ending.keep)(acted.as_ref().map(drop)) {
        return acted.and(standing.guest.into_inner().map_or(Ok(()), Guest::stay));
    }
    let limit = Timeouts::scaled(workload_run.run_context.timeout_scale).teardown;
    let torn_down = tear_down(test_cluster, workload_run, &standing, limit).await;
    // The teardown asks once, in an order that can be judged. This asks until nothing is left.
    let cleaned = match standing.guest.into_inner() {
        Some(guest) => guest.leave(limit).await,
        None => torn_down,
    };
    match (acted, cleaned) {
        (Err(first), Err(second)) => {
            // Only one of them can be the run's error, so announce the other.
            journal.announce(&second.to_string());
            Err(first)
        }
        (acted, cleaned) => acted.and(cleaned),
    }
}

/// Turns a panic into an error, because the run's objects must be removed.
async fn caught(acting: impl Future<Output = Result<(), RunError>>) -> Result<(), RunError> {
    AssertUnwindSafe(acting).catch_unwind().await.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(RunError::Panicked(words.unwrap_or_else(|| "it gave no message".to_owned())))
    })
}

/// Deletes what the scenarios created, on record.
async fn tear_down(
    test_cluster: &TestCluster,
    workload_run: &WorkloadRun,
    standing: &Standing,
    limit: Duration,
) -> Result<(), RunError> {
    let journal = &workload_run.run_context.journal;
    let namespace = standing.namespace.get().map(String::as_str).unwrap_or_default();
    let torn_down = async {
        let mut made = std::mem::take(&mut *standing.made.lock().await);
        if !test_cluster.has_namespaces() {
            made.extend(
                workload::namespaces_of(&test_cluster.cluster.client, &workload_run.run_context.name, &made).await?,
            );
        }
        if !made.is_empty() {
            scenario::teardown(&test_cluster.cluster.client, &journal.log, namespace, made, limit).await;
        }
        Ok::<_, RunError>(())
    };
    let torn_down = journal.scenario(Scenario::Teardown, torn_down);
    // Every wait of the teardown has a limit. This one is for an API server that accepts requests and never answers.
    match tokio::time::timeout(limit * 2, Box::pin(torn_down)).await {
        Ok(torn_down) => torn_down,
        Err(_) => Err(RunError::NotTornDown { namespace: namespace.to_owned(), limit: limit * 2 }),
    }
}

async fn act(test_cluster: &TestCluster, workload_run: &WorkloadRun, standing: &Standing) -> Result<(), RunError> {
    let (client, journal) = (&test_cluster.cluster.client, &workload_run.run_context.journal);
    let namespace = workload_run.namespace()?;
    let namespace = standing.namespace.get_or_init(|| namespace);
    let scale = workload_run.run_context.timeout_scale;
    let budgets = held_to(scale, &workload_run.config.budgets);
    let timeouts = Timeouts::scaled(scale).at_least(&budgets);
    let Prepared { subject, credentials, manifests, substitutions } =
        prepare(test_cluster, workload_run, namespace).await?;
    let far = test_cluster.witness_namespace().map_or_else(|| format!("{namespace}-witness"), str::to_owned);
    let cluster_wide = preflight_workload::of_workload(test_cluster, &manifests, [namespace, &far]).await?;
    let beside = Beside::of(client, &manifests, &workload_run.config.hints).await?;
    let passwords = witness::Passwords::random();
    let witness = witness::pod(&test_cluster.witness_image, &passwords.writer, &beside)?;
    let witness = workload::labelled(witness, &workload_run.run_context.name);
    let namespaces = [namespace.as_str(), &far];
    let plans = Plans { namespaces, manifests: &manifests, cluster_wide: &cluster_wide, witness: &witness };
    settle_in(test_cluster, workload_run, standing, &plans).await?;
    let scope = Scope::of(test_cluster, workload_run, subject.replicas);
    for left in &scope.left_out {
        journal.progress.say(&format!("left out: {}: {}", left.scenario, left.why));
    }
    let run = description(test_cluster, workload_run, &scope, &subject, substitutions, budgets);
    journal.log.record(What::Run(Box::new(run)));
    let redaction = journal.log.redaction();
    workload::hide(redaction, &manifests);
    let root_password = password(test_cluster, &manifests, namespace, &credentials, &standing.made).await?;
    redaction.learn([&root_password, &passwords.replica, &passwords.writer, &passwords.admin].map(Secret::expose));
    let recorder = Recorder::start(client, namespace, &journal.log).await?;
    // It is empty, because a workload is run once.
    let _ = standing.recorder.set(recorder);
    let start = |namespace| start_witness(test_cluster, workload_run, namespace, &witness, standing);
    let started = async { tokio::try_join!(start(namespace), start(&far)) };
    let (near, far_session) = journal.step(None, "start the witnesses", started).await?;
    let dns_servers = test_cluster.record_dns(journal, &near).await?;
    let context = Arc::new(Context::new(Parts {
        cluster: test_cluster.access(dns_servers, workload_run.newer.clone()),
        workload: Workload {
            subject,
            manifests,
            hints: workload_run.config.hints.clone(),
            replication: workload_run.config.replication,
            adopted: false,
            made: standing.made.clone(),
        },
        accounts: Accounts {
            root_password,
            replica_password: passwords.replica,
            writer_password: passwords.writer,
            admin_password: passwords.admin,
        },
        ledger: LedgerOptions {
            rate: workload_run.scenarios.contains(&Scenario::Settle).then_some(workload_run.config.ledger),
            semi_sync: workload_run.config.semi_sync,
        },
        witnesses: Witnesses {
            near,
            near_namespace: namespace.to_owned(),
            far: far_session,
            far_namespace: far.clone(),
        },
        journal: journal.clone(),
        logs: workload_run.run_context.directory.join("logs"),
        timeouts,
        cuts: workload_run.config.power,
        injections: workload_run.injections.clone(),
    }));
    act_scenarios_observed(standing.context.get_or_init(|| context), journal, &scope.scenarios).await;
    Ok(())
}

/// Acts the scenarios. Meanwhile it probes pods that become Ready, and collects the ledger's entries.
async fn act_scenarios_observed(context: &Arc<Context>, journal: &Journal, scenarios: &[Scenario]) {
    let ended = CancellationToken::new();
    let prober = AbortOnDropHandle::new(tokio::spawn(driver::probe_readiness(context.clone(), ended.clone())));
    let collector = AbortOnDropHandle::new(tokio::spawn(driver::collect(context.clone(), ended.clone())));
    act_scenarios(context, journal, scenarios).await;
    ended.cancel();
    // Every question has its own deadline. If the prober panicked, the evidence shows pods that were not asked.
    let _ = prober.await;
    // Entries that the witness still holds belong to a ledger that nobody stopped.
    let _ = collector.await;
}

/// Acts each scenario whose required scenarios succeeded. Once the workload does not recover from one, further
/// disruptive scenarios are not begun: each would only wait for it again.
async fn act_scenarios(context: &Context, journal: &Journal, scenarios: &[Scenario]) {
    let mut fallen: Vec<Scenario> = Vec::new();
    let mut away = false;
    for scenario in Scenario::all().filter(|scenario| scenarios.contains(scenario)) {
        if scenario == Scenario::Teardown || (away && scenario.disrupts()) {
            continue;
        }
        let missing = scenario.needs().iter().find(|needed| fallen.contains(needed));
        if let Some(missing) = missing {
            journal.note(format!("{scenario} was not acted: {missing} did not come to its end"));
            fallen.push(scenario);
        } else if Box::pin(scenario::act(context, scenario)).await.is_err() {
            fallen.push(scenario);
        }
        if let Some(in_vain) = if away { None } else { context.stays_away(scenario).await } {
            let note = Note::stops(scenario, &in_vain);
            journal.progress.say(&note.message);
            journal.log.record(What::Note(note));
            away = true;
        }
    }
    context.take_time();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_and_does_not_keep_the_clean_up_from_its_turn() {
        let of = async |words: Option<&'static str>| {
            let acting = async { words.map_or(Ok(()), |words| panic!("{words}")) };
            caught(acting).await.map_err(|error| error.to_string())
        };
        assert_eq!(of(None).await, Ok(()));
        let told = of(Some("on purpose")).await.expect_err("it panicked");
        assert!(told.contains("on purpose") && told.contains("report it"), "{told}");
    }
}
