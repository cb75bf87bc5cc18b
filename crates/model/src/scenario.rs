//! The scenarios of a run: one table of their names, dependencies, requirements and disruptions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A named sequence of acts that produces the evidence of checks. The order of the variants is the order of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scenario {
    /// Applies the manifests and waits for every pod.
    Deploy,
    /// Configures replication and starts the write ledger.
    Replicate,
    /// Upgrades the cluster.
    Upgrade,
    /// Deletes each pod in turn.
    Restart,
    /// Holds a pod unready.
    Unready,
    /// Kills the primary's server.
    ServerKill,
    /// Deletes every pod at once.
    DeleteAll,
    /// Scales down and back.
    Scale,
    /// Scales up and back.
    Grow,
    /// Updates the template.
    Roll,
    /// Drains a node.
    Drain,
    /// Pauses a node.
    NodePause,
    /// Stops a node and starts it again.
    NodeStop,
    /// Cuts the power of nodes and gives it back.
    PowerCut,
    /// Replaces the DNS servers.
    DnsReplace,
    /// Kills the API server.
    ApiserverKill,
    /// Scales down while the retention policy deletes the claims with their pods.
    Claims,
    /// Ends the ledger and reads it back.
    Settle,
    /// Deletes what the run made.
    Teardown,
}

/// What a scenario disrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disrupts {
    /// Nothing that anybody uses.
    Nothing,
    /// Pods of the workload.
    Workload,
    /// Nodes, DNS servers or the API server, and so everything else that runs on the cluster.
    Cluster,
}

/// A line of the table of scenarios.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// The scenario.
    pub scenario: Scenario,
    /// Its name in options, records and reports.
    pub name: &'static str,
    /// The name before version 0.2; records and options may still have it.
    pub formerly: Option<&'static str>,
    /// What it does, for people.
    pub acts: &'static str,
    /// The scenarios that must run before it.
    pub needs: &'static [Scenario],
    /// What it disrupts.
    pub disrupts: Disrupts,
    /// Whether it needs nodes that are containers of this machine.
    pub in_containers: bool,
    /// Whether it needs nodes whose volumes lie on disks that can be cut.
    pub disks: bool,
    /// How many nodes the cluster must have at least.
    pub nodes: usize,
    /// How many pods the set must have at least.
    pub pods: u32,
    /// Whether the cluster must have room for one more pod.
    pub one_more_pod: bool,
}

/// All scenarios, in the order of a run.
///
/// After each scenario that disrupts the workload, from `server-kill` on, the whole state is queried. Scenarios on
/// nodes come before `dns-replace`: new DNS servers may land on any node, and nodes with DNS servers are left alone.
/// `claims` comes last: after it the last pod has new data.
pub const SCENARIOS: [Description; 19] = {
    use Disrupts::{Cluster, Nothing, Workload};
    use Scenario::*;
    const fn described(scenario: Scenario, name: &'static str, disrupts: Disrupts, acts: &'static str) -> Description {
        let needs: &[Scenario] = match scenario {
            Deploy => &[],
            Upgrade | Restart | Grow | PowerCut | Settle => &[Deploy, Replicate],
            _ => &[Deploy],
        };
        let (formerly, in_containers, disks, nodes, pods, one_more_pod) = (None, false, false, 1, 1, false);
        Description { scenario, name, formerly, acts, needs, disrupts, in_containers, disks, nodes, pods, one_more_pod }
    }
    [
        described(
            Deploy,
            "deploy",
            Nothing,
            "applies the manifests, waits for all pods, and reads the identity of each",
        ),
        described(
            Replicate,
            "replicate",
            Nothing,
            "configures replication with the primary's stable name and starts the ledger",
        ),
        described(
            Upgrade,
            "upgrade",
            Cluster,
            "upgrades the control plane, then each node, and compares the state after each step",
        ),
        described(Restart, "restart", Workload, "deletes each pod in turn, highest ordinal first"),
        described(Unready, "unready", Workload, "holds a pod unready and deletes the primary's pod meanwhile"),
        Description {
            formerly: Some("crash"),
            in_containers: true,
            ..described(ServerKill, "server-kill", Workload, "kills the primary's server process")
        },
        Description {
            formerly: Some("together"),
            ..described(DeleteAll, "delete-all", Workload, "deletes every pod at once")
        },
        described(
            Scale,
            "scale",
            Workload,
            "scales down to one pod and back up, at first while that pod is held unready",
        ),
        Description {
            one_more_pod: true,
            ..described(Grow, "grow", Workload, "scales up by one pod, which joins as a replica, and back down")
        },
        described(
            Roll,
            "roll",
            Workload,
            "updates the template of one pod, then of all, tries an image that cannot start, and reverts",
        ),
        described(Drain, "drain", Cluster, "cordons a node and evicts the set's pods from it"),
        Description {
            formerly: Some("freeze"),
            nodes: 2,
            ..described(NodePause, "node-pause", Cluster, "pauses a node for a few seconds")
        },
        Description {
            formerly: Some("outage"),
            nodes: 2,
            ..described(NodeStop, "node-stop", Cluster, "shuts a node down and starts it again")
        },
        Description {
            disks: true,
            nodes: 2,
            ..described(
                PowerCut,
                "power-cut",
                Cluster,
                "cuts the power of the primary's node, then of all nodes of the set, while the ledger writes",
            )
        },
        Description {
            formerly: Some("resolver"),
            ..described(DnsReplace, "dns-replace", Cluster, "replaces the cluster's DNS servers")
        },
        Description {
            formerly: Some("control"),
            ..described(ApiserverKill, "apiserver-kill", Cluster, "kills the API server")
        },
        Description {
            pods: 2,
            ..described(
                Claims,
                "claims",
                Workload,
                "removes the last pod while the retention policy deletes claims with their pods",
            )
        },
        described(
            Settle,
            "settle",
            Nothing,
            "ends the ledger, waits for the replicas, and reads the rows of each server",
        ),
        described(Teardown, "teardown", Nothing, "deletes everything that the run created and lists what is left"),
    ]
};

