//! The DNS answers of a state, with pods in place of their addresses, and the answers that its pods make right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::difference::pods_by_address;
use crate::evidence::{Family, NameAnswer, PodSummary, State, Subject, reverse_name};
use crate::words::some_of;

/// A DNS question: record type and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub record_type: String,
    pub name: String,
}

impl Question {
    fn of(record_type: &str, name: String) -> Self {
        Self { record_type: record_type.to_owned(), name }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.record_type, self.name)
    }
}

/// A DNS answer: the code, and the records with pods in place of their addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answer {
    pub rcode: String,
    pub data: BTreeSet<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.data.is_empty(), self.rcode.as_str()) {
            (true, rcode) => write!(f, "{rcode} without records"),
            (false, "NOERROR") => f.write_str(&some_of(&self.data)),
            (false, rcode) => write!(f, "{rcode} with {}", some_of(&self.data)),
        }
    }
}

/// The matrix: every question with the answer that the state's pods make right. For the names of an address further
/// answers may be right, those of other Services.
pub(super) fn right_answers(subject: &Subject, state: &State) -> BTreeMap<Question, Answer> {
    let families = state.families();
    let has = |pod: &PodSummary, family: Family| addresses(pod).any(|address| Family::of(address) == family);
    let published = |pod: &&PodSummary| {
        (pod.ready || state.service.publish_not_ready) && families.iter().any(|family| has(pod, *family))
    };
    let listed: Vec<&PodSummary> = state.pods.iter().filter(published).collect();
    let mut right = BTreeMap::new();
    for family in &families {
        let of = family.record_type();
        let led_to = |name: Option<&str>| -> Answer {
            let of_name: Vec<_> = listed.iter().filter(|pod| name.is_none_or(|name| name == pod.name)).collect();
            let data = of_name.iter().filter(|pod| has(pod, *family)).map(|pod| pod.name.clone());
            Answer { rcode: rcode(!of_name.is_empty()), data: data.collect() }
        };
        right.insert(Question::of(of, plain(&subject.service_fqdn())), led_to(None));
        for pod in subject.pods() {
            right.insert(Question::of(of, plain(&subject.fqdn(&pod))), led_to(Some(&pod)));
        }
    }
    for port in &subject.named_ports {
        let target = |pod: &&PodSummary| format!("{} {}", port.number, plain(&subject.fqdn(&pod.name)));
        let data: BTreeSet<String> = listed.iter().map(target).collect();
        let answer = Answer { rcode: rcode(!data.is_empty()), data };
        right.insert(Question::of("SRV", plain(&subject.srv_name(port))), answer);
    }
    for pod in &state.pods {
        for address in addresses(pod).filter(|address| families.contains(&Family::of(*address))) {
            let there = listed.iter().any(|it| it.name == pod.name);
            let data = Vec::from_iter(there.then(|| plain(&subject.fqdn(&pod.name)))).into_iter().collect();
            right.insert(Question::of("PTR", bearer(&pod.name, address)), Answer { rcode: rcode(there), data });
        }
    }
    right
}

fn rcode(exists: bool) -> String {
    if exists { "NOERROR" } else { "NXDOMAIN" }.to_owned()
}

fn addresses(pod: &PodSummary) -> impl Iterator<Item = IpAddr> + '_ {
    pod.addresses().filter_map(|address| address.parse().ok())
}

/// The name for a pod's address: a dual-stack pod has two addresses.
fn bearer(pod: &str, address: IpAddr) -> String {
    if address.is_ipv4() { pod.to_owned() } else { format!("{pod} (IPv6)") }
}

/// The pods of a state by the forms in which DNS shows their addresses.
pub(super) struct Names<'a> {
    by_address: BTreeMap<&'a str, &'a str>,
    by_reverse: BTreeMap<String, String>,
    by_label: BTreeMap<String, &'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn of(state: &'a State) -> Self {
        let by_address = pods_by_address(state);
        let reverse = |(address, pod): (&&str, &&str)| {
            let address: IpAddr = address.parse().ok()?;
            Some((reverse_name(address), bearer(pod, address)))
        };
        let by_reverse = by_address.iter().filter_map(reverse).collect();
        // CoreDNS derives the name of an endpoint without a host name from its address.
        let by_label = by_address.iter().map(|(address, pod)| (address.replace(['.', ':'], "-"), *pod)).collect();
        Self { by_address, by_reverse, by_label }
    }

    /// The question, with a pod in place of its address.
    pub(super) fn question(&self, answer: &NameAnswer) -> Question {
        let name = plain(&answer.name);
        let name = self.by_reverse.get(&name).map_or(name.clone(), ToString::to_string);
        Question { record_type: answer.record_type.clone(), name }
    }

    /// A record's data, with a pod in place of its address. SRV records lose priority and weight, which may differ.
    pub(super) fn read(&self, record_type: &str, data: &str) -> String {
        match record_type {
            "SRV" => {
                let words: Vec<&str> = data.split_whitespace().collect();
                let [.., port, target] = words[..] else { return data.to_owned() };
                format!("{port} {}", self.named(target))
            }
            "PTR" => self.named(data),
            _ => self.by_address.get(data).map_or_else(|| data.to_owned(), ToString::to_string),
        }
    }

    fn named(&self, name: &str) -> String {
        let name = plain(name);
        match name.split_once('.') {
            Some((label, rest)) => match self.by_label.get(label) {
                Some(pod) => format!("[{pod}].{rest}"),
                None => name,
            },
            None => name,
        }
    }
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
