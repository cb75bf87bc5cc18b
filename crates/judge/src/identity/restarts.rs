//! Whether containers keep running unless the harness disrupts them.

use std::collections::{BTreeSet, HashMap};

use crate::assessment::{Judged, judged};
use crate::case::{Case, Exit, Scenes, Seen, containers};
use crate::evidence::{Act, Fault, Mark, PodLife, Scenario};
use crate::words::{short, some_of};
use crate::{CaseFile, Check, Finding};

pub(crate) const CONTAINERS_RESTART_ONLY_WHEN_DISRUPTED: Check = Check {
    id: "identity::containers_restart_only_when_disrupted",
    statement: "Containers of the set's pods MUST NOT restart unless a scenario caused it.",
    source: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts and \
             https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/",
    explain: "\
An unexpected restart is an outage that is easy to miss: the pod keeps its name and is Ready again before anybody looks.
Judged from the Pod watch over the whole run, from the first start on. The restartCount of each container must not rise,
including init containers and sidecars. Excused are: one restart of a server's container for each time that the harness
killed the server, or took its image away and gave it back, until the end of that scenario; and any restart on a node
that the harness stopped, paused, upgraded or cut from its power, until the end of that scenario. A failed image pull is
no restart. The finding quotes how the container ended before.
Common causes: a liveness probe fails under load, or queries a server other than its own, so that all pods restart when
the source is down; a memory limit (OOMKilled, exit code 137); or a server that crashes until another server is up.",
    scenarios: &[Scenario::Deploy],
    minimum: &[],
    judge: containers_restart_only_when_disrupted,
};

fn containers_restart_only_when_disrupted(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let scenes = case.scenes();
        let seen = Restarts::of(case, &scenes);
        for pod in case.subject.pods().filter(|pod| !seen.pods.contains(pod.as_str())) {
            let reason = format!("no container state of {pod} was seen");
            assessment.reject(Finding::inconclusive(reason, []));
        }
        let mut caused = Vec::new();
        for restart in &seen.all {
            caused.extend(assessment.check(restart.caused(case, &scenes)));
        }
        if let Some(gap) = case.gap("Pod", 0, case.timeline.last_seq) {
            return Err(gap);
        }
        assessment.cite(seen.first.into_iter().chain(seen.all.iter().map(|restart| restart.mark.seq)));
        let pods = case.shown_pods().count();
        Ok(match caused.is_empty() {
            true => format!("no container restarted in {pods} pods"),
            false => format!("in {pods} pods no container restarted except {}", some_of(caused)),
        })
    })
}

/// An act of the harness that makes containers restart.
pub(super) struct Cause<'a> {
    pub act: &'a Act,
    /// The record of the request.
    asked: u64,
    /// The last record of its scenario.
    until: u64,
    /// How many more restarts it explains: any number on a node, one of a server.
    left: u32,
}

impl<'a> Cause<'a> {
    /// All requested acts, in order.
    pub(super) fn all(case: &Case<'a>, scenes: &Scenes) -> Vec<Self> {
        let asked = case.faults().filter(|fault| fault.it.proof.is_none());
        let cause = |fault: Seen<'a, Fault>| {
            let (act, asked) = (&fault.it.act, fault.mark.seq);
            let left = if matches!(act, Act::KillServer { .. } | Act::Hold { .. }) { 1 } else { u32::MAX };
            Self { act, asked, until: scenes.end(asked), left }
        };
        asked.map(cause).collect()
    }

    /// Whether the time from the act to the end of its scenario overlaps a stretch.
    fn spans(&self, from: u64, to: u64) -> bool {
        self.asked <= to && from <= self.until
    }

    /// Whether the act disturbed a pod's node during a stretch.
    pub(super) fn disturbs(&self, life: &PodLife, from: u64, to: u64) -> bool {
        self.spans(from, to) && life.node.as_deref().is_some_and(|node| disturbs_node(self.act, node))
    }

    fn explains(&self, case: &Case<'_>, life: &PodLife, container: &str, seq: u64) -> bool {
        let of_server = match self.act {
            Act::KillServer { uid, .. } | Act::Hold { uid, .. } => {
                *uid == life.uid && container == case.subject.container && self.spans(seq, seq)
            }
            _ => false,
        };
        self.left > 0 && (of_server || self.disturbs(life, seq, seq))
    }
}

