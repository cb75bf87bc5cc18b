//! DNS answers before and after.

use insta::assert_snapshot;

use super::{AFTER, AFTER_CONTROL_PLANE, AFTER_WORKER, MATRIX};
use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{NameAnswer, Stage, Transport};
use crate::history::History;

/// An upgrade with edited answers in the states from this one on.
fn answering(from: usize, wanted: impl Fn(&NameAnswer) -> bool, change: impl Fn(&mut NameAnswer)) -> History {
    History::upgraded().with_states(from, |state| {
        state.answers.iter_mut().filter(|answer| wanted(answer)).for_each(&change);
    })
}

fn of_pod(answer: &NameAnswer) -> bool {
    answer.record_type == "A" && answer.name.starts_with("mysql-1.")
}

#[test]
fn a_name_that_does_not_follow_its_pod_fails() {
    let stale = answering(
        AFTER_WORKER,
        |it| it.record_type == "A" && it.name.starts_with("mysql-0."),
        |it| {
            it.data = ["10.0.0.1".to_owned()].into();
        },
    );
    assert_snapshot!(stale.expect(MATRIX, Fail), @"A of mysql-0.mysql-h.steadfast.svc.cluster.local was mysql-0, and is 10.0.0.1 after the node worker (#169, #192)");
}

#[test]
fn servers_that_do_not_agree_fail() {
    let one = |it: &NameAnswer| of_pod(it) && it.server == "coredns-b" && it.transport == Transport::Udp;
    let history = answering(AFTER_CONTROL_PLANE, one, |it| {
        it.rcode = Some("NXDOMAIN".into());
        it.data.clear();
    });
    assert_snapshot!(history.expect(MATRIX, Fail), @"A of mysql-1.mysql-h.steadfast.svc.cluster.local after the control plane on control-plane: mysql-1 by coredns-a over UDP from namespace steadfast, but NXDOMAIN without records by coredns-b over UDP from namespace steadfast (#156)");
}

#[test]
fn servers_that_disagree_after_one_was_silent_fail() {
    let of_one = |it: &NameAnswer| of_pod(it) && it.server == "coredns-b";
    let history = History::upgraded().with_states(0, move |state| {
        let silent = state.stage == Stage::Nothing;
        for answer in state.answers.iter_mut().filter(|answer| of_one(answer)) {
            answer.rcode = (!silent).then(|| "NXDOMAIN".to_owned());
        }
    });
    history.expect(MATRIX, Fail);
}

#[test]
fn a_target_that_was_missing_before_leaves_it_open() {
    let lacks = |it: &mut NameAnswer| it.data.retain(|target| !target.contains("mysql-1."));
    let reason = answering(0, |it| it.record_type == "SRV", lacks).expect(MATRIX, Inconclusive);
    assert!(reason.contains("before the upgrade, and must have"), "{reason}");
}

#[test]
fn a_code_is_part_of_the_answer() {
    let refused = answering(AFTER_CONTROL_PLANE, of_pod, |it| it.rcode = Some("REFUSED".into()));
    assert_snapshot!(refused.expect(MATRIX, Fail), @"A of mysql-1.mysql-h.steadfast.svc.cluster.local was mysql-1, and is REFUSED with mysql-1 after the control plane on control-plane (#146, #156)");
}

#[test]
fn an_answer_that_did_not_come_leaves_it_open() {
    let silent = answering(AFTER_CONTROL_PLANE, |it| of_pod(it) && it.server == "coredns-b", |it| it.rcode = None);
    assert_snapshot!(silent.expect(MATRIX, Inconclusive), @"coredns-b gave no answer to A of mysql-1.mysql-h.steadfast.svc.cluster.local after the control plane on control-plane (#156); coredns-b gave no answer to A of mysql-1.mysql-h.steadfast.svc.cluster.local after the node control-plane (#169); coredns-b gave no answer to A of mysql-1.mysql-h.steadfast.svc.cluster.local after the node worker (#192); and 2 more like this");
}

#[test]
fn what_was_not_asked_leaves_it_open() {
    let without = |wanted: fn(&NameAnswer) -> bool| {
        History::upgraded().with_states(AFTER_CONTROL_PLANE, |state| state.answers.retain(|it| !wanted(it)))
    };
    for wanted in [
        |_: &NameAnswer| true,
        |it: &NameAnswer| it.transport == Transport::Tcp,
        |it: &NameAnswer| it.from == "default",
        |it: &NameAnswer| it.record_type == "SRV",
        |it: &NameAnswer| it.record_type == "PTR" && it.data.iter().any(|name| name.starts_with("mysql-1.")),
        |it: &NameAnswer| it.name.starts_with("mysql-1.") && it.server == "coredns-b",
    ] {
        without(wanted).expect(MATRIX, Inconclusive);
    }
    assert_snapshot!(without(|it| it.transport == Transport::Tcp).expect(MATRIX, Inconclusive), @"DNS was queried over only one transport after the control plane on control-plane (#156); DNS was queried over only one transport after the node control-plane (#169); DNS was queried over only one transport after the node worker (#192); and 1 more like this");
}

#[test]
fn priorities_weights_and_the_way_a_name_is_written_are_free() {
    let history = answering(
        AFTER_CONTROL_PLANE,
        |_| true,
        |it| {
            it.name = format!("{}.", it.name.to_uppercase());
            it.data = it.data.iter().map(|data| data.replace("0 33 ", "10 100 ").replace("MYSQL", "mysql")).collect();
        },
    );
    history.expect(MATRIX, Pass);
}

#[test]
fn names_that_are_made_of_addresses_follow_the_pod() {
    let named = |history: History, from: usize, label: fn(&str) -> String| {
        history.with_states(from, move |state| {
            let address = state.pods[0].address.clone().expect("an address");
            let name = format!("{}.mysql-read.steadfast.svc.cluster.local", label(&address));
            let pointers = state.answers.iter_mut().filter(|it| it.record_type == "PTR");
            for answer in pointers.filter(|it| it.data.iter().any(|data| data.starts_with("mysql-0."))) {
                answer.data.insert(name.clone());
            }
        })
    };
    let follows = |address: &str| address.replace('.', "-");
    named(History::around_an_upgrade(), 0, follows).expect(MATRIX, Pass);
    named(History::around_an_upgrade(), AFTER, follows).expect(MATRIX, Fail);
}
