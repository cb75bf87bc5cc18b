//! What a run is about: the workload, the versions, the images and the limits. It is the first record that checks need.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::budget::Budgets;
use super::choice::Choice;
use super::scenario::Scenario;
use super::subject::Subject;

/// What is under test, and the expectations that the run was started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Run {
    /// The version of the evidence format.
    #[cfg_attr(feature = "schema", schemars(extend("const" = super::SCHEMA)))]
    pub schema: u32,
    /// Names the run's directory and cluster.
    pub run_id: String,
    /// Version of the harness.
    pub steadfast: String,
    /// Version that the API server reports, such as `v1.37.2`.
    pub kubernetes: String,
    /// The API server's feature gates, and whether each is on; none where they could not be read.
    #[serde(default)]
    pub gates: BTreeMap<String, bool>,
    /// The cluster: `kind cluster steadfast-… (3 nodes)`, or the context of one that was there before.
    pub cluster: String,
    /// Images that stand in for those the manifests name, each with the reason.
    pub substitutions: Vec<Substitution>,
    /// The workload, read from its manifests.
    pub subject: Subject,
    /// Limits that checks hold the workload to.
    pub budgets: Budgets,
    /// The scenarios that this run acts out, in order.
    pub scenarios: Vec<Scenario>,
    /// The scenarios that would have been acted too, each with the reason why this run must not.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// Who configures replication.
    #[serde(default)]
    pub replication: Replication,
    /// Whether the harness had commits wait for a replica.
    #[serde(default)]
    pub semi_sync: bool,
    /// What is demanded of the workload beyond what holds for every one.
    #[serde(default)]
    pub expect: Vec<Expect>,
    /// The upgrade of the cluster that this run is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
}

impl Run {
    /// Whether this scenario is one of those to act.
    pub fn acts(&self, scenario: Scenario) -> bool {
        self.scenarios.contains(&scenario)
    }

    /// What is said of this scenario where it must not be acted.
    pub fn left_out(&self, scenario: Scenario) -> Option<&LeftOut> {
        self.left_out.iter().find(|part| part.scenario == scenario)
    }
}

/// A right of the documentation's that a run does not grant its workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Pods come and go in the order of their ordinals, whatever `spec.podManagementPolicy` says.
    OrderedReady,
}

impl Choice for Expect {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[(
        Self::OrderedReady,
        "ordered-ready",
        "Pods come and go in the order of their ordinals, whatever `spec.podManagementPolicy` says",
    )];
}

/// An upgrade of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Upgrade {
    /// The API server's version before, such as `v1.36.3`.
    pub from: String,
    /// The version after.
    pub to: String,
}

/// A scenario that is not acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// The scenario.
    pub scenario: Scenario,
    /// Why not, as the end of a sentence: `nodes of a cluster that was there before are left alone`.
    pub why: String,
}

/// Who configures replication.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Replication {
    /// The harness.
    #[default]
    Managed,
    /// The workload itself, or its operator: the harness only looks.
    Observed,
}

impl Choice for Replication {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Managed, "managed", "The harness"),
        (Self::Observed, "observed", "The workload itself, or its operator: the harness only looks"),
    ];
}

/// An image that stands in for another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Substitution {
    /// What the manifests, or the harness, name.
    pub wanted: String,
    /// What runs instead.
    pub image: String,
    /// Why.
    pub why: String,
}
