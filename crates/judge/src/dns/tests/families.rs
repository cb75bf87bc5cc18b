//! IPv6 clusters, and dual-stack clusters in either order.

use insta::assert_snapshot;

use super::{FOLLOWS, POD, SERVICE, rcode, three_ready};
use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::Family::{self, Four, Six};
use crate::evidence::{Checkpoint, Dns, DnsAnswer, DnsRecord, ExecAnswer, What};
use crate::history::{History, six};

const SRV: &str = "dns::srv_lists_every_pod";
const PTR: &str = "dns::ptr_points_back";
const SHORT: &str = "dns::short_names_resolve";
const UNREADY: &str = "dns::unready_pod_leaves_dns";
const ABSENT: &str = "dns::absent_pod_is_nxdomain";

/// The families of the pods' addresses, and those of the Service.
const CLUSTERS: [(&[Family], &[Family]); 7] = [
    (&[Four], &[Four]),
    (&[Six], &[Six]),
    (&[Four, Six], &[Four, Six]),
    (&[Six, Four], &[Six, Four]),
    (&[Four, Six], &[Six, Four]),
    (&[Four, Six], &[Four]),
    (&[Four, Six], &[Six]),
];

/// Three pods that have been Ready for long, with all queries.
fn at_rest() -> History {
    let mut history = three_ready();
    history.pass_ms(5_000);
    history.swept(&Checkpoint::Deployed);
    history.looked_up(&Checkpoint::Deployed);
    history
}

fn answering(history: History, wanted: impl Fn(&Dns) -> bool, answer: impl Fn(&mut Dns)) -> History {
    history.edit(|what| match what {
        What::Dns(dns) if wanted(dns) => answer(dns),
        _ => {}
    })
}

fn with(data: &str) -> DnsAnswer {
    DnsAnswer::Response { rcode: "NOERROR".into(), records: vec![DnsRecord { ttl: 5, data: data.into() }] }
}

fn of_service(record_type: &'static str) -> impl Fn(&Dns) -> bool {
    move |dns| dns.record_type == record_type && dns.name.starts_with("mysql-h.")
}

fn of_pod(record_type: &'static str) -> impl Fn(&Dns) -> bool {
    move |dns| dns.record_type == record_type && dns.name.starts_with("mysql-1.")
}

#[test]
fn a_right_run_passes_in_each() {
    for (pods, service) in CLUSTERS {
        let history = History::good().in_families(pods, service);
        for check in [SERVICE, POD, SRV, PTR, SHORT, FOLLOWS, ABSENT, UNREADY] {
            let finding = history.judge(check);
            assert_eq!(finding.verdict, Pass, "{pods:?} {service:?} {check}: {}", finding.reason);
        }
    }
    let both = at_rest().in_families(&[Six, Four], &[Six, Four]);
    assert_snapshot!(both.expect(SERVICE, Pass), @"A and AAAA of mysql-h.steadfast.svc.cluster.local listed exactly the ready pods at 1 checkpoint; all answers were correct from the first query (the limit is 2.0 s: the Corefile has no cache)");
}

#[test]
fn a_wrong_answer_fails_in_each() {
    for (pods, service) in CLUSTERS {
        let right = || at_rest().in_families(pods, service);
        for family in service {
            let of = family.record_type();
            let stranger = if *family == Four { "10.9.9.9" } else { "fd00::9:9" };
            for wrong in [with(stranger), rcode("NOERROR"), rcode("NXDOMAIN"), rcode("SERVFAIL")] {
                answering(right(), of_service(of), |dns| dns.answer = wrong.clone()).expect(SERVICE, Fail);
                answering(right(), of_pod(of), |dns| dns.answer = wrong.clone()).expect(POD, Fail);
            }
            right().without(|what| matches!(what, What::Dns(dns) if of_service(of)(dns))).expect(SERVICE, Inconclusive);
            right().without(|what| matches!(what, What::Dns(dns) if of_pod(of)(dns))).expect(POD, Inconclusive);
        }
    }
}

