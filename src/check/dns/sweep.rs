//! Judging the answers of one moment to one name, from everybody who asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Dns, DnsAnswer, Moment, Transport};

use super::{
    super::{
        Finding,
        case::{Case, Seen},
        opinion::{Judged, Opinion},
        words::during,
    },
    When,
    converge::{Heard, Said, Settled, converged, list},
    corefile::Budget,
    query::{Data, Query, read},
};

/// Who asked whom, and how.
type Asker<'a> = (&'a str, &'a str, Transport);

/// Judges the answers to a name at a moment; the last answer of each asker counts.
pub(super) fn settle(case: &Case<'_>, when: When<'_>, query: &Query, budget: &Budget) -> Judged<Settled> {
    // Whoever asks mostly gets the same answer: one of them says it all.
    let mut opinion = Opinion::quoting(1);
    let answers = answers(case, when, query);
    complete(case, when.moment, query, &answers).unwrap_or_else(|finding| opinion.object(finding));
    let mut settled = Settled { latency_us: None, last: Vec::new() };
    for (asker, heard) in &answers {
        let question = format!("{} of {}, asked {},", query.record_type, query.name, asked(*asker));
        if let Some(one) = opinion.weigh(converged(&question, heard, query, budget)) {
            settled.latency_us = settled.latency_us.max(one.latency_us);
            settled.last.extend(one.last);
        }
    }
    opinion.accept(settled)
}

/// Everybody's answers to a name at a moment, in order.
fn answers<'a>(case: &Case<'a>, when: When<'_>, query: &Query) -> BTreeMap<Asker<'a>, Vec<Heard>> {
    let mut answers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let asked = case.dns_for(when.moment, &query.name, when.from, when.to);
    for dns in asked.filter(|dns| dns.record_type == query.record_type) {
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
            let nothing = if dns.it.record_type == "A" { "an address" } else { "a record" };
            let words = if data.is_empty() { format!("{rcode} without {nothing}") } else { list(&data) };
            Ok(Said { exists, data, words })
        }
    };
    Heard { mark: dns.mark, took_us: dns.it.took_us, said }
}

/// That every server was asked over both transports from the workload's namespace and from another one.
fn complete(case: &Case<'_>, moment: &Moment, query: &Query, answers: &BTreeMap<Asker<'_>, Vec<Heard>>) -> Judged<()> {
    let ours = case.subject.namespace.as_str();
    let servers: BTreeSet<&str> = answers.keys().map(|(_, server, _)| *server).collect();
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
    if servers.is_empty() {
        missing.push("by anybody".to_owned());
    } else if others.is_empty() {
        missing.push(format!("from another namespace than {ours}"));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let (what, when) = (format!("{} of {}", query.record_type, query.name), during(moment));
    Err(Finding::inconclusive(format!("{what} was not asked for {when}: {}", missing.join("; ")), []))
}

fn asked((from, server, transport): Asker<'_>) -> String {
    let over = match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    format!("from namespace {from}, of {server} over {over}")
}
