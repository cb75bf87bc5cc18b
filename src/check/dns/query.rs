//! What is asked of DNS, and what must be answered.

use std::{collections::BTreeSet, net::IpAddr};

use crate::evidence::{Change, Mark, NamedPort, PodLife, reverse_name};

use super::super::case::Case;

/// What a name's records hold, without what is free to differ; nothing where the name must not exist.
pub(super) type Data = BTreeSet<String>;

/// What a name's records must hold, change by change.
pub(super) type Truth = Vec<Change<Data>>;

/// A name, the type of its records, and what they must hold.
pub(super) struct Query {
    /// `A`, `SRV`, `PTR`.
    pub record_type: &'static str,
    /// The name, without the trailing dot.
    pub name: String,
    /// What its records must hold.
    pub truth: Truth,
    /// What else they may hold.
    pub rule: Rule,
}

/// What makes an answer right.
pub(super) enum Rule {
    /// What must be told, and nothing else.
    Exactly,
    /// What must be told, and besides names of other Services in the zone: these may select the same pods.
    BesideOtherServices {
        /// The name of the Service that governs the set.
        service: String,
        /// The name above all Services of the cluster.
        services: String,
    },
}

impl Rule {
    /// Whether this is right where that must be told.
    pub fn accepts(&self, expected: &Data, told: &Data) -> bool {
        match self {
            Self::Exactly => told == expected,
            Self::BesideOtherServices { service, services } => {
                let of_another = |name: &&String| is_below(name, services) && !is_below(name, service);
                told.is_superset(expected) && told.difference(expected).all(|name| of_another(&name))
            }
        }
    }
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'))
}

impl Query {
    /// The addresses of the Service.
    pub fn service(case: &Case<'_>) -> Self {
        let truth = truth(case, address);
        Self { record_type: "A", name: case.subject.service_fqdn(), truth, rule: Rule::Exactly }
    }

    /// The address of a pod's stable name.
    pub fn pod(case: &Case<'_>, pod: &str) -> Self {
        let truth = truth(case, |life, seq| address(life, seq).filter(|_| life.name == pod));
        Self { record_type: "A", name: case.subject.fqdn(pod), truth, rule: Rule::Exactly }
    }

    /// The targets of a port, each with the number that it listens on.
    pub fn port(case: &Case<'_>, port: &NamedPort) -> Self {
        let target = |life: &PodLife, _: u64| Some(service_data(port.number, &case.subject.fqdn(&life.name)));
        let truth = truth(case, target);
        Self { record_type: "SRV", name: case.subject.srv_name(port), truth, rule: Rule::Exactly }
    }

    /// The names of an address.
    pub fn pointer(case: &Case<'_>, of: IpAddr) -> Self {
        let at = |life: &PodLife, seq: u64| life.address_at(seq).and_then(|address| address.parse().ok()) == Some(of);
        let name = |life: &PodLife, seq: u64| at(life, seq).then(|| host(&case.subject.fqdn(&life.name)));
        let truth = truth(case, name);
        let service = host(&case.subject.service_fqdn());
        let services = host(&format!("svc.{}", case.subject.domain));
        let rule = Rule::BesideOtherServices { service, services };
        Self { record_type: "PTR", name: reverse_name(of), truth, rule }
    }
}

fn address(life: &PodLife, seq: u64) -> Option<String> {
    life.address_at(seq).map(str::to_owned)
}

/// What the listed pods are to be told as, change by change.
fn truth(case: &Case<'_>, told: impl Fn(&PodLife, u64) -> Option<String>) -> Truth {
    let pods = || case.timeline.pods.iter();
    let marks: BTreeSet<Mark> = pods().flat_map(changes).collect();
    let mut truth = Truth::new();
    for since in marks {
        let listed = pods().filter(|life| is_listed(case, life, since.seq));
        let value: Data = listed.filter_map(|life| told(life, since.seq)).collect();
        if truth.last().is_none_or(|last| last.value != value) {
            truth.push(Change { since, value });
        }
    }
    truth
}

fn changes(life: &PodLife) -> impl Iterator<Item = Mark> {
    let ready = life.ready.iter().map(|change| change.since);
    let address = life.address.iter().map(|change| change.since);
    ready.chain(address).chain(life.deleting).chain(life.deleted)
}

/// Whether DNS must list the pod at that record.
fn is_listed(case: &Case<'_>, life: &PodLife, seq: u64) -> bool {
    let published = case.subject.publish_not_ready && life.alive_at(seq) && !life.deleting_at(seq);
    life.address_at(seq).is_some() && (published || life.serving_at(seq))
}

/// What a record of this type says, without what is free to differ: a service's priority and weight, the case of names
/// and a trailing dot.
pub(super) fn read(record_type: &str, data: &str) -> String {
    match record_type {
        "PTR" => host(data),
        "SRV" => {
            let words: Vec<&str> = data.split(' ').collect();
            match words[..] {
                [_, _, port, target] => service_data(port, target),
                _ => data.to_owned(),
            }
        }
        _ => data.to_owned(),
    }
}

fn service_data(port: impl std::fmt::Display, target: &str) -> String {
    format!("{port} {}", host(target))
}

fn host(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_to_differ_is_not_read() {
        assert_eq!(read("SRV", "10 100 3306 MySQL-0.h."), "3306 mysql-0.h");
        assert_eq!(read("SRV", "garbage"), "garbage");
        assert_eq!(read("PTR", "MySQL-0.h."), "mysql-0.h");
        assert_eq!(read("A", "10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn an_address_may_have_names_of_other_services_too() {
        let rule = Rule::BesideOtherServices { service: "h.db.svc.zone".into(), services: "svc.zone".into() };
        let data = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Data>();
        let own = data(&["mysql-0.h.db.svc.zone"]);
        for (others, right) in [
            (&[][..], true),
            (&["10-0-0-1.read.db.svc.zone"], true),
            (&["10-0-0-1.read.db.svc.zone", "a.b.other.svc.zone"], true),
            (&["mysql-1.h.db.svc.zone"], false),
            (&["10-0-0-1.h.db.svc.zone"], false),
            (&["ip-10-0-0-1.example.org"], false),
            (&["evil-svc.zone"], false),
        ] {
            assert_eq!(rule.accepts(&own, &own.union(&data(others)).cloned().collect()), right, "{others:?}");
            assert!(!rule.accepts(&own, &data(others)), "{others:?} without its own");
        }
    }
}
