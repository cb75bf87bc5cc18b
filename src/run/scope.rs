//! Which scenarios a run may act on its cluster, and which it leaves out.

use super::{TestCluster, WorkloadRun};
use crate::evidence::{Disrupts, LeftOut, Scenario};
use crate::workload::{Apart, shortage};

/// The scenarios of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// The scenarios to act, in order.
    pub scenarios: Vec<Scenario>,
    /// The other scenarios.
    pub left_out: Vec<LeftOut>,
}

/// The facts that decide which scenarios may be acted.
#[derive(Debug, Clone, Copy)]
struct Capabilities {
    /// What may be disrupted.
    may_disrupt: Disrupts,
    /// Whether the nodes are containers of this machine.
    containers: bool,
    /// Whether the volumes lie on disks that can be cut.
    disks: bool,
    /// The number of nodes.
    nodes: usize,
    /// The number of the workload's pods.
    pods: u32,
    /// Whether there are a node and quota for one more pod.
    room: bool,
}

impl Scope {
    /// The scenarios that a run may act on this cluster, with a workload of this many pods.
    pub(super) fn of(test_cluster: &TestCluster, workload_run: &WorkloadRun, pods: u32) -> Self {
        let containers = test_cluster.nodes.is_some();
        let on_nodes =
            Apart::of(&workload_run.manifests).is_none_or(|apart| apart.takers(&test_cluster.taints) > apart.pods);
        let room = on_nodes && shortage(&workload_run.manifests, 1, false).is_none();
        let (may_disrupt, nodes) = (workload_run.may_disrupt, test_cluster.size);
        let disks = test_cluster.disks.is_some();
        let capabilities = Capabilities { may_disrupt, containers, disks, nodes, pods, room };
        Self::on(capabilities, &workload_run.scenarios)
    }

    fn on(capabilities: Capabilities, wanted: &[Scenario]) -> Self {
        let mut scope = Self::default();
        for &scenario in wanted {
            match reason_to_leave_out(capabilities, scenario) {
                Some(why) => scope.left_out.push(LeftOut { scenario, why: why.to_owned() }),
                None => scope.scenarios.push(scenario),
            }
        }
        scope
    }
}

