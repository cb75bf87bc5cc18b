//! Evidence that proves nothing is no pass.

use insta::assert_snapshot;
use serde_json::json;

use super::{AFTER, AFTER_CONTROL_PLANE, CONFORMS, EQUAL, MATRIX, MOVES, UNTOUCHED, WRITES};
use crate::CATALOGUE;
use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Conformed, DnsServer, NameAnswer, SnapshotOf, Stage, State, What};
use crate::history::{History, six};

/// An upgrade with these verdicts on the upgraded cluster.
fn concluding(conclusions: &[Conformed]) -> History {
    History::upgraded().edit(|what| match what {
        What::Snapshot(snapshot) if snapshot.of == SnapshotOf::Conformance => snapshot.value = json!(conclusions),
        _ => {}
    })
}

fn conclusion(id: &str, verdict: &str) -> Conformed {
    Conformed { id: id.into(), verdict: verdict.into(), reason: "as it must".into() }
}

#[test]
fn every_check_must_have_concluded_something() {
    let all = || CATALOGUE.iter().map(|check| conclusion(check.id, "pass"));
    concluding(&all().collect::<Vec<_>>()).expect(CONFORMS, Pass);
    assert_snapshot!(concluding(&all().take(1).collect::<Vec<_>>()).expect(CONFORMS, Inconclusive), @"not judged on the upgraded cluster: ordering::ready_means_serving, ordering::halts_while_predecessor_unready, ordering::scales_down_in_reverse, ordering::no_deadlock_on_failed_predecessor, ordering::at_most_one_pod_per_ordinal … (37 in all) (#236)");
    for place in 0..CATALOGUE.len() {
        let mut some: Vec<Conformed> = all().collect();
        some.remove(place);
        concluding(&some).expect(CONFORMS, Inconclusive);
    }
    let twice: Vec<Conformed> = all().map(|_| conclusion(CATALOGUE[0].id, "pass")).collect();
    concluding(&twice).expect(CONFORMS, Inconclusive);
    // A later version may have more checks.
    let more: Vec<Conformed> = all().chain([conclusion("ordering::something_new", "pass")]).collect();
    concluding(&more).expect(CONFORMS, Pass);
}

#[test]
fn checks_that_apply_to_the_workload_must_not_be_skipped() {
    let skipping = |wanted: &dyn Fn(&str) -> bool| {
        let verdict = |id: &str| if wanted(id) { "skipped" } else { "pass" };
        concluding(&CATALOGUE.iter().map(|check| conclusion(check.id, verdict(check.id))).collect::<Vec<_>>())
    };
    let of_workload = ["replication::commits_wait_for_a_replica", "ordering::partition_is_respected"];
    skipping(&|id| of_workload.contains(&id)).expect(CONFORMS, Pass);
    let resolves = |id: &str| id == "dns::service_resolves_to_ready_pods";
    assert_snapshot!(skipping(&resolves).expect(CONFORMS, Inconclusive), @"dns::service_resolves_to_ready_pods was skipped on the upgraded cluster, though it applies to the workload (#236)");
    for property in ["ordering", "identity", "dns", "persistence", "replication"] {
        skipping(&|id| id.starts_with(property)).expect(CONFORMS, Inconclusive);
    }
    skipping(&|id| !resolves(id)).expect(CONFORMS, Inconclusive);
}

#[test]
fn a_ready_pod_without_a_name_is_wrong_before_and_after() {
    let nothing = |wanted: fn(&NameAnswer) -> bool| {
        move |state: &mut State| {
            for answer in state.answers.iter_mut().filter(|answer| wanted(answer)) {
                (answer.rcode, answer.data) = (Some("NXDOMAIN".into()), [].into());
            }
        }
    };
    let wanted: [fn(&NameAnswer) -> bool; 5] = [
        |_| true,
        |it| it.name.starts_with("mysql-1."),
        |it| it.record_type == "SRV",
        |it| it.record_type == "PTR",
        |it| it.name.starts_with("mysql-h."),
    ];
    for wanted in wanted {
        History::upgraded().with_states(0, nothing(wanted)).expect(MATRIX, Inconclusive);
        History::around_an_upgrade().with_states(0, nothing(wanted)).expect(MATRIX, Inconclusive);
        History::upgraded().with_states(AFTER_CONTROL_PLANE, nothing(wanted)).expect(MATRIX, Fail);
    }
    assert_snapshot!(History::upgraded().with_states(0, nothing(wanted[1])).expect(MATRIX, Inconclusive), @"A of mysql-1.mysql-h.steadfast.svc.cluster.local is NXDOMAIN without records before the upgrade, and must have mysql-1 (#146)");
    // An answer that the upgrade corrects does not count against it.
    let first = History::upgraded().states().remove(0);
    let mended = History::upgraded().with_states(0, move |state| {
        if state.stage == Stage::Nothing {
            (state.answers.clone_from(&first.answers), nothing(|it| it.name.starts_with("mysql-1."))(state)).1
        }
    });
    mended.expect(MATRIX, Inconclusive);
}

