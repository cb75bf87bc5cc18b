//! DNS questions as pods ask them: to every DNS server, over UDP and TCP, from the workload's namespace and from
//! another one.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::context::Context;
use crate::evidence::{
    Checkpoint, Dns, DnsAnswer, Family, NamedPort, PodLife, Timeline, Transport, What, reverse_name,
};
use crate::probe::Session;
use crate::witness::protocol::{Answer, Ask, DnsAsk};

/// DNS cannot be watched, so it is polled. This is the resolution of the reported latencies.
pub(crate) const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long polling continues after the budget, to tell late answers from missing ones.
pub(crate) const SLACK: Duration = Duration::from_secs(3);

/// A name to ask for. What counts as a right answer here only decides when to stop asking: checks judge the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// The Service.
    Service,
    /// A pod's stable name.
    Pod(String),
    /// The SRV records of one of the Service's ports.
    Port(NamedPort),
    /// The name of a pod's address.
    AddressOf(String),
}

/// One question about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    /// The absolute name, without the trailing dot.
    name: String,
    /// The type of the records.
    record_type: &'static str,
    /// What the question is about, and its address family or address.
    of: Name,
    family: Option<Family>,
    address: Option<IpAddr>,
}

impl Context {
    /// Every name that DNS has for the workload.
    pub(crate) fn all_names(&self) -> Vec<Name> {
        let pods = || self.workload.subject.pods();
        let ports = self.workload.subject.named_ports.iter().cloned().map(Name::Port);
        std::iter::once(Name::Service)
            .chain(pods().map(Name::Pod))
            .chain(ports)
            .chain(pods().map(Name::AddressOf))
            .collect()
    }

