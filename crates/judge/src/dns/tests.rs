//! Names: right answers and wrong ones.

mod absent;
mod checkpoints;
mod families;
mod servers;

use insta::assert_snapshot;
use serde_json::json;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Checkpoint, Dns, DnsAnswer, SnapshotOf, Subject, Transport, What};
use crate::history::{History, NAMESPACE, PODS, subject};
use crate::{dns_budget_ms, dns_reverse_budget_ms, dns_zone};

const SERVICE: &str = "dns::service_resolves_to_ready_pods";
const POD: &str = "dns::each_pod_has_its_name";
const FOLLOWS: &str = "dns::name_follows_the_pod";
const ABSENT: &str = "dns::absent_pod_is_nxdomain";
const ALL: [&str; 7] =
    [SERVICE, POD, FOLLOWS, ABSENT, "dns::srv_lists_every_pod", "dns::ptr_points_back", "dns::unready_pod_leaves_dns"];

fn with_dns(mut edit: impl FnMut(&mut Dns)) -> History {
    History::good().edit(|what| {
        if let What::Dns(dns) = what {
            edit(dns);
        }
    })
}

pub(super) fn rcode(rcode: &str) -> DnsAnswer {
    DnsAnswer::Response { rcode: rcode.into(), records: Vec::new() }
}

/// A history with three Ready pods and the cache off.
pub(super) fn three_ready() -> History {
    ready(subject(3))
}

/// A history with the Ready pods of this workload and the cache off.
pub(super) fn ready(subject: Subject) -> History {
    let mut history = History::with(subject);
    history.pod_names().iter().for_each(|pod| history.starts(pod));
    history.snapshot(SnapshotOf::Corefile, json!(". {\n  kubernetes cluster.local\n}\n"));
    history
}

fn service() -> String {
    "mysql-h.steadfast.svc.cluster.local".to_owned()
}

#[test]
fn a_good_run_passes() {
    assert_snapshot!(History::good().expect(SERVICE, Pass), @"A of mysql-h.steadfast.svc.cluster.local listed exactly the ready pods at 17 checkpoints; all answers were correct from the first query (the limit is 2.0 s: the Corefile's cache is off for cluster.local)");
    assert_snapshot!(History::good().expect(POD, Pass), @"A of mysql-0, mysql-1, mysql-2, mysql-3 resolved to each pod's own address at 21 checkpoints, and when the pods looked them up; all answers were correct from the first query (the limit is 2.0 s: the Corefile's cache is off for cluster.local)");
    assert_snapshot!(History::good().expect(FOLLOWS, Pass), @"names resolved to the new pods: mysql-2 from the first query, mysql-1 from the first query, mysql-0 from the first query, mysql-0, deleted without a grace period, from the first query; and 39 more times (2.0 s: the Corefile's cache is off for cluster.local)");
    assert_snapshot!(History::good().expect(ABSENT, Pass), @"NXDOMAIN: mysql-1 from the first query, mysql-2 from the first query (2.0 s: the Corefile's cache is off for cluster.local)");
    History::good_of(1).expect(SERVICE, Pass);
    History::good_of(1).expect(ABSENT, Skipped);
}

#[test]
fn a_pod_that_is_missing_from_the_service_fails() {
    let mut history = three_ready();
    history.pass_ms(5_000);
    history.asked(&Checkpoint::Deployed, &service(), &["10.0.0.1".into(), "10.0.1.1".into()]);
    assert_snapshot!(history.expect(SERVICE, Fail), @"the last answer to A of mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was 10.0.0.1, 10.0.1.1 at #20, 5.0 s after the last change (#15); it must be 10.0.0.1, 10.0.1.1, 10.0.2.1; and 7 more like this");
}

#[test]
fn a_name_that_leads_nowhere_or_elsewhere_fails() {
    for answer in [Vec::new(), vec!["10.0.0.9".into()], vec!["10.0.1.1".into(), "10.0.0.1".into()]] {
        let mut history = three_ready();
        history.pass_ms(5_000);
        for pod in ["mysql-0", "mysql-2"] {
            history.asked_for_pod(&Checkpoint::Deployed, pod);
        }
        history.asked(&Checkpoint::Deployed, &history.subject.fqdn("mysql-1"), &answer);
        history.expect(POD, Fail);
    }
}

