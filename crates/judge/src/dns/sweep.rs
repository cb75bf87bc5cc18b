//! Judges the answers to one name at one checkpoint, from every asker.

use std::collections::{BTreeMap, BTreeSet};

use super::Zone;
use super::converge::{Expected, Heard, Said, Settled, converged};
use super::query::{Data, Query, at, list, read};
use crate::Finding;
use crate::assessment::{Assessment, Judged};
use crate::case::{Asking, Case, Seen};
use crate::evidence::{Dns, DnsAnswer, Transport};
use crate::words::during;

/// Who asked whom, over which transport: namespace, server, transport.
type Asker<'a> = (&'a str, &'a str, Transport);

/// The answers to each asker, in order.
type Answers<'a> = BTreeMap<Asker<'a>, Vec<Heard>>;

/// Judges the answers to a name at a checkpoint; the last answer to each asker counts. Every record type that the name
/// must have must have been queried, and at least one.
pub(super) fn settle(zone: &Zone<'_, '_>, asking: &Asking<'_>, query: &Query) -> Judged<Settled> {
    // All askers usually get the same wrong answer, so one quotation is enough.
    let mut assessment = Assessment::quoting(1);
    let mut settled = Settled { latency_us: None, last: Vec::new() };
    let all: Vec<Answers<'_>> =
        query.records.iter().map(|(record_type, _)| answers(zone.case, asking, &query.name, record_type)).collect();
    let none = all.iter().all(Answers::is_empty);
    for (place, ((record_type, truth), answers)) in query.records.iter().zip(&all).enumerate() {
        let needed = at(truth, asking.to).is_some_and(|now| !now.value.must.is_empty()) || (none && place == 0);
        if answers.is_empty() && !needed {
            continue;
        }
        let what = format!("{record_type} of {}", query.name);
        complete(zone, asking, &what, answers).unwrap_or_else(|finding| assessment.reject(finding));
        for (asker, heard) in answers {
            let new_since = zone.servers.new_since(asker.1, asking.to);
            let expected = Expected { truth, rule: &query.rule, new_since, clocks: zone.case.clocks };
            let question = format!("{what}, queried {},", asked(*asker));
            if let Some(one) = assessment.check(converged(&question, heard, &expected, &zone.budget)) {
                settled.latency_us = settled.latency_us.max(one.latency_us);
                settled.last.extend(one.last);
            }
        }
    }
    assessment.accept(settled)
}

/// All answers to a name at a checkpoint, by asker.
fn answers<'a>(case: &Case<'a>, asking: &Asking<'_>, name: &str, record_type: &str) -> Answers<'a> {
    let mut answers = Answers::new();
    let asked = case.dns_for(asking.checkpoint, name, asking.from, asking.to);
    for dns in asked.filter(|dns| dns.record_type == record_type) {
        let it = dns.it;
        answers.entry((it.from.as_str(), it.server.as_str(), it.transport)).or_default().push(heard(dns));
    }
    answers
}

fn heard(dns: Seen<'_, Dns>) -> Heard {
    let said = match &dns.it.answer {
        DnsAnswer::Broken { message } => Err(message.clone()),
        DnsAnswer::Response { rcode, records } => {
            let data: Data = records.iter().map(|record| read(&dns.it.record_type, &record.data)).collect();
            let exists = match rcode.as_str() {
                "NOERROR" => Some(true),
                "NXDOMAIN" => Some(false),
                _ => None,
            };
            let nothing = if dns.it.record_type.starts_with('A') { "an address" } else { "a record" };
            let words = if data.is_empty() { format!("{rcode} without {nothing}") } else { list(&data) };
            Ok(Said { exists, data, words })
        }
    };
    Heard { mark: dns.mark, took_us: dns.it.took_us, said }
}

/// Checks that every server of that time was asked over both transports, from the workload's namespace and from another
/// one.
fn complete(zone: &Zone<'_, '_>, asking: &Asking<'_>, what: &str, answers: &Answers<'_>) -> Judged<()> {
    let ours = zone.case.subject.namespace.as_str();
    let servers: BTreeSet<&str> =
        answers.keys().map(|(_, server, _)| *server).chain(zone.servers.at(asking.to)).collect();
    let others: BTreeSet<&str> = answers.keys().map(|(from, _, _)| *from).filter(|from| *from != ours).collect();
    let mut missing = Vec::new();
    for server in &servers {
        for from in others.iter().copied().chain([ours]) {
            for transport in [Transport::Udp, Transport::Tcp] {
                if !answers.contains_key(&(from, *server, transport)) {
                    missing.push(asked((from, server, transport)));
                }
            }
        }
    }
    if others.is_empty() {
        missing.push(format!("from another namespace than {ours}"));
    }
    if answers.is_empty() {
        missing = vec!["no query was recorded".to_owned()];
    }
    if missing.is_empty() {
        return Ok(());
    }
    let when = during(asking.checkpoint);
    Err(Finding::inconclusive(format!("{what} was not queried {when}: {}", missing.join("; ")), []))
}

fn asked((from, server, transport): Asker<'_>) -> String {
    let over = match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    format!("from namespace {from} to {server} over {over}")
}
