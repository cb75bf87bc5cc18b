//! Claims and volumes that are replaced, stay or disappear when they must not, and objects that survive the run.

use serde_json::{Value, json};
use steadfast::evidence::{Act, ClaimLife, EventType, Gap, Leftover, PodLife, Scenario, SnapshotOf, What};

use super::change::{Change, Places, added_after, added_before, dropped, moved_before};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{event, rebind, shown, snapshot, tell_to_go};
use super::stored::{Acted, Part, Stored};

const CLAIM: &str = "PersistentVolumeClaim";
const VOLUME: &str = "PersistentVolume";
const SAME: Checks = &["persistence::same_volume_returns", "identity::identity_survives_restart"];
const SURVIVE: Checks = &["persistence::claims_survive_scale_down"];
const POLICY: Checks = &["persistence::claim_policy_is_honoured"];
const TEARDOWN: Checks = &["persistence::teardown_leaves_nothing"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "claims::a_pod_comes_back_on_something_else",
        why: "The claim and the volume of a pod that was deleted, by whomever, are by UID the same afterwards.",
        part: Part::Watches,
        of: other_volumes,
    },
    Class {
        name: "claims::nobody_saw_what_became_of_one",
        why: "Where the history of claims or volumes is lost around a deletion nobody knows that they are the same.",
        part: Part::Watches,
        of: not_seen,
    },
    Class {
        name: "claims::one_goes_while_its_pod_is_there",
        why: "A claim, or the volume of one, that goes while its pod is there takes the pod's data with it.",
        part: Part::Watches,
        of: going,
    },
    Class {
        name: "claims::one_goes_that_is_to_stay",
        why: "Under Retain no claim goes when its pod is scaled away, nor when the set is deleted.",
        part: Part::Watches,
        of: not_kept,
    },
    Class {
        name: "claims::the_policy_lets_go_another",
        why: "Exactly the claims go that the policy lets go, and only then.",
        part: Part::Watches,
        of: policy,
    },
    Class {
        name: "claims::something_remains",
        why: "What is listed after the teardown, in the cluster and in its engine, is nothing, and the watches agree.",
        part: Part::Watches,
        of: remains,
    },
];

/// Each pod and its replacement, except the last pod if its claim had to be deleted.
fn successions(stored: &Stored) -> Vec<(&PodLife, &PodLife)> {
    let last = stored.subject.nth(stored.subject.replicas - 1);
    let pods = stored.subject.pods();
    let pairs = pods.flat_map(|pod| {
        let lives: Vec<&PodLife> = stored.timeline.lives(&pod).collect();
        lives.windows(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>()
    });
    pairs.filter(|(_, new)| new.name != last || stored.scenario(new.added.seq) != Some(Scenario::Claims)).collect()
}

fn claim_of<'a>(stored: &'a Stored, pod: &PodLife) -> Option<&'a ClaimLife> {
    stored.timeline.claim_at(pod.claims.first()?, pod.added.seq)
}

/// The claims of the StatefulSet's pods at a record.
fn claims_at(stored: &Stored, seq: u64) -> Vec<&ClaimLife> {
    let names = stored.subject.pods().flat_map(|pod| stored.subject.claims.iter().map(move |it| format!("{it}-{pod}")));
    names.filter_map(|name| stored.timeline.claim_at(&name, seq)).collect()
}

/// One more event of an object, based on its last event before a record.
fn once_more(
    stored: &Stored,
    (kind, uid): (&str, &str),
    at: u64,
    of: EventType,
    otherwise: impl FnOnce(&mut Value),
) -> Option<What> {
    Some(event(stored.last_event(kind, uid, at + 1)?, of, otherwise))
}

/// From a record on, a claim has another volume, and if wanted the claim is another one too.
fn bound_elsewhere(stored: &Stored, claim: &ClaimLife, at: u64, other_claim: bool, volume: &str) -> Option<Change> {
    let old = stored.timeline.volume_at(claim, at)?;
    let (uid, name) = (other_claim.then(|| format!("another {}", claim.uid)), volume.to_owned());
    let bound = {
        let (uid, name) = (uid.clone(), name.clone());
        move |object: &mut Value| rebind(object, uid.as_deref(), &name)
    };
    let mut events = Vec::new();
    if other_claim {
        events.push(once_more(stored, (CLAIM, &claim.uid), at, EventType::Deleted, |_| {})?);
    }
    let of = if other_claim { EventType::Added } else { EventType::Modified };
    events.push(once_more(stored, (CLAIM, &claim.uid), at, of, bound.clone())?);
    if stored.timeline.volumes.iter().all(|volume| volume.name != name) {
        events.push(once_more(stored, (VOLUME, &old.uid), at, EventType::Added, |object| {
            object["metadata"]["uid"] = format!("uid of {name}").into();
            object["metadata"]["name"] = name.into();
        })?);
    }
    Some(shown(stored.events_of(CLAIM, &claim.uid).since(at + 1), bound).then(added_after(at, events)))
}

