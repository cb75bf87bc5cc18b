//! What is expected of a cluster by its version: all that judges expect of one Kubernetes and not of another stands in
//! one table here, and the reports print which of its lines a run was held to, and why.
//!
//! A feature gate that the API server tells of decides before the version: somebody may have set it by hand.

use std::fmt;

use serde::Serialize;

use crate::evidence::{ClaimPolicy, PodManagement, Run};

/// What an expectation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Whether pods have the label apps.kubernetes.io/pod-index.
    PodIndexLabel,
    /// Whether spec.ordinals.start is honoured.
    StartOrdinal,
    /// Whether spec.persistentVolumeClaimRetentionPolicy is honoured.
    ClaimPolicy,
    /// Whether a rolling update may take several pods at once.
    MaxUnavailable,
    /// Whether spec.minReadySeconds is waited for.
    MinReadySeconds,
    /// Whether updates of a set whose pods need not wait for one another wait for it too.
    ParallelMinReadySeconds,
    /// Whether a stuck pod outlives the template that it is stuck with.
    StuckRollout,
    /// Whether the set's controller awaits its own writes.
    ControllerView,
    /// Whether kubeadm's Corefile has the cache off for the cluster's zone.
    DnsBudget,
}

impl Topic {
    const ALL: [Self; 9] = [
        Self::PodIndexLabel,
        Self::StartOrdinal,
        Self::ClaimPolicy,
        Self::MaxUnavailable,
        Self::MinReadySeconds,
        Self::ParallelMinReadySeconds,
        Self::StuckRollout,
        Self::ControllerView,
        Self::DnsBudget,
    ];

    /// The feature gate that decides, where there is one.
    fn gate(self) -> Option<&'static str> {
        match self {
            Self::PodIndexLabel => Some("PodIndexLabel"),
            Self::StartOrdinal => Some("StatefulSetStartOrdinal"),
            Self::ClaimPolicy => Some("StatefulSetAutoDeletePVC"),
            Self::MaxUnavailable => Some("MaxUnavailableStatefulSet"),
            Self::MinReadySeconds => Some("StatefulSetMinReadySeconds"),
            Self::ParallelMinReadySeconds | Self::StuckRollout | Self::ControllerView | Self::DnsBudget => None,
        }
    }

    /// Whether a run asks this question at all.
    fn concerns(self, run: &Run) -> bool {
        match self {
            Self::PodIndexLabel | Self::ControllerView | Self::DnsBudget => run.acts("deploy"),
            Self::StartOrdinal => run.subject.first_ordinal > 0,
            Self::ClaimPolicy => run.acts("claims") || run.subject.claim_policy != ClaimPolicy::default(),
            Self::MaxUnavailable => run.acts("roll"),
            Self::StuckRollout => run.acts("roll") && !is_parallel(run),
            Self::MinReadySeconds => run.subject.min_ready_seconds > 0,
            Self::ParallelMinReadySeconds => run.subject.min_ready_seconds > 0 && is_parallel(run),
        }
    }
}

/// Whether the set's pods need not wait for one another.
fn is_parallel(run: &Run) -> bool {
    run.subject.pod_management == PodManagement::Parallel
}

/// A line of the table.
struct Expectation {
    topic: Topic,
    /// The answer to the topic's question.
    holds: bool,
    /// What is expected, in words.
    what: &'static str,
    /// The first version that it is expected of; none for all before `until`.
    since: Option<Version>,
    /// The first version that it is not expected of any more; none for all from `since` on.
    until: Option<Version>,
    /// Where it is written.
    source: &'static str,
}

const GATES: &str = "https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/";
const RETENTION: &str =
    "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention";
const START: &str = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#start-ordinal";
const MAX_UNAVAILABLE_ON: &str = "a rolling update may take as many pods at once as rollingUpdate.maxUnavailable says";
const MAX_UNAVAILABLE_OFF: &str =
    "a rolling update takes one pod at a time, whatever rollingUpdate.maxUnavailable says";