#[test]
fn a_server_that_fails_at_last_fails() {
    let failing = with_dns(|dns| {
        if dns.checkpoint == Checkpoint::ScaledUp && dns.server == "coredns-b" {
            dns.answer = rcode("SERVFAIL");
        }
    });
    // It was asked soon after the last change, so it may only lag.
    failing.expect(SERVICE, Inconclusive);
    let mut late = three_ready();
    late.pass_ms(5_000);
    late.asked_for_service(&Checkpoint::Deployed);
    late = late.edit(|what| {
        if let What::Dns(dns) = what
            && (dns.server.as_str(), dns.transport) == ("coredns-b", Transport::Tcp)
        {
            dns.answer = rcode("SERVFAIL");
        }
    });
    assert_snapshot!(late.expect(SERVICE, Fail), @"the last answer to A of mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-b over TCP, was SERVFAIL without an address at #25, 5.0 s after the last change (#15); it must be 10.0.0.1, 10.0.1.1, 10.0.2.1; and 1 more like this");
}

#[test]
fn an_answer_that_is_right_in_the_end_passes() {
    let mut history = three_ready();
    history.asked(&Checkpoint::Deployed, &service(), &[]);
    history.pass_ms(1_200);
    history.asked_for_service(&Checkpoint::Deployed);
    assert_snapshot!(history.expect(SERVICE, Pass), @"A of mysql-h.steadfast.svc.cluster.local listed exactly the ready pods at 1 checkpoint; the slowest answer was correct 1.2 s after the last change (the limit is 2.0 s: the Corefile has no cache)");
}

#[test]
fn an_answer_that_is_right_too_late_fails() {
    let mut history = three_ready();
    history.pass_ms(2_500);
    history.asked(&Checkpoint::Deployed, &service(), &[]);
    history.asked_for_service(&Checkpoint::Deployed);
    assert_snapshot!(history.expect(SERVICE, Fail), @"A of mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was correct only 2.5 s after the last change (#15), not within 2.0 s (the Corefile has no cache); still wrong at #20; and 7 more like this");
}

#[test]
fn a_question_at_the_very_end_of_the_budget_may_still_be_answered_wrong() {
    for (after_ms, verdict) in [(1_998, Pass), (1_999, Fail)] {
        let mut history = three_ready();
        history.pass_ms(after_ms);
        history.asked(&Checkpoint::Deployed, &service(), &[]);
        history.asked_for_service(&Checkpoint::Deployed);
        // All queries are sent at once, and answered a millisecond apart.
        let mut took_us = 0;
        let history = history.edit(|what| {
            if let What::Dns(dns) = what {
                took_us += 1_000;
                dns.took_us = took_us;
            }
        });
        history.expect(SERVICE, verdict);
    }
}

#[test]
fn asking_late_is_not_converging_late() {
    let mut history = three_ready();
    history.pass_ms(60_000);
    history.asked_for_service(&Checkpoint::Deployed);
    history.expect(SERVICE, Pass);
}

#[test]
fn a_side_that_was_not_asked_leaves_it_open() {
    for (what, unasked) in [
        ("over UDP", (|dns| dns.transport == Transport::Udp) as fn(&Dns) -> bool),
        ("from another namespace than steadfast", |dns| dns.from != NAMESPACE),
        ("from namespace steadfast", |dns| dns.from == NAMESPACE),
        ("to coredns-b over TCP", |dns| dns.server == "coredns-b" && dns.transport == Transport::Tcp),
        ("was not queried", |_| true),
    ] {
        let history = History::good().without(|what| matches!(what, What::Dns(dns) if unasked(dns)));
        for check in ALL {
            let reason = history.expect(check, Inconclusive);
            assert!(reason.contains(what), "{check}: {reason}");
        }
    }
}

#[test]
fn a_broken_question_leaves_it_open_unless_another_shows_a_violation() {
    let broken = DnsAnswer::Broken { message: "timed out".into() };
    let history = with_dns(|dns| {
        if dns.transport == Transport::Udp {
            dns.answer = broken.clone();
        }
    });
    for check in ALL {
        history.expect(check, Inconclusive);
    }
    let mut worse = three_ready();
    worse.pass_ms(5_000);
    worse.asked(&Checkpoint::Deployed, &service(), &[]);
    let worse = worse.edit(|what| match what {
        What::Dns(dns) if dns.transport == Transport::Udp => dns.answer = broken.clone(),
        _ => {}
    });
    worse.expect(SERVICE, Fail);
}

