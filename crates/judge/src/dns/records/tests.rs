//! SRV and PTR records: right ones and wrong ones.

use insta::assert_snapshot;
use serde_json::json;

use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::dns::tests::{rcode, ready, three_ready};
use crate::evidence::{Checkpoint, EventType, NamedPort, SnapshotOf, What, reverse_name};
use crate::history::{History, subject};

const SRV: &str = "dns::srv_lists_every_pod";
const PTR: &str = "dns::ptr_points_back";

/// Three pods that have been Ready for long, whose port is queried with this answer.
fn answered(targets: &[&str]) -> History {
    let mut history = three_ready();
    history.pass_ms(5_000);
    let name = history.subject.srv_name(&history.subject.named_ports[0]);
    let data: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
    history.asked_for(&Checkpoint::Deployed, "SRV", &name, &data);
    history
}

#[test]
fn ports_that_lead_to_every_pod_pass() {
    assert_snapshot!(History::good().expect(SRV, Pass), @"SRV of _mysql._tcp.mysql-h.steadfast.svc.cluster.local listed exactly the ready pods at 14 checkpoints; all answers were correct from the first query (the limit is 2.0 s: the Corefile's cache is off for cluster.local)");
    History::good_of(1).expect(SRV, Pass);
}

#[test]
fn priority_weight_and_case_are_free() {
    answered(&[
        "0 33 3306 mysql-0.mysql-h.steadfast.svc.cluster.local",
        "7 1 3306 MySQL-1.mysql-h.steadfast.svc.cluster.local.",
        "0 100 3306 mysql-2.mysql-h.steadfast.svc.cluster.local",
    ])
    .expect(SRV, Pass);
}

#[test]
fn a_pod_that_is_missing_or_wrong_fails() {
    let [zero, one, two] = [0, 1, 2].map(|pod| format!("0 33 3306 mysql-{pod}.mysql-h.steadfast.svc.cluster.local"));
    assert_snapshot!(answered(&[&zero, &one]).expect(SRV, Fail), @"the last answer to SRV of _mysql._tcp.mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was 3306 mysql-0.mysql-h.steadfast.svc.cluster.local, 3306 mysql-1.mysql-h.steadfast.svc.cluster.local at #20, 5.0 s after the last change (#15); it must be 3306 mysql-0.mysql-h.steadfast.svc.cluster.local, 3306 mysql-1.mysql-h.steadfast.svc.cluster.local, 3306 mysql-2.mysql-h.steadfast.svc.cluster.local; and 7 more like this");
    let addressed = "0 33 3306 10-0-2-1.mysql-h.steadfast.svc.cluster.local";
    let another_port = two.replace("3306", "33060");
    for wrong in [&[zero.as_str(), &one, &two, addressed][..], &[&zero, &one, &another_port], &[&zero, &one, addressed]]
    {
        answered(wrong).expect(SRV, Fail);
    }
    assert!(answered(&[]).expect(SRV, Fail).contains("was NXDOMAIN without a record at #"));
}

#[test]
fn every_named_port_is_asked_for_with_the_number_that_pods_listen_on() {
    let mut subject = subject(2);
    subject.named_ports.push(NamedPort { name: "mysqlx".into(), protocol: "tcp".into(), number: 33060 });
    let mut history = ready(subject);
    history.pass_ms(5_000);
    history.asked_for_ports(&Checkpoint::Deployed);
    assert_snapshot!(history.expect(SRV, Pass), @"SRV of _mysql._tcp.mysql-h.steadfast.svc.cluster.local, _mysqlx._tcp.mysql-h.steadfast.svc.cluster.local listed exactly the ready pods at 1 checkpoint; all answers were correct from the first query (the limit is 2.0 s: the Corefile has no cache)");
    let of_x = |what: &What| matches!(what, What::Dns(dns) if dns.name.starts_with("_mysqlx"));
    assert_snapshot!(history.clone().without(of_x).expect(SRV, Inconclusive), @"SRV of _mysqlx._tcp.mysql-h.steadfast.svc.cluster.local was not queried");
    let swapped = history.edit(|what| match what {
        What::Dns(dns) if dns.name.starts_with("_mysqlx") => dns.name = dns.name.replace("_mysqlx", "_mysql"),
        What::Dns(dns) => dns.name = dns.name.replace("_mysql.", "_mysqlx."),
        _ => {}
    });
    swapped.expect(SRV, Fail);
}

#[test]
fn a_port_without_a_name_fails() {
    let with = |ports: serde_json::Value| {
        let mut subject = subject(3);
        subject.named_ports.clear();
        let mut history = ready(subject);
        let service = json!({"metadata": {"name": "mysql-h", "uid": "h"}, "spec": {"ports": ports}});
        history.object(EventType::Added, "Service", service);
        history
    };
    assert_snapshot!(with(json!([{"port": 3306}])).expect(SRV, Fail), @"no port of the Service mysql-h has a name (#18), and DNS has SRV records for named ports only; name it in spec.ports, as in `name: mysql`");
    with(json!(null)).expect(SRV, Fail);
    // As in evidence of versions that did not record ports.
    assert_snapshot!(with(json!([{"port": 1}, {"port": 3306, "name": "mysql"}])).expect(SRV, Inconclusive), @"the run did not know the port mysql of the Service mysql-h (#18) and did not query it");
    let not_seen =
        with(json!([])).without(|what| matches!(what, What::Object(event) if event.object_kind == "Service"));
    assert_snapshot!(not_seen.expect(SRV, Inconclusive), @"the Service mysql-h was not seen, so its ports are unknown");
}

