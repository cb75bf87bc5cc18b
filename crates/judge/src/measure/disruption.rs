//! Disruptions, from the first act to the recovery.

use std::collections::{BTreeSet, HashSet};

use super::{Outage, Outcomes, Percentiles};
use crate::case::{Case, Seen};
use crate::evidence::{Act, Mark, Phase, Question, Scenario, Sql, Step};

/// A disruption and its consequences.
#[derive(Debug, Clone, PartialEq)]
pub struct Disruption {
    /// The scenario that it belongs to; `None` for acts outside of all scenarios.
    pub scenario: Option<Scenario>,
    /// Its acts, in order.
    pub acts: Vec<Part>,
    /// The record that ends it: the recovery, or else the end of the scenario or the log.
    pub until: Mark,
    /// When the last of the set's pods became Ready again; `None` if a pod is not Ready, or if none became Ready in it.
    pub ready: Option<Mark>,
    /// When the last replica reached a barrier that was asked for after the last act.
    pub recovered: Option<Mark>,
    /// When the workload came to rest: every replica had reached a barrier that was asked for after the recovery, or
    /// the scenario or the log ended. If the next disruption came first, its beginning.
    pub rest: Mark,
    /// What it cost writers and readers, if the ledger was written to.
    pub impact: Option<Impact>,
    /// Until when the ledger must have been written to, in microseconds: it pauses when the servers are compared.
    wanted_until_us: u64,
}

/// One act of a disruption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The act.
    pub act: Act,
    /// When it was asked for.
    pub asked: Mark,
    /// Whether it is proved to have happened, by records that show it.
    pub proved: bool,
}

/// What a disruption cost writers and readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// The longest outage that overlaps it.
    pub longest_outage: Option<Outage>,
    /// How long the ledger was not written to before the recovery, in microseconds, if that is too long to know the
    /// outage.
    pub unwritten_us: Option<u64>,
    /// The outcomes of the writes that ended in it.
    pub writes: Outcomes,
    /// The lag of all replicas together; `None` without samples.
    pub lag: Option<Percentiles>,
}

impl Disruption {
    /// The disruption with its scenario, for people.
    pub fn title(&self) -> String {
        self.scenario.map_or_else(|| self.name(), |scenario| format!("{scenario}: {}", self.name()))
    }

    /// The acts of the disruption in the imperative.
    pub fn name(&self) -> String {
        let names: Vec<String> = self.acts.iter().map(|part| part.act.to_string()).collect();
        match &names[..] {
            [first, .., last] if names.len() > 3 => format!("{first} … {last} ({} acts)", names.len()),
            names => names.join(", "),
        }
    }

    /// When its first act was asked for.
    pub fn began(&self) -> Mark {
        self.acts.first().map_or(self.until, |part| part.asked)
    }

    /// When its last act was asked for.
    pub fn ceased(&self) -> Mark {
        self.acts.last().map_or(self.until, |part| part.asked)
    }

    /// Microseconds from the last act until every replica had caught up.
    pub fn recovery_us(&self) -> Option<u64> {
        self.recovered.map(|recovered| recovered.at_us.saturating_sub(self.ceased().at_us))
    }

    /// Microseconds from the last act until the pods were Ready again.
    pub fn ready_us(&self) -> Option<u64> {
        self.ready.map(|ready| ready.at_us.saturating_sub(self.ceased().at_us))
    }

    /// The time from the first act to the recovery.
    pub(super) fn window_us(&self) -> (u64, u64) {
        (self.began().at_us, self.until.at_us)
    }

    pub(super) fn wanted_until_us(&self) -> u64 {
        self.wanted_until_us
    }

    /// The time from the first act until the workload was at rest. The next disruption may begin at that moment.
    pub(super) fn unrest_us(&self) -> (u64, u64) {
        (self.began().at_us, self.rest.at_us)
    }
}

