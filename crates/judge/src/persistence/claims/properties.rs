//! Random histories of claims, judged a second time by brute force: no false pass and no false failure.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::Verdict::{self, Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{ClaimPolicy, Retention};

mod story;

use story::Event::{self, *};
use story::{Setting, Story, World, told};

fn setting() -> impl Strategy<Value = Setting> {
    let retention = || prop_oneof![3 => Just(Retention::Retain), 1 => Just(Retention::Delete)];
    (1..=3_usize, 1..=2_usize, retention(), retention()).prop_map(|(pods, templates, when_deleted, when_scaled)| {
        Setting { pods, templates, policy: ClaimPolicy { when_deleted, when_scaled } }
    })
}

fn disturbance() -> impl Strategy<Value = Event> {
    let (pod, template) = (0..3_usize, 0..2_usize);
    let claim = move || (pod.clone(), template.clone());
    prop_oneof![
        2 => (0..3_usize, any::<bool>()).prop_map(|(pod, mounts)| PodComes { pod, mounts }),
        2 => (0..3_usize).prop_map(|pod| PodGoes { pod }),
        1 => claim().prop_map(|(pod, template)| ClaimComes { pod, template }),
        4 => claim().prop_map(|(pod, template)| ClaimTold { pod, template }),
        2 => claim().prop_map(|(pod, template)| ClaimGoes { pod, template }),
        3 => claim().prop_map(|(pod, template)| InVain { pod, template }),
        1 => Just(ClaimsLost),
        1 => Just(PodsLost),
    ]
}

/// The event that proves an act.
fn proof(event: Event) -> Option<Event> {
    match event {
        Down => Some(DownSeen),
        Up => Some(UpSeen),
        Freed => Some(FreedSeen),
        _ => None,
    }
}

/// Stories that begin with a good one, from which some events are removed and to which others are added.
fn story() -> impl Strategy<Value = (Setting, Vec<Event>)> {
    let taken = prop::collection::vec(any::<Index>(), 0..3);
    let added = prop::collection::vec((any::<Index>(), disturbance()), 0..4);
    (setting(), taken, added).prop_map(|(setting, taken, added)| {
        let mut events = setting.script();
        for index in taken {
            let place = index.index(events.len());
            // Without its beginning the scenario would span the whole story.
            if events[place] != Begins {
                let taken = events.remove(place);
                events.retain(|event| proof(taken) != Some(*event));
            }
        }
        for (index, event) in added {
            events.insert(index.index(events.len() + 1), event);
        }
        (setting, events)
    })
}

/// Whether a part is wrong, and whether it is open.
#[derive(Default)]
struct Doubts {
    wrong: bool,
    open: bool,
}

impl Story {
    fn find(&self, event: Event, from: usize) -> Option<usize> {
        (from..self.events.len()).find(|place| self.events[*place] == event)
    }

    fn lost(&self, event: Event, from: usize, to: usize) -> bool {
        self.events[from..=to].contains(&event)
    }

    /// The set's claims; claims of a template that it does not have belong to somebody else.
    fn of_set(&self, world: &World) -> impl Iterator<Item = usize> {
        world.claims.iter().filter(|claim| claim.of.1 < self.setting.templates).map(|claim| claim.uid)
    }

    /// Checks that a claim stays between two events.
    fn stays(&self, uid: usize, from: usize, to: usize, doubts: &mut Doubts) {
        let mut was = false;
        for place in from.saturating_sub(1)..=to {
            let (there, told) = (self.worlds[place].has(uid), self.worlds[place].told(uid));
            let before = place.checked_sub(1).map(|before| &self.worlds[before]);
            let (was_there, was_told) =
                (before.is_some_and(|world| world.has(uid)), before.is_some_and(|world| world.told(uid)));
            if place >= from {
                doubts.wrong |= (was_there && !there) || (was_there && told && !was_told);
            }
            was |= place < from && told;
        }
        doubts.open |= was;
    }