impl Scenario {
    /// All scenarios, in the order of a run.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        SCENARIOS.iter().map(|described| described.scenario)
    }

    /// The scenario's line of the table.
    pub fn description(self) -> &'static Description {
        &SCENARIOS[self as usize]
    }

    /// The name in options, records and reports.
    pub fn name(self) -> &'static str {
        self.description().name
    }

    /// The names of these scenarios, for people.
    pub fn names(scenarios: impl IntoIterator<Item = Self>) -> String {
        scenarios.into_iter().map(Self::name).collect::<Vec<_>>().join(", ")
    }

    /// The scenarios that must run before it.
    pub fn needs(self) -> &'static [Self] {
        self.description().needs
    }

    /// Whether it disrupts anything.
    pub fn disrupts(self) -> bool {
        self.description().disrupts != Disrupts::Nothing
    }

    /// The scenario of this name, current or former.
    fn named(name: &str) -> Option<Self> {
        let described = SCENARIOS.iter().find(|it| it.name == name || it.formerly == Some(name))?;
        Some(described.scenario)
    }
}

/// The wanted scenarios and those that they need, in the order of a run. Teardown is always the last one.
///
/// ```
/// use steadfast_model::{Scenario, plan};
///
/// let wanted = "crash".parse::<Scenario>()?; // as it was called before
/// assert_eq!(plan([wanted]), [Scenario::Deploy, Scenario::ServerKill, Scenario::Teardown]);
/// # Ok::<(), steadfast_model::UnknownScenario>(())
/// ```
pub fn plan(wanted: impl IntoIterator<Item = Scenario>) -> Vec<Scenario> {
    let mut all = vec![Scenario::Teardown];
    for scenario in wanted {
        all.extend(scenario.needs());
        all.push(scenario);
    }
    all.sort_unstable();
    all.dedup();
    all
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no scenario of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario `{name}`; there is {}", Scenario::names(Scenario::all()))]
pub struct UnknownScenario {
    name: String,
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        Self::named(name).ok_or_else(|| UnknownScenario { name: name.to_owned() })
    }
}

impl Serialize for Scenario {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Scenario {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Scenario {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scenario".into()
    }

    /// Its names; former ones are read and never written.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let formerly = |it: &Description| it.formerly.filter(|_| generator.contract().is_deserialize());
        let names: Vec<&str> = SCENARIOS.iter().flat_map(|it| [Some(it.name), formerly(it)]).flatten().collect();
        schemars::json_schema!({ "description": "A scenario.", "type": "string", "enum": names })
    }
}

#[cfg(test)]
mod tests {
    use super::Scenario::*;
    use super::*;

    #[test]
    fn a_plan_has_what_a_scenario_builds_on() {
        assert_eq!(plan([Restart]), [Deploy, Replicate, Restart, Teardown]);
        assert_eq!(plan([Settle]), [Deploy, Replicate, Settle, Teardown]);
        assert_eq!(plan([Scale, Deploy]), [Deploy, Scale, Teardown]);
        assert_eq!(plan([Teardown]), [Deploy, Teardown]);
        assert_eq!(plan([]), [Teardown]);
    }

    #[test]
    fn the_table_has_every_scenario_at_its_place() {
        for (place, described) in SCENARIOS.iter().enumerate() {
            assert_eq!(described.scenario as usize, place, "{}", described.name);
            assert!(described.needs.iter().all(|needed| *needed < described.scenario), "{}", described.name);
            for name in [Some(described.name), described.formerly].into_iter().flatten() {
                assert_eq!(name.parse(), Ok(described.scenario));
                assert_eq!(serde_json::from_value::<Scenario>(name.into()).ok(), Some(described.scenario));
            }
            assert_eq!(serde_json::to_value(described.scenario).ok(), Some(described.name.into()));
        }
    }

    #[test]
    fn an_unknown_name_is_told_with_those_that_there_are() {
        let error = "reboot".parse::<Scenario>().expect_err("no scenario").to_string();
        assert!(error.starts_with("there is no scenario `reboot`; there is deploy, replicate, "), "{error}");
    }
}
