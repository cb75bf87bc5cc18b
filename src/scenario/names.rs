//! DNS questions as pods ask them: every DNS server, by UDP and TCP, from the workload's namespace and another one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::context::Context;
use crate::evidence::{Dns, DnsAnswer, Moment, NamedPort, Timeline, Transport, What, reverse_name};
use crate::probe::Session;
use crate::witness::protocol::{Answer, Ask, DnsAsk};

/// DNS cannot be watched: this is the resolution of the latencies that are reported.
pub(super) const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Asking goes on for so long after the budget, so that a late answer is told from one that never comes.
pub(super) const SLACK: Duration = Duration::from_secs(3);

/// A name to ask for. What a right answer is, only decides when asking may stop: the answers are judged elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// The Service.
    Service,
    /// A pod's stable name.
    Pod(String),
    /// The SRV records of one of the Service's ports.
    Port(NamedPort),
    /// The name behind a pod's address.
    AddressOf(String),
}

impl Context {
    /// Every name that DNS has for the workload.
    pub(super) fn all_names(&self) -> Vec<Name> {
        let pods = || self.subject.pods();
        let ports = self.subject.named_ports.iter().cloned().map(Name::Port);
        std::iter::once(Name::Service)
            .chain(pods().map(Name::Pod))
            .chain(ports)
            .chain(pods().map(Name::AddressOf))
            .collect()
    }

    /// Asks for these names until every answer is right, or the budget and some slack have passed; returns the answers
    /// of the last round.
    pub(super) async fn resolve(&self, moment: &Moment, names: &[Name]) -> Vec<Dns> {
        let limit = Duration::from_millis(self.dns_budget_ms) + SLACK;
        let begun = Instant::now();
        loop {
            let answers = self.resolve_once(moment, names).await;
            if answers.iter().all(|(right, _)| *right) || begun.elapsed() >= limit {
                return answers.into_iter().map(|(_, answer)| answer).collect();
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
    }

    /// Asks every server for every name once, all at the same time, and tells which answers are right.
    async fn resolve_once(&self, moment: &Moment, names: &[Name]) -> Vec<(bool, Dns)> {
        let near = (&self.witnesses.near, self.witnesses.near_namespace.as_str());
        let far = (&self.witnesses.far, self.witnesses.far_namespace.as_str());
        let (servers, mut asks) = (self.dns_servers(), Vec::new());
        for (session, from) in [near, far] {
            for server in &servers {
                for transport in [Transport::Udp, Transport::Tcp] {
                    asks.extend(
                        names.iter().map(|name| self.resolve_name(moment, session, from, server, transport, name)),
                    );
                }
            }
        }
        join_all(asks).await.into_iter().flatten().collect()
    }

    async fn resolve_name(
        &self,
        moment: &Moment,
        session: &Session,
        from: &str,
        server: &(String, IpAddr),
        transport: Transport,
        name: &Name,
    ) -> Option<(bool, Dns)> {
        let (absolute, record_type) = self.question(name)?;
        let record_type = record_type.to_owned();
        let ask =
            DnsAsk { address: server.1, port: 53, transport, name: absolute.clone(), record_type: record_type.clone() };
        let (took_us, answer) = match session.ask(Ask::Dns(ask), self.limits.dns).await {
            Ok((took_us, Answer::Dns(answer))) => (took_us, answer),
            Ok((took_us, _)) => (took_us, broken("the witness answered another question")),
            Err(trouble) => (0, broken(trouble)),
        };
        let right = is_right(&answer, &self.journal.log.look(|timeline| self.expected(timeline, name)));
        let asked = Dns {
            moment: moment.clone(),
            from: from.to_owned(),
            server: server.0.clone(),
            address: server.1.to_string(),
            transport,
            name: absolute,
            record_type,
            took_us,
            answer,
        };
        self.journal.log.record(What::Dns(asked.clone()));
        Some((right, asked))
    }

    /// What is to be asked for, and the record type; nothing for a pod that has no address.
    fn question(&self, name: &Name) -> Option<(String, &'static str)> {
        Some(match name {
            Name::Service => (self.subject.service_fqdn(), "A"),
            Name::Pod(pod) => (self.subject.fqdn(pod), "A"),
            Name::Port(port) => (self.subject.srv_name(port), "SRV"),
            Name::AddressOf(pod) => (reverse_name(self.address(pod)?.parse().ok()?), "PTR"),
        })
    }

    fn expected(&self, timeline: &Timeline, name: &Name) -> BTreeSet<String> {
        let seq = timeline.last_seq;
        let listed = timeline.pods.iter().filter(|pod| match name {
            Name::Service | Name::Port(_) => true,
            Name::Pod(wanted) | Name::AddressOf(wanted) => &pod.name == wanted,
        });
        let published = listed.filter(|pod| {
            pod.serving_at(seq) || (self.subject.publish_not_ready && pod.alive_at(seq) && !pod.deleting_at(seq))
        });
        let data = published.filter_map(|pod| {
            let address = pod.address_at(seq)?;
            Some(match name {
                Name::Service | Name::Pod(_) => address.to_owned(),
                Name::Port(port) => format!("{} {}", port.number, self.subject.fqdn(&pod.name)),
                Name::AddressOf(pod) => self.subject.fqdn(pod),
            })
        });
        data.collect()
    }
}

/// Whether an answer is this data; a name without any must not exist (DNS specification, section 2.4).
fn is_right(answer: &DnsAnswer, expected: &BTreeSet<String>) -> bool {
    let DnsAnswer::Response { rcode, records } = answer else { return false };
    // Of an SRV record priority and weight are free: `priority weight port target`.
    let data = |text: &str| text.splitn(3, ' ').nth(2).unwrap_or(text).to_owned();
    let found: BTreeSet<String> = records.iter().map(|record| data(&record.data)).collect();
    found == *expected && rcode == if expected.is_empty() { "NXDOMAIN" } else { "NOERROR" }
}

fn broken(message: impl ToString) -> DnsAnswer {
    DnsAnswer::Broken { message: message.to_string() }
}