fn other_volumes(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    // A changed event of an object that a later list contains removes the proof that nothing happened in the gap before
    // the list.
    let fails = Wanted::LeavesGreen(SAME);
    for (old, new) in successions(stored) {
        let (Some(gone), Some(claim)) = (old.deleted, claim_of(stored, old)) else { continue };
        let title = format!("{} (#{})", new.name, new.added.seq);
        let mut add = |word: String, change: Option<Change>| {
            histories.extend(change.map(|change| History::new(format!("{title}: {word}"), fails, change)));
        };
        add("another claim".into(), bound_elsewhere(stored, claim, gone.seq, true, "pvc-another"));
        add("another volume".into(), bound_elsewhere(stored, claim, gone.seq, false, "pvc-another"));
        for other in claims_at(stored, gone.seq).into_iter().filter(|other| other.uid != claim.uid) {
            let Some(volume) = stored.timeline.volume_at(other, gone.seq) else { continue };
            let change = bound_elsewhere(stored, claim, gone.seq, false, &volume.name);
            add(format!("the volume of {}", other.name), change);
            let name = other.name.clone();
            let mounts = shown(stored.events_of("Pod", &new.uid), move |object| {
                for volume in object["spec"]["volumes"].as_array_mut().into_iter().flatten() {
                    if let Some(claim) = volume.pointer_mut("/persistentVolumeClaim/claimName") {
                        *claim = name.as_str().into();
                    }
                }
            });
            add(format!("mounts {}", other.name), Some(mounts));
        }
        let nothing = shown(stored.events_of("Pod", &new.uid), |object| object["spec"]["volumes"] = json!([]));
        add("mounts nothing".into(), Some(nothing));
    }
    histories
}

fn not_seen(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (old, new) in successions(stored) {
        let Some(gone) = old.deleted.filter(|gone| stored.scenario(gone.seq) != Some(Scenario::ApiserverKill)) else {
            continue;
        };
        for kind in [CLAIM, VOLUME] {
            let gap = Gap { object_kind: kind.into(), after_version: "1".into(), reason: "too old".into() };
            for check in [&SAME[..1], &SAME[1..]] {
                let title = format!("{} (#{}): {kind} ({})", new.name, new.added.seq, check[0]);
                let change = added_after(gone.seq, [What::Gap(gap.clone())]);
                histories.push(History::new(title, Wanted::LeavesGreen(check), change));
            }
        }
    }
    histories
}

fn going(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let noticed = Wanted::SomeLeavesGreen(&["persistence::same_volume_returns", "identity::identity_survives_restart"]);
    for (scenario, places) in
        stored.scenarios().into_iter().filter(|(it, _)| !matches!(it, Scenario::Deploy | Scenario::Teardown))
    {
        let Some(at) = places.first() else { continue };
        for claim in claims_at(stored, at) {
            let volume = stored.timeline.volume_at(claim, at).map(|volume| (VOLUME, volume.uid.as_str()));
            for (kind, uid) in volume.into_iter().chain([(CLAIM, claim.uid.as_str())]) {
                let gone = once_more(stored, (kind, uid), at, EventType::Deleted, |_| {});
                let title = format!("{scenario}: {kind} of {}", claim.name);
                histories.extend(gone.map(|gone| History::new(title, noticed, added_after(at, [gone]))));
            }
        }
    }
    histories
}

fn act(stored: &Stored, from: u64, wanted: impl Fn(&Act) -> bool) -> Option<Acted> {
    stored.acts().into_iter().find(|it| it.asked >= from && wanted(&it.act))
}

/// A claim is being deleted, or is gone, at a record.
fn goes(stored: &Stored, claim: &ClaimLife, at: u64) -> Vec<(&'static str, Change)> {
    let told = once_more(stored, (CLAIM, &claim.uid), at, EventType::Modified, tell_to_go);
    let gone = once_more(stored, (CLAIM, &claim.uid), at, EventType::Deleted, |_| {});
    let events = [("told to go", told), ("gone", gone)].into_iter();
    events.filter_map(|(word, what)| Some((word, added_before(at, [what?])))).collect()
}