    fn scaling(&self, doubts: &mut Doubts) {
        let Some(down) = self.find(Down, 0) else { return doubts.open = true };
        let frees = |event: &Event| matches!(event, Freed | Held | Teardown | DeleteClaims);
        let limit =
            (down..self.events.len()).find(|place| frees(&self.events[*place])).unwrap_or(self.events.len()) - 1;
        let up = self.find(Up, down).filter(|up| *up <= limit);
        let seen = up.and_then(|up| self.find(UpSeen, up)).filter(|seen| *seen <= limit);
        // Nothing shows the scale-up while a pod is missing, or while there is one too many.
        let all = |world: &World| (0..self.setting.pods).all(|pod| world.pod(pod).is_some());
        let no_more = |world: &World| world.pods.iter().all(|pod| pod.ordinal < self.setting.pods);
        let seen = seen.filter(|seen| all(&self.worlds[*seen]) && no_more(&self.worlds[*seen]));
        let end = seen.unwrap_or(limit);
        let away = || (1..self.setting.pods).flat_map(|pod| self.setting.claims_of(pod));
        let mut kept = Vec::new();
        for of in away() {
            let Some(claim) = self.worlds[down].claim(of) else {
                doubts.open = true;
                continue;
            };
            let mut its = Doubts::default();
            self.stays(claim.uid, down, end, &mut its);
            if !its.wrong && !its.open {
                kept.push((of, claim.uid));
            }
            doubts.wrong |= its.wrong;
            doubts.open |= its.open;
        }
        let (Some(up), Some(seen), false) = (up, seen, self.lost(ClaimsLost, down, end)) else {
            return doubts.open = true;
        };
        for pod in 1..self.setting.pods {
            let back = self.worlds[seen].pod(pod).filter(|pod| !self.worlds[up].has(pod.uid));
            let Some(back) = back else {
                doubts.open = true;
                continue;
            };
            for (of, uid) in kept.iter().filter(|(of, _)| of.0 == pod) {
                doubts.wrong |= !back.mounts || self.worlds[seen].claim(*of).is_none_or(|claim| claim.uid != *uid);
            }
        }
    }

    /// The set's deletion, with the claims that existed; `None` if the claims were not deleted.
    fn deletion(&self) -> Option<(usize, usize, Vec<usize>)> {
        let asked = self.find(Teardown, 0)?;
        let end = self.find(DeleteClaims, asked)?;
        let claims: Vec<usize> = self.of_set(&self.worlds[asked]).collect();
        (!claims.is_empty()).then_some((asked, end, claims))
    }

    fn survives(&self) -> Verdict {
        let (mut doubts, mut applies) = (Doubts::default(), false);
        if self.setting.policy.when_scaled == Retention::Retain && self.setting.pods > 1 {
            applies = true;
            self.scaling(&mut doubts);
        }
        if self.setting.policy.when_deleted == Retention::Retain && self.find(Teardown, 0).is_some() {
            applies = true;
            match self.deletion() {
                Some((asked, end, claims)) => {
                    claims.iter().for_each(|uid| self.stays(*uid, asked, end, &mut doubts));
                    doubts.open |= self.lost(ClaimsLost, asked, end);
                }
                None => doubts.open = true,
            }
        }
        if applies { doubts.verdict() } else { Skipped }
    }

    /// When the policy was set and when the pod was scaled away.
    fn freed(&self) -> Option<(usize, usize, usize)> {
        let freed = self.find(Freed, 0)?;
        let away = self.find(Away, self.find(FreedSeen, freed)?)?;
        let teardown = self.find(Teardown, 0).map(|teardown| teardown - 1);
        let end = self.find(Ends, away).or(teardown).unwrap_or(self.events.len() - 1);
        Some((freed, away, end))
    }