/// For every topic its lines from the oldest version to the newest: each begins where the one before it ends.
static TABLE: &[Expectation] = &[
    Expectation {
        topic: Topic::PodIndexLabel,
        holds: false,
        what: "pods need not have the label apps.kubernetes.io/pod-index",
        since: None,
        until: Some(Version::new(1, 28, 0)),
        source: GATES,
    },
    Expectation {
        topic: Topic::PodIndexLabel,
        holds: true,
        what: "every pod has the label apps.kubernetes.io/pod-index",
        since: Some(Version::new(1, 28, 0)),
        until: None,
        source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-index-label",
    },
    Expectation {
        topic: Topic::StartOrdinal,
        holds: false,
        what: "spec.ordinals.start is ignored: pods are counted from 0",
        since: None,
        until: Some(Version::new(1, 27, 0)),
        source: START,
    },
    Expectation {
        topic: Topic::StartOrdinal,
        holds: true,
        what: "pods are counted from spec.ordinals.start",
        since: Some(Version::new(1, 27, 0)),
        until: None,
        source: START,
    },
    Expectation {
        topic: Topic::ClaimPolicy,
        holds: false,
        what: "spec.persistentVolumeClaimRetentionPolicy is ignored: every claim stays",
        since: None,
        until: Some(Version::new(1, 27, 0)),
        source: RETENTION,
    },
    Expectation {
        topic: Topic::ClaimPolicy,
        holds: true,
        what: "spec.persistentVolumeClaimRetentionPolicy is honoured",
        since: Some(Version::new(1, 27, 0)),
        until: None,
        source: RETENTION,
    },
    Expectation {
        topic: Topic::MaxUnavailable,
        holds: false,
        what: MAX_UNAVAILABLE_OFF,
        since: None,
        until: Some(Version::new(1, 35, 0)),
        source: GATES,
    },
    Expectation {
        topic: Topic::MaxUnavailable,
        holds: true,
        what: MAX_UNAVAILABLE_ON,
        since: Some(Version::new(1, 35, 0)),
        until: Some(Version::new(1, 35, 4)),
        source: "https://github.com/kubernetes/kubernetes/issues/137409",
    },
    Expectation {
        topic: Topic::MaxUnavailable,
        holds: false,
        what: MAX_UNAVAILABLE_OFF,
        since: Some(Version::new(1, 35, 4)),
        until: Some(Version::new(1, 37, 0)),
        source: "https://github.com/kubernetes/kubernetes/pull/137904",
    },
    Expectation {
        topic: Topic::MaxUnavailable,
        holds: true,
        what: MAX_UNAVAILABLE_ON,
        since: Some(Version::new(1, 37, 0)),
        until: None,
        source: "https://github.com/kubernetes/kubernetes/pull/139466",
    },
    Expectation {
        topic: Topic::MinReadySeconds,
        holds: false,
        what: "spec.minReadySeconds is ignored: Ready is all that a next pod waits for",
        since: None,
        until: Some(Version::new(1, 23, 0)),
        source: GATES,
    },
    Expectation {
        topic: Topic::MinReadySeconds,
        holds: true,
        what: "a next pod waits until those before it have been Ready for spec.minReadySeconds",
        since: Some(Version::new(1, 23, 0)),
        until: None,
        source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#minimum-ready-seconds",
    },
    Expectation {
        topic: Topic::ParallelMinReadySeconds,
        holds: false,
        what: "with podManagementPolicy Parallel an update does not wait for spec.minReadySeconds",
        since: None,
        until: Some(Version::new(1, 34, 0)),
        source: "https://github.com/kubernetes/kubernetes/issues/119234",
    },
    Expectation {
        topic: Topic::ParallelMinReadySeconds,
        holds: true,
        what: "with podManagementPolicy Parallel an update waits for spec.minReadySeconds too",
        since: Some(Version::new(1, 34, 0)),
        until: None,
        source: "https://github.com/kubernetes/kubernetes/pull/130909",
    },
    Expectation {
        topic: Topic::StuckRollout,
        holds: true,
        what: "a pod that is stuck with a bad template stays so when the template is reverted, until somebody deletes \
               it",
        since: None,
        until: None,
        source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback and \
                 https://github.com/kubernetes/kubernetes/issues/67250",
    },
    Expectation {
        topic: Topic::ControllerView,
        holds: false,
        what: "the set's controller may not have seen its own last write yet, nor the kubelet's: a pod that was created \
               just after one before it lost Ready is a race, not a failure",
        since: None,
        until: Some(Version::new(1, 36, 0)),
        source: "https://github.com/kubernetes/enhancements/issues/5647",
    },
    Expectation {
        topic: Topic::ControllerView,
        holds: true,
        what: "the set's controller awaits its own writes, but not the kubelet's: a pod that was created just after one \
               before it lost Ready is a race, not a failure",
        since: Some(Version::new(1, 36, 0)),
        until: None,
        source: "https://kubernetes.io/blog/2026/04/28/kubernetes-v1-36-staleness-mitigation-for-controllers/",
    },
    Expectation {
        topic: Topic::DnsBudget,
        holds: false,
        what: "the Corefile sets how late DNS may be; kubeadm's own caches for 30 s, which makes 35 s",
        since: None,
        until: Some(Version::new(1, 32, 0)),
        source: "https://github.com/kubernetes/kubernetes/issues/92559",
    },
    Expectation {
        topic: Topic::DnsBudget,
        holds: true,
        what: "the Corefile sets how late DNS may be; kubeadm's own has the cache off for the cluster's zone, which \
               makes 2 s",
        since: Some(Version::new(1, 32, 0)),
        until: None,
        source: "https://github.com/kubernetes/kubernetes/pull/128359",
    },
];

