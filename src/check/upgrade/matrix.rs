//! Whether DNS answers after an upgrade as it did before.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use crate::evidence::{Evidence, NameAnswer, State, Subject, Transport, reverse_name};

use super::{
    super::{
        Check, Finding,
        opinion::{Judged, Opinion, judged},
        words::some_of,
    },
    difference::pods_by_address,
    states::{Step, Told, across, states, steps},
};

pub(in super::super) const DNS_MATRIX_IS_EQUAL: Check = Check {
    id: "upgrade::dns_matrix_is_equal",
    statement: "A, SRV and PTR of the Service and of each pod MUST be answered after each step of an upgrade as before \
                it, by every DNS server, but for the addresses of pods that were replaced.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md sections 2.4 and 2.5, and \
             https://kubernetes.io/docs/tasks/administer-cluster/coredns/",
    explain: "\
An upgrade brings other DNS servers, often with another Corefile, and they read the endpoints of another controller.
Pods that nobody recreated must keep their names. Before the upgrade and after each step every server is asked, over UDP
and TCP, from two namespaces: for the addresses of the Service and of each pod, the named ports, and the names of the
pods' addresses. All must agree, and say what was said before: codes and sets of records are compared, with the pod's
name in the place of its address, so that a pod which was recreated may have another one and nothing else may differ.
How soon a name follows its pod is for the conformance run on the upgraded cluster.
Usually wrong: a CoreDNS that has no right to read EndpointSlices; a Corefile whose kubernetes plugin lost a zone; an
Endpoints controller that dropped host names; or an answer that a cache keeps for longer than its pod lives.",
    scenarios: &["upgrade"],
    minimum: &[],
    judge: dns_matrix_is_equal,
};

fn dns_matrix_is_equal(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let states = states(case)?;
        let matrices: Vec<Matrix> = states.iter().map(|told| Matrix::of(opinion, case.subject, told)).collect();
        for (step, pair) in steps(&states).zip(matrices.windows(2)) {
            if let [before, after] = pair {
                weigh(opinion, step, before, after);
            }
        }
        let questions = matrices.first().map_or(0, |matrix| matrix.said.len());
        let across = across(case, steps(&states));
        Ok(format!("{questions} names and ports have the same answers in all {} states{across}", states.len()))
    })
}

/// A question, with pods in the place of their addresses, and what everybody answered.
struct Matrix {
    said: BTreeMap<Question, Answer>,
}

/// What was asked: the type of the records, and the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    record_type: String,
    name: String,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.record_type, self.name)
    }
}

/// What was answered: the code, and the records with pods in the place of their addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    rcode: String,
    data: BTreeSet<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.data.is_empty(), self.rcode.as_str()) {
            (true, rcode) => write!(f, "{rcode} without a record"),
            (false, "NOERROR") => f.write_str(&some_of(&self.data)),
            (false, rcode) => write!(f, "{rcode} with {}", some_of(&self.data)),
        }
    }
}

/// Who asked whom, and how.
type Asker<'a> = (&'a str, &'a str, Transport);

impl Matrix {
    /// What everybody answered in a state; what is not known, or what servers do not agree on, is objected to.
    fn of(opinion: &mut Opinion, subject: &Subject, told: &Told) -> Self {
        let (state, seq) = (&told.state, told.mark.seq);
        let names = Names::of(state);
        let mut asked: BTreeMap<Question, Vec<&NameAnswer>> = BTreeMap::new();
        for answer in &state.answers {
            asked.entry(names.question(answer)).or_default().push(answer);
        }
        for finding in unasked(subject, told, &asked) {
            opinion.object(finding);
        }
        let mut said = BTreeMap::new();
        for (question, answers) in asked {
            let answer = opinion.weigh(agreed(&names, told, &question, &answers));
            said.extend(answer.map(|answer| (question, answer)));
        }
        opinion.prove([seq]);
        Self { said }
    }
}

/// What all servers said to a question.
fn agreed(names: &Names<'_>, told: &Told, question: &Question, answers: &[&NameAnswer]) -> Judged<Answer> {
    let (seq, stage) = (told.mark.seq, &told.state.stage);
    let mut said: BTreeMap<Answer, &NameAnswer> = BTreeMap::new();
    for answer in answers {
        let Some(rcode) = &answer.rcode else {
            let server = &answer.server;
            let reason = format!("{server} gave no answer to {question} {stage} (#{seq})");
            return Err(Finding::inconclusive(reason, [seq]));
        };
        let data = answer.data.iter().map(|data| names.read(&answer.record_type, data)).collect();
        said.entry(Answer { rcode: rcode.clone(), data }).or_insert(answer);
    }
    let mut all = said.iter();
    match (all.next(), all.next()) {
        (Some((answer, _)), None) => Ok(answer.clone()),
        (Some((one, first)), Some((other, second))) => {
            let (first, second) = (asker(first), asker(second));
            let reason = format!("{question} {stage}: {one} {first}, but {other} {second} (#{seq})");
            Err(Finding::fail(reason, [seq]))
        }
        (None, _) => Err(Finding::inconclusive(format!("nobody answered {question} {stage} (#{seq})"), [seq])),
    }
}

