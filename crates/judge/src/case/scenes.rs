//! The scenario in which something happened.

use super::Case;
use crate::evidence::{Phase, Scenario};

/// One run of a scenario.
struct Scene {
    scenario: Scenario,
    from: u64,
    /// The last record. A failed scenario is undone at the end of the run, so it lasts until then.
    to: u64,
}

/// The scenarios of a run, in the order in which they began.
pub(crate) struct Scenes(Vec<Scene>);

impl<'a> Case<'a> {
    /// The scenarios that began.
    pub(crate) fn scenes(&self) -> Scenes {
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

    /// The last record of the scenario that contains a record.
    pub(crate) fn end(&self, seq: u64) -> u64 {
        self.at(seq).map_or(u64::MAX, |scene| scene.to)
    }

    /// The scenario that contains a record, for people, to append to a sentence.
    pub(crate) fn words(&self, seq: u64) -> String {
        self.at(seq).map_or_else(String::new, |scene| format!(" in the scenario {}", scene.scenario))
    }
}
