//! The records beside addresses: SRV leads from a port to the pods, PTR from an address back to its pod.

use std::net::IpAddr;

use crate::{
    evidence::{Evidence, Moment},
    object::items,
};

use super::{
    super::{
        Check, Finding,
        case::Case,
        minimum::{Names, Need},
        opinion::{Judged, judged},
        words::during,
    },
    SWEEPS, budget,
    query::Query,
    slowest, sweeps, weigh_present,
};

#[cfg(test)]
mod tests;

pub(in super::super) const SRV_LISTS_EVERY_POD: Check = Check {
    id: "dns::srv_lists_every_pod",
    statement: "SRV of each named port of the headless Service MUST list exactly its ready pods, each with the port's \
                number and the pod's stable name.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.2",
    explain: "\
A client that knows only the Service finds the servers' names and port here, without a list of its own.
Asked of every CoreDNS pod, over UDP and TCP, from two namespaces, once all pods are Ready and after scaling up. With N
ready pods and M named ports there must be N × M records: sets of port and target are compared, while priority and
weight are free. The number is that of the port on the pod (targetPort): a headless Service forwards nothing.
With publishNotReadyAddresses pods need not be Ready. The time is held to the Corefile's budget, as for addresses.
Usually wrong: the Service's port has no name, so that DNS has no SRV record for it at all; or what also spoils
addresses: spec.serviceName names another Service, or the selector finds other pods.",
    scenarios: &["deploy"],
    minimum: &[Need::Names(Names::Ports)],
    judge: srv_lists_every_pod,
};

fn srv_lists_every_pod(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let ports = &case.subject.named_ports;
        if ports.is_empty() {
            return Err(no_named_port(case));
        }
        let mut settled = Vec::new();
        for query in ports.iter().map(|port| Query::port(case, port)) {
            for moment in sweeps(case, &SWEEPS, "SRV") {
                settled.extend(weigh_present(case, opinion, moment, &query, &budget));
            }
        }
        let names: Vec<String> = ports.iter().map(|port| case.subject.srv_name(port)).collect();
        Ok(format!("SRV of {} listed exactly the ready pods; {}", names.join(", "), slowest(&settled, &budget)))
    })
}

/// The run knows of no named port: so the Service must say itself, for evidence of older runs tells nothing of ports.
fn no_named_port(case: &Case<'_>) -> Finding {
    let name = &case.subject.service;
    let Some(service) = case.service() else {
        return Finding::inconclusive(format!("the Service {name} was not seen, so nobody knows its ports"), []);
    };
    let seq = service.mark.seq;
    let named = items(&service.object, "/spec/ports").find_map(|port| port["name"].as_str());
    match named {
        Some(port) => {
            let reason =
                format!("the run did not know of the port {port} of the Service {name} (#{seq}), nor ask for it");
            Finding::inconclusive(reason, [seq])
        }
        None => {
            let reason = format!(
                "no port of the Service {name} has a name (#{seq}), and DNS has SRV records for named ports only; name \
                 it in spec.ports, as in `name: mysql`"
            );
            Finding::fail(reason, [seq])
        }
    }
}

pub(in super::super) const PTR_POINTS_BACK: Check = Check {
    id: "dns::ptr_points_back",
    statement: "PTR of each ready pod's address MUST give the pod's stable name, and MUST NOT give the name of another \
                pod.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.3",
    explain: "\
Servers that look their clients up, for grants by host name or for their logs, learn the name from this record.
Asked of every CoreDNS pod, over UDP and TCP, from two namespaces, for the address of every pod once all are Ready and
after scaling up. The stable name must be among the answers. Where other Services select the same pods CoreDNS gives
their names for the address as well, such as 10-0-0-1.mysql-read.db.svc.cluster.local, and the specification wants
these too: so any name of another Service of the cluster may stand beside it. Another name of the governing Service,
which would be another pod's, and a name outside the cluster's Services are wrong. The time is held to the Corefile's
budget, as for addresses.
Usually wrong: spec.serviceName names another Service, so that the pods' endpoints have no host name; the template sets
`hostname`; or the Corefile's kubernetes plugin does not serve in-addr.arpa.",
    scenarios: &["deploy"],
    minimum: &[Need::Names(Names::Addresses)],
    judge: ptr_points_back,
};

fn ptr_points_back(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let mut settled = Vec::new();
        for moment in sweeps(case, &SWEEPS, "PTR") {
            for pod in case.subject.pods() {
                let Some(address) = opinion.weigh(address(case, &pod, moment)) else { continue };
                settled.extend(weigh_present(case, opinion, moment, &Query::pointer(case, address), &budget));
            }
        }
        let pods: Vec<_> = case.subject.pods().collect();
        Ok(format!("PTR led back to {}; {}", pods.join(", "), slowest(&settled, &budget)))
    })
}

/// The address that a pod had when the names of addresses were asked for last at a moment.
fn address(case: &Case<'_>, pod: &str, moment: &Moment) -> Judged<IpAddr> {
    let asked = case.dns_at(moment, 0, u64::MAX).rfind(|dns| dns.record_type == "PTR");
    let Some(seq) = asked.map(|dns| dns.mark.seq) else {
        let reason = format!("PTR of the pods' addresses was not asked for {}: by anybody", during(moment));
        return Err(Finding::inconclusive(reason, []));
    };
    let life = case.timeline.pod_at(pod, seq);
    let address = life.and_then(|life| life.address_at(seq)).and_then(|address| address.parse().ok());
    address.ok_or_else(|| Finding::inconclusive(format!("{pod} had no address {} (#{seq})", during(moment)), [seq]))
}
