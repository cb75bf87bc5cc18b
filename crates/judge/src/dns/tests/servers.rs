//! Which DNS servers must have been asked, and since when they must know the names.

use insta::assert_snapshot;
use serde_json::json;

use super::{POD, SERVICE, rcode, service, three_ready};
use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Act, Checkpoint, Dns, DnsAnswer, DnsRecord, DnsServer, Scenario, SnapshotOf, Transport, What};
use crate::history::{History, NAMESPACE, PODS};

fn listed(history: &mut History, names: &[&str]) -> u64 {
    let server =
        |name: &&str| DnsServer { name: (*name).into(), uid: format!("uid of {name}"), address: [10, 96, 0, 2].into() };
    let servers: Vec<DnsServer> = names.iter().map(server).collect();
    history.snapshot(SnapshotOf::DnsServers, json!(servers))
}

fn after_resolver() -> Checkpoint {
    Checkpoint::Recovered { scenario: Scenario::DnsReplace }
}

/// Queries these servers for the Service; all give this answer.
fn asked_of(history: &mut History, servers: &[&str], answer: &DnsAnswer) {
    for server in servers {
        for (from, transport) in
            [NAMESPACE, "default"].into_iter().flat_map(|from| [(from, Transport::Udp), (from, Transport::Tcp)])
        {
            history.push(What::Dns(Dns {
                checkpoint: after_resolver(),
                from: from.into(),
                server: (*server).into(),
                address: "10.96.0.2".into(),
                transport,
                name: service(),
                record_type: "A".into(),
                took_us: 300,
                answer: answer.clone(),
            }));
        }
    }
}

fn right() -> DnsAnswer {
    let records = ["10.0.0.1", "10.0.1.1", "10.0.2.1"].map(|data| DnsRecord { ttl: 5, data: data.into() });
    DnsAnswer::Response { rcode: "NOERROR".into(), records: records.into() }
}

/// Three pods that were Ready and queried when these DNS servers replaced the old ones.
fn replaced(names: &[&str]) -> History {
    let mut history = three_ready();
    history.pass_ms(5_000);
    history.asked_for_service(&Checkpoint::Deployed);
    history.fault(Act::RestartDns);
    history.pass_ms(3_000);
    let proof = listed(&mut history, names);
    history.proved(Act::RestartDns, proof);
    history
}

#[test]
fn a_server_that_was_asked_for_other_names_must_be_asked_for_each() {
    let mut history = three_ready();
    history.asked_for_service(&Checkpoint::Deployed);
    PODS.iter().for_each(|pod| history.asked_for_pod(&Checkpoint::Deployed, pod));
    let of_b = |dns: &Dns, name: &str| dns.server == "coredns-b" && dns.name.starts_with(name);
    let one = history.clone().without(|what| matches!(what, What::Dns(dns) if of_b(dns, "mysql-h.")));
    assert_snapshot!(one.expect(SERVICE, Inconclusive), @"A of mysql-h.steadfast.svc.cluster.local was not queried after all pods were Ready: from namespace default to coredns-b over UDP; from namespace default to coredns-b over TCP; from namespace steadfast to coredns-b over UDP; from namespace steadfast to coredns-b over TCP");
    one.expect(POD, Pass);
    history.without(|what| matches!(what, What::Dns(dns) if of_b(dns, "mysql-1."))).expect(POD, Inconclusive);
}

#[test]
fn a_server_that_is_listed_must_be_asked() {
    let listing = |names: &[&str]| {
        let mut history = three_ready();
        listed(&mut history, names);
        history.asked_for_service(&Checkpoint::Deployed);
        history
    };
    listing(&["coredns-a", "coredns-b"]).expect(SERVICE, Pass);
    assert_snapshot!(listing(&["coredns-a", "coredns-b", "coredns-c"]).expect(SERVICE, Inconclusive), @"A of mysql-h.steadfast.svc.cluster.local was not queried after all pods were Ready: from namespace default to coredns-c over UDP; from namespace default to coredns-c over TCP; from namespace steadfast to coredns-c over UDP; from namespace steadfast to coredns-c over TCP");
    // No list: the servers that were asked count.
    listing(&[]).expect(SERVICE, Pass);
}

#[test]
fn once_they_were_replaced_only_the_new_ones_count() {
    let asked = |servers: &[&str]| {
        let mut history = replaced(&["coredns-c", "coredns-d"]);
        asked_of(&mut history, servers, &right());
        history
    };
    asked(&["coredns-c", "coredns-d"]).expect(SERVICE, Pass);
    assert_snapshot!(asked(&["coredns-c"]).expect(SERVICE, Inconclusive), @"A of mysql-h.steadfast.svc.cluster.local was not queried after the scenario dns-replace: from namespace default to coredns-d over UDP; from namespace default to coredns-d over TCP; from namespace steadfast to coredns-d over UDP; from namespace steadfast to coredns-d over TCP");
    asked(&["coredns-a", "coredns-b"]).expect(SERVICE, Inconclusive);
    // Evidence without a list: the servers that were asked since then count.
    let unlisted = |servers: &[&str]| {
        asked(servers).without(|what| matches!(what, What::Snapshot(it) if it.of == SnapshotOf::DnsServers))
    };
    unlisted(&["coredns-c", "coredns-d"]).expect(SERVICE, Pass);
}

#[test]
fn a_new_server_may_need_the_time_of_a_change_to_know() {
    let knowing_after = |ms: u64| {
        let mut history = replaced(&["coredns-c", "coredns-d"]);
        asked_of(&mut history, &["coredns-c"], &right());
        history.pass_ms(ms);
        asked_of(&mut history, &["coredns-d"], &rcode("NXDOMAIN"));
        asked_of(&mut history, &["coredns-d"], &right());
        history
    };
    knowing_after(1_000).expect(SERVICE, Pass);
    assert_snapshot!(knowing_after(3_000).expect(SERVICE, Fail), @"A of mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-d over UDP, was correct only 3.0 s after the last change (#27), not within 2.0 s (the Corefile has no cache); still wrong at #35; and 3 more like this");
    let mut ignorant = replaced(&["coredns-c", "coredns-d"]);
    ignorant.pass_ms(5_000);
    asked_of(&mut ignorant, &["coredns-c", "coredns-d"], &rcode("NXDOMAIN"));
    ignorant.expect(SERVICE, Fail);
}

#[test]
fn a_server_that_is_listed_before_any_other_is_no_new_one() {
    let mut history = three_ready();
    history.pass_ms(5_000);
    listed(&mut history, &["coredns-a", "coredns-b"]);
    asked_of(&mut history, &["coredns-a", "coredns-b"], &rcode("NXDOMAIN"));
    history.expect(SERVICE, Fail);
}
