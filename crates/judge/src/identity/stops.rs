//! Whether servers stop when they are told to.

use std::collections::{BTreeMap, HashMap};

use super::restarts::{Cause, Restarts};
use crate::assessment::{Judged, judged};
use crate::case::{Case, Exit, Scenes, Seen, containers, out_of_time, seconds_of};
use crate::evidence::{Act, Mark, ObjectEvent, PodLife, Scenario};
use crate::minimum::Need;
use crate::object::{has_condition, number, text};
use crate::words::{seconds, short, some_of, times};
use crate::{CaseFile, Check, Finding};

/// What a kubelet adds to a grace period, and what whole seconds lose, in seconds.
const ROUNDING_S: i64 = 3;

/// How late a busy kubelet may learn of a deletion, and the recorder of an end, in microseconds.
const LATE_US: u64 = 60_000_000;

pub(crate) const SERVERS_STOP_WITHIN_THEIR_GRACE: Check = Check {
    id: "identity::servers_stop_within_their_grace",
    statement: "A server that is told to stop MUST exit on its own, with code 0, within its grace period.",
    source: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination and \
             https://dev.mysql.com/doc/refman/8.4/en/unix-signal-response.html",
    explain: "\
A server that does not exit on SIGTERM is killed at the end of the grace period. Then each update waits for the whole
period, and each start begins with crash recovery.
Judged from the Pod watch, no matter what deleted the pod: the server's container must exit with code 0 before the grace
period ends (deletionTimestamp). The same holds where the harness takes a server's image away. Not judged are pods
deleted without grace, servers that did not run or had not been Ready since their start, and nodes that are stopped or
paused. An exit that was not seen does not count, and each pod needs one that was seen.
Common causes: the first process is a shell that starts the server without exec and does not forward signals (137 after
the whole grace period); terminationGracePeriodSeconds is too short for the buffer pool; or a preStop hook uses it up.",
    scenarios: &[Scenario::Restart],
    minimum: &[Need::Acts],
    judge: servers_stop_within_their_grace,
};

fn servers_stop_within_their_grace(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let scenes = case.scenes();
        let causes = Cause::all(case, &scenes);
        // For each pod, how long each observed end of its server took.
        let mut ended: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for stop in stops(case) {
            let until = stop.until(case);
            if causes.iter().any(|cause| cause.disturbs(stop.life, stop.told.seq, until)) {
                continue;
            }
            let Some(Some(mark)) = assessment.check(stop.judged(case, &scenes)) else { continue };
            assessment.cite([mark.seq]);
            ended.entry(&stop.life.name).or_default().push(mark.at_us.saturating_sub(stop.told.at_us));
        }
        for restart in Restarts::of(case, &scenes).all {
            let held = matches!(restart.cause, Some(Act::Hold { .. }));
            if let Some(exit) = restart.before.filter(|exit| held && exit.code != 0) {
                let (pod, seq) = (&restart.life.name, restart.mark.seq);
                let reason = format!(
                    "the server of {pod}, told to stop because its image was taken away, ended with {exit} (#{seq})"
                );
                assessment.reject(Finding::fail(reason, [seq]));
            }
        }
        for pod in case.subject.pods().filter(|pod| !ended.contains_key(pod.as_str())) {
            let not_seen =
                Finding::inconclusive(format!("no exit of the server of {pod} after a stop request was seen"), []);
            assessment.reject(case.gap("Pod", 0, case.timeline.last_seq).unwrap_or(not_seen));
        }
        let each = ended.iter().map(|(pod, took)| {
            let longest = took.iter().max().copied().unwrap_or_default();
            format!("{pod} ({}, after {} at most)", times(took.len()), seconds(longest))
        });
        Ok(format!("each server that was told to stop exited with 0 within its grace period: {}", some_of(each)))
    })
}

/// A server that was told to stop with its pod.
struct Stop<'a> {
    life: &'a PodLife,
    /// The event that shows the deletion.
    told: Mark,
    grace_s: i64,
    /// The end of the grace period by the API server's clock, in seconds since 1970.
    deadline_s: Option<i64>,
    end: Option<(Mark, Exit<'a>)>,
}

impl<'a> Stop<'a> {
    /// How long the end may take, in microseconds.
    fn patience_us(&self) -> u64 {
        let grace_s = u64::try_from(self.grace_s).unwrap_or_default();
        grace_s.saturating_mul(1_000_000).saturating_add(LATE_US)
    }

    /// The record by which it is known how the server ended, or that it did not: later acts explain nothing.
    fn until(&self, case: &Case<'a>) -> u64 {
        let ends = [self.end.map(|(mark, _)| mark), self.life.deleted].into_iter().flatten().map(|mark| mark.seq);
        ends.min().unwrap_or_else(|| case.last_at(self.told.at_us.saturating_add(self.patience_us())))
    }