#[test]
fn a_pod_that_is_ready_only_afterwards_has_its_name_only_then() {
    let history = History::around_an_upgrade().with_states(0, |state| {
        if state.stage != Stage::Nothing {
            return;
        }
        let address = state.pods[1].address.clone().expect("an address");
        state.pods[1].ready = false;
        for answer in &mut state.answers {
            answer.data.retain(|data| *data != address && !data.contains("mysql-1."));
            if answer.data.is_empty() {
                answer.rcode = Some("NXDOMAIN".into());
            }
        }
    });
    history.expect(MATRIX, Pass);
}

#[test]
fn one_of_two_servers_is_not_all_of_them() {
    let one = |from: usize| {
        History::upgraded().with_states(from, |state| state.answers.retain(|answer| answer.server == "coredns-a"))
    };
    assert_snapshot!(one(0).expect(MATRIX, Inconclusive), @"1 of 2 DNS servers were queried before the upgrade (#146); 1 of 2 DNS servers were queried after the control plane on control-plane (#156); 1 of 2 DNS servers were queried after the node control-plane (#169); and 2 more like this");
    one(AFTER_CONTROL_PLANE).expect(MATRIX, Inconclusive);
    let listing = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let is_state = |what: &What| matches!(what, What::Snapshot(it) if it.of == SnapshotOf::State);
        History::upgraded().preceded(is_state, |history| {
            let server = |name: &String| DnsServer {
                name: name.clone(),
                uid: format!("uid of {name}"),
                address: [10, 96, 0, 2].into(),
            };
            let servers: Vec<DnsServer> = names.iter().map(server).collect();
            history.snapshot(SnapshotOf::DnsServers, json!(servers));
        })
    };
    listing(&["coredns-a", "coredns-b"]).expect(MATRIX, Pass);
    assert_snapshot!(listing(&["coredns-a", "coredns-b", "coredns-c"]).expect(MATRIX, Inconclusive), @"coredns-c was not queried before the upgrade (#147)");
}

#[test]
fn without_pods_nothing_was_left_alone() {
    let without = |from: fn(&mut State)| History::upgraded().with_states(0, from);
    assert_snapshot!(without(|state| state.pods.clear()).expect(UNTOUCHED, Inconclusive), @"mysql-0, mysql-1, mysql-2 did not exist before the upgrade of the control plane (#146)");
    assert_snapshot!(without(|state| drop(state.pods.remove(1))).expect(UNTOUCHED, Inconclusive), @"mysql-1 did not exist before the upgrade of the control plane (#146)");
}

#[test]
fn what_never_became_another_version_was_not_upgraded() {
    let old = |state: &mut State| state.kubernetes = "v1.36.3".into();
    let same = || History::upgraded().with_states(0, old);
    assert_snapshot!(same().expect(UNTOUCHED, Inconclusive), @"the API server's version is v1.36.3 at the end, not v1.37.2 (#210)");
    for id in [EQUAL, MATRIX, WRITES] {
        same().expect(id, Inconclusive);
    }
    let unsaid = same().edit(|what| {
        if let What::Run(run) = what {
            run.upgrade = None;
        }
    });
    assert_snapshot!(unsaid.expect(UNTOUCHED, Inconclusive), @"the API server already had version v1.36.3 before the upgrade (#146, #210)");
    let old = |state: &mut State| state.nodes[2].kubelet = "v1.36.3".into();
    let kubelet = || History::upgraded().with_states(0, old);
    assert_snapshot!(kubelet().expect(MOVES, Inconclusive), @"the kubelet of worker2 is v1.36.3 after its upgrade, not v1.37.2 (#210)");
    for id in [EQUAL, MATRIX, WRITES] {
        kubelet().expect(id, Inconclusive);
    }
    History::upgraded().with_states(0, |state| state.nodes.clear()).expect(MOVES, Inconclusive);
}

#[test]
fn a_component_of_the_old_version_was_not_upgraded() {
    let with_image = |history: History, component: &'static str, image: &'static str| {
        history.with_states(AFTER_CONTROL_PLANE, move |state| {
            let own = state.control_plane.iter_mut().filter(|it| it.component == component);
            own.for_each(|it| it.image = image.into());
        })
    };
    let scheduler = "registry.example/kube-scheduler:v1.36.3";
    let old = with_image(History::upgraded(), "kube-scheduler", scheduler);
    assert_snapshot!(old.expect(UNTOUCHED, Inconclusive), @"kube-scheduler on control-plane is still v1.36.3 at the end, and the API server is v1.37.2 (#210)");
    for id in [EQUAL, MATRIX, WRITES] {
        old.expect(id, Inconclusive);
        with_image(History::around_an_upgrade(), "kube-scheduler", scheduler).expect(id, Inconclusive);
    }
    for image in ["registry.example:5000/kube-scheduler", "kube-scheduler:v1.37.2@sha256:36", "kube-scheduler:mine"] {
        with_image(History::upgraded(), "kube-scheduler", image).expect(UNTOUCHED, Pass);
    }
    // etcd has versions of its own.
    with_image(History::upgraded(), "etcd", "etcd:v1.36.3").expect(UNTOUCHED, Pass);
}

