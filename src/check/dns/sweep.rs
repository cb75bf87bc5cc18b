//! Judging the answers of one moment to one name, from everybody who asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Change, Dns, DnsAnswer, Mark, Moment, PodLife, Transport};

use super::{
    super::{
        Finding,
        case::{Case, Seen},
        opinion::{Judged, Opinion},
        words::{during, seconds},
    },
    corefile::Budget,
};

/// The addresses that a name must have; none means that the name must not exist.
pub(super) type Addresses = BTreeSet<String>;

/// The addresses that a name must have, change by change.
pub(super) type Truth = Vec<Change<Addresses>>;

/// Who asked whom, and how.
type Asker<'a> = (&'a str, &'a str, Transport);

/// What the answers to a name came to.
pub(super) struct Settled {
    /// The longest time from the last change until an answer was right for good; none where no answer was ever wrong.
    pub latency_us: Option<u64>,
    /// The last answers.
    pub last: Vec<u64>,
}

/// The addresses that these pods must be found under, change by change.
pub(super) fn truth<'a>(case: &Case<'_>, pods: impl Iterator<Item = &'a PodLife> + Clone) -> Truth {
    let marks: BTreeSet<Mark> = pods.clone().flat_map(changes).collect();
    let mut truth = Truth::new();
    for since in marks {
        let listed = pods.clone().filter_map(|life| listed(case, life, since.seq));
        let value: Addresses = listed.map(str::to_owned).collect();
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

/// The address under which DNS must list the pod at that record, if it must.
fn listed<'a>(case: &Case<'_>, life: &'a PodLife, seq: u64) -> Option<&'a str> {
    let published = case.subject.publish_not_ready && life.alive_at(seq) && !life.deleting_at(seq);
    life.address_at(seq).filter(|_| published || life.serving_at(seq))
}

/// Judges the answers to a name at a moment; the last answer of each asker counts.
pub(super) fn settle(case: &Case<'_>, moment: &Moment, name: &str, truth: &Truth, budget: &Budget) -> Judged<Settled> {
    // Whoever asks mostly gets the same answer: one of them says it all.
    let mut opinion = Opinion::quoting(1);
    let answers = answers(case, moment, name);
    complete(case, moment, name, &answers).unwrap_or_else(|finding| opinion.object(finding));
    let mut settled = Settled { latency_us: None, last: Vec::new() };
    for (asker, answers) in &answers {
        let judged = converged(*asker, answers, truth, budget);
        if let Some((latency_us, last)) = opinion.weigh(judged) {
            settled.latency_us = settled.latency_us.max(latency_us);
            settled.last.push(last);
        }
    }
    opinion.accept(settled)
}

/// Everybody's answers to a name at a moment, in order.
fn answers<'a>(case: &Case<'a>, moment: &Moment, name: &str) -> BTreeMap<Asker<'a>, Vec<Seen<'a, Dns>>> {
    let mut answers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let same = |dns: &Seen<'_, Dns>| {
        dns.moment == *moment && dns.record_type == "A" && dns.name.trim_end_matches('.').eq_ignore_ascii_case(name)
    };
    for dns in case.dns().filter(same) {
        let it = dns.it;
        answers.entry((it.from.as_str(), it.server.as_str(), it.transport)).or_default().push(dns);
    }
    answers
}

/// That every server was asked over both transports from the workload's namespace and from another one.
fn complete(
    case: &Case<'_>,
    moment: &Moment,
    name: &str,
    answers: &BTreeMap<Asker<'_>, Vec<Seen<'_, Dns>>>,
) -> Judged<()> {
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
    let reason = format!("A of {name} was not asked for {}: {}", during(moment), missing.join("; "));
    Err(Finding::inconclusive(reason, []))
}

fn asked((from, server, transport): Asker<'_>) -> String {
    let over = match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    format!("from namespace {from}, of {server} over {over}")
}

/// How long one asker was told what is no longer true, and its last answer.
fn converged(
    asker: Asker<'_>,
    answers: &[Seen<'_, Dns>],
    truth: &Truth,
    budget: &Budget,
) -> Judged<(Option<u64>, u64)> {
    let last = answers.last().expect("askers are those who asked");
    let seq = last.mark.seq;
    let Some(now) = truth.iter().rev().find(|change| change.since.seq <= seq) else {
        return Err(Finding::inconclusive(
            format!("nothing is known of the pods behind {} at #{seq}", last.name),
            [seq],
        ));
    };
    let since = |mark: Mark| seconds(mark.at_us.saturating_sub(now.since.at_us));
    let question = format!("A of {}, asked {},", last.name, asked(asker));
    match told(last, &now.value) {
        Told::Right => {}
        Told::Nothing(message) => {
            return Err(Finding::inconclusive(format!("{question} was not answered: {message} (#{seq})"), [seq]));
        }
        Told::Wrong(what) => {
            let must = required(&now.value);
            let when = format!("{} after the last change (#{})", since(last.mark), now.since.seq);
            let reason = format!("{question} was last answered {what} at #{seq}, {when}; it must be {must}");
            let found = if is_late(last, now, budget) { Finding::fail } else { Finding::inconclusive };
            return Err(found(reason, vec![seq, now.since.seq]));
        }
    }
    // Answers from before the last change were judged by another truth, and may have come before the watch told of it.
    let current: Vec<_> = answers.iter().filter(|dns| dns.mark.seq >= now.since.seq).collect();
    let wrong = |dns: &&Seen<'_, Dns>| matches!(told(dns, &now.value), Told::Wrong(_));
    let Some(last_wrong) = current.iter().rposition(wrong) else { return Ok((None, seq)) };
    let stale = current[last_wrong];
    let right = current[last_wrong..].iter().find(|dns| matches!(told(dns, &now.value), Told::Right)).unwrap_or(&last);
    let latency = right.mark.at_us.saturating_sub(now.since.at_us);
    if !is_late(stale, now, budget) {
        return Ok((Some(latency), seq));
    }
    let (limit, why) = (seconds(budget.ms * 1000), &budget.why);
    let reason = format!(
        "{question} was right only {} after the last change (#{}), not within {limit} ({why}); still wrong at #{}",
        seconds(latency),
        now.since.seq,
        stale.mark.seq
    );
    Err(Finding::fail(reason, [now.since.seq, stale.mark.seq, right.mark.seq]))
}

/// Whether an answer belongs to a question that was sent after the budget was used up.
fn is_late(dns: &Seen<'_, Dns>, now: &Change<Addresses>, budget: &Budget) -> bool {
    let sent_us = dns.mark.at_us.saturating_sub(dns.took_us);
    sent_us.saturating_sub(now.since.at_us) > budget.ms.saturating_mul(1000)
}

/// What an answer is worth.
enum Told {
    Right,
    Wrong(String),
    Nothing(String),
}

fn told(dns: &Dns, expected: &Addresses) -> Told {
    let (rcode, records) = match &dns.answer {
        DnsAnswer::Broken { message } => return Told::Nothing(message.clone()),
        DnsAnswer::Response { rcode, records } => (rcode.as_str(), records),
    };
    let addresses: Addresses = records.iter().map(|record| record.data.clone()).collect();
    let required = if expected.is_empty() { "NXDOMAIN" } else { "NOERROR" };
    if rcode == required && addresses == *expected {
        return Told::Right;
    }
    Told::Wrong(if addresses.is_empty() { format!("{rcode} without an address") } else { list(&addresses) })
}

fn required(expected: &Addresses) -> String {
    if expected.is_empty() { "NXDOMAIN".to_owned() } else { list(expected) }
}

fn list(addresses: &Addresses) -> String {
    addresses.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
