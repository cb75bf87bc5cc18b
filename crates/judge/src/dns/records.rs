//! SRV and PTR records: SRV leads from a port to the pods, PTR from an address back to its pod.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::query::Query;
use super::{Told, Zone, slowest, weigh, weigh_all};
use crate::assessment::{Assessment, judged};
use crate::case::{Asking, Case};
use crate::evidence::{Family, Scenario, reverse_name};
use crate::minimum::{Names, Need};
use crate::object::items;
use crate::words::during;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const SRV_LISTS_EVERY_POD: Check = Check {
    id: "dns::srv_lists_every_pod",
    statement: "The SRV records of each named port of the headless Service MUST list exactly its ready pods, each with \
                the port number and the pod's stable name.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.2",
    explain: "\
A client that knows only the Service finds the servers' names and port in these records and needs no list of its own.
Each CoreDNS pod is queried over UDP and TCP from two namespaces, once all pods are Ready and after each disruption. N
ready pods and M named ports must give N × M records. The pairs of port and target are compared as sets; priority and
weight may have any value. The port number is that of the pod (targetPort), because a headless Service forwards nothing.
With publishNotReadyAddresses pods need not be Ready. The time until the answer is correct is compared with the
Corefile's limit, as for addresses.
Common causes: the Service's port has no name, so DNS has no SRV record for it; or a cause that affects addresses too:
spec.serviceName names another Service, or the selector matches other pods.",
    scenarios: &[Scenario::Deploy],
    minimum: &[Need::Names(Names::Ports)],
    judge: srv_lists_every_pod,
};

fn srv_lists_every_pod(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let (zone, mut told) = (Zone::of(case)?, Told::default());
        let ports = &case.subject.named_ports;
        if ports.is_empty() {
            return Err(no_named_port(case));
        }
        ports.iter().for_each(|port| weigh_all(&zone, assessment, &Query::port(case, port), &mut told));
        let names: Vec<String> = ports.iter().map(|port| case.subject.srv_name(port)).collect();
        let (names, when, slowest) = (names.join(", "), told.when(), slowest(&told.settled, &zone.budget));
        Ok(format!("SRV of {names} listed exactly the ready pods {when}; {slowest}"))
    })
}

