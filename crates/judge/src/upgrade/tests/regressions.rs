//! Real regressions of Kubernetes, CoreDNS and kubeadm in upgrades. Each is given as the states, the history or the
//! verdicts that it would leave, with the check that must fail. Numbers are those of issues and pull requests of
//! <https://github.com/kubernetes/kubernetes>, unless another repository is named.

use serde_json::json;

use super::{AFTER, AFTER_CONTROL_PLANE, AFTER_WORKER, CONFORMS, EQUAL, MATRIX, MOVES, UNTOUCHED};
use crate::Verdict::{Fail, Pass, Skipped};
use crate::evidence::{Act, EventType, OwnerSummary, RevisionSummary, State, What};
use crate::history::History;
use crate::{UPGRADE_CHECKS, find};

/// A regression.
struct Regression {
    row: u8,
    /// The affected versions, or the versions of the upgrade.
    versions: &'static str,
    /// The issue.
    issue: &'static str,
    /// The check that must fail.
    check: &'static str,
    /// The evidence that it would leave.
    evidence: fn() -> History,
}

const fn row(
    row: u8,
    versions: &'static str,
    issue: &'static str,
    check: &'static str,
    evidence: fn() -> History,
) -> Regression {
    Regression { row, versions, issue, check, evidence }
}

/// In the order of the list in which they were collected.
static REGRESSIONS: [Regression; 24] = [
    row(1, "1.33 to 1.34.0", "#134773", UNTOUCHED, every_set_is_rolled_anew),
    row(2, "1.35.0 to 1.35.3", "#137409", CONFORMS, || conforms_not("ordering::stuck_rollout_recovers")),
    row(3, "1.27, 1.28", "#118310", MOVES, || ended("Succeeded")),
    row(4, "1.27, 1.28", "#119685", EQUAL, below_the_partition),
    row(5, "1.28.0", "#121053", EQUAL, controller_manager_crashes),
    row(6, "1.27 to 1.30", "#122709", MOVES, recreated_again_and_again),
    row(7, "1.6 to 1.7", "#48327", MATRIX, || pod_names_answer("NXDOMAIN")),
    row(8, "1.30 to 1.31", "#129385", EQUAL, containers_restart_where_nobody_drained),
    row(9, "1.13 to 1.14", "#84443", UNTOUCHED, containers_restart_with_the_control_plane),
    row(10, "1.21 to 1.22", "#104531", MOVES, || ended("Failed")),
    row(11, "1.20.12 to 1.24.10", "#117193", EQUAL, endpoints_disagree),
    row(12, "1.19", "#102683", EQUAL, mirrored_as_ready),
    row(13, "CoreDNS 1.8.0 to 1.8.3", "coredns/coredns#4758", MATRIX, no_host_names),
    row(14, "1.15 to 1.16", "#82889", EQUAL, corefile_is_broken),
    row(15, "CoreDNS after 2024-09", "coredns/coredns#6898", MATRIX, pointers_changed),
    row(16, "until 1.31", "#127259", CONFORMS, || conforms_not("dns::name_follows_the_pod")),
    row(17, "1.7.14, 1.8.9, 1.9.4", "#61372", EQUAL, sub_path_is_not_mounted),
    row(18, "1.7.4 to 1.7.6", "#53246", EQUAL, volume_is_unmounted),
    row(19, "1.4 to 1.5", "#37585", MOVES, stuck_creating),
    row(20, "1.17", "#87706", CONFORMS, || conforms_not("ordering::reapply_changes_nothing")),
    row(21, "until 1.15", "#78853", EQUAL, wrong_revision),
    row(22, "1.27 to 1.31", "#122400", EQUAL, owners_are_stamped),
    row(23, "before 1.35", "#100277", UNTOUCHED, ready_flips),
    row(24, "1.22 to 1.35", "#112307", CONFORMS, || conforms_not("ordering::rolls_highest_ordinal_first")),
];

