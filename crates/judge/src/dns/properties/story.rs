//! A random history with all that the brute-force judge needs.

use std::collections::BTreeSet;

use super::{ASKERS, Answer, Event, Name};
use crate::Verdict;
use crate::dns::tests::ready;
use crate::evidence::{Act, Checkpoint, Dns, DnsAnswer, DnsRecord, What};
use crate::history::{History, subject};

/// The Corefile of these histories has no cache.
const BUDGET_US: u64 = 2_000_000;

/// A pod as the brute-force judge knows it.
#[derive(Clone)]
struct Pod {
    uid: String,
    ordinal: u32,
    address: Option<String>,
    ready: bool,
    deleting: bool,
}

/// One answer.
struct Heard {
    checkpoint: Checkpoint,
    /// How many requests to hold a pod came before it.
    turn: usize,
    name: Name,
    asker: usize,
    seq: u64,
    sent_us: u64,
    answer: DnsAnswer,
}

/// A history with all that the brute-force judge needs: every state of the pods, every answer.
pub(super) struct Story {
    pub history: History,
    states: Vec<(u64, u64, Vec<Pod>)>,
    heard: Vec<Heard>,
    /// The sequence numbers of the proofs that a pod was held.
    proofs: Vec<u64>,
    gap: Option<u64>,
}

impl Story {
    pub(super) fn of(publish_not_ready: bool, events: &[Event]) -> Self {
        let mut subject = subject(2);
        subject.publish_not_ready = publish_not_ready;
        let history = ready(subject);
        let pod = |ordinal: u32| Pod {
            uid: format!("{ordinal}.1"),
            ordinal,
            address: Some(format!("10.0.{ordinal}.1")),
            ready: true,
            deleting: false,
        };
        let (mut states, mut there) = (Vec::new(), Vec::new());
        for record in &history.records {
            if let What::Object(event) = &record.what
                && event.object_kind == "Pod"
                && event.object["status"]["podIP"].is_string()
            {
                there.push(pod(there.len() as u32));
                states.push((record.seq, record.at_us, there.clone()));
            }
        }
        let mut story = Self { history, states, heard: Vec::new(), proofs: Vec::new(), gap: None };
        events.iter().for_each(|event| story.happens(*event));
        story
    }

    fn pods(&self) -> &[Pod] {
        self.states.last().map_or(&[], |(_, _, pods)| pods)
    }

