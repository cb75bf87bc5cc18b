//! The same histories in clusters with other address families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::json;

use super::History;
use crate::evidence::{
    Dns, DnsAnswer, DnsRecord, EventType, Exec, ExecAnswer, Family, ObjectEvent, Record, What, reverse_name,
};

/// The IPv6 address of the pod with this IPv4 address: `fd00::1:2` for `10.0.1.2`.
pub(crate) fn six(address: &str) -> String {
    let [_, _, ordinal, life] = address.parse::<Ipv4Addr>().expect("an address").octets();
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, ordinal.into(), life.into()).to_string()
}

impl History {
    /// Moves the history to a cluster whose pods have addresses of these families, in this order, with a Service of its
    /// own families. Queries for addresses ask for A and for every family of the Service.
    pub fn in_families(mut self, pods: &[Family], service: &[Family]) -> Self {
        let records = std::mem::take(&mut self.records);
        let (mut places, mut told) = (vec![0], Vec::new());
        for record in records {
            places.push(told.len() as u64 + 1);
            let (run, copies) = (matches!(record.what, What::Run(_)), in_families(&record.what, pods, service));
            told.extend(copies.into_iter().map(|what| Record { what, ..record.clone() }));
            if run {
                told.push(Record { what: self.service_of(service), ..record });
            }
        }
        for (record, seq) in told.iter_mut().zip(1..) {
            record.seq = seq;
            if let What::Fault(fault) = &mut record.what {
                fault.proof.iter_mut().flatten().for_each(|by| *by = places[usize::try_from(*by).expect("a place")]);
            }
        }
        Self { records: told, ..self }
    }

    fn service_of(&self, families: &[Family]) -> What {
        let names: Vec<&str> =
            families.iter().map(|family| if *family == Family::Four { "IPv4" } else { "IPv6" }).collect();
        let object = json!({"metadata": {"name": self.subject.service, "uid": "h"}, "spec": {"ipFamilies": names}});
        What::Object(Box::new(ObjectEvent { event: EventType::Added, object_kind: "Service".into(), object }))
    }
}

fn in_families(what: &What, pods: &[Family], service: &[Family]) -> Vec<What> {
    match what {
        What::Object(event) if event.object_kind == "Pod" => vec![What::Object(Box::new(of_pod(event, pods)))],
        What::Dns(dns) if dns.record_type == "A" => {
            let four = service.contains(&Family::Four);
            let of_six = service.contains(&Family::Six).then(|| answered(dns, "AAAA", true, six));
            [answered(dns, "A", four, str::to_owned)].into_iter().chain(of_six).map(What::Dns).collect()
        }
        What::Dns(dns) if dns.record_type == "PTR" => {
            service.iter().map(|family| What::Dns(pointing(dns, *family))).collect()
        }
        What::Exec(exec) if exec.argv[0] == "getent" => vec![What::Exec(looking_up(exec, service))],
        other => vec![other.clone()],
    }
}

fn of_pod(event: &ObjectEvent, pods: &[Family]) -> ObjectEvent {
    let mut event = event.clone();
    if let Some(four) = event.object["status"]["podIP"].as_str().map(str::to_owned) {
        let address = |family: &Family| if *family == Family::Four { four.clone() } else { six(&four) };
        let all: Vec<String> = pods.iter().map(address).collect();
        event.object["status"]["podIP"] = json!(all[0]);
        event.object["status"]["podIPs"] = all.iter().map(|ip| json!({ "ip": ip })).collect();
    }
    event
}

/// The answer with the addresses of another family, or with none if the Service does not have it.
fn answered(dns: &Dns, record_type: &str, given: bool, address: fn(&str) -> String) -> Dns {
    let mut dns = Dns { record_type: record_type.into(), ..dns.clone() };
    if let DnsAnswer::Response { records, .. } = &mut dns.answer {
        let of_family = |it: &DnsRecord| DnsRecord { ttl: it.ttl, data: address(&it.data) };
        *records = if given { records.iter().map(of_family).collect() } else { Vec::new() };
    }
    dns
}

fn pointing(dns: &Dns, family: Family) -> Dns {
    let labels: Vec<&str> = dns.name.split('.').take(4).collect();
    let four = labels.into_iter().rev().collect::<Vec<_>>().join(".");
    let address: IpAddr = if family == Family::Four { four } else { six(&four) }.parse().expect("an address");
    Dns { name: reverse_name(address), ..dns.clone() }
}

fn looking_up(exec: &Exec, service: &[Family]) -> Exec {
    let mut exec = exec.clone();
    if let ExecAnswer::Exited { stdout, .. } = &mut exec.answer {
        let found = stdout.lines().filter_map(|line| line.split_whitespace().next());
        let all = found.flat_map(|four| {
            service.iter().map(move |family| if *family == Family::Four { four.to_owned() } else { six(four) })
        });
        *stdout = all.map(|address| format!("{address} STREAM")).collect::<Vec<_>>().join("\n");
    }
    exec
}