#[test]
fn without_the_corefile_or_the_pods_nobody_knows() {
    let no_corefile = |what: &What| matches!(what, What::Snapshot(it) if it.of == SnapshotOf::Corefile);
    let blind = History::good().without(no_corefile);
    let lost = History::good().lost("Pod", |what| matches!(what, What::Dns(_)));
    for check in ALL.into_iter().chain(["dns::short_names_resolve"]) {
        blind.expect(check, Inconclusive);
        lost.expect(check, Inconclusive);
    }
    let mut unready = three_ready();
    unready.unready("mysql-1");
    PODS.iter().for_each(|pod| unready.asked_for_pod(&Checkpoint::Deployed, pod));
    assert_snapshot!(unready.expect(POD, Inconclusive), @"no pod that mysql-1.mysql-h.steadfast.svc.cluster.local must resolve to was Ready after all pods were Ready (#34)");
}

#[test]
fn where_there_is_no_corefile_the_usual_time_counts() {
    let after = |ms: u64| {
        let mut history = three_ready();
        history.snapshot(SnapshotOf::Corefile, json!(false));
        history.pass_ms(ms);
        history.asked(&Checkpoint::Deployed, &service(), &[]);
        history.asked_for_service(&Checkpoint::Deployed);
        history
    };
    assert_snapshot!(after(34_000).expect(SERVICE, Pass), @"A of mysql-h.steadfast.svc.cluster.local listed exactly the ready pods at 1 checkpoint; the slowest answer was correct 34.0 s after the last change (the limit is 35.0 s: no Corefile was found, and servers usually cache answers for 30 s)");
    assert_snapshot!(after(36_000).expect(SERVICE, Fail), @"A of mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was correct only 36.0 s after the last change (#15), not within 35.0 s (no Corefile was found, and servers usually cache answers for 30 s); still wrong at #21; and 7 more like this");
    let unknown = History::good().edit(|what| match what {
        What::Snapshot(it) if it.of == SnapshotOf::Corefile => it.value = json!(null),
        _ => {}
    });
    unknown.expect(SERVICE, Inconclusive);
    assert_eq!(dns_budget_ms(None, "cluster.local"), 35_000);
}

#[test]
fn addresses_may_be_published_before_ready() {
    let mut subject = subject(1);
    subject.publish_not_ready = true;
    let mut history = History::with(subject);
    history.starts("mysql-0");
    history.unready("mysql-0");
    history.snapshot(SnapshotOf::Corefile, json!(". {\n}\n"));
    history.asked_for_service(&Checkpoint::Deployed);
    history.expect(SERVICE, Pass);
    history.deleting("mysql-0");
    history.asked_for_service(&Checkpoint::Deployed);
    history.expect(SERVICE, Inconclusive);
}

#[test]
fn an_answer_that_was_right_before_the_last_change_is_not_late() {
    let mut history = three_ready();
    history.pass_ms(60_000);
    history.asked_for_service(&Checkpoint::Deployed);
    history.goes("mysql-2");
    history.starts("mysql-2");
    history.asked_for_service(&Checkpoint::Deployed);
    assert!(history.expect(SERVICE, Pass).contains("from the first query"));
}

/// A run in which mysql-1 was deleted and is Ready again.
fn returned() -> History {
    let mut history = three_ready();
    let act = Act::DeletePod { pod: "mysql-1".into(), uid: "1.1".into(), grace_s: None };
    history.fault(act.clone());
    let gone = history.goes("mysql-1");
    history.proved(act, gone);
    history.starts("mysql-1");
    history
}

#[test]
fn a_name_that_stays_behind_fails() {
    let mut history = returned();
    let (checkpoint, name) = (Checkpoint::Deletion { pod: "mysql-1".into() }, history.subject.fqdn("mysql-1"));
    history.pass_ms(4_000);
    history.asked(&checkpoint, &name, &["10.0.1.1".into()]);
    assert_snapshot!(history.expect(FOLLOWS, Fail), @"the last answer to A of mysql-1.mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was 10.0.1.1 at #27, 4.0 s after the last change (#23); it must be 10.0.1.2; and 7 more like this");
    history.asked_for_pod(&checkpoint, "mysql-1");
    assert_snapshot!(history.expect(FOLLOWS, Fail), @"A of mysql-1.mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was correct only 4.0 s after the last change (#23), not within 2.0 s (the Corefile has no cache); still wrong at #27; and 7 more like this");
}

