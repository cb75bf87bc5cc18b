//! The description of a run: workload, versions, images and limits. It is the first record that checks need.

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
    /// The id in the names of the run's directory and cluster.
    pub run_id: String,
    /// The version of the harness.
    pub steadfast: String,
    /// The version that the API server reports, such as `v1.37.2`.
    pub kubernetes: String,
    /// The API server's feature gates, and whether each is on; empty if they could not be read.
    #[serde(default)]
    pub gates: BTreeMap<String, bool>,
    /// The cluster: `kind cluster steadfast-… (3 nodes)`, or the context of an existing one.
    pub cluster: String,
    /// Images that replace those of the manifests, each with the reason.
    pub substitutions: Vec<Substitution>,
    /// The workload, read from its manifests.
    pub subject: Subject,
    /// The limits of the checks.
    pub budgets: Budgets,
    /// The scenarios of this run, in order.
    pub scenarios: Vec<Scenario>,
    /// Scenarios that this run must leave out, each with the reason.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// Who configures replication.
    #[serde(default)]
    pub replication: Replication,
    /// Whether the harness enabled semi-synchronous replication.
    #[serde(default)]
    pub semi_sync: bool,
    /// What the run expects of the workload beyond what every workload must have.
    #[serde(default)]
    pub expect: Vec<Expect>,
    /// The cluster upgrade that this run is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
}

impl Run {
    /// Whether the run has this scenario.
    pub fn acts(&self, scenario: Scenario) -> bool {
        self.scenarios.contains(&scenario)
    }

    /// Why the run leaves this scenario out, if it does.
    pub fn left_out(&self, scenario: Scenario) -> Option<&LeftOut> {
        self.left_out.iter().find(|part| part.scenario == scenario)
    }
}

/// A freedom that the Kubernetes documentation allows and this run does not grant its workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Pods are created and deleted in the order of their ordinals, whatever `spec.podManagementPolicy` says.
    OrderedReady,
}

impl Choice for Expect {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[(
        Self::OrderedReady,
        "ordered-ready",
        "Pods are created and deleted in the order of their ordinals, whatever `spec.podManagementPolicy` says",
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

/// A scenario that the run leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// The scenario.
    pub scenario: Scenario,
    /// The reason, as the end of a sentence: `nodes of a cluster that was there before are left alone`.
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
    /// The workload itself, or its operator: the harness only observes.
    Observed,
}

impl Choice for Replication {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Managed, "managed", "The harness"),
        (Self::Observed, "observed", "The workload itself, or its operator: the harness only observes"),
    ];
}

/// An image that replaces another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Substitution {
    /// The image that the manifests or the harness name.
    pub wanted: String,
    /// What runs instead.
    pub image: String,
    /// The reason.
    pub why: String,
}