#[test]
fn each_one_makes_its_check_fail() {
    let mut told = Vec::new();
    for (place, it) in REGRESSIONS.iter().enumerate() {
        assert_eq!(usize::from(it.row), place + 1);
        let finding = find(it.check).expect("a check").judge(&(it.evidence)().evidence());
        assert_eq!(finding.verdict, Fail, "{} ({}): {}", it.issue, it.versions, finding.reason);
        let (_, check) = it.check.split_once("::").expect("an id");
        told.push(format!("{:2} {} {}: {check}: {}", it.row, it.versions, it.issue, finding.reason));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn an_upgrade_that_brings_none_of_them_is_silent() {
    for (history, skipped) in [(History::upgraded(), 0), (History::around_an_upgrade(), 2)] {
        let findings = UPGRADE_CHECKS.iter().map(|check| (check.id, check.judge(&history.evidence())));
        let verdicts: Vec<_> = findings
            .map(|(id, finding)| {
                assert!(matches!(finding.verdict, Pass | Skipped), "{id}: {}", finding.reason);
                finding.verdict
            })
            .collect();
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Skipped).count(), skipped);
    }
}

fn controlled(change: impl Fn(&mut State)) -> History {
    History::upgraded().with_states(AFTER_CONTROL_PLANE, change)
}

fn drained(change: impl Fn(&mut State)) -> History {
    History::upgraded().with_states(AFTER_WORKER, change)
}

fn not_seen(change: impl Fn(&mut State)) -> History {
    History::around_an_upgrade().with_states(AFTER, change)
}

fn conforms_not(id: &str) -> History {
    History::upgraded().with_verdict(id, "fail", "as the issue says")
}

/// The new controller sees another template, because `creationTimestamp: null` is no longer in it.
fn every_set_is_rolled_anew() -> History {
    controlled(|state| {
        let mut data = state.revisions[0].data.clone();
        data["spec"]["template"]["metadata"] = json!({"creationTimestamp": null});
        state.revisions.push(RevisionSummary { name: "rev-2".into(), uid: "uid of rev-2".into(), revision: 2, data });
        state.set.update_revision = "rev-2".into();
        state.pods[2].uid = "2.9".into();
        state.pods[2].revision = "rev-2".into();
    })
}

/// A pod that ended with its node is never recreated.
fn ended(phase: &'static str) -> History {
    drained(move |state| {
        let pod = &mut state.pods[2];
        pod.phase = phase.into();
        pod.ready = false;
        pod.ready_since = None;
    })
}

/// A pod below the partition comes back with the new template.
fn below_the_partition() -> History {
    let held = |state: &mut State| {
        state.set.partition = 1;
        state.set.update_revision = "rev-2".into();
        let next = RevisionSummary { name: "rev-2".into(), uid: "uid of rev-2".into(), revision: 2, data: json!({}) };
        state.revisions.push(next);
        for pod in &mut state.pods[1..] {
            pod.revision = "rev-2".into();
            pod.labels.insert("controller-revision-hash".into(), "rev-2".into());
        }
    };
    let right = History::upgraded().with_states(0, held);
    right.expect(EQUAL, Pass);
    right.with_states(AFTER_WORKER, |state| {
        state.pods[0].revision = "rev-2".into();
        state.pods[0].labels.insert("controller-revision-hash".into(), "rev-2".into());
    })
}

fn controller_manager_crashes() -> History {
    controlled(|state| {
        let manager = state.control_plane.iter_mut().find(|it| it.component == "kube-controller-manager");
        manager.expect("a controller-manager").restarts = 6;
    })
}

/// An evicted pod gets one successor after the other, each evicted again.
fn recreated_again_and_again() -> History {
    let is_upgrade = |what: &What| matches!(what, What::Fault(it) if it.act == Act::UpgradeNode { node: "worker".into(), to: "v1.37.2".into() });
    History::upgraded().preceded(is_upgrade, |history| {
        let of_successor =
            |what: &What| matches!(what, What::Object(event) if event.object["metadata"]["uid"] == "0.2");
        let successor = history.records.iter().find(|record| of_successor(&record.what));
        let What::Object(event) = successor.expect("a successor").what.clone() else { panic!("an object") };
        let (first, mut second) = (event.object.clone(), event.object);
        second["metadata"]["uid"] = json!("0.77");
        history.object(EventType::Deleted, "Pod", first);
        history.object(EventType::Added, "Pod", second);
    })
}

/// The names of pods that were not recreated no longer exist.
fn pod_names_answer(rcode: &'static str) -> History {
    controlled(move |state| {
        let of_pods = |name: &str| name.starts_with("mysql-1.");
        for answer in state.answers.iter_mut().filter(|it| it.record_type == "A" && of_pods(&it.name)) {
            answer.rcode = Some(rcode.into());
            answer.data.clear();
        }
    })
}