#[test]
fn a_name_follows_a_pod_that_was_deleted_without_grace() {
    let mut history = returned();
    history.asked_for_pod(&Checkpoint::Deletion { pod: "mysql-1".into() }, "mysql-1");
    history.killed("mysql-1");
    let unasked = |what: &What| matches!(what, What::Dns(dns) if matches!(dns.checkpoint, Checkpoint::Kill { .. }));
    assert_snapshot!(history.clone().without(unasked).expect(FOLLOWS, Inconclusive), @"mysql-0 was not deleted, so it is unknown what it keeps; mysql-2 was not deleted, so it is unknown what it keeps; A of mysql-1.mysql-h.steadfast.svc.cluster.local was not queried after mysql-1 was killed");
    history.pass_ms(4_000);
    history.asked(&Checkpoint::Kill { pod: "mysql-1".into() }, &history.subject.fqdn("mysql-1"), &["10.0.1.2".into()]);
    assert_snapshot!(history.expect(FOLLOWS, Fail), @"the last answer to A of mysql-1.mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was 10.0.1.2 at #56, 4.3 s after the last change (#40); it must be 10.0.1.3; and 7 more like this");
}

#[test]
fn an_answer_that_was_late_counts_whatever_came_after_it() {
    let late_then = |answer: fn() -> DnsAnswer| {
        let mut history = three_ready();
        history.pass_ms(5_000);
        history.asked(&Checkpoint::Deployed, &service(), &[]);
        // The next query was sent long before its answer.
        history.asked(&Checkpoint::Deployed, &service(), &["10.0.0.1".into()]);
        history.edit(|what| {
            if let What::Dns(dns) = what
                && dns.answer != rcode("NXDOMAIN")
            {
                (dns.took_us, dns.answer) = (4_900_000, answer());
            }
        })
    };
    let wrong = late_then(|| rcode("SERVFAIL")).expect(SERVICE, Fail);
    let broken = late_then(|| DnsAnswer::Broken { message: "timed out".into() }).expect(SERVICE, Fail);
    assert_eq!(wrong, broken);
    assert_snapshot!(wrong, @"the last answer to A of mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was NXDOMAIN without an address at #20, 5.0 s after the last change (#15); it must be 10.0.0.1, 10.0.1.1, 10.0.2.1; and 7 more like this");
}

#[test]
fn a_cache_that_is_on_gives_more_time() {
    let mut history = returned();
    history.snapshot(SnapshotOf::Corefile, json!(". {\n  cache 30\n}\n"));
    let (checkpoint, name) = (Checkpoint::Deletion { pod: "mysql-1".into() }, history.subject.fqdn("mysql-1"));
    history.pass_ms(20_000);
    history.asked(&checkpoint, &name, &["10.0.1.1".into()]);
    history.asked_for_pod(&checkpoint, "mysql-1");
    let reason = history.expect(FOLLOWS, Inconclusive);
    assert_snapshot!(reason, @"mysql-0 was not deleted, so it is unknown what it keeps; mysql-2 was not deleted, so it is unknown what it keeps; no pod was deleted without a grace period, so it is unknown what a pod keeps then");
}

#[test]
fn a_name_that_outlives_its_pod_fails() {
    for (answer, seen) in [(rcode("NOERROR"), "NOERROR without an address"), (rcode("SERVFAIL"), "SERVFAIL")] {
        let mut history = three_ready();
        history.fault(Act::Scale { from: 3, to: 1 });
        history.goes("mysql-2");
        history.goes("mysql-1");
        history.pass_ms(3_000);
        history.asked_for_pod(&Checkpoint::ScaledDown, "mysql-1");
        history.asked_for_pod(&Checkpoint::ScaledDown, "mysql-2");
        history.expect(ABSENT, Pass);
        let history = history.edit(|what| match what {
            What::Dns(dns) if dns.name.starts_with("mysql-2") => dns.answer = answer.clone(),
            _ => {}
        });
        assert!(history.expect(ABSENT, Fail).contains(seen));
    }
}

#[test]
fn the_corefile_says_how_long_to_ask_and_in_which_zone() {
    let corefile = ". {\n  kubernetes corp.example\n  cache 30\n}\n";
    assert_eq!(dns_budget_ms(Some(corefile), "corp.example"), 35_000);
    let of_kubeadm = ". {\n  cache 30 {\n    disable success cluster.local\n    disable denial cluster.local\n  }\n}\n";
    assert_eq!(dns_budget_ms(Some(of_kubeadm), "cluster.local"), 2_000);
    assert_eq!([dns_reverse_budget_ms(Some(of_kubeadm)), dns_reverse_budget_ms(None)], [35_000, 35_000]);
    let off = of_kubeadm.replace("cluster.local", "in-addr.arpa ip6.arpa");
    assert_eq!([dns_budget_ms(Some(&off), "cluster.local"), dns_reverse_budget_ms(Some(&off))], [35_000, 2_000]);
    assert_eq!(dns_zone(corefile).as_deref(), Some("corp.example"));
    assert_eq!(dns_zone(""), None);
}