/// An expectation that a run is held to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// What it is about.
    pub topic: Topic,
    /// What is expected.
    pub what: &'static str,
    /// Why: the version, and the bounds between which it lies.
    pub why: String,
    /// Where it is written.
    pub source: &'static str,
}

/// The answer to a question of judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Whether it is expected.
    pub holds: bool,
    /// Why, as in [`Applied::why`].
    pub why: String,
}

/// The expectations that this run is held to, one a topic that it touches.
pub fn applied(run: &Run) -> Vec<Applied> {
    let concerned = Topic::ALL.into_iter().filter(|topic| topic.concerns(run));
    let applied = concerned.map(|topic| {
        let (line, why) = of(run, topic);
        Applied { topic, what: line.what, why, source: line.source }
    });
    applied.collect()
}

/// Whether every pod has the label apps.kubernetes.io/pod-index.
pub fn pod_index_label(run: &Run) -> Ruling {
    ruling(run, Topic::PodIndexLabel)
}

/// Whether spec.persistentVolumeClaimRetentionPolicy is honoured.
pub fn claim_policy(run: &Run) -> Ruling {
    ruling(run, Topic::ClaimPolicy)
}

/// Whether a rolling update may take several pods at once, where rollingUpdate.maxUnavailable is above 1.
pub fn max_unavailable(run: &Run) -> Ruling {
    ruling(run, Topic::MaxUnavailable)
}

/// Whether the next pod waits for spec.minReadySeconds.
pub fn min_ready_seconds(run: &Run) -> Ruling {
    ruling(run, Topic::MinReadySeconds)
}

/// Whether the next update of a set with podManagementPolicy Parallel waits for it.
pub fn parallel_min_ready_seconds(run: &Run) -> Ruling {
    ruling(run, Topic::ParallelMinReadySeconds)
}

fn ruling(run: &Run, topic: Topic) -> Ruling {
    let (line, why) = of(run, topic);
    Ruling { holds: line.holds, why }
}

/// The line of the table that a run is held to, and why. The newest is expected of a version that nobody can read.
fn of(run: &Run, topic: Topic) -> (&'static Expectation, String) {
    if let Some((gate, on)) = topic.gate().and_then(|gate| Some((gate, *run.gates.get(gate)?)))
        && let Some(line) = TABLE.iter().rev().find(|line| line.topic == topic && line.holds == on)
    {
        return (line, format!("the feature gate {gate} is {}", if on { "on" } else { "off" }));
    }
    let version = Version::parse(&run.kubernetes);
    let mut lines = TABLE.iter().filter(|line| line.topic == topic);
    let line = match version {
        Some(version) => lines.find(|line| line.until.is_none_or(|until| version < until)),
        None => lines.next_back(),
    };
    let line = line.expect("every topic has a line for every version");
    (line, line.why(&run.kubernetes, version.is_some()))
}

impl Expectation {
    fn why(&self, version: &str, readable: bool) -> String {
        if !readable {
            return format!("`{version}` is no version of Kubernetes that can be read: the newest is expected");
        }
        match (self.since, self.until) {
            (None, None) => "every version of Kubernetes".to_owned(),
            (Some(since), None) => format!("Kubernetes {version} ≥ {since}"),
            (None, Some(until)) => format!("Kubernetes {version} < {until}"),
            (Some(since), Some(until)) => format!("{since} ≤ Kubernetes {version} < {until}"),
        }
    }
}

/// A version of Kubernetes, as far as expectations tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads what API servers say, such as `v1.35.4-eks-123`. What a distributor adds changes nothing, and a release
    /// candidate already does what its release will do. Where the patch is not told it is the last of its line.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].split('.').map(str::parse);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let patch = numbers.next().and_then(Result::ok).unwrap_or(u32::MAX);
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
