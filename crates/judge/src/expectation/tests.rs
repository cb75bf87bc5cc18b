//! What is expected of which version.

use crate::evidence::Scenario;
use insta::assert_snapshot;

use super::table::MAX_UNAVAILABLE_OFF;
use super::*;
use crate::history::{History, subject};

/// A run on this version.
fn run(kubernetes: &str) -> Run {
    let mut run = History::with(subject(3)).evidence().run().expect("a run").clone();
    kubernetes.clone_into(&mut run.kubernetes);
    run
}

fn told(run: &Run) -> String {
    applied(run).iter().map(|applied| format!("{} ({})\n", applied.what, applied.why)).collect()
}

#[test]
fn every_topic_has_one_line_for_every_version() {
    for topic in Topic::ALL {
        let lines: Vec<_> = TABLE.iter().filter(|line| line.topic == topic).collect();
        assert!(lines.first().is_some_and(|line| line.since.is_none()), "{topic:?} does not begin");
        assert!(lines.last().is_some_and(|line| line.until.is_none()), "{topic:?} ends");
        for pair in lines.windows(2) {
            assert!(pair[0].until.is_some() && pair[0].until == pair[1].since, "{topic:?} has a hole or an overlap");
            assert!(pair[0].since < pair[0].until, "{topic:?} is not in order");
            assert_ne!(pair[0].holds, pair[1].holds, "{topic:?} has two lines for one answer");
        }
        assert!(lines.iter().all(|line| line.source.starts_with("https://")), "{topic:?} has no source");
    }
}