/// The finding if the run knows no named port. The Service decides, because evidence of older runs has no ports.
fn no_named_port(case: &Case<'_>) -> Finding {
    let name = &case.subject.service;
    let Some(service) = case.service() else {
        return Finding::inconclusive(format!("the Service {name} was not seen, so its ports are unknown"), []);
    };
    let seq = service.mark.seq;
    let named = items(&service.object, "/spec/ports").find_map(|port| port["name"].as_str());
    match named {
        Some(port) => {
            let reason =
                format!("the run did not know the port {port} of the Service {name} (#{seq}) and did not query it");
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

pub(crate) const PTR_POINTS_BACK: Check = Check {
    id: "dns::ptr_points_back",
    statement: "The PTR record of each ready pod's address MUST give the pod's stable name, and MUST NOT give the name \
                of another pod.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.3",
    explain: "\
Servers look up the names of their clients with this record, for grants by host name and for their logs.
Each CoreDNS pod is queried over UDP and TCP from two namespaces, for the address of each pod, once all are Ready and
after each disruption. The zones are in-addr.arpa and ip6.arpa, according to the Service's IP families. The stable name
must be among the answers. If other Services select the same pods, CoreDNS also returns their names, such as
10-0-0-1.mysql-read.db.svc.cluster.local, as the specification requires; these are allowed. Another name of the
governing Service belongs to another pod and is wrong, and so is a name outside the cluster's Services. The time until
the answer is correct is compared with the Corefile's limit for these zones: kubeadm caches them for 30 s, although it
does not cache the cluster's own. Pods that exchange their addresses when their node restarts need that time.
Common causes: spec.serviceName names another Service, so the pods' endpoints have no host name; the template sets
`hostname`; or the Corefile's kubernetes plugin does not serve in-addr.arpa or ip6.arpa.",
    scenarios: &[Scenario::Deploy],
    minimum: &[Need::Names(Names::Addresses)],
    judge: ptr_points_back,
};

fn ptr_points_back(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let (zone, mut told) = (Zone::of_addresses(case)?, Told::default());
        let (pointers, mut led_back) = (Pointers::of(case), BTreeSet::new());
        let askings = case.askings_for("PTR");
        if askings.is_empty() {
            return Err(Finding::inconclusive("PTR of the pods' addresses was not queried", []));
        }
        for asking in &askings {
            for address in pointers.to_ask_for(case, assessment, asking) {
                let Some(query) = pointers.queries.get(&address) else { continue };
                told.add(asking, weigh(&zone, assessment, asking, query));
                led_back.extend(pointers.bearers(case, address, asking.to));
            }
        }
        let pods: Vec<String> = case.subject.pods().collect();
        for pod in pods.iter().filter(|pod| !led_back.contains(*pod)) {
            let reason = format!("{pod} was never Ready when its address was queried");
            assessment.reject(Finding::inconclusive(reason, []));
        }
        let (when, slowest) = (told.when(), slowest(&told.settled, &zone.budget));
        Ok(format!("PTR returned {} {when}; {slowest}", pods.join(", ")))
    })
}

/// All addresses of the Service's families that pods ever had, each with what its PTR records must be.
struct Pointers {
    queries: BTreeMap<IpAddr, Query>,
}

impl Pointers {
    fn of(case: &Case<'_>) -> Self {
        let families = case.timeline.families();
        let mut bearers: BTreeMap<IpAddr, Vec<_>> = BTreeMap::new();
        for life in &case.timeline.pods {
            for address in life.all_addresses().filter(|address| families.contains(&Family::of(*address))) {
                bearers.entry(address).or_default().push(life);
            }
        }
        let query = |(address, lives): (IpAddr, Vec<_>)| (address, Query::pointer(case, address, lives.into_iter()));
        Self { queries: bearers.into_iter().map(query).collect() }
    }

    /// The addresses to judge at a checkpoint: those of the set's pods then, and others that were queried. An address
    /// that no Ready pod had then is left out: it resolves to nothing, or to whatever others serve.
    fn to_ask_for(&self, case: &Case<'_>, assessment: &mut Assessment, asking: &Asking<'_>) -> Vec<IpAddr> {
        let asked: BTreeSet<&str> =
            case.dns_at(asking.checkpoint, asking.from, asking.to).map(|dns| dns.it.name.as_str()).collect();
        let asked: BTreeSet<String> =
            asked.into_iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect();
        let mut wanted: BTreeSet<IpAddr> =
            self.queries.keys().copied().filter(|address| asked.contains(&reverse_name(*address))).collect();
        for pod in case.subject.pods() {
            let life = case.timeline.pod_at(&pod, asking.to);
            let had = life.into_iter().flat_map(|life| life.addresses_at(asking.to));
            let had: Vec<IpAddr> = had.filter(|address| self.queries.contains_key(address)).collect();
            if had.is_empty() {
                let (when, seq) = (during(asking.checkpoint), asking.to);
                assessment.reject(Finding::inconclusive(format!("{pod} had no address {when} (#{seq})"), [seq]));
            }
            wanted.extend(had);
        }
        wanted.retain(|address| self.queries.get(address).is_some_and(|query| query.leads_somewhere(asking.to)));
        wanted.into_iter().collect()
    }

    /// The pods of the set that had an address at a record.
    fn bearers(&self, case: &Case<'_>, address: IpAddr, seq: u64) -> Vec<String> {
        let bears = |pod: &String| {
            case.timeline.pod_at(pod, seq).is_some_and(|life| life.addresses_at(seq).any(|it| it == address))
        };
        case.subject.pods().filter(bears).collect()
    }
}