/// Why a scenario must not be acted under these conditions, as the end of a sentence.
fn reason_to_leave_out(capabilities: Capabilities, scenario: Scenario) -> Option<&'static str> {
    let required = scenario.description();
    if required.in_containers && !capabilities.containers {
        return Some("a server is killed from its node, and the nodes are not containers on this machine");
    }
    // An upgrade is planned only for users who asked for it, on this cluster.
    let asked_for = scenario == Scenario::Upgrade && capabilities.may_disrupt == Disrupts::Workload;
    if required.disrupts == Disrupts::Cluster && capabilities.may_disrupt != Disrupts::Cluster && !asked_for {
        return Some(
            "nodes, DNS servers and the API server are not disrupted in a cluster that was not created for this \
             workload",
        );
    }
    if capabilities.nodes < required.nodes {
        return Some("the cluster's only node also runs the API server, the DNS servers and the witnesses");
    }
    if required.disks && !capabilities.disks {
        return Some("the nodes' volumes lie on no disks that can be cut");
    }
    if required.one_more_pod && !capabilities.room {
        return Some("no node can take one more pod, or a quota does not allow it");
    }
    if capabilities.pods < required.pods {
        return Some("the StatefulSet has one pod: deleting its claim would lose every write");
    }
    let undisturbed = capabilities.may_disrupt == Disrupts::Nothing && scenario.disrupts();
    undisturbed.then_some("pods of an existing cluster are not disrupted, unless --allow-disruption is given")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::history::History;
    use crate::check::{CATALOGUE, Verdict};

    const OWN: Capabilities =
        Capabilities { may_disrupt: Disrupts::Cluster, containers: true, disks: true, nodes: 3, pods: 3, room: true };

    fn left_out(capabilities: Capabilities) -> Vec<Scenario> {
        let wanted: Vec<Scenario> = Scenario::all().collect();
        let scope = Scope::on(capabilities, &wanted);
        assert_eq!(scope.scenarios.len() + scope.left_out.len(), wanted.len());
        scope.left_out.into_iter().map(|left| left.scenario).collect()
    }

    #[test]
    fn whose_the_cluster_is_decides_what_is_disrupted() {
        let beyond_the_workload = [
            Scenario::Drain,
            Scenario::NodePause,
            Scenario::NodeStop,
            Scenario::PowerCut,
            Scenario::DnsReplace,
            Scenario::ApiserverKill,
        ];
        let shared = Capabilities { may_disrupt: Disrupts::Workload, ..OWN };
        assert!(left_out(OWN).is_empty());
        assert_eq!(
            left_out(Capabilities { nodes: 1, ..OWN }),
            [Scenario::NodePause, Scenario::NodeStop, Scenario::PowerCut]
        );
        assert_eq!(left_out(Capabilities { disks: false, ..OWN }), [Scenario::PowerCut]);
        assert_eq!(left_out(Capabilities { room: false, ..OWN }), [Scenario::Grow]);
        assert_eq!(left_out(shared), beyond_the_workload);
        assert_eq!(
            left_out(Capabilities { containers: false, ..shared }),
            [&[Scenario::ServerKill][..], &beyond_the_workload].concat()
        );
    }

    #[test]
    fn an_upgrade_that_was_asked_for_is_acted_on_an_existing_cluster() {
        let on = |may_disrupt| left_out(Capabilities { may_disrupt, ..OWN }).contains(&Scenario::Upgrade);
        assert_eq!([Disrupts::Nothing, Disrupts::Workload, Disrupts::Cluster].map(on), [true, false, false]);
    }

    #[test]
    fn the_only_copy_of_all_writes_is_not_taken_away() {
        assert_eq!(left_out(Capabilities { pods: 1, ..OWN }), [Scenario::Claims]);
    }

    /// Checks that the run cannot decide are skipped with the reason, not left undecided.
    #[test]
    fn what_must_not_be_acted_leaves_no_check_undecided() {
        let wanted: Vec<Scenario> = Scenario::all().collect();
        for may_disrupt in [Disrupts::Nothing, Disrupts::Workload, Disrupts::Cluster] {
            for (containers, nodes, pods) in [(true, 3, 3), (true, 1, 3), (false, 3, 3), (true, 3, 1), (false, 1, 1)] {
                let capabilities =
                    Capabilities { may_disrupt, containers, disks: containers, nodes, pods, room: nodes < 3 };
                let scope = Scope::on(capabilities, &wanted);
                let evidence = History::good_without(pods, scope.left_out).evidence();
                for check in CATALOGUE {
                    let finding = check.judge(&evidence);
                    let decided = matches!(finding.verdict, Verdict::Pass | Verdict::Skipped);
                    assert!(decided, "{capabilities:?}: {} {}: {}", check.id, finding.verdict, finding.reason);
                }
            }
        }
    }

    #[test]
    fn without_agreement_no_scenario_disturbs_a_pod() {
        let wanted: Vec<Scenario> = Scenario::all().collect();
        let scope = Scope::on(Capabilities { may_disrupt: Disrupts::Nothing, pods: 1, ..OWN }, &wanted);
        assert_eq!(scope.scenarios, [Scenario::Deploy, Scenario::Replicate, Scenario::Settle, Scenario::Teardown]);
        let why =
            |scenario: Scenario| scope.left_out.iter().find(|left| left.scenario == scenario).map(|it| it.why.as_str());
        assert!(why(Scenario::Restart).is_some_and(|why| why.contains("--allow-disruption")));
        // If the flag would not help, the reason must not suggest it.
        for scenario in [Scenario::ApiserverKill, Scenario::Claims] {
            assert!(why(scenario).is_some_and(|why| !why.contains("--allow-disruption")), "{scenario}");
        }
    }
}
