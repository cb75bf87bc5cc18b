//! Runs that are killed on the cluster, or that keep what they made. The next start or `down` removes this and nothing
//! else, also while other runs are active.

use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use steadfast_suites::shared_cluster::SharedCluster;

use super::least;
use super::runs::{Run, Runs, with_runs, with_runs_of};

/// When a run is killed.
struct Checkpoint {
    /// The checks of the run. They decide which scenarios it runs.
    checks: &'static str,
    /// The step that has begun, or `None` if the run has just written its book.
    step: Option<&'static str>,
    /// The delay after that.
    later: Duration,
}

const fn checkpoint(checks: &'static str, step: Option<&'static str>, later_ms: u64) -> Checkpoint {
    Checkpoint { checks, step, later: Duration::from_millis(later_ms) }
}

/// From before the first write until the first pod starts.
const EARLY: [Checkpoint; 7] = [
    checkpoint("dns::each", Some("wait for nodes and DNS"), 0),
    checkpoint("dns::each", None, 0),
    checkpoint("dns::each", None, 12),
    checkpoint("dns::each", Some("start the witnesses"), 0),
    checkpoint("dns::each", Some("start the witnesses"), 400),
    checkpoint("dns::each", Some("deploy: apply the manifests"), 20),
    checkpoint("dns::each", Some("deploy: ordered start"), 2_000),
];

/// While replication is configured, and while the StatefulSet is scaled and its pod is held un-Ready.
const REPLICATED: [Checkpoint; 2] = [
    checkpoint("replication::replicas_refuse_writes", Some("replicate: configure replication"), 200),
    checkpoint("persistence::claims_survive", Some("scale: hold mysql-0"), 500),
];

/// While a pod is deleted, and in the middle of teardown.
const DELETED: [Checkpoint; 2] = [
    checkpoint("persistence::same_volume", Some("restart: delete mysql-1"), 300),
    checkpoint("dns::each", Some("teardown"), 700),
];

/// How long a run may take to reach a checkpoint. Before that, it removes what the previous run left.
const COMES_WITHIN: Duration = Duration::from_secs(300);

/// Two starts at the same time may still be removing the same objects.
const GONE_WITHIN: Duration = Duration::from_secs(90);

/// Nothing announces that another process has written to a file.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(1);

/// Some runs are killed before they make anything. Everything that a killed run made is gone after the next start.
pub(crate) fn killed(cluster: &SharedCluster) -> Result<(), Failed> {
    with_runs(cluster, |runs| {
        // The lanes run in parallel: each start removes what a dead run left, and nothing that a live run made.
        let lanes: [(&str, &[Checkpoint]); 3] = [("early", &EARLY), ("replicated", &REPLICATED), ("deleted", &DELETED)];
        let kills: Result<usize, String> = std::thread::scope(|scope| {
            let lanes =
                lanes.map(|(lane, checkpoints)| scope.spawn(move || one_after_another(runs, lane, checkpoints)));
            lanes.map(|lane| lane.join().expect("no panic")).into_iter().sum()
        });
        let kills = kills?;
        let said = runs.down()?;
        // No later start removes what the last run left, so `down` does.
        let there = runs.there(None)?;
        if said.contains("removed the objects that steadfast-") && there.is_empty() {
            return Ok(());
        }
        Err(format!("{kills} runs were killed, `down` said: {said}, and this is left: {there:?}").into())
    })
}

/// Kills a run at each of these checkpoints, and checks that the next start removes what it left. Returns how many were
/// killed.
fn one_after_another(runs: &Runs<'_>, lane: &str, checkpoints: &[Checkpoint]) -> Result<usize, String> {
    let mut before: Option<String> = None;
    for checkpoint in checkpoints {
        let told = |why: String| format!("killed at {:?} + {:?}: {why}", checkpoint.step, checkpoint.later);
        let run = kill(runs, lane, checkpoint).map_err(|failed| told(said(failed)))?;
        if let Some(before) = &before {
            gone(runs, before).map_err(told)?;
        }
        before = Some(run);
    }
    Ok(checkpoints.len())
}

fn said(failed: Failed) -> String {
    failed.message().unwrap_or_default().to_owned()
}

/// Starts a run and kills it at a checkpoint. Returns its name.
fn kill(runs: &Runs<'_>, lane: &str, checkpoint: &Checkpoint) -> Result<String, Failed> {
    let name = kill_with(runs, lane, checkpoint, &[])?;
    let (there, writes) = (runs.there(Some(&name))?, checkpoint.step != Some("wait for nodes and DNS"));
    if there.is_empty() && writes && checkpoint.step.is_some() {
        return Err(format!("{name} has left nothing").into());
    }
    Ok(name)
}