    /// Asks for these names until every answer is right, or until the budget and some slack have passed. The names of
    /// addresses have a budget of their own; while other answers are wrong after theirs, it is not awaited. Returns the
    /// answers of the last round.
    pub(crate) async fn resolve(&self, checkpoint: &Checkpoint, names: &[Name]) -> Vec<Dns> {
        let limit = |ms| Duration::from_millis(ms) + SLACK;
        let [forward, reverse] = [self.cluster.dns_budget_ms, self.cluster.dns_reverse_budget_ms].map(limit);
        let begun = Instant::now();
        loop {
            let answers = self.resolve_once(checkpoint, names).await;
            let mut wrong =
                answers.iter().filter(|(right, _)| !right).map(|(_, dns)| dns.record_type == "PTR").peekable();
            let limit = if wrong.peek().is_some() && wrong.all(|is_reverse| is_reverse) { reverse } else { forward };
            if answers.iter().all(|(right, _)| *right) || begun.elapsed() >= limit {
                return answers.into_iter().map(|(_, answer)| answer).collect();
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
    }

    /// Asks every server for every name once, concurrently, and says which answers are right.
    async fn resolve_once(&self, checkpoint: &Checkpoint, names: &[Name]) -> Vec<(bool, Dns)> {
        let near = (&self.witnesses.near, self.witnesses.near_namespace.as_str());
        let far = (&self.witnesses.far, self.witnesses.far_namespace.as_str());
        let questions: Vec<Question> = names.iter().flat_map(|name| self.questions(name)).collect();
        let (servers, mut asks) = (self.dns_servers(), Vec::new());
        for (session, from) in [near, far] {
            for server in &servers {
                for transport in [Transport::Udp, Transport::Tcp] {
                    asks.extend(
                        questions.iter().map(|it| self.put_question(checkpoint, session, from, server, transport, it)),
                    );
                }
            }
        }
        join_all(asks).await
    }

    async fn put_question(
        &self,
        checkpoint: &Checkpoint,
        session: &Session,
        from: &str,
        server: &(String, SocketAddr),
        transport: Transport,
        question: &Question,
    ) -> (bool, Dns) {
        let (name, record_type) = (question.name.clone(), question.record_type.to_owned());
        let ask = DnsAsk {
            address: server.1.ip(),
            port: server.1.port(),
            transport,
            name: name.clone(),
            record_type: record_type.clone(),
        };
        let (took_us, answer) = match session.ask(Ask::Dns(ask), self.timeouts.dns).await {
            Ok((took_us, Answer::Dns(answer))) => (took_us, answer),
            Ok((took_us, _)) => (took_us, broken("the witness answered a different request")),
            Err(trouble) => (0, broken(trouble)),
        };
        let right = is_right(&answer, &self.journal.log.look(|timeline| self.expected(timeline, question)));
        let asked = Dns {
            checkpoint: checkpoint.clone(),
            from: from.to_owned(),
            server: server.0.clone(),
            address: server.1.ip().to_string(),
            transport,
            name,
            record_type,
            took_us,
            answer,
        };
        self.journal.log.record(What::Dns(asked.clone()));
        (right, asked)
    }

    /// The questions for a name: addresses of each family that the Service has. None for a pod without an address.
    fn questions(&self, of: &Name) -> Vec<Question> {
        let question = |name: String, record_type, family, address| Question {
            name,
            record_type,
            of: of.clone(),
            family,
            address,
        };
        let families = self.journal.log.look(Timeline::families);
        let by_family = |name: String| {
            let of_family = |family: &Family| question(name.clone(), family.record_type(), Some(*family), None);
            families.iter().map(of_family).collect()
        };
        match of {
            Name::Service => by_family(self.workload.subject.service_fqdn()),
            Name::Pod(pod) => by_family(self.workload.subject.fqdn(pod)),
            Name::Port(port) => vec![question(self.workload.subject.srv_name(port), "SRV", None, None)],
            Name::AddressOf(pod) => {
                let given = self.addresses(pod).into_iter().filter(|address| families.contains(&Family::of(*address)));
                given.map(|address| question(reverse_name(address), "PTR", None, Some(address))).collect()
            }
        }
    }

    /// The addresses of the pod that has this name now.
    fn addresses(&self, pod: &str) -> Vec<IpAddr> {
        self.journal.log.look(|timeline| {
            timeline.live_pod(pod).map(|life| life.addresses_at(timeline.last_seq).collect()).unwrap_or_default()
        })
    }

    fn expected(&self, timeline: &Timeline, question: &Question) -> Expected {
        let seq = timeline.last_seq;
        let named = |pod: &&PodLife| match &question.of {
            Name::Service | Name::Port(_) => true,
            Name::Pod(wanted) | Name::AddressOf(wanted) => &pod.name == wanted,
        };
        let published = |pod: &&PodLife| {
            pod.serving_at(seq)
                || (self.workload.subject.publish_not_ready && pod.alive_at(seq) && !pod.deleting_at(seq))
        };
        let listed: Vec<&PodLife> = timeline.pods.iter().filter(named).filter(published).collect();
        let data = listed.iter().flat_map(|pod| self.records(pod, seq, question)).collect();
        let addressed = listed.iter().any(|pod| pod.addresses_at(seq).next().is_some());
        Expected { data, exists: addressed && question.address.is_none() }
    }

    /// The records that a question should get for a listed pod.
    fn records(&self, pod: &PodLife, seq: u64, question: &Question) -> Vec<String> {
        let mut addresses = pod.addresses_at(seq);
        match &question.of {
            Name::Service | Name::Pod(_) => {
                let of_family = addresses.filter(|address| question.family == Some(Family::of(*address)));
                of_family.map(|address| address.to_string()).collect()
            }
            Name::Port(port) => {
                let target = || format!("{} {}", port.number, self.workload.subject.fqdn(&pod.name));
                Vec::from_iter(addresses.next().map(|_| target()))
            }
            Name::AddressOf(name) => {
                let had = addresses.any(|address| question.address == Some(address));
                Vec::from_iter(had.then(|| self.workload.subject.fqdn(name)))
            }
        }
    }
}

/// The right answer.
struct Expected {
    data: BTreeSet<String>,
    /// Whether the name exists, even without a record of this type.
    exists: bool,
}

/// Whether an answer has exactly this data. A name without any data must not exist unless it has records of another
/// type (Kubernetes DNS specification, section 2.4).
fn is_right(answer: &DnsAnswer, expected: &Expected) -> bool {
    let DnsAnswer::Response { rcode, records } = answer else { return false };
    // In an SRV record, `priority weight port target`, priority and weight may have any value.
    let data = |text: &str| text.splitn(3, ' ').nth(2).unwrap_or(text).to_owned();
    let found: BTreeSet<String> = records.iter().map(|record| data(&record.data)).collect();
    let exists = expected.exists || !expected.data.is_empty();
    found == expected.data && rcode == if exists { "NOERROR" } else { "NXDOMAIN" }
}

fn broken(message: impl ToString) -> DnsAnswer {
    DnsAnswer::Broken { message: message.to_string() }
}
