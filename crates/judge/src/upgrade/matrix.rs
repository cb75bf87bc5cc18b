//! Whether DNS answers after an upgrade as it did before.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answer, Names, Question, right_answers};
use super::states::{Step, Told, across, covered, states, steps};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, doubt};
use crate::evidence::{NameAnswer, Scenario, Subject, Transport};
use crate::{CaseFile, Check, Finding, Verdict};

pub(crate) const DNS_MATRIX_IS_EQUAL: Check = Check {
    id: "upgrade::dns_matrix_is_equal",
    statement: "After each step of an upgrade, each DNS server MUST answer the A, AAAA, SRV and PTR queries for the \
                Service and each pod as before the upgrade, except for the addresses of replaced pods.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md sections 2.4 and 2.5, and \
             https://kubernetes.io/docs/tasks/administer-cluster/coredns/",
    explain: "\
An upgrade replaces the DNS servers, often with a new Corefile, and their endpoints then come from another controller
version. Pods that were not recreated must keep their names.
Before the upgrade and after each step, each server is queried over UDP and TCP from two namespaces for the addresses of
the Service and of each pod, for the named ports, and for the names of the pods' addresses. All servers must agree with
each other and with the answers before the upgrade. Response codes and sets of records are compared, with the pod's name
in place of its address, so only the address of a recreated pod may differ. If something was wrong before the upgrade,
such as a ready pod without a name or servers that disagree, the check is inconclusive. The run on the upgraded cluster
judges how soon a name follows its pod.
Common causes: CoreDNS may not read EndpointSlices; the kubernetes plugin in the Corefile lost a zone; an Endpoints
controller dropped host names; or a cache keeps an answer for longer than its pod lives.",
    scenarios: &[Scenario::Upgrade],
    minimum: &[],
    judge: dns_matrix_is_equal,
};

fn dns_matrix_is_equal(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let states = states(case)?;
        covered(case, assessment, &states);
        let mut matrices: Vec<Matrix> = Vec::new();
        for told in &states {
            let matrix = Matrix::of(assessment, case.subject, told, matrices.last());
            matrices.push(matrix);
        }
        let before = states.iter().map(|told| told.mark.seq);
        for (told, before) in states.iter().zip([0].into_iter().chain(before)) {
            assessment.check(all_servers(case, told, before));
        }
        if let (Some(first), Some(told)) = (matrices.first(), states.first()) {
            first.defects(told).into_iter().for_each(|finding| assessment.reject(finding));
        }
        for (step, pair) in steps(&states).zip(matrices.windows(2)) {
            if let [before, after] = pair {
                weigh(assessment, step, before, after);
            }
        }
        let questions = matrices.first().map_or(0, |matrix| matrix.said.len());
        let across = across(case, steps(&states));
        Ok(format!("{questions} queries have the same answers in all {} states{across}", states.len()))
    })
}

/// The common answer of all DNS servers to each question, with pods in place of addresses, and the answers that the
/// state's pods make right.
struct Matrix {
    said: BTreeMap<Question, Answer>,
    right: BTreeMap<Question, Answer>,
    /// The questions on which servers disagreed.
    split: BTreeSet<Question>,
}

/// Who asked whom, over which transport: namespace, server, transport.
type Asker<'a> = (&'a str, &'a str, Transport);

impl Matrix {
    /// The answers in a state. Rejects unknown answers and disagreement of servers; a disagreement from before the
    /// upgrade is inconclusive.
    fn of(assessment: &mut Assessment, subject: &Subject, told: &Told, before: Option<&Self>) -> Self {
        let (state, seq) = (&told.state, told.mark.seq);
        let (names, right) = (Names::of(state), right_answers(subject, state));
        let mut asked: BTreeMap<Question, Vec<&NameAnswer>> = BTreeMap::new();
        for answer in &state.answers {
            asked.entry(names.question(answer)).or_default().push(answer);
        }
        for finding in unasked(told, &right, &asked) {
            assessment.reject(finding);
        }
        let (mut said, mut split) = (BTreeMap::new(), BTreeSet::new());
        for (question, answers) in asked {
            let known = before.is_none_or(|before| before.split.contains(&question));
            match agreed(&names, told, &question, &answers) {
                Ok(answer) => drop(said.insert(question, answer)),
                Err(finding) if finding.verdict == Verdict::Fail => {
                    assessment.reject(if known { doubt(finding) } else { finding });
                    split.insert(question);
                }
                Err(finding) => assessment.reject(finding),
            }
        }
        assessment.cite([seq]);
        Self { said, right, split }
    }