    /// Judges the server's end; `None` if no end was seen or is due.
    fn judged(&self, case: &Case<'a>, scenes: &Scenes) -> Judged<Option<Mark>> {
        let (told, grace_s) = (self.told, self.grace_s);
        let (pod, when) = (&self.life.name, scenes.words(told.seq));
        let whose = format!("the server of {pod} (uid {})", short(&self.life.uid));
        let stopped = format!("{whose}, told to stop{when} (#{}) with a grace period of {grace_s} s,", told.seq);
        let patience_us = self.patience_us();
        let Some((mark, exit)) = self.end else {
            let waited_us = case.last_us().saturating_sub(told.at_us);
            let surely_us = case.clocks.lasted(told.at_us, case.last_us()).least_us;
            if self.life.deleted.is_some() || surely_us <= patience_us {
                return Ok(None);
            }
            if let Some(gap) = case.gap("Pod", told.seq, self.until(case)) {
                return Err(gap);
            }
            let reason = format!("{stopped} was not seen to exit in {}", seconds(waited_us));
            return Err(Finding::fail(reason, [told.seq]));
        };
        let records = [told.seq, mark.seq];
        if exit.code != 0 && self.had_ended() {
            // A server that had ended before was not told to stop. A wall clock jumped, so the times do not decide
            // that.
            let doubt = case.clocks.wall_jump(self.life.added.at_us, mark.at_us);
            return Err(out_of_time(
                &format!("whether {whose} had ended with {exit} before it was told to"),
                doubt,
                records,
            ));
        }
        if exit.code != 0 {
            return Err(Finding::fail(format!("{stopped} ended with {exit} (#{})", mark.seq), records));
        }
        let took_us = mark.at_us.saturating_sub(told.at_us);
        if !case.is_within(&format!("{stopped}: how long it took"), (told, mark), patience_us)? {
            let reason = format!("{stopped} was seen to end after {} (#{})", seconds(took_us), mark.seq);
            return Err(case.gap("Pod", told.seq, mark.seq).unwrap_or_else(|| Finding::fail(reason, records)));
        }
        let late_s = exit.finished_s().zip(self.deadline_s).map_or(0, |(end, deadline)| end.saturating_sub(deadline));
        if late_s > ROUNDING_S {
            // Its kubelet may have told it late.
            let reason = format!("{stopped} ended {late_s} s after the grace period (#{})", mark.seq);
            return Err(Finding::inconclusive(reason, records));
        }
        Ok(Some(mark))
    }

    /// Whether the server had ended before it was told to stop.
    fn had_ended(&self) -> bool {
        let asked_s = self.deadline_s.map(|deadline| deadline.saturating_sub(self.grace_s));
        let finished_s = self.end.and_then(|(_, exit)| exit.finished_s());
        finished_s.zip(asked_s).is_some_and(|(finished, asked)| finished < asked)
    }
}

/// What is known of one pod while its events are read.
#[derive(Default)]
struct Track<'a> {
    /// Whether its server is running and was Ready since it started.
    serves: bool,
    /// The restart count of its server's container.
    restarts: i64,
    /// Whether the pod is terminating.
    going: bool,
    stop: Option<Stop<'a>>,
}

/// All servers that were told to stop with their pods, with a grace period, while they served.
fn stops<'a>(case: &Case<'a>) -> impl Iterator<Item = Stop<'a>> {
    let mut tracks: HashMap<&str, Track<'a>> = HashMap::new();
    for (life, event) in case.pod_events() {
        tracks.entry(&life.uid).or_default().observe(life, event, &case.subject.container);
    }
    let mut stops: Vec<Stop<'a>> = tracks.into_values().filter_map(|track| track.stop).collect();
    // `had_ended` compares two wall clocks, so it only counts if neither jumped meanwhile.
    let jumped = |stop: &Stop<'_>| {
        let end = stop.end.map_or(stop.told, |(mark, _)| mark);
        case.clocks.wall_jump(stop.life.added.at_us, end.at_us).is_some()
    };
    stops.retain(|stop| !stop.had_ended() || jumped(stop));
    stops.sort_by_key(|stop| stop.told);
    stops.into_iter()
}

impl<'a> Track<'a> {
    fn observe(&mut self, life: &'a PodLife, event: Seen<'a, ObjectEvent>, container: &str) {
        let object = &event.it.object;
        let server = containers(event.it).find(|it| it.name == container);
        let deadline = text(object, "/metadata/deletionTimestamp");
        if let Some(deadline) = deadline.filter(|_| !self.going) {
            self.going = true;
            let grace_s = number(object, "/metadata/deletionGracePeriodSeconds");
            if self.serves && grace_s > 0 {
                let deadline_s = seconds_of(deadline);
                self.stop = Some(Stop { life, told: event.mark, grace_s, deadline_s, end: None });
            }
        }
        let Some(server) = server else { return };
        // A pod whose grace period is shortened is killed before the first one is over.
        let grace_s = number(object, "/metadata/deletionGracePeriodSeconds");
        self.stop = self.stop.take().filter(|stop| !server.runs || stop.grace_s <= grace_s);
        if let Some(stop) = &mut self.stop {
            stop.end = stop.end.or(server.ended.map(|exit| (event.mark, exit)));
        }
        let again = server.restarts != std::mem::replace(&mut self.restarts, server.restarts);
        self.serves = server.runs && (has_condition(object, "Ready") || (self.serves && !again));
    }
}
