//! The events of pods and claims, the state after each, and their records in a history.

use serde_json::json;

use crate::evidence::{Act, ClaimPolicy, EventType, Phase, Retention, Scenario, Subject};
use crate::history::{History, subject};

use Event::*;

/// An event. Pods are given by their ordinal, claims by their pod's ordinal and the index of their template.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Event {
    Begins,
    Ends,
    Down,
    DownSeen,
    Up,
    UpSeen,
    Freed,
    FreedSeen,
    Away,
    Held,
    Teardown,
    DeleteClaims,
    PodComes { pod: usize, mounts: bool },
    PodGoes { pod: usize },
    ClaimComes { pod: usize, template: usize },
    ClaimTold { pod: usize, template: usize },
    ClaimGoes { pod: usize, template: usize },
    InVain { pod: usize, template: usize },
    ClaimsLost,
    PodsLost,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub pods: usize,
    pub templates: usize,
    pub policy: ClaimPolicy,
}

impl Setting {
    pub(super) fn claims_of(self, pod: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..self.templates).map(move |template| (pod, template))
    }

    /// The events of a good run.
    pub(super) fn script(self) -> Vec<Event> {
        let comes = |pod| [PodComes { pod, mounts: true }];
        let born = |pod| self.claims_of(pod).map(|(pod, template)| ClaimComes { pod, template });
        let told = |pod| self.claims_of(pod).map(|(pod, template)| ClaimTold { pod, template });
        let gone = |pod| self.claims_of(pod).map(|(pod, template)| ClaimGoes { pod, template });
        let mut script: Vec<Event> = (0..self.pods).flat_map(|pod| comes(pod).into_iter().chain(born(pod))).collect();
        if self.pods > 1 {
            script.push(Down);
            script.extend((1..self.pods).rev().map(|pod| PodGoes { pod }));
            script.extend([DownSeen, Up]);
            script.extend((1..self.pods).flat_map(comes));
            script.push(UpSeen);
        }
        let last = self.pods - 1;
        script.extend([Begins, Freed, FreedSeen, Away, PodGoes { pod: last }]);
        script.extend(told(last).chain(gone(last)));
        script.push(Held);
        script.extend(comes(last).into_iter().chain(born(last)));
        script.extend([Ends, Teardown]);
        if self.policy.when_deleted == Retention::Delete {
            script.extend((0..self.pods).flat_map(told));
        }
        script.push(DeleteClaims);
        script.extend((0..self.pods).flat_map(gone));
        script
    }

    pub(super) fn subject(self) -> Subject {
        let claims = (0..self.templates).map(|template| format!("t{template}")).collect();
        Subject { claims, claim_policy: self.policy, ..subject(u32::try_from(self.pods).expect("few pods")) }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Pod {
    pub ordinal: usize,
    pub uid: usize,
    pub mounts: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub of: (usize, usize),
    pub uid: usize,
    pub told: bool,
}

/// The state after an event.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub pods: Vec<Pod>,
    pub claims: Vec<Claim>,
}

impl World {
    pub(super) fn pod(&self, ordinal: usize) -> Option<&Pod> {
        self.pods.iter().rev().find(|pod| pod.ordinal == ordinal)
    }

    pub(super) fn claim(&self, of: (usize, usize)) -> Option<&Claim> {
        self.claims.iter().rev().find(|claim| claim.of == of)
    }

    pub(super) fn has(&self, uid: usize) -> bool {
        self.claims.iter().any(|claim| claim.uid == uid) || self.pods.iter().any(|pod| pod.uid == uid)
    }

    pub(super) fn told(&self, uid: usize) -> bool {
        self.claims.iter().any(|claim| claim.uid == uid && claim.told)
    }

    /// Applies an event; false if there is nothing that it can apply to.
    pub(super) fn suffers(&mut self, event: Event, uid: usize) -> bool {
        match event {
            PodComes { pod: ordinal, mounts } => self.pods.push(Pod { ordinal, uid, mounts }),
            ClaimComes { pod, template } => self.claims.push(Claim { of: (pod, template), uid, told: false }),
            PodGoes { pod } => match self.pods.iter().rposition(|it| it.ordinal == pod) {
                Some(place) => drop(self.pods.remove(place)),
                None => return false,
            },
            ClaimTold { pod, template } => match self.claims.iter_mut().rev().find(|it| it.of == (pod, template)) {
                Some(claim) if !claim.told => claim.told = true,
                _ => return false,
            },
            ClaimGoes { pod, template } => match self.claims.iter().rposition(|it| it.of == (pod, template)) {
                Some(place) => drop(self.claims.remove(place)),
                None => return false,
            },
            _ => {}
        }
        true
    }
}