/// The new kubelet computes another hash for an unchanged container.
fn containers_restart_where_nobody_drained() -> History {
    let before = History::around_an_upgrade().states().remove(0);
    not_seen(move |state| {
        state.pods.clone_from(&before.pods);
        state.endpoints.clone_from(&before.endpoints);
        state.legacy_endpoints.clone_from(&before.legacy_endpoints);
        state.answers.clone_from(&before.answers);
        state.pods[1].containers[0].id = "containerd://again".into();
        state.pods[1].containers[0].restarts = 1;
    })
}

fn containers_restart_with_the_control_plane() -> History {
    controlled(|state| {
        let container = &mut state.pods[0].containers[0];
        (container.id, container.restarts) = ("containerd://again".into(), 1);
    })
}

/// One controller has a pod as not ready, the other one as ready, permanently.
fn endpoints_disagree() -> History {
    controlled(|state| {
        let address = state.pods[1].address.clone().expect("an address");
        let legacy = state.legacy_endpoints.as_mut().expect("an Endpoints object");
        legacy.ready.remove(&address);
        legacy.not_ready.insert(address);
    })
}

/// An address that is not ready in a hand-written Endpoints object is ready in the mirrored slice.
fn mirrored_as_ready() -> History {
    controlled(|state| {
        let written = "10.9.9.9".to_owned();
        let mut mirrored = state.endpoints[0].clone();
        (mirrored.address, mirrored.pod_uid, mirrored.hostname) = (written.clone(), None, None);
        state.endpoints.push(mirrored);
        state.legacy_endpoints.as_mut().expect("an Endpoints object").not_ready.insert(written);
    })
}

/// The headless Service no longer has names for pods: SRV records have names derived from addresses.
fn no_host_names() -> History {
    controlled(|state| {
        for answer in &mut state.answers {
            let name = answer.name.clone();
            match answer.record_type.as_str() {
                "A" if name.starts_with("mysql-0.") => {
                    answer.rcode = Some("NXDOMAIN".into());
                    answer.data.clear();
                }
                "SRV" => {
                    answer.data = answer.data.iter().map(|data| data.replace("mysql-0.", "10-0-0-1.")).collect();
                }
                _ => {}
            }
        }
    })
}

fn corefile_is_broken() -> History {
    controlled(|state| {
        state.dns.corefile = state.dns.corefile.replace("kubernetes cluster.local", "# kubernetes cluster.local");
        state.dns.ready = 0;
    })
}

fn pointers_changed() -> History {
    controlled(|state| {
        for answer in state.answers.iter_mut().filter(|it| it.record_type == "PTR") {
            answer.data = ["10-0-0-9.other.steadfast.svc.cluster.local".to_owned()].into();
        }
    })
}

/// A pod's volume is mounted without its subPath: the server finds no data.
fn sub_path_is_not_mounted() -> History {
    drained(|state| {
        state.servers[0].tables.remove("shop.orders");
        state.servers[0].server_uuid = "3e11fa47-71ca-11e1-9e33-ffffffffffff".into();
    })
}

/// The volume of a running server is unmounted.
fn volume_is_unmounted() -> History {
    controlled(|state| {
        let server = &mut state.servers[0];
        server.tables.insert("steadfast.ledger".into(), None);
        server.trouble = Some("answered error 1030: Got error 168 from storage engine".into());
    })
}

fn stuck_creating() -> History {
    drained(|state| {
        let pod = &mut state.pods[0];
        (pod.phase, pod.ready, pod.address, pod.ready_since) = ("Pending".into(), false, None, None);
        pod.containers.clear();
    })
}

/// A pod is recreated from another revision than the set's.
fn wrong_revision() -> History {
    drained(|state| {
        state.pods[0].revision = "rev-0".into();
        state.pods[0].labels.insert("controller-revision-hash".into(), "rev-0".into());
    })
}

/// A claim that must be kept gets an owner, with which it would be deleted.
fn owners_are_stamped() -> History {
    controlled(|state| {
        let owner =
            OwnerSummary { kind: "StatefulSet".into(), name: "mysql".into(), uid: "set".into(), controller: false };
        state.claims[0].owners.push(owner);
    })
}

/// A starting kubelet reports its pods as not Ready, and then as Ready.
fn ready_flips() -> History {
    controlled(|state| state.pods[1].ready_since = Some("when the kubelet had started".into()))
}
