//! In which scenario something happened.

use crate::evidence::{Phase, Scenario};

use super::Case;

/// One scenario, as it was acted.
struct Scene {
    scenario: Scenario,
    from: u64,
    /// Its last record. What a scenario did that failed is undone when the run ends: it lasts until then.
    to: u64,
}

/// The scenarios of a run, in the order in which they were acted.
pub(in super::super) struct Scenes(Vec<Scene>);

impl<'a> Case<'a> {
    /// The scenarios that were begun.
    pub fn scenes(&self) -> Scenes {
        let mut scenes: Vec<Scene> = Vec::new();
        for step in self.steps() {
            let (Some(scenario), seq) = (step.it.whole(), step.mark.seq) else { continue };
            match step.it.phase {
                Phase::Begin => scenes.push(Scene { scenario, from: seq, to: u64::MAX }),
                Phase::End => {
                    let begun = scenes.iter_mut().rfind(|scene| scene.scenario == scenario);
                    begun.into_iter().for_each(|scene| scene.to = seq);
                }
                Phase::Failed(_) => {}
            }
        }
        Scenes(scenes)
    }
}

impl Scenes {
    fn at(&self, seq: u64) -> Option<&Scene> {
        self.0.iter().rfind(|scene| (scene.from..=scene.to).contains(&seq))
    }

    /// The last record of the scenario that a record lies in.
    pub fn end(&self, seq: u64) -> u64 {
        self.at(seq).map_or(u64::MAX, |scene| scene.to)
    }

    /// The scenario that a record lies in, for people: it follows what happened.
    pub fn words(&self, seq: u64) -> String {
        self.at(seq).map_or_else(String::new, |scene| format!(" in the scenario {}", scene.scenario))
    }
}
