//! What is queried of DNS, and what the answer must be.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::case::Case;
use crate::evidence::{Change, Family, Mark, NamedPort, PodLife, reverse_name};

/// The data of a name's records, normalized.
pub(super) type Data = BTreeSet<String>;

/// The right data of a name's records of one type, change by change.
pub(super) type Truth = Vec<Change<Right>>;

/// The right data of a name's records of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Right {
    /// What they must contain.
    pub must: Data,
    /// What they may contain besides: pods that are published until they are gone.
    pub may: Data,
    /// Whether the name must exist, even without records of this type.
    pub exists: bool,
    /// Whether it may exist.
    pub may_exist: bool,
}

impl Right {
    /// Whether an answer with this data is right; `exists` says whether the name exists by it, if it says so.
    pub(super) fn accepts(&self, rule: &Rule, exists: Option<bool>, told: &Data) -> bool {
        let may_hold_nothing = self.exists || self.may.is_empty();
        match exists {
            Some(false) => !self.exists && told.is_empty(),
            Some(true) if told.is_empty() => {
                (self.exists || self.may_exist) && may_hold_nothing && self.must.is_empty()
            }
            Some(true) => (self.exists || self.may_exist) && rule.accepts(&self.must, &self.may, told),
            None => false,
        }
    }

    /// The right answer in words.
    pub(super) fn words(&self) -> String {
        match (self.must.is_empty(), self.exists) {
            (false, _) => list(&self.must),
            (true, true) => "NOERROR without records".to_owned(),
            (true, false) => "NXDOMAIN".to_owned(),
        }
    }
}

/// A name, and what its records of each type must be.
pub(super) struct Query {
    /// The name, without the trailing dot.
    pub name: String,
    /// The truth by record type: `A` and `AAAA`, `SRV`, or `PTR`.
    pub records: Vec<(&'static str, Truth)>,
    /// What else the records may contain.
    pub rule: Rule,
}

/// The rule for additional data in an answer.
pub(super) enum Rule {
    /// Nothing but what is expected.
    Exactly,
    /// Names of other Services in the zone are allowed too: these may select the same pods.
    BesideOtherServices {
        /// The DNS name of the governing Service.
        service: String,
        /// The parent of all Service names of the cluster.
        services: String,
    },
}

impl Rule {
    /// Whether this data is right, given what it must and may contain.
    fn accepts(&self, must: &Data, may: &Data, told: &Data) -> bool {
        let mut others = told.iter().filter(|it| !must.contains(*it) && !may.contains(*it));
        told.is_superset(must)
            && match self {
                Self::Exactly => others.next().is_none(),
                Self::BesideOtherServices { service, services } => {
                    others.all(|name| is_below(name, services) && !is_below(name, service))
                }
            }
    }
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'))
}

impl Query {
    /// The addresses of the Service.
    pub(super) fn service(case: &Case<'_>) -> Self {
        Self::addresses(case, case.subject.service_fqdn(), &case.timeline.pods.iter().collect::<Vec<_>>())
    }

    /// The addresses of a pod's stable name.
    pub(super) fn pod(case: &Case<'_>, pod: &str) -> Self {
        Self::addresses(case, case.subject.fqdn(pod), &case.timeline.lives(pod).collect::<Vec<_>>())
    }

    /// A name that resolves to the addresses of these pods, limited to the Service's families.
    fn addresses(case: &Case<'_>, name: String, pods: &[&PodLife]) -> Self {
        let families = case.timeline.families();
        let records = |family: Family| {
            let told = |life: &PodLife, seq: u64| {
                let of_family = life.addresses_at(seq).filter(|address| Family::of(*address) == family);
                Some(of_family.map(|address| address.to_string()).collect())
            };
            let mut truth = truth(case, pods.iter().copied(), told);
            // DNS need not serve a family that the Service does not ask for, but it must not serve wrong addresses.
            if !families.contains(&family) {
                for change in &mut truth {
                    let must = std::mem::take(&mut change.value.must);
                    change.value.may.extend(must);
                }
            }
            (family.record_type(), truth)
        };
        Self { name, records: Family::ALL.map(records).into(), rule: Rule::Exactly }
    }

    /// The name of a pod that is gone since this time.
    pub(super) fn gone(case: &Case<'_>, pod: &str, since: Mark) -> Self {
        let records = |family: Family| (family.record_type(), vec![Change { since, value: Right::default() }]);
        Self { name: case.subject.fqdn(pod), records: Family::ALL.map(records).into(), rule: Rule::Exactly }
    }

    /// The SRV targets of a port, each with the number that the pod listens on.
    pub(super) fn port(case: &Case<'_>, port: &NamedPort) -> Self {
        let target = |life: &PodLife, _: u64| Some(vec![service_data(port.number, &case.subject.fqdn(&life.name))]);
        let truth = truth(case, case.timeline.pods.iter(), target);
        Self { name: case.subject.srv_name(port), records: vec![("SRV", truth)], rule: Rule::Exactly }
    }

    /// The names of an address that only these pods ever had.
    pub(super) fn pointer<'a>(case: &Case<'_>, of: IpAddr, pods: impl Iterator<Item = &'a PodLife>) -> Self {
        let at = |life: &PodLife, seq: u64| life.addresses_at(seq).any(|address| address == of);
        let name = |life: &PodLife, seq: u64| at(life, seq).then(|| vec![host(&case.subject.fqdn(&life.name))]);
        let truth = truth(case, pods.filter(|life| life.all_addresses().any(|it| it == of)), name);
        let service = host(&case.subject.service_fqdn());
        let services = host(&format!("svc.{}", case.subject.domain));
        let rule = Rule::BesideOtherServices { service, services };
        Self { name: reverse_name(of), records: vec![("PTR", truth)], rule }
    }