/// The events that happened while the workload was at rest. Events and disruptions must both be in order.
pub(super) fn at_rest<'a, T>(
    events: &'a [T],
    at_us: impl Fn(&T) -> u64 + 'a,
    disruptions: &'a [Disruption],
) -> impl Iterator<Item = &'a T> {
    let mut windows = disruptions.iter().map(Disruption::unrest_us).peekable();
    events.iter().filter(move |event| {
        let at_us = at_us(event);
        while windows.next_if(|(_, to)| *to < at_us).is_some() {}
        windows.peek().is_none_or(|(from, _)| at_us < *from)
    })
}

/// How an act relates to disruptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It disturbs the workload.
    Disturbs,
    /// It undoes what another act did.
    Heals,
    /// It does not disturb the workload, or it leaves nothing that could recover.
    None,
}

fn effect(act: &Act) -> Effect {
    match act {
        Act::DeletePod { .. }
        | Act::Hold { .. }
        | Act::Scale { .. }
        | Act::Roll { .. }
        | Act::BreakTemplate
        | Act::RevertTemplate
        | Act::KillServer { .. }
        | Act::DeleteAllPods
        | Act::PauseNode { .. }
        | Act::StopNode { .. }
        | Act::CutPower { .. }
        | Act::Drain { .. }
        | Act::RestartDns
        | Act::RestartApiServer
        | Act::UpgradeControlPlane { .. }
        | Act::UpgradeNode { .. } => Effect::Disturbs,
        Act::Release { .. }
        | Act::UnpauseNode { .. }
        | Act::StartNode { .. }
        | Act::RestorePower { .. }
        | Act::Uncordon { .. } => Effect::Heals,
        Act::Reapply
        | Act::SetClaimPolicy { .. }
        | Act::DeleteClaims
        | Act::StartLedger { .. }
        | Act::StopLedger
        | Act::Teardown => Effect::None,
    }
}

