//! Rules that every log of a run obeys: time does not go back, there is one run, numbers are within a cluster's limits,
//! and a pod is seen before it is asked.

use std::collections::{HashMap, HashSet};

use super::act::Act;
use super::checkpoint::Checkpoint;
use super::lapse::Lapse;
use super::record::{Record, What};
use super::run::Run;
use super::subject::MAX_REPLICAS;
use crate::object::text;

/// A hundred years in microseconds. A reader refuses a log of a longer run.
pub const LONGEST_RUN_US: u64 = 100 * 365 * 24 * 3_600 * 1_000_000;

/// The largest budget in milliseconds: about seven weeks.
const LONGEST_BUDGET_MS: u64 = u32::MAX as u64;

/// What is known of the log so far.
#[derive(Default)]
pub(super) struct Rules {
    at_us: u64,
    has_run: bool,
    /// The pods that the watch has shown: names by UID, and all names.
    pods: HashMap<String, String>,
    names: HashSet<String>,
}

impl Rules {
    /// Checks the next record. Returns the rule that it breaks, if any.
    pub(crate) fn hold(&mut self, record: &Record) -> Result<(), String> {
        let Record { seq, at_us, what, .. } = record;
        if *at_us < self.at_us {
            return Err(format!("time goes back from {} to {at_us} µs of the run", self.at_us));
        }
        if *at_us > LONGEST_RUN_US {
            return Err(format!("it is of {at_us} µs after the run began, which no run lasts"));
        }
        self.at_us = *at_us;
        match what {
            What::Run(run) => self.run(run),
            What::Object(event) if event.object_kind == "Pod" => {
                let field = |pointer| text(&event.object, pointer).unwrap_or_default().to_owned();
                let (name, uid) = (field("/metadata/name"), field("/metadata/uid"));
                self.names.insert(name.clone());
                self.pods.insert(uid, name);
                Ok(())
            }
            What::Sql(sql) => self.pod(&sql.pod, &sql.uid).and_then(|()| self.checkpoint(&sql.checkpoint)),
            What::Exec(exec) => self.pod(&exec.pod, &exec.uid).and_then(|()| self.checkpoint(&exec.checkpoint)),
            What::Write(write) => self.pod(&write.pod, &write.uid).and_then(|()| self.checkpoint(&write.checkpoint)),
            What::Dns(dns) => self.checkpoint(&dns.checkpoint),
            What::Entries(entries) => {
                entries.lapses.iter().try_for_each(|lapse| is_lapse(lapse, entries.now_us))?;
                entries.lags.iter().try_for_each(|lag| self.pod(&lag.pod, ""))
            }
            What::Lapse(lapse) => is_lapse(lapse, *at_us),
            What::Fault(fault) => {
                self.act(&fault.act)?;
                let later = fault.proof.iter().flatten().find(|proof| !(1..*seq).contains(proof));
                later.map_or(Ok(()), |proof| Err(format!("its proof is #{proof}, which is no record before it")))
            }
            What::Step(_) | What::Object(_) | What::Gap(_) | What::Wait(_) | What::Snapshot(_) | What::Note(_) => {
                Ok(())
            }
        }
    }

    fn run(&mut self, run: &Run) -> Result<(), String> {
        if std::mem::replace(&mut self.has_run, true) {
            return Err("a second run is described, and a log is of one".to_owned());
        }
        let (replicas, first) = (run.subject.replicas, run.subject.first_ordinal);
        if !(1..=MAX_REPLICAS).contains(&replicas) {
            return Err(format!("the set has {replicas} replicas, and 1 to {MAX_REPLICAS} can be judged"));
        }
        if first > i32::MAX as u32 - replicas - 1 {
            return Err(format!("the set's ordinals begin with {first}, and Kubernetes counts to {}", i32::MAX));
        }
        let budgets = &run.budgets;
        let all = [budgets.resume_ms, budgets.barrier_ms, budgets.recovery_ms, budgets.outage_ms, budgets.lag_ms];
        match all.into_iter().find(|budget| *budget > LONGEST_BUDGET_MS) {
            Some(budget) => Err(format!("a budget of {budget} ms is longer than any run")),
            None => Ok(()),
        }
    }

    /// Checks that the pod was seen before, under this UID unless that is empty. A log without a Pod watch has no pods.
    fn pod(&self, pod: &str, uid: &str) -> Result<(), String> {
        if self.pods.is_empty() {
            return Ok(());
        }
        if !self.names.contains(pod) {
            return Err(format!("the pod {pod} was not seen before"));
        }
        match self.pods.get(uid) {
            Some(name) if name == pod => Ok(()),
            Some(name) => Err(format!("the UID {uid} is that of {name}, and not of {pod}")),
            None if uid.is_empty() => Ok(()),
            None => Err(format!("the pod {pod} with the UID {uid} was not seen before")),
        }
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        match checkpoint {
            Checkpoint::Starting { pod, uid } | Checkpoint::Ready { pod, uid } => self.pod(pod, uid),
            Checkpoint::BeforeDeletion { pod }
            | Checkpoint::Deletion { pod }
            | Checkpoint::BeforeKill { pod }
            | Checkpoint::Kill { pod }
            | Checkpoint::Held { pod }
            | Checkpoint::Released { pod } => self.pod(pod, ""),
            _ => Ok(()),
        }
    }

    fn act(&self, act: &Act) -> Result<(), String> {
        match act {
            Act::DeletePod { pod, uid, .. }
            | Act::Hold { pod, uid }
            | Act::Release { pod, uid }
            | Act::KillServer { pod, uid } => self.pod(pod, uid),
            Act::Scale { from, to } => match [from, to].into_iter().find(|count| **count > MAX_REPLICAS + 1) {
                Some(count) => Err(format!("the set is scaled from or to {count} replicas, which no run does")),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// Checks that a lapse does not end before it begins or after the time `told_us` at which it is reported.
fn is_lapse(lapse: &Lapse, told_us: u64) -> Result<(), String> {
    let Lapse { from_us, to_us, .. } = *lapse;
    if from_us <= to_us && to_us <= told_us {
        return Ok(());
    }
    Err(format!("a lapse from {from_us} to {to_us} µs is told of at {told_us} µs, which no run does"))
}