    /// Whether the name must have records of any type at that record.
    pub(super) fn leads_somewhere(&self, seq: u64) -> bool {
        self.records.iter().any(|(_, truth)| at(truth, seq).is_some_and(|now| !now.value.must.is_empty()))
    }

    /// The record types that the name must have had at any time, in words.
    pub(super) fn types(&self) -> String {
        let had = |truth: &Truth| truth.iter().any(|change| !change.value.must.is_empty());
        let types: Vec<&str> = self.records.iter().filter(|(_, truth)| had(truth)).map(|(of, _)| *of).collect();
        if types.is_empty() { self.records[0].0.to_owned() } else { types.join(" and ") }
    }
}

/// Whether DNS lists a pod.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// It must.
    Must,
    /// It may or may not.
    May,
}

/// The truth about a name over these pods, change by change, as far as DNS lists them and `told` gives data. A pod's
/// data depends only on its own life, so each change only looks at the pods that it belongs to.
fn truth<'a>(
    case: &Case<'_>,
    pods: impl Iterator<Item = &'a PodLife>,
    told: impl Fn(&PodLife, u64) -> Option<Vec<String>>,
) -> Truth {
    let families = case.timeline.families();
    let mut marks: Vec<(Mark, &PodLife)> = pods.flat_map(|life| changes(life).map(move |mark| (mark, life))).collect();
    marks.sort_by_key(|(mark, _)| *mark);
    let mut there: HashMap<&str, (Listed, Vec<String>)> = HashMap::new();
    let mut truth = Truth::new();
    for together in marks.chunk_by(|(one, _), (other, _)| one == other) {
        let since = together[0].0;
        for (_, life) in together {
            match listed(case, &families, life, since.seq).zip(told(life, since.seq)) {
                Some(listed) => there.insert(&life.uid, listed),
                None => there.remove(life.uid.as_str()),
            };
        }
        let value = right(&there);
        if truth.last().is_none_or(|last| last.value != value) {
            truth.push(Change { since, value });
        }
    }
    truth
}

/// The right data while these pods are listed.
fn right(there: &HashMap<&str, (Listed, Vec<String>)>) -> Right {
    let data = |wanted: Listed| -> Data {
        let those = there.values().filter(|(listed, _)| *listed == wanted);
        those.flat_map(|(_, data)| data).cloned().collect()
    };
    let any = |wanted: Listed| there.values().any(|(listed, _)| *listed == wanted);
    Right { must: data(Listed::Must), may: data(Listed::May), exists: any(Listed::Must), may_exist: any(Listed::May) }
}

/// The truth at a record.
pub(super) fn at(truth: &Truth, seq: u64) -> Option<&Change<Right>> {
    truth[..truth.partition_point(|change| change.since.seq <= seq)].last()
}

fn changes(life: &PodLife) -> impl Iterator<Item = Mark> {
    let ready = life.ready.iter().map(|change| change.since);
    let address = life.address.iter().map(|change| change.since);
    let other = life.other_address.iter().map(|change| change.since);
    ready.chain(address).chain(other).chain(life.deleting).chain(life.deleted)
}

/// Whether DNS lists the pod at that record. A pod that is published even when it is not Ready stays published while it
/// terminates, until its containers have ended, which is before the pod is gone
/// (<https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions>).
fn listed(case: &Case<'_>, families: &[Family], life: &PodLife, seq: u64) -> Option<Listed> {
    let published = case.subject.publish_not_ready && life.alive_at(seq);
    if !life.addresses_at(seq).any(|address| families.contains(&Family::of(address))) {
        return None;
    }
    match (life.serving_at(seq), published, life.deleting_at(seq)) {
        (true, ..) | (false, true, false) => Some(Listed::Must),
        (false, true, true) => Some(Listed::May),
        (false, false, _) => None,
    }
}

/// The normalized data of a record of this type, without what may differ: SRV priority and weight, the case of names
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
        "A" | "AAAA" => data.parse().map_or_else(|_| data.to_owned(), |address: IpAddr| address.to_string()),
        _ => data.to_owned(),
    }
}

fn service_data(port: impl std::fmt::Display, target: &str) -> String {
    format!("{port} {}", host(target))
}

fn host(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Data for people.
pub(super) fn list(data: &Data) -> String {
    data.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
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
        assert_eq!(read("AAAA", "FD00:0::1"), "fd00::1");
        assert_eq!(read("AAAA", "garbage"), "garbage");
    }

    #[test]
    fn a_name_that_may_be_gone_has_its_records_or_does_not_exist() {
        let may: Data = ["10.0.0.1".to_owned()].into_iter().collect();
        let right = Right { must: Data::new(), may: may.clone(), exists: false, may_exist: true };
        let accepts = |exists: bool, told: &Data| right.accepts(&Rule::Exactly, Some(exists), told);
        assert!(accepts(true, &may) && accepts(false, &Data::new()));
        assert!(!accepts(true, &Data::new()) && !accepts(false, &may));
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
            let may = Data::new();
            assert_eq!(rule.accepts(&own, &may, &own.union(&data(others)).cloned().collect()), right, "{others:?}");
            assert!(!rule.accepts(&own, &may, &data(others)), "{others:?} without its own");
        }
    }
}