#[test]
fn a_family_that_the_service_has_not_may_have_no_records_and_the_name_exists() {
    let six_alone = || at_rest().in_families(&[Four, Six], &[Six]);
    for (wrong, verdict) in [(rcode("NXDOMAIN"), Fail), (with("10.9.9.9"), Fail), (rcode("NOERROR"), Pass)] {
        answering(six_alone(), of_service("A"), |dns| dns.answer = wrong.clone()).expect(SERVICE, verdict);
        answering(six_alone(), of_pod("A"), |dns| dns.answer = wrong.clone()).expect(POD, verdict);
    }
    let only_a = six_alone().without(|what| matches!(what, What::Dns(dns) if dns.record_type == "AAAA"));
    assert_snapshot!(only_a.expect(SERVICE, Inconclusive), @"AAAA of mysql-h.steadfast.svc.cluster.local was not queried after all pods were Ready: no query was recorded");
    let only_six = six_alone().without(|what| matches!(what, What::Dns(dns) if dns.record_type == "A"));
    only_six.expect(SERVICE, Pass);
    only_six.expect(POD, Pass);
}

#[test]
fn addresses_of_both_families_lead_back() {
    for (pods, service) in CLUSTERS {
        let right = || at_rest().in_families(pods, service);
        for zone in service.iter().map(|family| if *family == Four { "in-addr.arpa" } else { "ip6.arpa" }) {
            let of_zone = |dns: &Dns| dns.record_type == "PTR" && dns.name.ends_with(zone);
            let another = with("mysql-1.mysql-h.steadfast.svc.cluster.local");
            answering(right(), of_zone, |dns| dns.answer = another.clone()).expect(PTR, Fail);
            answering(right(), of_zone, |dns| dns.answer = rcode("NXDOMAIN")).expect(PTR, Fail);
            right().without(|what| matches!(what, What::Dns(dns) if of_zone(dns))).expect(PTR, Inconclusive);
        }
    }
}

#[test]
fn lookups_find_what_the_service_has() {
    let printing = |service: &[Family], printed: &[&str]| {
        let printed = printed.iter().map(|it| format!("{it} STREAM")).collect::<Vec<_>>().join("\n");
        at_rest().in_families(&[Four, Six], service).edit(|what| match what {
            What::Exec(exec) if exec.argv.last().is_some_and(|name| name == "mysql-1.mysql-h") => {
                exec.answer = ExecAnswer::Exited { code: 0, stdout: printed.clone(), stderr: String::new() };
            }
            _ => {}
        })
    };
    let (four, six) = ("10.0.1.1", six("10.0.1.1"));
    let both: &[Family] = &[Four, Six];
    for (service, printed, verdict) in [
        (both, vec![four, &six], Pass),
        // A resolver may leave one family out.
        (both, vec![four], Pass),
        (both, vec![&six], Pass),
        (both, vec![four, "fd00::9"], Fail),
        (both, vec!["10.0.9.9", &six], Fail),
        (both, vec![], Fail),
        (&[Six], vec![&six], Pass),
        (&[Six], vec![four], Fail),
        (&[Four], vec![four, "fd00::9"], Pass),
        (&[Four], vec![&six], Fail),
    ] {
        printing(service, &printed).expect(SHORT, verdict);
    }
}

#[test]
fn a_service_that_does_not_say_has_the_family_of_the_pods_first_address() {
    let silent = |pods: &[Family], service: &[Family]| {
        at_rest()
            .in_families(pods, service)
            .without(|what| matches!(what, What::Object(event) if event.object_kind == "Service"))
    };
    for (pods, service) in [(&[Six][..], &[Six][..]), (&[Six, Four], &[Six]), (&[Four, Six], &[Four])] {
        for check in [SERVICE, POD, SRV, PTR, SHORT] {
            silent(pods, service).expect(check, Pass);
        }
    }
}