    fn scaled_away(&self, doubts: &mut Doubts) {
        let Some((freed, away, end)) = self.freed() else { return doubts.open = true };
        let last = self.setting.pods - 1;
        let lost = self.lost(ClaimsLost, freed, end);
        doubts.open |= lost;
        let mut going = Vec::new();
        for of in self.setting.claims_of(last) {
            let Some(claim) = self.worlds[freed].claim(of) else {
                doubts.open = true;
                continue;
            };
            going.push(claim.uid);
            let mut early = Doubts::default();
            self.stays(claim.uid, freed, away, &mut early);
            doubts.wrong |= early.wrong;
            doubts.open |= early.open;
            let gone = (away..=end).any(|place| !self.worlds[place].has(claim.uid));
            if early.wrong || early.open || gone {
                continue;
            }
            let pod = self.worlds[away].pod(last).map(|pod| pod.uid);
            let left = pod.and_then(|uid| (away..=end).find(|place| !self.worlds[*place].has(uid)));
            let vain = InVain { pod: of.0, template: of.1 };
            let blamed = left.is_some_and(|left| self.events[left..=end].contains(&vain));
            let spared = self.lost(ClaimsLost, away, end);
            doubts.wrong |= blamed && !spared;
            doubts.open |= !blamed || spared;
        }
        let mut others: Vec<usize> = self.worlds[freed..=end].iter().flat_map(|world| self.of_set(world)).collect();
        others.retain(|uid| !going.contains(uid));
        others.iter().for_each(|uid| self.stays(*uid, freed, end, doubts));
        let stay = (0..last).flat_map(|pod| self.setting.claims_of(pod));
        doubts.open |= stay.into_iter().any(|of| self.worlds[freed].claim(of).is_none());
    }

    fn is_honoured(&self) -> Verdict {
        let mut doubts = Doubts::default();
        self.scaled_away(&mut doubts);
        if self.setting.policy.when_deleted == Retention::Delete && self.find(Teardown, 0).is_some() {
            let Some((asked, end, claims)) = self.deletion() else {
                doubts.open = true;
                return doubts.verdict();
            };
            let lost = self.lost(ClaimsLost, asked, end);
            doubts.open |= lost;
            for uid in claims {
                let of = self.worlds[asked].claims.iter().find(|claim| claim.uid == uid).expect("it is there").of;
                let gone = (asked..=end).any(|place| !self.worlds[place].has(uid) || self.worlds[place].told(uid));
                let vain = self.events[asked..=end].contains(&InVain { pod: of.0, template: of.1 });
                doubts.open |= self.worlds[asked].told(uid) || (!gone && (lost || !vain));
                doubts.wrong |= !gone && !lost && vain;
            }
        }
        doubts.verdict()
    }
}

impl Doubts {
    fn verdict(&self) -> Verdict {
        match (self.wrong, self.open) {
            (true, _) => Fail,
            (false, true) => Inconclusive,
            (false, false) => Pass,
        }
    }
}

proptest! {
    #[test]
    fn judges_agree_with_brute_force((setting, events) in story()) {
        let (history, story) = told(setting, &events);
        let survives = history.judge("persistence::claims_survive_scale_down");
        prop_assert_eq!(survives.verdict, story.survives(), "{}", survives.reason);
        let honoured = history.judge("persistence::claim_policy_is_honoured");
        prop_assert_eq!(honoured.verdict, story.is_honoured(), "{}", honoured.reason);
    }
}

/// A brute-force judge that never sees a pass, or only passes, would agree with everything.
#[test]
fn what_is_right_passes() {
    for (pods, templates) in [(1, 1), (2, 2), (3, 1)] {
        let setting = Setting { pods, templates, policy: ClaimPolicy::default() };
        let (history, story) = told(setting, &setting.script());
        assert_eq!((story.survives(), story.is_honoured()), (Pass, Pass));
        history.expect("persistence::claims_survive_scale_down", Pass);
    }
}