fn askers<'a>(answers: &[&'a NameAnswer]) -> BTreeSet<Asker<'a>> {
    answers.iter().map(|it| (it.from.as_str(), it.server.as_str(), it.transport)).collect()
}

fn asker(answer: &NameAnswer) -> String {
    let over = match answer.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    format!("by {} over {over} from namespace {}", answer.server, answer.from)
}

/// What of the matrix was not asked in a state: a question at all, or a question by one who asked others.
fn unasked(subject: &Subject, told: &Told, asked: &BTreeMap<Question, Vec<&NameAnswer>>) -> Vec<Finding> {
    let (state, seq) = (&told.state, told.mark.seq);
    let all = askers(&state.answers.iter().collect::<Vec<_>>());
    let namespaces: BTreeSet<_> = all.iter().map(|(from, ..)| from).collect();
    let transports: BTreeSet<_> = all.iter().map(|(.., transport)| transport).collect();
    let narrow = match (namespaces.len(), transports.len()) {
        (1, _) => Some("DNS was asked from one namespace only".to_owned()),
        (_, 1) => Some("DNS was asked over one transport only".to_owned()),
        _ => None,
    };
    let missing = questions(subject, state).filter(|question| !asked.contains_key(question));
    let missing = missing.map(|question| format!("{question} was not asked for"));
    let partly = asked.iter().filter(|(_, answers)| askers(answers) != all);
    let partly = partly.map(|(question, _)| format!("not everybody was asked for {question}"));
    let told = |what: String| Finding::inconclusive(format!("{what} {} (#{seq})", state.stage), [seq]);
    narrow.into_iter().chain(missing).chain(partly).map(told).collect()
}

/// What the matrix consists of.
fn questions<'a>(subject: &'a Subject, state: &'a State) -> impl Iterator<Item = Question> + 'a {
    let question =
        |record_type: &str, name: String| Question { record_type: record_type.to_owned(), name: plain(&name) };
    let service = [question("A", subject.service_fqdn())];
    let pods = subject.pods().map(move |pod| question("A", subject.fqdn(&pod)));
    let ports = subject.named_ports.iter().map(move |port| question("SRV", subject.srv_name(port)));
    let addressed = state.pods.iter().filter(|pod| pod.address.is_some());
    service
        .into_iter()
        .chain(pods)
        .chain(ports)
        .chain(addressed.map(move |pod| Question { record_type: "PTR".to_owned(), name: pod.name.clone() }))
}

/// That what was said after a step is what was said before it.
fn weigh(opinion: &mut Opinion, step: Step<'_>, before: &Matrix, after: &Matrix) {
    for (question, said) in &before.said {
        let (stage, quote) = (step.stage(), step.quote());
        match after.said.get(question) {
            Some(now) if now == said => {}
            Some(now) => {
                let reason = format!("{question} was {said}, and is {now} {stage} ({quote})");
                opinion.object(Finding::fail(reason, step.seqs()));
            }
            None => {
                let reason = format!("what {question} is {stage} is not known ({quote})");
                opinion.object(Finding::inconclusive(reason, step.seqs()));
            }
        }
    }
}

/// The pods of a state by what stands for their addresses in DNS.
struct Names<'a> {
    by_address: BTreeMap<&'a str, &'a str>,
    by_reverse: BTreeMap<String, &'a str>,
    by_label: BTreeMap<String, &'a str>,
}

impl<'a> Names<'a> {
    fn of(state: &'a State) -> Self {
        let by_address = pods_by_address(state);
        let reverse = |address: &str| address.parse::<IpAddr>().ok().map(reverse_name);
        let by_reverse = by_address.iter().filter_map(|(address, pod)| Some((reverse(address)?, *pod))).collect();
        // CoreDNS names an endpoint without a host name after its address.
        let by_label = by_address.iter().map(|(address, pod)| (address.replace(['.', ':'], "-"), *pod)).collect();
        Self { by_address, by_reverse, by_label }
    }

    /// What was asked, with a pod in the place of its address.
    fn question(&self, answer: &NameAnswer) -> Question {
        let name = plain(&answer.name);
        let name = self.by_reverse.get(&name).map_or(name.clone(), ToString::to_string);
        Question { record_type: answer.record_type.clone(), name }
    }

    /// A record's data, with a pod in the place of its address; of SRV records without priority and weight, which are
    /// free to differ.
    fn read(&self, record_type: &str, data: &str) -> String {
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