    /// Whether an answer is exactly what the pods make right.
    fn is_right(&self, question: &Question) -> bool {
        self.said.get(question) == self.right.get(question)
    }

    /// Whether an answer lacks a Ready pod.
    fn lacks(&self, question: &Question) -> bool {
        let answers = self.said.get(question).zip(self.right.get(question));
        answers.is_some_and(|(said, right)| {
            !right.data.is_empty() && (said.rcode != right.rcode || !said.data.is_superset(&right.data))
        })
    }

    /// What was wrong before the upgrade already, which is not the upgrade's fault.
    fn defects(&self, told: &Told) -> Vec<Finding> {
        let (seq, stage) = (told.mark.seq, &told.state.stage);
        let lacking = self.said.iter().filter(|(question, _)| self.lacks(question));
        let defect = |(question, said): (&Question, &Answer)| {
            let right = &self.right[question];
            Finding::inconclusive(format!("{question} is {said} {stage}, and must have {right} (#{seq})"), [seq])
        };
        lacking.map(defect).collect()
    }
}

/// Checks that every DNS server was asked for a state: those in the last list since the state before it, and as many as
/// the cluster wants.
fn all_servers(case: &Case<'_>, told: &Told, before: u64) -> Judged<()> {
    let (seq, stage) = (told.mark.seq, &told.state.stage);
    let asked: BTreeSet<&str> = told.state.answers.iter().map(|answer| answer.server.as_str()).collect();
    let listed = case.dns_server_lists().rfind(|(mark, _)| (before..seq).contains(&mark.seq));
    let mut listed = listed.into_iter().flat_map(|(_, servers)| servers);
    if let Some(server) = listed.find(|server| !asked.contains(server.name.as_str())) {
        return Err(Finding::inconclusive(format!("{} was not queried {stage} (#{seq})", server.name), [seq]));
    }
    let (count, wanted) = (asked.len(), told.state.dns.wanted);
    if i64::try_from(count).is_ok_and(|count| count < wanted) {
        return Err(Finding::inconclusive(
            format!("{count} of {wanted} DNS servers were queried {stage} (#{seq})"),
            [seq],
        ));
    }
    Ok(())
}

/// The common answer of all servers to a question.
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
        (None, _) => Err(Finding::inconclusive(format!("{question} had no answer {stage} (#{seq})"), [seq])),
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

/// What was not asked in a state: a whole question, or a question by an asker who asked others.
fn unasked(
    told: &Told,
    right: &BTreeMap<Question, Answer>,
    asked: &BTreeMap<Question, Vec<&NameAnswer>>,
) -> Vec<Finding> {
    let (state, seq) = (&told.state, told.mark.seq);
    let all = askers(&state.answers.iter().collect::<Vec<_>>());
    let namespaces: BTreeSet<_> = all.iter().map(|(from, ..)| from).collect();
    let transports: BTreeSet<_> = all.iter().map(|(.., transport)| transport).collect();
    let narrow = match (namespaces.len(), transports.len()) {
        (1, _) => Some("DNS was queried from only one namespace".to_owned()),
        (_, 1) => Some("DNS was queried over only one transport".to_owned()),
        _ => None,
    };
    let missing = right.keys().filter(|question| !asked.contains_key(question));
    let missing = missing.map(|question| format!("{question} was not queried"));
    let partly = asked.iter().filter(|(_, answers)| askers(answers) != all);
    let partly = partly.map(|(question, _)| format!("not all servers were queried for {question}"));
    let told = |what: String| Finding::inconclusive(format!("{what} {} (#{seq})", state.stage), [seq]);
    narrow.into_iter().chain(missing).chain(partly).map(told).collect()
}

/// Checks that the answers after a step are those before it.
fn weigh(assessment: &mut Assessment, step: Step<'_>, before: &Matrix, after: &Matrix) {
    for (question, said) in &before.said {
        let (stage, quote) = (step.stage(), step.quote());
        match after.said.get(question) {
            Some(now) if now == said => {}
            // The Ready pods changed, or a wrong answer was corrected.
            Some(_) if after.is_right(question) && (before.is_right(question) || before.lacks(question)) => {}
            Some(now) => {
                let reason = format!("{question} was {said}, and is {now} {stage} ({quote})");
                assessment.reject(Finding::fail(reason, step.seqs()));
            }
            None => {
                let reason = format!("{question} is unknown {stage} ({quote})");
                assessment.reject(Finding::inconclusive(reason, step.seqs()));
            }
        }
    }
}