fn not_kept(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let fails = Wanted::Fails(SURVIVE);
    let down = act(stored, 0, |act| matches!(act, Act::Scale { from, to } if to < from));
    let up = down
        .as_ref()
        .and_then(|down| act(stored, down.asked, |act| matches!(act, Act::Scale { from, to } if to > from)));
    if let (Some(down), Some(up)) = (&down, &up)
        && let Act::Scale { from, to } = down.act
    {
        let away = (to..from).map(|index| stored.subject.nth(index));
        let names = away.flat_map(|pod| stored.subject.claims.iter().map(move |it| format!("{it}-{pod}")));
        for claim in names.filter_map(|name| stored.timeline.claim_at(&name, down.asked)) {
            for at in [down.asked + 1, down.proved.unwrap_or(down.asked) + 1, up.asked, up.proved.unwrap_or(up.asked)] {
                let all = goes(stored, claim, at).into_iter();
                histories.extend(all.map(|(word, change)| {
                    History::new(format!("{} is {word} before #{at}", claim.name), fails, change)
                }));
            }
        }
    }
    let teardown = act(stored, 0, |act| *act == Act::Teardown);
    let deleted = teardown.as_ref().and_then(|it| act(stored, it.asked, |act| *act == Act::DeleteClaims));
    if let (Some(teardown), Some(deleted)) = (teardown, deleted) {
        for claim in claims_at(stored, teardown.asked) {
            for at in [teardown.asked + 1, deleted.asked] {
                let all = goes(stored, claim, at).into_iter();
                histories.extend(all.map(|(word, change)| {
                    History::new(format!("teardown: {} is {word} before #{at}", claim.name), fails, change)
                }));
            }
        }
    }
    histories
}

fn policy(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let is_policy = |act: &Act| matches!(act, Act::SetClaimPolicy { .. });
    let Some(freed) = act(stored, 0, is_policy) else { return histories };
    let Some(down) = act(stored, freed.asked, |act| matches!(act, Act::Scale { from, to } if to < from)) else {
        return histories;
    };
    let Act::Scale { from, to } = down.act else { return histories };
    let (fails, noticed) = (Wanted::Fails(POLICY), Wanted::LeavesGreen(POLICY));
    let end =
        stored.scenarios().into_iter().find(|(it, _)| *it == Scenario::Claims).and_then(|(_, places)| places.last());
    let end = end.unwrap_or(down.asked + 2);
    let away: Vec<String> = (to..from).map(|index| stored.subject.nth(index)).collect();
    for claim in claims_at(stored, freed.asked) {
        let leaves = away.iter().any(|pod| claim.name.ends_with(pod.as_str()));
        let before = [freed.asked + 1, down.asked];
        let checkpoints = if leaves { before.to_vec() } else { [before.to_vec(), vec![down.asked + 1, end]].concat() };
        for at in checkpoints {
            let all = goes(stored, claim, at).into_iter();
            histories.extend(
                all.map(|(word, change)| History::new(format!("{} is {word} before #{at}", claim.name), fails, change)),
            );
        }
        if leaves {
            let events = stored.events_of(CLAIM, &claim.uid).since(freed.asked);
            let gone = stored.events(CLAIM, |event| {
                event.event == EventType::Deleted && event.object["metadata"]["uid"] == claim.uid.as_str()
            });
            let stays = shown(events.clone(), |object| object["metadata"]["deletionTimestamp"] = Value::Null);
            let stays = dropped(gone.clone()).then(stays);
            histories.push(History::new(format!("{} stays", claim.name), noticed, stays));
            histories.push(History::new(format!("{} is told to go and stays", claim.name), noticed, dropped(gone)));
        }
    }
    histories
}

fn remains(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let (fails, noticed) = (Wanted::Fails(TEARDOWN), Wanted::LeavesGreen(TEARDOWN));
    let all = [
        (SnapshotOf::LeftoverObjects, ["Pod", "PersistentVolumeClaim", "PersistentVolume", "Service", "Secret"]),
        (SnapshotOf::LeftoverResources, ["container", "network", "volume", "image", "node"]),
    ];
    for (of, kinds) in all {
        for kind in kinds {
            let left = Leftover { kind: kind.into(), name: "left".into(), held_by: None };
            let change = snapshot(stored.snapshots(of), move |value| *value = json!([left]));
            histories.push(History::new(format!("a {kind}"), fails, change));
        }
        histories.push(History::new(format!("{of:?} not read"), noticed, dropped(stored.snapshots(of))));
    }
    let created = stored.places(|what| matches!(what, What::Step(step) if step.name == "create the cluster"));
    let change = dropped(stored.snapshots(SnapshotOf::LeftoverResources)).then(dropped(created));
    histories.push(History::new("the engine not asked, and no step that made the cluster", noticed, change));
    let Some(teardown) = act(stored, 0, |act| *act == Act::Teardown) else { return histories };
    for of in [SnapshotOf::LeftoverObjects, SnapshotOf::LeftoverResources] {
        let early = moved_before(stored.snapshots(of), teardown.asked);
        histories.push(History::new(format!("{of:?} listed before the teardown"), noticed, early));
    }
    for kind in ["Pod", "StatefulSet", "Service", CLAIM, VOLUME] {
        let ends: Places = stored
            .events(kind, |event| {
                event.event == EventType::Deleted
                    && event.object["metadata"]["labels"]["app.kubernetes.io/name"] != "steadfast-witness"
            })
            .since(teardown.asked);
        for seq in ends.iter() {
            histories.push(History::new(format!("{kind} of #{seq} was not seen to go"), noticed, dropped(seq)));
        }
    }
    histories
}
