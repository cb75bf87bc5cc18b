//! What is expected of a cluster by its version: all that judges expect of one Kubernetes and not of another stands in
//! one table here, and the reports print which of its lines a run was held to, and why.
//!
//! A feature gate that the API server tells of decides before the version: somebody may have set it by hand.

use std::fmt;

use serde::Serialize;

use crate::evidence::{ClaimPolicy, PodManagement, Run, Scenario};

use table::TABLE;

mod table;

/// What an expectation is about.
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

/// An expectation that a run is held to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