fn kill_with(runs: &Runs<'_>, lane: &str, checkpoint: &Checkpoint, options: &[&str]) -> Result<String, Failed> {
    let mut run = runs.start(lane, &[&["--allow-disruption", checkpoint.checks], options].concat())?;
    let came = comes(runs, &mut run, checkpoint);
    std::thread::sleep(checkpoint.later);
    run.child.kill()?;
    run.child.wait()?;
    came?;
    Ok(run.name().ok_or("it has no directory")?)
}

fn comes(runs: &Runs<'_>, run: &mut Run, checkpoint: &Checkpoint) -> Result<(), Failed> {
    let begun = Instant::now();
    let has_come = |run: &Run| match checkpoint.step {
        Some(step) => run.said().contains(step),
        None => run.name().is_some_and(|name| runs.book(&name).is_some()),
    };
    while !has_come(run) {
        let ended = run.child.try_wait()?;
        if ended.is_some() || begun.elapsed() > COMES_WITHIN {
            return Err(format!("it did not come there ({ended:?}):\n{}", run.said()).into());
        }
        std::thread::sleep(LOOK_AGAIN_AFTER);
    }
    Ok(())
}

/// Checks that nothing of a run is left.
fn gone(runs: &Runs<'_>, name: &str) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let there = runs.there(Some(name)).map_err(said)?;
        if there.is_empty() && runs.book(name).is_none() {
            return Ok(());
        }
        if begun.elapsed() > GONE_WITHIN {
            return Err(format!("the start after {name} left {there:?}"));
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// In namespaces that stay, the book tells what a killed run made, and labels mark its claims.
pub(crate) fn in_two_namespaces(cluster: &SharedCluster) -> Result<(), Failed> {
    let (account, manifests, options) = least::place(cluster)?;
    with_runs_of(cluster, account.path(), &manifests, |runs| {
        kill_with(runs, "two-namespaces", &DELETED[0], &options)?;
        let there =
            || cluster.kubectl(&["get", "pods,pvc,secrets,services", "--namespace", "workload", "--output", "name"]);
        let (left, said, after) = (there()?, runs.down()?, there()?);
        let kinds = ["pod/mysql-0", "pod/steadfast-witness", "persistentvolumeclaim/", "secret/", "service/mysql"];
        let whole = kinds.iter().all(|kind| left.contains(kind));
        if whole && said.contains("removed the objects that steadfast-") && after.is_empty() {
            return Ok(());
        }
        Err(format!("it left {left}; `down` said {said}, after which there is {after}").into())
    })
}

/// Kept objects survive the next start, and the command that the run printed removes them.
pub(crate) fn kept(cluster: &SharedCluster) -> Result<(), Failed> {
    with_runs(cluster, |runs| {
        let mut run = runs.start("kept", &["--keep", "always", "dns::each"])?;
        let status = run.child.wait()?;
        let (said, there) = (run.said(), runs.there(None)?);
        let told = said.lines().find_map(|line| line.strip_prefix("remove: steadfast "));
        let (Some(told), Some(0), false) = (told, status.code(), there.is_empty()) else {
            return Err(format!("{status:?}, {there:?}:\n{said}").into());
        };
        let output = runs.bare("kept").args(told.split(' ')).output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
    })
}

/// Two runs of the same manifests at once. A third one is killed in the meantime, and `down` cleans up after it. The
/// two runs pass, and each has its own StorageClass.
pub(crate) fn beside_each_other(cluster: &SharedCluster) -> Result<(), Failed> {
    with_runs(cluster, |runs| {
        let mut two = [runs.start("one", &["dns::each"])?, runs.start("other", &["dns::each"])?];
        let applied = checkpoint("dns::each", Some("deploy: ordered start"), 0);
        two.iter_mut().try_for_each(|run| comes(runs, run, &applied))?;
        let names: Vec<String> = two.iter().filter_map(Run::name).collect();
        let third = kill(runs, "third", &checkpoint("dns::each", Some("start the witnesses"), 200))?;
        let down = runs.down()?;
        let class =
            |name: &String| Ok::<_, Failed>(runs.there(Some(name))?.into_iter().find(|it| it.contains("storageclass")));
        let classes = names.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        for mut run in two {
            let status = run.child.wait()?;
            if status.code() != Some(0) {
                return Err(format!("beside {third}: {status:?}\n{}", run.said()).into());
            }
        }
        let removed: Vec<&str> = down.lines().filter(|line| line.starts_with("removed the objects ")).collect();
        let expected = format!("removed the objects that {third} created");
        let (own, there) = (classes[0].is_some() && classes[0] != classes[1], runs.there(None)?);
        if own && classes.len() == 2 && there.is_empty() && removed == [expected] {
            return Ok(());
        }
        Err(format!("their classes: {classes:?}, {third} was killed, `down` said: {down}, left: {there:?}").into())
    })
}