/// An event that begins, continues or ends disruptions.
enum Event<'a> {
    Step(&'a Step),
    Act(&'a Act),
    /// A replica reached a barrier that proves something.
    Barrier(Seen<'a, Sql>),
    /// A server was asked for its transactions.
    Asked(Seen<'a, Sql>),
}

/// The disruptions of a run, in order and without overlap. Their impact is filled in later.
pub(super) fn disruptions(case: &Case<'_>) -> Vec<Disruption> {
    let mut events: Vec<_> = case.steps().map(|step| (step.mark, Event::Step(step.it))).collect();
    let acts = case.acts(|_| true);
    events.extend(acts.iter().map(|acted| (acted.asked, Event::Act(acted.act))));
    events.extend(case.heard().filter_map(|sql| match sql.it.question {
        Question::Barrier => {
            let reached = sql.value("reached").is_ok_and(|reached| reached == "1") && case.unproven(&sql).is_none();
            reached.then_some((sql.mark, Event::Barrier(sql)))
        }
        Question::GtidExecuted => Some((sql.mark, Event::Asked(sql))),
        _ => None,
    }));
    events.sort_by_key(|(mark, _)| mark.seq);
    let proved = acts.iter().filter(|acted| acted.proved.is_some()).map(|acted| acted.asked.seq).collect();
    let mut walk = Walk { case, proved, scenario: None, open: None, settling: None, found: Vec::new() };
    for (mark, event) in events {
        match event {
            Event::Step(step) if step.whole().is_some() => walk.scenario(mark, step),
            Event::Step(_) => {}
            Event::Act(act) => walk.asked(mark, act),
            Event::Barrier(sql) => walk.reached(mark, &sql.it.pod, case.earliest_asked_us(&sql)),
            Event::Asked(sql) => walk.compared(sql.asked_us()),
        }
    }
    walk.end(Mark { seq: case.timeline.last_seq, at_us: case.last_us() });
    walk.found
}

struct Walk<'a, 'c> {
    case: &'c Case<'a>,
    /// The proved acts, by the records of their requests.
    proved: HashSet<u64>,
    scenario: Option<Scenario>,
    open: Option<Open>,
    /// The replicas that lag since the recovery from the last disruption; `None` once the workload is at rest. The
    /// barrier that proves a recovery covers what the primary had when it was asked for, so later writes may still be
    /// on their way.
    settling: Option<Behind>,
    found: Vec<Disruption>,
}

/// A disruption from which the workload has not recovered yet.
struct Open {
    scenario: Option<Scenario>,
    acts: Vec<Part>,
    behind: Behind,
    /// When a server was first asked for its transactions after the last act.
    compared_us: Option<u64>,
}

/// The replicas that have not reached a barrier that was asked for after a time.
struct Behind {
    since_us: u64,
    replicas: BTreeSet<String>,
}

impl Behind {
    fn since(since_us: u64, case: &Case<'_>) -> Self {
        Self { since_us, replicas: case.subject.replica_pods().collect() }
    }

    /// Notes that a replica reached a barrier, and returns whether it was the last replica.
    fn reached(&mut self, pod: &str, asked_us: u64) -> bool {
        asked_us >= self.since_us && self.replicas.remove(pod) && self.replicas.is_empty()
    }
}

impl<'a> Walk<'a, '_> {
    fn scenario(&mut self, mark: Mark, step: &'a Step) {
        self.end(mark);
        self.scenario = step.scenario.filter(|_| step.phase == Phase::Begin);
    }

    fn asked(&mut self, asked: Mark, act: &Act) {
        let effect = effect(act);
        let acts = match (&mut self.open, effect) {
            (_, Effect::None) | (None, Effect::Heals) => return,
            (None, Effect::Disturbs) => {
                self.rests(asked);
                Vec::new()
            }
            (Some(open), _) => std::mem::take(&mut open.acts),
        };
        let part = Part { act: act.clone(), asked, proved: self.proved.contains(&asked.seq) };
        let acts = acts.into_iter().chain([part]).collect();
        self.open = Some(Open {
            scenario: self.scenario,
            acts,
            behind: Behind::since(asked.at_us, self.case),
            compared_us: None,
        });
    }

    /// A server is asked for its transactions. The ledger is paused when servers are compared, but not when the primary
    /// is asked for a barrier's set. The evidence does not tell which of the two this is.
    fn compared(&mut self, asked_us: u64) {
        if let Some(open) = &mut self.open
            && asked_us >= open.behind.since_us
        {
            open.compared_us.get_or_insert(asked_us);
        }
    }

    fn reached(&mut self, mark: Mark, pod: &str, asked_us: u64) {
        let last_of = |behind: &mut Behind| behind.reached(pod, asked_us);
        if self.open.as_mut().is_some_and(|open| last_of(&mut open.behind)) {
            self.compared(asked_us);
            self.close(mark, Some(mark));
            self.settling = Some(Behind::since(mark.at_us, self.case));
        } else if self.settling.as_mut().is_some_and(last_of) {
            self.rests(mark);
        }
    }

    /// A scenario or the log ends, and with it the current disruption.
    fn end(&mut self, mark: Mark) {
        self.close(mark, None);
        self.rests(mark);
    }

    /// The workload has been at rest since the last disruption, or the next disruption begins.
    fn rests(&mut self, mark: Mark) {
        if let (Some(_), Some(last)) = (self.settling.take(), self.found.last_mut()) {
            last.rest = mark;
        }
    }

    fn close(&mut self, until: Mark, recovered: Option<Mark>) {
        let Some(Open { scenario, acts, compared_us, .. }) = self.open.take() else { return };
        let began = acts.first().map_or(until.seq, |part| part.asked.seq);
        let ready = self.ready(began, until.seq);
        let wanted_until_us = compared_us.unwrap_or(until.at_us).min(until.at_us);
        let rest = until;
        self.found.push(Disruption { scenario, acts, until, ready, recovered, rest, impact: None, wanted_until_us });
    }

    /// When the last of the set's pods became Ready between two records; `None` unless all are Ready at the end.
    fn ready(&self, from: u64, to: u64) -> Option<Mark> {
        let mut last = None;
        for pod in self.case.subject.pods() {
            let life = self.case.timeline.pod_at(&pod, to).filter(|life| life.serving_at(to))?;
            let passed = life.ready.partition_point(|change| change.since.seq <= to);
            let since = life.ready[..passed].iter().rfind(|change| change.value).map(|change| change.since);
            last = last.max(since.filter(|since| since.seq >= from));
        }
        last
    }
}
