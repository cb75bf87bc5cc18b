//! What of its scenarios a trial may act on its cluster, and what it leaves out.

use super::{Bench, Trial};
use crate::evidence::LeftOut;
use crate::scenario::disrupts;
use crate::workload::{Apart, shortage};

/// What a trial may disrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disruption {
    /// Nothing: somebody else's cluster, and no word that more is welcome.
    Nothing,
    /// Pods of the trial's own namespace.
    Workload,
    /// Nodes, DNS servers and the API server too, since the cluster was made for this trial alone.
    Cluster,
}

/// The scenarios of a trial.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// Those to act, in order.
    pub scenarios: Vec<String>,
    /// The others.
    pub left_out: Vec<LeftOut>,
}

/// What decides which scenarios may be acted.
#[derive(Debug, Clone, Copy)]
struct Ground {
    /// What may be disrupted.
    disruption: Disruption,
    /// Whether its nodes are containers of this machine.
    containers: bool,
    /// How many there are.
    nodes: usize,
    /// How many pods the workload has.
    pods: u32,
    /// Whether one more pod would find a node, and be within the quotas.
    room: bool,
}

impl Scope {
    /// What a trial may act on this bench, with a workload of so many pods.
    pub fn of(bench: &Bench, trial: &Trial, pods: u32) -> Self {
        let containers = bench.nodes.is_some();
        let on_nodes = Apart::of(&trial.manifests).is_none_or(|apart| apart.takers(&bench.taints) > apart.pods);
        let room = on_nodes && shortage(&trial.manifests, 1, false).is_none();
        let ground = Ground { disruption: trial.disruption, containers, nodes: bench.size, pods, room };
        Self::on(ground, &trial.scenarios)
    }

    fn on(ground: Ground, wanted: &[String]) -> Self {
        let mut scope = Self::default();
        for scenario in wanted {
            match why_not(ground, scenario) {
                Some(why) => scope.left_out.push(LeftOut { scenario: scenario.clone(), why: why.to_owned() }),
                None => scope.scenarios.push(scenario.clone()),
            }
        }
        scope
    }
}

/// Why a scenario must not be acted on such a ground, as the end of a sentence.
fn why_not(ground: Ground, scenario: &str) -> Option<&'static str> {
    match scenario {
        "crash" if !ground.containers => {
            Some("a server is killed from its node, and the nodes are no containers of this machine")
        }
        "drain" | "freeze" | "outage" | "resolver" | "control" if ground.disruption != Disruption::Cluster => Some(
            "nodes, DNS servers and the API server are left alone in a cluster that was not made for this workload",
        ),
        "freeze" | "outage" if ground.nodes < 2 => {
            Some("the cluster's only node carries the API server, the DNS servers and the witnesses too")
        }
        "grow" if !ground.room => Some("no node takes one more pod, or a quota allows none"),
        "claims" if ground.pods < 2 => Some("the set has one pod: with its claim would go every write"),
        _ if ground.disruption == Disruption::Nothing && disrupts(scenario) => {
            Some("no pod is disturbed in a cluster that was there before, unless --allow-disruption is given")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{CATALOGUE, Verdict, history::History};

    const OWN: Ground = Ground { disruption: Disruption::Cluster, containers: true, nodes: 3, pods: 3, room: true };

    fn left_out(ground: Ground) -> Vec<String> {
        let wanted = crate::scenario::SCENARIOS.map(str::to_owned);
        let scope = Scope::on(ground, &wanted);
        assert_eq!(scope.scenarios.len() + scope.left_out.len(), wanted.len());
        scope.left_out.into_iter().map(|left| left.scenario).collect()
    }

    #[test]
    fn whose_the_cluster_is_decides_what_is_disrupted() {
        let beyond_the_workload = ["drain", "freeze", "outage", "resolver", "control"];
        let shared = Ground { disruption: Disruption::Workload, ..OWN };
        assert!(left_out(OWN).is_empty());
        assert_eq!(left_out(Ground { nodes: 1, ..OWN }), ["freeze", "outage"]);
        assert_eq!(left_out(Ground { room: false, ..OWN }), ["grow"]);
        assert_eq!(left_out(shared), beyond_the_workload);
        assert_eq!(left_out(Ground { containers: false, ..shared }), [&["crash"][..], &beyond_the_workload].concat());
    }

    #[test]
    fn the_only_copy_of_all_writes_is_not_taken_away() {
        assert_eq!(left_out(Ground { pods: 1, ..OWN }), ["claims"]);
    }

    /// Checks that the run cannot decide are skipped, with the reason: whoever must not disturb more is not left in doubt.
    #[test]
    fn what_must_not_be_acted_leaves_no_check_undecided() {
        let wanted = crate::scenario::SCENARIOS.map(str::to_owned);
        for disruption in [Disruption::Nothing, Disruption::Workload, Disruption::Cluster] {
            for (containers, nodes, pods) in [(true, 3, 3), (true, 1, 3), (false, 3, 3), (true, 3, 1), (false, 1, 1)] {
                let ground = Ground { disruption, containers, nodes, pods, room: nodes < 3 };
                let scope = Scope::on(ground, &wanted);
                let evidence = History::good_without(pods, scope.left_out).evidence();
                for check in CATALOGUE {
                    let finding = check.judge(&evidence);
                    let decided = matches!(finding.verdict, Verdict::Pass | Verdict::Skipped);
                    assert!(decided, "{ground:?}: {} {}: {}", check.id, finding.verdict, finding.reason);
                }
            }
        }
    }

    #[test]
    fn without_agreement_no_scenario_disturbs_a_pod() {
        let wanted = crate::scenario::SCENARIOS.map(str::to_owned);
        let scope = Scope::on(Ground { disruption: Disruption::Nothing, pods: 1, ..OWN }, &wanted);
        assert_eq!(scope.scenarios, ["deploy", "replicate", "settle", "teardown"]);
        let why =
            |scenario: &str| scope.left_out.iter().find(|left| left.scenario == scenario).map(|it| it.why.as_str());
        assert!(why("restart").is_some_and(|why| why.contains("--allow-disruption")));
        // What the flag would not change is not said to be up to it.
        for scenario in ["control", "claims"] {
            assert!(why(scenario).is_some_and(|why| !why.contains("--allow-disruption")), "{scenario}");
        }
    }
}