#[test]
fn who_is_not_ready_is_listed_only_where_all_are_published() {
    let of = |publish_not_ready: bool, listed: bool| {
        let mut subject = subject(3);
        subject.publish_not_ready = listed;
        let mut history = ready(subject);
        history.unready("mysql-1");
        history.pass_ms(5_000);
        history.asked_for_ports(&Checkpoint::Deployed);
        history.edit(|what| {
            if let What::Run(run) = what {
                run.subject.publish_not_ready = publish_not_ready;
            }
        })
    };
    of(true, true).expect(SRV, Pass);
    of(false, false).expect(SRV, Pass);
    of(true, false).expect(SRV, Fail);
    of(false, true).expect(SRV, Fail);
}

#[test]
fn records_that_are_wrong_after_the_scale_up_fail() {
    // The last pod had only just become Ready, so its SRV record may lag. kubeadm's Corefile caches the names of addresses.
    for (check, record_type) in [(SRV, "SRV"), (PTR, "PTR")] {
        let scaled_up = |what: &What| match what {
            What::Dns(dns) => dns.checkpoint == Checkpoint::ScaledUp && dns.record_type == record_type,
            _ => false,
        };
        let wrong = History::good().edit(|what| {
            if scaled_up(what)
                && let What::Dns(dns) = what
            {
                dns.answer = rcode("NXDOMAIN");
            }
        });
        wrong.expect(check, Inconclusive);
        let uncached = wrong.edit(|what| match what {
            What::Snapshot(it) if it.of == SnapshotOf::Corefile => {
                it.value = json!(". {\n  kubernetes cluster.local in-addr.arpa ip6.arpa\n}\n");
            }
            _ => {}
        });
        // The first pod has had its address for long.
        uncached.expect(check, if check == PTR { Fail } else { Inconclusive });
        History::good().without(scaled_up).expect(check, Pass);
    }
}

/// Three pods that have been Ready for long; the address of the second one has these names.
fn named(names: &[&str]) -> History {
    let mut history = three_ready();
    history.pass_ms(5_000);
    history.asked_for_addresses(&Checkpoint::Deployed);
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    history.asked_for(&Checkpoint::Deployed, "PTR", &reverse_name([10, 0, 1, 1].into()), &names);
    history
}

#[test]
fn addresses_that_lead_back_to_their_pods_pass() {
    assert_snapshot!(History::good().expect(PTR, Pass), @"PTR returned mysql-0, mysql-1, mysql-2 at 14 checkpoints; all answers were correct from the first query (the limit is 35.0 s: the Corefile caches answers for 30 s)");
    History::good_of(1).expect(PTR, Pass);
    named(&["MySQL-1.mysql-h.steadfast.svc.cluster.local"]).expect(PTR, Pass);
}

#[test]
fn an_address_may_have_the_names_of_other_services_too() {
    let own = "mysql-1.mysql-h.steadfast.svc.cluster.local";
    let read = "10-0-1-1.mysql-read.steadfast.svc.cluster.local";
    named(&[read, own, "mysql-1.metrics.monitoring.svc.cluster.local"]).expect(PTR, Pass);
    assert_snapshot!(named(&[read]).expect(PTR, Fail), @"the last answer to PTR of 1.1.0.10.in-addr.arpa, queried from namespace default to coredns-a over UDP, was 10-0-1-1.mysql-read.steadfast.svc.cluster.local at #44, 6.5 s after the last change (#10); it must be mysql-1.mysql-h.steadfast.svc.cluster.local; and 7 more like this");
}

#[test]
fn an_address_with_a_wrong_name_fails() {
    let own = "mysql-1.mysql-h.steadfast.svc.cluster.local";
    for wrong in [
        &["mysql-2.mysql-h.steadfast.svc.cluster.local"][..],
        &[own, "mysql-2.mysql-h.steadfast.svc.cluster.local"],
        &[own, "10-0-1-1.mysql-h.steadfast.svc.cluster.local"],
        &[own, "ip-10-0-1-1.eu.example.org"],
        &[],
    ] {
        named(wrong).expect(PTR, Fail);
    }
}

#[test]
fn an_address_that_was_not_asked_for_leaves_it_open() {
    let mut history = three_ready();
    assert_snapshot!(history.expect(PTR, Inconclusive), @"PTR of the pods' addresses was not queried");
    history.asked_for_addresses(&Checkpoint::Deployed);
    history.expect(PTR, Pass);
    let of_one = |what: &What| matches!(what, What::Dns(dns) if dns.name.starts_with("1.1."));
    assert_snapshot!(history.clone().without(of_one).expect(PTR, Inconclusive), @"PTR of 1.1.0.10.in-addr.arpa was not queried after all pods were Ready: no query was recorded");
    history.goes("mysql-2");
    history.asked_for_addresses(&Checkpoint::Deployed);
    assert_snapshot!(history.expect(PTR, Inconclusive), @"mysql-2 had no address after all pods were Ready (#59); mysql-2 was never Ready when its address was queried");
}

#[test]
fn an_address_that_passed_to_another_pod_has_the_name_of_that_one() {
    let mut history = three_ready();
    history.goes("mysql-2");
    history.goes("mysql-1");
    history.added("mysql-1");
    let status = json!({"phase": "Running", "podIP": "10.0.2.1", "conditions": [{"type": "Ready", "status": "True"}]});
    history.modified("mysql-1", "status", status);
    history.starts("mysql-2");
    history.pass_ms(5_000);
    history.asked_for_addresses(&Checkpoint::Deployed);
    history.expect(PTR, Pass);
    let stale = "mysql-2.mysql-h.steadfast.svc.cluster.local".to_owned();
    history.asked_for(&Checkpoint::Deployed, "PTR", &reverse_name([10, 0, 2, 1].into()), &[stale]);
    history.expect(PTR, Fail);
}