    fn newest(&self, ordinal: u32) -> Option<String> {
        self.pods().iter().rev().find(|pod| pod.ordinal == ordinal).map(|pod| pod.uid.clone())
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Added(ordinal) => {
                let uid = self.history.added(&format!("mysql-{ordinal}"));
                let new = Pod { uid, ordinal, address: None, ready: false, deleting: false };
                self.state(|pods| pods.push(new));
            }
            Event::Ready(ordinal) => self.change(ordinal, History::ready, |pod| {
                (pod.ready, pod.address) = (true, Some(format!("10.0.{}", pod.uid)));
            }),
            Event::Unready(ordinal) => self.change(ordinal, History::unready, |pod| pod.ready = false),
            Event::Deleting(ordinal) => self.change(ordinal, History::deleting, |pod| pod.deleting = true),
            Event::Deleted(ordinal) => {
                let Some(uid) = self.newest(ordinal) else { return };
                self.history.deleted(&uid);
                self.state(|pods| pods.retain(|pod| pod.uid != uid));
            }
            Event::Hold => {
                let Some(uid) = self.newest(0) else { return };
                let act = Act::Hold { pod: "mysql-0".into(), uid };
                self.history.fault(act.clone());
                self.change(0, History::unready, |pod| pod.ready = false);
                let proof = self.history.records.last().map_or(0, |record| record.seq);
                self.history.proved(act, proof);
                self.proofs.push(proof);
            }
            Event::Gap => {
                let seq = self.history.gap("Pod");
                self.gap.get_or_insert(seq);
            }
            Event::Pass(ms) => self.history.pass_ms(ms),
            Event::Asked { name, held, answer, odd, took_ms } => {
                for asker in 0..ASKERS.len() {
                    let answer = if odd.0 == asker { odd.1 } else { answer };
                    self.asked(name, held, asker, answer, took_ms * 1_000);
                }
            }
        }
    }

    fn change(&mut self, ordinal: u32, tell: fn(&mut History, &str) -> u64, change: fn(&mut Pod)) {
        let Some(uid) = self.newest(ordinal) else { return };
        tell(&mut self.history, &uid);
        self.state(|pods| pods.iter_mut().filter(|pod| pod.uid == uid).for_each(change));
    }

    /// Stores the state of the pods after the last record.
    fn state(&mut self, change: impl FnOnce(&mut Vec<Pod>)) {
        let mut pods = self.pods().to_vec();
        change(&mut pods);
        let (seq, at_us) = self.history.records.last().map_or((0, 0), |record| (record.seq, record.at_us));
        self.states.push((seq, at_us, pods));
    }

    /// What a name must resolve to with these pods.
    fn right(&self, name: Name, pods: &[Pod]) -> BTreeSet<String> {
        let published = self.history.subject.publish_not_ready;
        self.led_to(name, pods.iter().filter(|pod| !pod.deleting && (pod.ready || published)))
    }

    /// What it may resolve to besides: pods that are published until they are gone.
    fn free(&self, name: Name, pods: &[Pod]) -> BTreeSet<String> {
        let published = self.history.subject.publish_not_ready;
        self.led_to(name, pods.iter().filter(|pod| pod.deleting && published))
    }

    fn led_to<'p>(&self, name: Name, pods: impl Iterator<Item = &'p Pod>) -> BTreeSet<String> {
        let listed = pods.filter(|pod| pod.address.is_some());
        let told = |pod: &Pod| match name {
            Name::Service => pod.address.clone(),
            Name::Pod(ordinal) => pod.address.clone().filter(|_| pod.ordinal == ordinal),
            Name::Port => Some(format!("0 9 3306 {}", self.history.subject.fqdn(&format!("mysql-{}", pod.ordinal)))),
        };
        listed.filter_map(told).collect()
    }

    fn asked(&mut self, name: Name, held: bool, asker: usize, answer: Answer, took_us: u64) {
        let response = |rcode: &str, data: BTreeSet<String>| {
            let records = data.into_iter().map(|data| DnsRecord { ttl: 5, data }).collect();
            DnsAnswer::Response { rcode: rcode.into(), records }
        };
        let present = |data: BTreeSet<String>| response(if data.is_empty() { "NXDOMAIN" } else { "NOERROR" }, data);
        let answer = match answer {
            Answer::Right => present(self.right(name, self.pods())),
            Answer::Stale(back) => {
                let state = self.states.len().saturating_sub(back + 1);
                present(self.states.get(state).map(|(_, _, pods)| self.right(name, pods)).unwrap_or_default())
            }
            Answer::Stranger => response("NOERROR", BTreeSet::from(["10.9.9.9".to_owned()])),
            Answer::Empty => response("NOERROR", BTreeSet::new()),
            Answer::Absent => response("NXDOMAIN", BTreeSet::new()),
            Answer::Failed => response("SERVFAIL", BTreeSet::new()),
            Answer::Broken => DnsAnswer::Broken { message: "timed out".into() },
        };
        let subject = &self.history.subject;
        let (record_type, full) = match name {
            Name::Service => ("A", subject.service_fqdn()),
            Name::Pod(ordinal) => ("A", subject.fqdn(&format!("mysql-{ordinal}"))),
            Name::Port => ("SRV", subject.srv_name(&subject.named_ports[0])),
        };
        let checkpoint = if held { Checkpoint::Held { pod: "mysql-0".into() } } else { Checkpoint::Deployed };
        let (from, server, transport) = ASKERS[asker];
        let seq = self.history.push(What::Dns(Dns {
            checkpoint: checkpoint.clone(),
            from: from.into(),
            server: server.into(),
            address: "10.96.0.2".into(),
            transport,
            name: full,
            record_type: record_type.into(),
            took_us,
            answer: answer.clone(),
        }));
        let sent_us = self.history.records.last().map_or(0, |record| record.at_us.saturating_sub(took_us));
        let turn = self.proofs.len();
        self.heard.push(Heard { checkpoint, turn, name, asker, seq, sent_us, answer });
    }
}

/// What an answer must and may have, and the record and the time since which.
type Must = (BTreeSet<String>, BTreeSet<String>, u64, u64);

/// The verdicts by brute force over all states and answers.
impl Story {
    fn must(&self, name: Name, seq: u64) -> Option<Must> {
        let states = self.states.iter().filter(|(at, ..)| *at <= seq);
        let values = states.map(|(at, at_us, pods)| (self.right(name, pods), self.free(name, pods), *at, *at_us));
        values.fold(None, |now: Option<Must>, new| match now {
            Some(now) if (&now.0, &now.1) == (&new.0, &new.1) => Some(now),
            _ => Some(new),
        })
    }

