//! What is expected of which version.

use super::{Expectation, Topic, Version};

const GATES: &str = "https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/";
const RETENTION: &str =
    "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention";
const START: &str = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#start-ordinal";
const MAX_UNAVAILABLE_ON: &str = "a rolling update may replace up to rollingUpdate.maxUnavailable pods at once";
pub(super) const MAX_UNAVAILABLE_OFF: &str =
    "a rolling update replaces one pod at a time and ignores rollingUpdate.maxUnavailable";

/// The lines of each topic from the oldest version to the newest: each begins where the one before it ends.
pub(super) static TABLE: &[Expectation] = &[
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
        what: "spec.ordinals.start is ignored: ordinals start at 0",
        since: None,
        until: Some(Version::new(1, 27, 0)),
        source: START,
    },
    Expectation {
        topic: Topic::StartOrdinal,
        holds: true,
        what: "ordinals start at spec.ordinals.start",
        since: Some(Version::new(1, 27, 0)),
        until: None,
        source: START,
    },
    Expectation {
        topic: Topic::ClaimPolicy,
        holds: false,
        what: "spec.persistentVolumeClaimRetentionPolicy is ignored: all claims stay",
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
        what: "spec.minReadySeconds is ignored: the next pod waits only for Ready",
        since: None,
        until: Some(Version::new(1, 23, 0)),
        source: GATES,
    },
    Expectation {
        topic: Topic::MinReadySeconds,
        holds: true,
        what: "the next pod waits until the pods before it have been Ready for spec.minReadySeconds",
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
        what: "with podManagementPolicy Parallel an update also waits for spec.minReadySeconds",
        since: Some(Version::new(1, 34, 0)),
        until: None,
        source: "https://github.com/kubernetes/kubernetes/pull/130909",
    },
    Expectation {
        topic: Topic::StuckRollout,
        holds: true,
        what: "a pod that is stuck with a bad template stays stuck after the template is reverted, until somebody \
               deletes it",
        since: None,
        until: None,
        source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback and \
                 https://github.com/kubernetes/kubernetes/issues/67250",
    },
    Expectation {
        topic: Topic::ControllerView,
        holds: false,
        what: "the set's controller may not have seen its own last write or the kubelet's: if a pod is created just \
               after a pod before it lost Ready, that is a race and not a failure",
        since: None,
        until: Some(Version::new(1, 36, 0)),
        source: "https://github.com/kubernetes/enhancements/issues/5647",
    },
    Expectation {
        topic: Topic::ControllerView,
        holds: true,
        what: "the set's controller waits for its own writes but not for the kubelet's: if a pod is created just \
               after a pod before it lost Ready, that is a race and not a failure",
        since: Some(Version::new(1, 36, 0)),
        until: None,
        source: "https://kubernetes.io/blog/2026/04/28/kubernetes-v1-36-staleness-mitigation-for-controllers/",
    },
    Expectation {
        topic: Topic::DnsBudget,
        holds: false,
        what: "the Corefile sets the limit for DNS; kubeadm's Corefile caches for 30 s, so the limit is 35 s",
        since: None,
        until: Some(Version::new(1, 32, 0)),
        source: "https://github.com/kubernetes/kubernetes/issues/92559",
    },
    Expectation {
        topic: Topic::DnsBudget,
        holds: true,
        what: "the Corefile sets the limit for DNS; kubeadm's Corefile turns the cache off for the cluster's zone, \
               so the limit is 2 s",
        since: Some(Version::new(1, 32, 0)),
        until: None,
        source: "https://github.com/kubernetes/kubernetes/pull/128359",
    },
];