#[test]
fn two_steps_without_a_state_between_them_blame_nobody() {
    for (place, step) in ["the control plane", "its node", "the first worker"].into_iter().enumerate() {
        let mut count = 0;
        let mut history = History::upgraded();
        history.records.retain(|record| {
            let is_state = matches!(&record.what, What::Snapshot(it) if it.of == SnapshotOf::State);
            count += usize::from(is_state);
            !is_state || count != place + 2
        });
        for id in [EQUAL, MATRIX, WRITES, MOVES] {
            let reason = history.expect(id, Inconclusive);
            assert!(reason.contains("no state was read after"), "{step}: {id}: {reason}");
        }
    }
}

#[test]
fn servers_that_never_agreed_are_no_fault_of_the_upgrade() {
    let one_lies = |state: &mut State| {
        let own = state.answers.iter_mut().filter(|it| it.server == "coredns-a" && it.record_type == "SRV");
        own.for_each(|it| it.data.clear());
    };
    let reason = History::upgraded().with_states(0, one_lies).expect(MATRIX, Inconclusive);
    assert!(reason.contains("before the upgrade: NOERROR without records by coredns-a"), "{reason}");
    History::upgraded().with_states(AFTER_CONTROL_PLANE, one_lies).expect(MATRIX, Fail);
}

#[test]
fn other_things_may_be_done_to_a_cluster_that_nobody_watched() {
    let same = History::around_an_upgrade().with_states(AFTER, |state| state.kubernetes = "v1.36.3".into());
    let same = same.edit(|what| {
        if let What::Run(run) = what
            && let Some(upgrade) = &mut run.upgrade
        {
            upgrade.to.clone_from(&upgrade.from);
        }
    });
    same.expect(EQUAL, Pass);
    same.expect(UNTOUCHED, Skipped);
}

/// The same state in a dual-stack cluster, with the IPv6 addresses first or last.
fn dual(six_first: bool) -> impl Fn(&mut State) {
    move |state: &mut State| {
        let families = if six_first { ["IPv6", "IPv4"] } else { ["IPv4", "IPv6"] };
        state.service.ip_families = families.map(str::to_owned).into();
        for pod in &mut state.pods {
            let four = pod.address.take().expect("an address");
            let both = if six_first { [six(&four), four] } else { [four.clone(), six(&four)] };
            let [first, other] = both.map(Some);
            (pod.address, pod.other_address) = (first, other);
        }
        let copies: Vec<_> = state.endpoints.iter().cloned().map(|it| (six(&it.address), it)).collect();
        state.endpoints.extend(copies.into_iter().map(|(address, mut it)| {
            it.address = address;
            it
        }));
        if let Some(legacy) = state.legacy_endpoints.as_mut().filter(|_| six_first) {
            legacy.ready = legacy.ready.iter().map(|address| six(address)).collect();
        }
        let copies: Vec<NameAnswer> = state.answers.iter().filter(|it| it.record_type != "SRV").cloned().collect();
        state.answers.extend(copies.into_iter().map(|mut it| {
            if it.record_type == "A" {
                it.record_type = "AAAA".into();
                it.data = it.data.iter().map(|address| six(address)).collect();
            } else {
                let four: Vec<&str> = it.name.split('.').take(4).collect();
                let four: Vec<&str> = four.into_iter().rev().collect();
                let address: std::net::IpAddr = six(&four.join(".")).parse().expect("an address");
                it.name = crate::evidence::reverse_name(address);
            }
            it
        }));
    }
}

#[test]
fn a_dual_stack_cluster_passes_in_either_order() {
    for six_first in [false, true] {
        for history in [History::upgraded(), History::around_an_upgrade()] {
            let history = history.with_states(0, dual(six_first));
            for id in [EQUAL, MATRIX] {
                let finding = history.judge(id);
                assert_eq!(finding.verdict, Pass, "{id}: {}", finding.reason);
            }
        }
        let upgraded = || History::upgraded().with_states(0, dual(six_first));
        let unasked = upgraded().with_states(0, |state| state.answers.retain(|it| it.record_type != "AAAA"));
        unasked.expect(MATRIX, Inconclusive);
        let wrong = upgraded().with_states(AFTER_CONTROL_PLANE, |state| {
            state.answers.iter_mut().filter(|it| it.record_type == "AAAA").for_each(|it| it.data.clear());
        });
        wrong.expect(MATRIX, Fail);
        let other = upgraded().with_states(AFTER_CONTROL_PLANE, |state| state.pods[1].other_address = None);
        other.expect(EQUAL, Fail);
    }
}
