//! A pod that is held unready: right answers and wrong ones.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::dns::tests::ready;
use crate::evidence::{Act, Checkpoint, Fault, Phase, Scenario, What};
use crate::history::{History, subject};

const UNREADY: &str = "dns::unready_pod_leaves_dns";

fn checkpoint() -> Checkpoint {
    Checkpoint::Held { pod: "mysql-1".into() }
}

/// Three pods that have been Ready for long, the second of which is held.
fn held(publish_not_ready: bool) -> History {
    let mut subject = subject(3);
    subject.publish_not_ready = publish_not_ready;
    let mut history = ready(subject);
    history.step(Scenario::Unready, Phase::Begin);
    history.held("mysql-1");
    history
}

/// The same; after this time the pod's name and the Service have these addresses.
fn answered(publish_not_ready: bool, after_ms: u64, pod: &[&str], service: &[&str]) -> History {
    let mut history = held(publish_not_ready);
    history.pass_ms(after_ms);
    let addresses = |list: &[&str]| list.iter().map(|&address| address.to_owned()).collect::<Vec<_>>();
    history.asked(&checkpoint(), &history.subject.fqdn("mysql-1"), &addresses(pod));
    history.asked(&checkpoint(), &history.subject.service_fqdn(), &addresses(service));
    history
}

#[test]
fn a_pod_that_leaves_passes() {
    assert_snapshot!(History::good().expect(UNREADY, Pass), @"mysql-1, held unready, was NXDOMAIN from the first query and not in the Service from the first query (2.0 s: the Corefile's cache is off for cluster.local)");
    assert_snapshot!(History::good_of(1).expect(UNREADY, Pass), @"mysql-0, held unready, was NXDOMAIN from the first query and not in the Service from the first query (2.0 s: the Corefile's cache is off for cluster.local)");
    answered(false, 5_000, &[], &["10.0.0.1", "10.0.2.1"]).expect(UNREADY, Pass);
}

#[test]
fn a_pod_that_stays_fails() {
    let stays = answered(false, 5_000, &["10.0.1.1"], &["10.0.0.1", "10.0.1.1", "10.0.2.1"]);
    assert_snapshot!(stays.expect(UNREADY, Fail), @"the last answer to A of mysql-1.mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was 10.0.1.1 at #24, 5.0 s after the last change (#20); it must be NXDOMAIN; and 7 more like this; the last answer to A of mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was 10.0.0.1, 10.0.1.1, 10.0.2.1 at #32, 5.0 s after the last change (#20); it must be 10.0.0.1, 10.0.2.1; and 7 more like this");
    answered(false, 5_000, &[], &["10.0.0.1", "10.0.1.1", "10.0.2.1"]).expect(UNREADY, Fail);
    answered(false, 5_000, &["10.0.1.1"], &["10.0.0.1", "10.0.2.1"]).expect(UNREADY, Fail);
}

#[test]
fn a_service_that_forgets_the_others_fails() {
    answered(false, 5_000, &[], &["10.0.0.1"]).expect(UNREADY, Fail);
    answered(false, 5_000, &[], &[]).expect(UNREADY, Fail);
}

#[test]
fn a_pod_may_leave_within_the_budget() {
    let stays = || answered(false, 1_000, &["10.0.1.1"], &["10.0.0.1", "10.0.1.1", "10.0.2.1"]);
    stays().expect(UNREADY, Inconclusive);
    let then_leaves = |after_ms: u64| {
        let mut history = answered(false, after_ms, &["10.0.1.1"], &["10.0.0.1", "10.0.1.1", "10.0.2.1"]);
        history.asked_for_pod(&checkpoint(), "mysql-1");
        history.asked_for_service(&checkpoint());
        history
    };
    assert_snapshot!(then_leaves(1_000).expect(UNREADY, Pass), @"mysql-1, held unready, was NXDOMAIN after 1.0 s and not in the Service after 1.0 s (2.0 s: the Corefile has no cache)");
    assert_snapshot!(then_leaves(3_000).expect(UNREADY, Fail), @"A of mysql-1.mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was correct only 3.0 s after the last change (#20), not within 2.0 s (the Corefile has no cache); still wrong at #24; and 7 more like this; A of mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was correct only 3.0 s after the last change (#20), not within 2.0 s (the Corefile has no cache); still wrong at #32; and 7 more like this");
}

#[test]
fn a_pod_that_is_published_all_the_same_stays() {
    let all = ["10.0.0.1", "10.0.1.1", "10.0.2.1"];
    assert_snapshot!(answered(true, 100, &["10.0.1.1"], &all).expect(UNREADY, Pass), @"mysql-1, held unready, kept its name and stayed in the Service (2.0 s: the Corefile has no cache)");
    answered(true, 5_000, &[], &all).expect(UNREADY, Fail);
    answered(true, 5_000, &["10.0.1.1"], &["10.0.0.1", "10.0.2.1"]).expect(UNREADY, Fail);
}

#[test]
fn a_pod_that_was_not_held_leaves_it_open() {
    let right = || answered(false, 5_000, &[], &["10.0.0.1", "10.0.2.1"]);
    let unproved = |what: &What| matches!(what, What::Fault(Fault { act: Act::Hold { .. }, proof: Some(_) }));
    assert_snapshot!(right().without(unproved).expect(UNREADY, Inconclusive), @"mysql-1 was to be held unready (#19) but was not seen unready");
    assert_snapshot!(right().without(|what| matches!(what, What::Fault(_))).expect(UNREADY, Inconclusive), @"no pod was held unready");
    assert_snapshot!(held(false).expect(UNREADY, Inconclusive), @"A of mysql-1.mysql-h.steadfast.svc.cluster.local was not queried while mysql-1 was held unready; A of mysql-h.steadfast.svc.cluster.local was not queried while mysql-1 was held unready");
    let mut again = held(false);
    again.ready("mysql-1");
    again.pass_ms(5_000);
    again.asked_for_pod(&checkpoint(), "mysql-1");
    again.asked_for_service(&checkpoint());
    assert_snapshot!(again.expect(UNREADY, Inconclusive), @"mysql-1 was not unready when its name was queried (#25)");
}

#[test]
fn an_answer_from_before_says_nothing() {
    let mut history = ready(subject(3));
    history.asked_for_pod(&checkpoint(), "mysql-1");
    history.asked_for_service(&checkpoint());
    history.held("mysql-1");
    assert_snapshot!(history.expect(UNREADY, Inconclusive), @"A of mysql-1.mysql-h.steadfast.svc.cluster.local was not queried while mysql-1 was held unready; A of mysql-h.steadfast.svc.cluster.local was not queried while mysql-1 was held unready");
}

#[test]
fn a_pod_that_is_held_by_another_scenario_is_not_asked_for() {
    let mut history = answered(false, 5_000, &[], &["10.0.0.1", "10.0.2.1"]);
    history.released("mysql-1");
    history.step(Scenario::Unready, Phase::End);
    history.step(Scenario::Scale, Phase::Begin);
    history.held("mysql-0");
    history.expect(UNREADY, Pass);
}