#[test]
fn a_run_tells_what_it_is_held_to() {
    assert_snapshot!(told(&run("v1.37.2")), @"
    every pod has the label apps.kubernetes.io/pod-index (Kubernetes v1.37.2 ≥ 1.28)
    spec.persistentVolumeClaimRetentionPolicy is honoured (Kubernetes v1.37.2 ≥ 1.27)
    a rolling update may replace up to rollingUpdate.maxUnavailable pods at once (Kubernetes v1.37.2 ≥ 1.37)
    a pod that is stuck with a bad template stays stuck after the template is reverted, until somebody deletes it (every version of Kubernetes)
    the set's controller waits for its own writes but not for the kubelet's: if a pod is created just after a pod before it lost Ready, that is a race and not a failure (Kubernetes v1.37.2 ≥ 1.36)
    the Corefile sets the limit for DNS; kubeadm's Corefile turns the cache off for the cluster's zone, so the limit is 2 s (Kubernetes v1.37.2 ≥ 1.32)
    ");
    assert_snapshot!(told(&run("v1.26.15")), @"
    pods need not have the label apps.kubernetes.io/pod-index (Kubernetes v1.26.15 < 1.28)
    spec.persistentVolumeClaimRetentionPolicy is ignored: all claims stay (Kubernetes v1.26.15 < 1.27)
    a rolling update replaces one pod at a time and ignores rollingUpdate.maxUnavailable (Kubernetes v1.26.15 < 1.35)
    a pod that is stuck with a bad template stays stuck after the template is reverted, until somebody deletes it (every version of Kubernetes)
    the set's controller may not have seen its own last write or the kubelet's: if a pod is created just after a pod before it lost Ready, that is a race and not a failure (Kubernetes v1.26.15 < 1.36)
    the Corefile sets the limit for DNS; kubeadm's Corefile caches for 30 s, so the limit is 35 s (Kubernetes v1.26.15 < 1.32)
    ");
}

#[test]
fn a_version_that_cannot_be_read_is_taken_for_the_newest() {
    for mystery in ["", "mystery", "v1", "1.x"] {
        let run = run(mystery);
        assert!(pod_index_label(&run).holds && max_unavailable(&run).holds, "{mystery}");
    }
    assert_snapshot!(pod_index_label(&run("mystery")).why, @"`mystery` is not a known Kubernetes version, so the newest is assumed");
}

#[test]
fn only_what_a_run_touches_is_told() {
    let mut deploy = run("v1.37.2");
    deploy.scenarios = vec![Scenario::Deploy, Scenario::Teardown];
    let topics = |run: &Run| applied(run).iter().map(|applied| applied.topic).collect::<Vec<_>>();
    assert_eq!(topics(&deploy), [Topic::PodIndexLabel, Topic::ControllerView, Topic::DnsBudget]);
    deploy.subject.first_ordinal = 5;
    assert_eq!(topics(&deploy)[1], Topic::StartOrdinal);
    deploy.scenarios = vec![Scenario::Roll];
    assert_eq!(topics(&deploy), [Topic::StartOrdinal, Topic::MaxUnavailable, Topic::StuckRollout]);
}

#[test]
fn what_a_set_does_not_ask_for_is_not_told() {
    let mut run = run("v1.37.2");
    run.scenarios = vec![Scenario::Roll];
    let topics = |run: &Run| applied(run).iter().map(|applied| applied.topic).collect::<Vec<_>>();
    run.subject.min_ready_seconds = 3;
    assert_eq!(topics(&run), [Topic::MaxUnavailable, Topic::MinReadySeconds, Topic::StuckRollout]);
    run.subject.pod_management = PodManagement::Parallel;
    assert_eq!(topics(&run), [Topic::MaxUnavailable, Topic::MinReadySeconds, Topic::ParallelMinReadySeconds]);
}

#[test]
fn several_pods_at_once_came_and_went_and_came() {
    for (version, holds) in [
        ("v1.23.0", false),
        ("v1.34.7", false),
        ("v1.35.0-rc.1", true),
        ("v1.35.0", true),
        ("v1.35.3-gke.1001", true),
        ("v1.35.4-eks-123", false),
        ("v1.35", false),
        ("v1.36.9+k3s1", false),
        ("v1.37.0", true),
        ("v2.0.0", true),
    ] {
        assert_eq!(max_unavailable(&run(version)).holds, holds, "{version}");
    }
    assert_snapshot!(max_unavailable(&run("v1.35.3-gke.1001")).why, @"1.35 ≤ Kubernetes v1.35.3-gke.1001 < 1.35.4");
    assert_snapshot!(max_unavailable(&run("v1.35.4-eks-123")).why, @"1.35.4 ≤ Kubernetes v1.35.4-eks-123 < 1.37");
}

#[test]
fn each_topic_has_its_turning_point() {
    for (topic, before, from) in [
        (Topic::PodIndexLabel, "v1.27.16", "v1.28.0"),
        (Topic::StartOrdinal, "v1.26.15", "v1.27.0"),
        (Topic::ClaimPolicy, "v1.26.15", "v1.27.0"),
        (Topic::MinReadySeconds, "v1.22.17", "v1.23.0"),
        (Topic::ParallelMinReadySeconds, "v1.33.9", "v1.34.0"),
        (Topic::ControllerView, "v1.35.9", "v1.36.0"),
        (Topic::DnsBudget, "v1.31.9", "v1.32.0"),
    ] {
        assert!(!ruling(&run(before), topic).holds && ruling(&run(from), topic).holds, "{topic:?}");
    }
    assert!(ruling(&run("v1.20.0"), Topic::StuckRollout).holds);
    assert!(pod_index_label(&run("v1.28.0")).holds && claim_policy(&run("v1.27.0")).holds);
}

#[test]
fn a_gate_that_is_told_of_decides_before_the_version() {
    let gated = |on| Run { gates: [("MaxUnavailableStatefulSet".to_owned(), on)].into(), ..run("v1.35.4") };
    assert!(max_unavailable(&gated(true)).holds && !max_unavailable(&gated(false)).holds);
    assert_snapshot!(max_unavailable(&gated(true)).why, @"the feature gate MaxUnavailableStatefulSet is on");
    assert_snapshot!(max_unavailable(&gated(false)).why, @"the feature gate MaxUnavailableStatefulSet is off");
    assert!(claim_policy(&gated(false)).holds);
    let told = applied(&gated(false)).into_iter().find(|applied| applied.topic == Topic::MaxUnavailable);
    assert_eq!(told.map(|told| told.what), Some(MAX_UNAVAILABLE_OFF));
}

#[test]
fn a_set_that_waits_for_no_seconds_is_held_to_nothing_of_them() {
    let parallel = |seconds: u32| {
        let mut run = run("v1.37.2");
        (run.subject.pod_management, run.subject.min_ready_seconds) = (PodManagement::Parallel, seconds);
        applied(&run).into_iter().any(|applied| applied.topic == Topic::ParallelMinReadySeconds)
    };
    assert!(!parallel(0) && parallel(1));
}
