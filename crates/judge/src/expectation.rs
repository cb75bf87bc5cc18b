//! What judges expect of a cluster by its version. One table has everything that is expected of one Kubernetes version
//! and not of another; reports print which of its lines a run had to meet, and why.
//!
//! A feature gate that the API server reports takes precedence over the version: somebody may have set it.

use std::fmt;

use serde::Serialize;

use crate::evidence::{ClaimPolicy, PodManagement, Run, Scenario};

use table::TABLE;

mod table;

/// The topic of an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Whether pods have the label apps.kubernetes.io/pod-index.
    PodIndexLabel,
    /// Whether spec.ordinals.start is honoured.
    StartOrdinal,
    /// Whether spec.persistentVolumeClaimRetentionPolicy is honoured.
    ClaimPolicy,
    /// Whether a rolling update may replace several pods at once.
    MaxUnavailable,
    /// Whether the controller waits for spec.minReadySeconds.
    MinReadySeconds,
    /// Whether updates of a set with podManagementPolicy Parallel wait for spec.minReadySeconds too.
    ParallelMinReadySeconds,
    /// Whether a stuck pod stays after its template was reverted.
    StuckRollout,
    /// Whether the set's controller waits to see its own writes.
    ControllerView,
    /// Whether kubeadm's Corefile disables the cache for the cluster's zone.
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

    /// The feature gate that decides, if there is one.
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

    /// Whether the topic matters to a run.
    fn concerns(self, run: &Run) -> bool {
        match self {
            Self::PodIndexLabel | Self::ControllerView | Self::DnsBudget => run.acts(Scenario::Deploy),
            Self::StartOrdinal => run.subject.first_ordinal > 0,
            Self::ClaimPolicy => run.acts(Scenario::Claims) || run.subject.claim_policy != ClaimPolicy::default(),
            Self::MaxUnavailable => run.acts(Scenario::Roll),
            Self::StuckRollout => run.acts(Scenario::Roll) && !is_parallel(run),
            Self::MinReadySeconds => run.subject.min_ready_seconds > 0,
            Self::ParallelMinReadySeconds => run.subject.min_ready_seconds > 0 && is_parallel(run),
        }
    }
}

/// Whether the set has podManagementPolicy Parallel.
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
    /// The first version that it applies to; `None` for all before `until`.
    since: Option<Version>,
    /// The first version that it no longer applies to; `None` for all from `since` on.
    until: Option<Version>,
    /// The source.
    source: &'static str,
}

/// An expectation that a run had to meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Applied {
    /// The topic.
    pub topic: Topic,
    /// The expectation in words.
    pub what: &'static str,
    /// The reason: the version and the bounds that it lies between.
    pub why: String,
    /// The source.
    pub source: &'static str,
}

/// The answer to a topic's question for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Whether it is expected.
    pub holds: bool,
    /// The reason, as in [`Applied::why`].
    pub why: String,
}

/// The expectations that this run must meet, one for each topic that matters to it.
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

/// Whether a rolling update may replace several pods at once if rollingUpdate.maxUnavailable is above 1.
pub fn max_unavailable(run: &Run) -> Ruling {
    ruling(run, Topic::MaxUnavailable)
}

/// Whether the controller waits for spec.minReadySeconds before the next pod.
pub fn min_ready_seconds(run: &Run) -> Ruling {
    ruling(run, Topic::MinReadySeconds)
}

/// Whether updates of a set with podManagementPolicy Parallel wait for spec.minReadySeconds.
pub fn parallel_min_ready_seconds(run: &Run) -> Ruling {
    ruling(run, Topic::ParallelMinReadySeconds)
}

fn ruling(run: &Run, topic: Topic) -> Ruling {
    let (line, why) = of(run, topic);
    Ruling { holds: line.holds, why }
}

/// The line of the table that a run must meet, and why. An unreadable version gets the newest line.
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
            return format!("`{version}` is not a known Kubernetes version, so the newest is assumed");
        }
        match (self.since, self.until) {
            (None, None) => "every version of Kubernetes".to_owned(),
            (Some(since), None) => format!("Kubernetes {version} ≥ {since}"),
            (None, Some(until)) => format!("Kubernetes {version} < {until}"),
            (Some(since), Some(until)) => format!("{since} ≤ Kubernetes {version} < {until}"),
        }
    }
}

/// A version of Kubernetes, as precise as the expectations need.
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

    /// Parses an API server's version, such as `v1.35.4-eks-123`. Suffixes of distributors are ignored, and a release
    /// candidate counts as its release. A missing patch counts as the last of its minor version.
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
