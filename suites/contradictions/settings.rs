//! Settings that no stored run has. Each one turns a stored run into another run in which everything is right.

use steadfast::evidence::{Act, NodeState, PodLife, PodManagement, Run, SnapshotOf, What};

use super::change::{Change, added_after, moved_before, paused, said};
use super::edits::api_server;
use super::stored::{Stored, replaced, updates};

/// Changes the description of the run.
pub(crate) fn described(stored: &Stored, otherwise: impl Fn(&mut Run) + Send + Sync + 'static) -> Change {
    said(stored.places(|what| matches!(what, What::Run(_))), move |what| {
        if let What::Run(run) = what {
            otherwise(run);
        }
    })
}

/// `minReadySeconds` of the changed run.
pub(crate) const MIN_READY_S: u64 = 10;

/// A pod's turn to be created or deleted, while another pod that it must wait for is Ready.
pub(crate) struct Turn<'a> {
    /// The pod.
    pub life: &'a PodLife,
    /// The record that creates the pod or begins its deletion.
    pub at: u64,
    /// Whether the pod is deleted for an update.
    pub goes: bool,
    /// Of the pods that it must wait for, the one that became Ready last.
    pub before: &'a PodLife,
    /// The record at which that pod became Ready.
    pub ready: u64,
    /// How long that pod had been Ready, in microseconds.
    pub waited_us: u64,
}

/// All turns: creations, and deletions for updates.
pub(crate) fn turns(stored: &Stored) -> Vec<Turn<'_>> {
    let index = |life: &PodLife| stored.subject.index_of(&life.name);
    let created = stored.lives().filter_map(|life| {
        let lower = 0..index(life)?.min(stored.subject.replicas);
        turn(stored, life, life.added.seq, false, lower)
    });
    let updated = updates(stored).into_iter().flat_map(|(acted, until)| replaced(stored, acted.asked, until));
    let updated = updated.filter_map(|life| {
        let at = life.deleting.expect("it was told to go").seq;
        let above = index(life)? + 1..stored.subject.replicas;
        turn(stored, life, at, true, above).filter(|_| life.ready_at(at))
    });
    created.chain(updated).collect()
}

fn turn<'a>(
    stored: &'a Stored,
    life: &'a PodLife,
    at: u64,
    goes: bool,
    others: std::ops::Range<u32>,
) -> Option<Turn<'a>> {
    let serving = others.filter_map(|index| {
        let other = stored.timeline.pod_at(&stored.subject.nth(index), at).filter(|other| other.serving_at(at))?;
        Some((other.ready.iter().rfind(|change| change.value && change.since.seq <= at)?.since, other))
    });
    let (ready, before) = serving.max_by_key(|(ready, _)| ready.seq)?;
    let waited_us = stored.at(at).at_us.saturating_sub(ready.at_us);
    Some(Turn { life, at, goes, before, ready: ready.seq, waited_us })
}

/// Every pod waits until the pods before it have been Ready for exactly `minReadySeconds`.
pub(crate) fn min_ready_seconds(stored: &Stored) -> Change {
    let wanted_us = MIN_READY_S * 1_000_000;
    let waits = turns(stored).into_iter().filter(|turn| turn.waited_us < wanted_us);
    let waits = waits.map(|turn| paused(turn.at, wanted_us - turn.waited_us));
    described(stored, |run| run.subject.min_ready_seconds = MIN_READY_S as u32).then(Change::all(waits))
}

/// An update may take two pods at a time.
pub(crate) fn two_unavailable(stored: &Stored) -> Change {
    described(stored, |run| run.subject.max_unavailable = 2)
}

/// No pod waits for another one: each is created and deleted as soon as possible.
pub(crate) fn all_at_once(stored: &Stored) -> Change {
    let created = stored.lives().filter_map(|life| {
        let from = possible(stored, life)?;
        (from + 1 < life.added.seq).then(|| moved_before(life.added.seq, from + 1))
    });
    let parallel = described(stored, |run| run.subject.pod_management = PodManagement::Parallel);
    let late = departures(stored).into_iter().filter(|(told, asked)| *told > asked + 1);
    let departures = late.map(|(told, asked)| moved_before(told, asked + 1));
    parallel.then(Change::all(created)).then(Change::all(departures))
}

/// The record from which on a pod can be created: its name is free, and the StatefulSet wants it.
pub(crate) fn possible(stored: &Stored, life: &PodLife) -> Option<u64> {
    let index = stored.subject.index_of(&life.name)?;
    let earlier = stored.timeline.lives(&life.name).filter_map(|other| other.deleted).map(|gone| gone.seq);
    let earlier = earlier.filter(|gone| *gone < life.added.seq).max();
    let first = stored.lives().find(|life| stored.subject.index_of(&life.name).is_some())?.added.seq;
    let up = stored.acts().into_iter().filter(|acted| acted.asked < life.added.seq);
    let up = up.filter(|acted| matches!(acted.act, Act::Scale { from, to } if (from..to).contains(&index)));
    [Some(first), earlier, up.map(|acted| acted.asked).max()].into_iter().flatten().max()
}

/// The records at which deletions of surplus pods begin, each with the request of the act.
pub(crate) fn departures(stored: &Stored) -> Vec<(u64, u64)> {
    let mut departures = Vec::new();
    for acted in stored.acts() {
        let Act::Scale { from, to } = acted.act else { continue };
        let surplus = (to..from).filter_map(|index| stored.timeline.pod_at(&stored.subject.nth(index), acted.asked));
        departures.extend(surplus.filter_map(|life| Some((life.deleting?.seq, acted.asked))));
    }
    departures
}

/// Adds the API server's process before the kill, as newer runs record it.
pub(crate) fn old_api_server(stored: &Stored) -> Change {
    let killed = stored.acts().into_iter().filter(|acted| acted.act == Act::RestartApiServer);
    let told = killed.filter_map(|acted| {
        let new = stored.snapshots(SnapshotOf::ApiServer);
        let What::Snapshot(new) = &stored.at(new.since(acted.asked).first()?).what else { return None };
        let old = NodeState { node: new.value["node"].as_str()?.to_owned(), state: "1 since 07:00:00".to_owned() };
        Some(added_after(acted.asked, [api_server(old)]))
    });
    Change::all(told)
}