/// Whether an act disturbs every container on a node.
fn disturbs_node(act: &Act, on: &str) -> bool {
    match act {
        Act::PauseNode { node }
        | Act::UnpauseNode { node }
        | Act::StopNode { node }
        | Act::StartNode { node }
        | Act::UpgradeControlPlane { node, .. }
        | Act::UpgradeNode { node, .. } => node == on,
        Act::CutPower { nodes } | Act::RestorePower { nodes } => nodes.iter().any(|node| node == on),
        _ => false,
    }
}

/// A container that restarted.
pub(super) struct Restart<'a> {
    pub life: &'a PodLife,
    pub container: &'a str,
    /// The event that shows the restart.
    pub mark: Mark,
    /// The last event before it.
    since: u64,
    /// The restart counts of the event before and of this one.
    counts: [i64; 2],
    /// How the container ended before.
    pub before: Option<Exit<'a>>,
    /// The act that explains all its restarts, if one does.
    pub cause: Option<&'a Act>,
}

impl Restart<'_> {
    fn caused(&self, case: &Case<'_>, scenes: &Scenes) -> Judged<String> {
        let Self { life, container, mark: Mark { seq, .. }, since, counts: [from, to], .. } = self;
        let whose = format!("{container} of {} (uid {})", life.name, short(&life.uid));
        if let Some(act) = self.cause {
            return Ok(format!("{whose} by `{act}` (#{seq})"));
        }
        if let Some(gap) = case.gap("Pod", *since, *seq) {
            return Err(gap);
        }
        let before = self
            .before
            .map_or("its previous exit was not seen".to_owned(), |exit| format!("before, it ended with {exit}"));
        let when = scenes.words(*seq);
        let reason = format!("the container {whose} restarted{when} (#{seq}, restartCount {from} to {to}): {before}");
        Err(Finding::fail(reason, [*seq, *since]))
    }
}

/// All containers that restarted.
pub(super) struct Restarts<'a> {
    pub all: Vec<Restart<'a>>,
    /// The pods with container statuses.
    pods: BTreeSet<&'a str>,
    /// The first event with a container status.
    first: Option<u64>,
}

impl<'a> Restarts<'a> {
    pub(super) fn of(case: &Case<'a>, scenes: &Scenes) -> Self {
        let (mut causes, mut known) = (Cause::all(case, scenes), HashMap::new());
        let mut seen = Self { all: Vec::new(), pods: BTreeSet::new(), first: None };
        for (life, event) in case.pod_events() {
            for container in containers(event.it) {
                seen.pods.insert(&life.name);
                seen.first.get_or_insert(event.mark.seq);
                // A pod from before the watch may have restarted before: its first count is the baseline.
                let not_seen = if life.seen_created { 0 } else { container.restarts };
                let key = (life.uid.as_str(), container.name);
                let (before, since) = known.get(&key).copied().unwrap_or((not_seen, life.added.seq));
                // A count never falls: a lower one is an older state, from a watch that repeats itself.
                known.insert(key, (container.restarts.max(before), event.mark.seq));
                if container.restarts <= before {
                    continue;
                }
                let starts = container.restarts.abs_diff(before);
                seen.all.push(Restart {
                    life,
                    container: container.name,
                    mark: event.mark,
                    since,
                    counts: [before, container.restarts],
                    before: container.before,
                    cause: cause(case, &mut causes, life, container.name, event.mark.seq, starts),
                });
            }
        }
        seen
    }
}

/// The act that explains this many restarts of a container at once, if any. Each restart uses up an act's allowance.
fn cause<'a>(
    case: &Case<'a>,
    causes: &mut [Cause<'a>],
    life: &PodLife,
    container: &str,
    seq: u64,
    starts: u64,
) -> Option<&'a Act> {
    let mut found = None;
    for _ in 0..starts {
        let cause = causes.iter_mut().find(|cause| cause.explains(case, life, container, seq))?;
        found = Some(cause.act);
        if cause.left == u32::MAX {
            break;
        }
        cause.left -= 1;
    }
    found
}