    /// The verdict on a name over all its checkpoints; at one of them it must exist.
    pub(super) fn always(&self, name: Name) -> Verdict {
        let asked = self.heard.iter().filter(|heard| heard.name == name);
        let checkpoints: BTreeSet<(usize, &Checkpoint)> = asked.map(|heard| (heard.turn, &heard.checkpoint)).collect();
        let exists = |(turn, checkpoint): &(usize, &Checkpoint)| {
            let last = self.told(checkpoint, *turn, name).map(|heard| heard.seq).max();
            last.and_then(|last| self.must(name, last)).is_some_and(|(data, ..)| !data.is_empty())
        };
        let somewhere = if checkpoints.iter().any(exists) { Verdict::Pass } else { Verdict::Inconclusive };
        let verdicts: Vec<Verdict> =
            checkpoints.iter().map(|(turn, checkpoint)| self.name(checkpoint, *turn, name)).collect();
        all(&[&verdicts[..], &[somewhere]].concat())
    }

    fn told<'s>(
        &'s self,
        checkpoint: &'s Checkpoint,
        turn: usize,
        name: Name,
    ) -> impl Iterator<Item = &'s Heard> + Clone {
        self.heard.iter().filter(move |it| (it.turn, it.name) == (turn, name) && it.checkpoint == *checkpoint)
    }

    fn name(&self, checkpoint: &Checkpoint, turn: usize, name: Name) -> Verdict {
        let asked = self.told(checkpoint, turn, name);
        let Some(last) = asked.clone().map(|heard| heard.seq).max() else { return Verdict::Inconclusive };
        if self.gap.is_some_and(|gap| gap < last) {
            return Verdict::Inconclusive;
        }
        let mut open = false;
        for asker in 0..ASKERS.len() {
            let told: Vec<&Heard> = asked.clone().filter(|it| it.asker == asker).collect();
            let Some(last) = told.last() else { return Verdict::Inconclusive };
            let Some((must, may, since, since_us)) = self.must(name, last.seq) else { return Verdict::Inconclusive };
            let late = |it: &&Heard| it.seq >= since && it.sent_us > since_us + BUDGET_US;
            if told.iter().copied().filter(late).any(|it| right(&it.answer, &must, &may) == Some(false)) {
                return Verdict::Fail;
            }
            open |= right(&last.answer, &must, &may) != Some(true);
        }
        if open { Verdict::Inconclusive } else { Verdict::Pass }
    }

    pub(super) fn held(&self) -> Verdict {
        let holds: Vec<Verdict> =
            self.proofs.iter().enumerate().map(|(turn, proof)| self.held_since(turn + 1, *proof)).collect();
        if holds.is_empty() { Verdict::Inconclusive } else { all(&holds) }
    }

    fn held_since(&self, turn: usize, proof: u64) -> Verdict {
        let checkpoint = Checkpoint::Held { pod: "mysql-0".into() };
        let names = [Name::Pod(0), Name::Service];
        let verdict = all(&names.map(|name| self.name(&checkpoint, turn, name)));
        if verdict != Verdict::Pass {
            return verdict;
        }
        let mut last = [0; 2 * ASKERS.len()];
        for (place, name) in names.into_iter().enumerate() {
            self.told(&checkpoint, turn, name).for_each(|heard| last[place * ASKERS.len() + heard.asker] = heard.seq);
        }
        let unready = |seq: u64| {
            let (_, _, pods) = self.states.iter().rfind(|(at, ..)| *at <= seq)?;
            pods.iter().rev().find(|pod| pod.ordinal == 0).map(|pod| !pod.ready)
        };
        let proved = |seq: &u64| proof < *seq && unready(*seq) == Some(true);
        if last.iter().all(proved) { Verdict::Pass } else { Verdict::Inconclusive }
    }
}

/// Whether an answer is right; `None` if there is no answer.
fn right(answer: &DnsAnswer, must: &BTreeSet<String>, may: &BTreeSet<String>) -> Option<bool> {
    let DnsAnswer::Response { rcode, records } = answer else { return None };
    let data: BTreeSet<String> = records.iter().map(|record| record.data.clone()).collect();
    let allowed = data.is_superset(must) && data.iter().all(|it| must.contains(it) || may.contains(it));
    Some(allowed && rcode == if data.is_empty() { "NXDOMAIN" } else { "NOERROR" })
}

pub(super) fn all(verdicts: &[Verdict]) -> Verdict {
    let gravest = [Verdict::Fail, Verdict::Inconclusive].into_iter().find(|grave| verdicts.contains(grave));
    gravest.unwrap_or(Verdict::Pass)
}