/// The events that could be applied, one record each, with the state after each.
pub(super) struct Story {
    pub setting: Setting,
    pub events: Vec<Event>,
    pub worlds: Vec<World>,
}

/// Writes the events as a history, and computes the state after each by brute force.
pub(super) fn told(setting: Setting, events: &[Event]) -> (History, Story) {
    let mut history = History::with(setting.subject());
    let mut story = Story { setting, events: Vec::new(), worlds: Vec::new() };
    let mut world = World::default();
    for (uid, event) in events.iter().copied().enumerate() {
        let before = world.clone();
        if world.suffers(event, uid) {
            tell(&mut history, setting, event, uid, &before);
            story.events.push(event);
            story.worlds.push(world.clone());
        }
    }
    (history, story)
}

pub(super) fn tell(history: &mut History, setting: Setting, event: Event, uid: usize, before: &World) -> u64 {
    let all = u32::try_from(setting.pods).expect("few pods");
    let (down, up) = (Act::Scale { from: all, to: 1 }, Act::Scale { from: 1, to: all });
    let freed = Act::SetClaimPolicy { when_scaled: Retention::Delete };
    match event {
        Begins => history.step(Scenario::Claims, Phase::Begin),
        Ends => history.step(Scenario::Claims, Phase::End),
        Down => history.fault(down),
        DownSeen => proved(history, down),
        Up => history.fault(up),
        UpSeen => proved(history, up),
        Freed => history.fault(freed),
        FreedSeen => proved(history, freed),
        Away => history.fault(Act::Scale { from: all, to: all - 1 }),
        Held => history.fault(Act::SetClaimPolicy { when_scaled: Retention::Retain }),
        Teardown => history.fault(Act::Teardown),
        DeleteClaims => history.fault(Act::DeleteClaims),
        ClaimsLost => history.gap("PersistentVolumeClaim"),
        PodsLost => history.gap("Pod"),
        InVain { pod, template } => history.expired(&format!("the claim {} gone", claim(pod, template)), "there"),
        PodComes { pod, mounts } => {
            let volumes = setting.claims_of(pod).map(|(pod, template)| claim(pod, template));
            let volumes = volumes.map(|name| json!({"persistentVolumeClaim": {"claimName": name}}));
            let volumes: Vec<_> = volumes.filter(|_| mounts).collect();
            let metadata = json!({"name": format!("mysql-{pod}"), "uid": format!("pod {uid}")});
            let status = json!({"conditions": [{"type": "Ready", "status": "True"}]});
            let pod = json!({"metadata": metadata, "spec": {"volumes": volumes}, "status": status});
            history.object(EventType::Added, "Pod", pod)
        }
        PodGoes { pod } => {
            let uid = before.pod(pod).expect("it was there").uid;
            let metadata = json!({"name": format!("mysql-{pod}"), "uid": format!("pod {uid}")});
            history.object(EventType::Deleted, "Pod", json!({"metadata": metadata}))
        }
        ClaimComes { pod, template } => of_claim(history, EventType::Added, (pod, template), uid, false),
        ClaimTold { pod, template } | ClaimGoes { pod, template } => {
            let it = before.claim((pod, template)).expect("it was there");
            let told = it.told || matches!(event, ClaimTold { .. });
            let kind = if matches!(event, ClaimTold { .. }) { EventType::Modified } else { EventType::Deleted };
            of_claim(history, kind, it.of, it.uid, told)
        }
    }
}

/// The record of the proof proves the act itself.
fn proved(history: &mut History, act: Act) -> u64 {
    let next = history.records.last().map_or(0, |last| last.seq) + 1;
    history.proved(act, next)
}

pub(super) fn claim(pod: usize, template: usize) -> String {
    format!("t{template}-mysql-{pod}")
}

pub(super) fn of_claim(history: &mut History, event: EventType, of: (usize, usize), uid: usize, told: bool) -> u64 {
    let mut metadata = json!({"name": claim(of.0, of.1), "uid": format!("claim {uid}")});
    if told {
        metadata["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
    }
    history.object(event, "PersistentVolumeClaim", json!({"metadata": metadata}))
}
