//! The records of a run: `evidence.jsonl` holds one a line.
//!
//! Checks see nothing but records. Records say what was seen and never what it means: checks decide that. [`SCHEMA`] is
//! the version of the format.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::act::Fault;
use super::answer::{Dns, Exec, Sql, Write};
use super::entries::Entries;
use super::lapse::Lapse;
use super::run::Run;
use super::scenario::{Scenario, UnknownScenario};

/// The version of the evidence format. A reader refuses a log with another one.
pub const SCHEMA: u32 = 1;

/// One line of the evidence log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Record {
    /// Position in the log, counted from 1 without gaps. Reports quote it as `#seq`.
    pub seq: u64,
    /// Microseconds since the run began, including the time that the machine slept.
    pub at_us: u64,
    /// Wall-clock time, for people. Checks do not use it: it comes from several clocks and has leap seconds.
    pub wall: jiff::Timestamp,
    /// What was seen.
    pub what: What,
}

/// Everything that can be observed or done in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// What is under test and with what; written once, before the first act.
    Run(Box<Run>),
    /// An act of a scenario begins or ends.
    Step(Step),
    /// A watch event, as the API server sent it.
    Object(Box<ObjectEvent>),
    /// A stretch of the history was lost: order is not proved across it.
    Gap(Gap),
    /// The harness saw nothing for a while, or its wall clock jumped. The times are those of the log.
    Lapse(Lapse),
    /// A wait of the harness ended.
    Wait(Wait),
    /// A DNS query and its answer.
    Dns(Dns),
    /// An SQL question to one server and its answer.
    Sql(Sql),
    /// A command run in a container.
    Exec(Exec),
    /// The outcome of one write of the ledger.
    Write(Write),
    /// Entries of the ledger that the witness handed over.
    Entries(Entries),
    /// An act was asked for, or is proved to have happened.
    Fault(Fault),
    /// A state read at one time, such as the Corefile or what remains after teardown.
    Snapshot(Snapshot),
    /// A problem of the harness itself, for people.
    Note(Note),
}

/// An act of a scenario begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "StoredStep", into = "StoredStep")]
pub struct Step {
    /// The scenario; `None` for a step outside of all scenarios, which is written as `run`.
    pub scenario: Option<Scenario>,
    /// What is done, in the imperative: `delete mysql-1`.
    pub name: String,
    /// The phase.
    pub phase: Phase,
}

impl Step {
    /// The scenario, if this step is the whole scenario.
    pub fn whole(&self) -> Option<Scenario> {
        self.scenario.filter(|scenario| scenario.name() == self.name)
    }

    /// The step with its scenario, for people.
    pub fn words(&self) -> String {
        match self.scenario {
            Some(scenario) if self.whole().is_none() => format!("{scenario}: {}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// A step as it is stored.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct StoredStep {
    /// The scenario's name, or `run` where the step belongs to none.
    scenario: String,
    /// What is done, in the imperative: `delete mysql-1`.
    name: String,
    /// How far it is.
    phase: Phase,
}

/// The stored scenario of a step that belongs to none.
const RUN: &str = "run";

impl TryFrom<StoredStep> for Step {
    type Error = UnknownScenario;

    /// A step that is a whole scenario gets the scenario's current name.
    fn try_from(StoredStep { scenario, name, phase }: StoredStep) -> Result<Self, UnknownScenario> {
        if scenario == RUN {
            return Ok(Self { scenario: None, name, phase });
        }
        let known: Scenario = scenario.parse()?;
        let name = if name == scenario { known.name().to_owned() } else { name };
        Ok(Self { scenario: Some(known), name, phase })
    }
}

impl From<Step> for StoredStep {
    fn from(Step { scenario, name, phase }: Step) -> Self {
        Self { scenario: scenario.map_or(RUN, Scenario::name).to_owned(), name, phase }
    }
}

/// The phase of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It begins.
    Begin,
    /// It completed.
    End,
    /// It failed, for this reason.
    Failed(String),
}

/// A watch event, or an object of the list that started the watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ObjectEvent {
    /// The type of the event.
    pub event: EventType,
    /// The object's kind: `Pod`, `StatefulSet`, `PersistentVolumeClaim`, `PersistentVolume`, `Service`,
    /// `EndpointSlice`; `Event` for a warning of the cluster, of which only the newest state is kept and none is
    /// judged.
    pub object_kind: String,
    /// The object, without managedFields and without secret values.
    pub object: Value,
}

/// The type of a watch event
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventType {
    /// The object was in the list that started the watch; it carries no order.
    Listed,
    /// The object was created.
    Added,
    /// The object changed.
    Modified,
    /// The object was deleted.
    Deleted,
}

/// A stretch of one kind's history was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gap {
    /// The object kind whose history has the gap.
    pub object_kind: String,
    /// The last resourceVersion seen before it.
    pub after_version: String,
    /// What the API server said.
    pub reason: String,
}

/// A wait of the harness ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wait {
    /// What the harness waited for: `mysql-1 Ready under a new UID`.
    pub what: String,
    /// How it ended.
    pub outcome: WaitOutcome,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// The last state seen.
    pub last_seen: String,
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WaitOutcome {
    /// The condition was met.
    Met,
    /// The deadline passed first.
    Expired,
    /// The condition can no longer be met, for this reason.
    Impossible(String),
    /// The run ended the wait early because an earlier wait for the workload had failed. It says nothing about the
    /// condition.
    CutShort,
}

/// A state read at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// What it is of.
    pub of: SnapshotOf,
    /// The state.
    pub value: Value,
}

/// What a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SnapshotOf {
    /// The Corefile's text, a string; `false` if the cluster's DNS has none.
    Corefile,
    /// The API server's responses when the manifests were applied: an array of `Applied`.
    Applied,
    /// What remains of the run's objects after teardown: an array of `Leftover`.
    LeftoverObjects,
    /// What remains of the run's cluster in the engine: an array of `Leftover`.
    LeftoverResources,
    /// A node, or the container that runs it, during a disruption: a `NodeState`.
    Node,
    /// The cluster's DNS servers, when the run begins and each time they are replaced: an array of `DnsServer`.
    DnsServers,
    /// The API server's process, as its node reports it: a `NodeState`.
    ApiServer,
    /// The cluster and the workload between two steps of an upgrade: a `State`.
    State,
    /// The verdicts on the upgraded cluster: an array of `Conformed`.
    Conformance,
    /// The last lines of a container, read when a wait for its pod was not met: a `ContainerLog`.
    ContainerLog,
    /// The disk of a node whose power was cut: a `PowerCut`.
    PowerCut,
    /// The same disk when the power was back: a `PowerRestored`.
    PowerRestored,
}

/// The state of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeState {
    /// The node.
    pub node: String,
    /// The engine's state of its container (`running`, `paused`, `exited`), or the cluster's of the node (`cordoned`,
    /// `schedulable`, `Ready`); for the API server, its process id and start time.
    pub state: String,
}

/// One of the cluster's DNS servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DnsServer {
    /// Its pod.
    pub name: String,
    /// That pod's UID.
    pub uid: String,
    /// The address that it answers at.
    pub address: std::net::IpAddr,
}

/// An object as the API server returned it when its manifest was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Applied {
    /// The object's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// `metadata.generation`, which counts changes of the spec; some kinds have none.
    pub generation: Option<i64>,
}

/// Something that outlived its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Leftover {
    /// `Pod`, `PersistentVolume`, `container`, `network`, `volume` …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What keeps it, such as its finalizers.
    pub held_by: Option<String>,
}

/// A problem of the harness itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// What happened.
    pub message: String,
}

/// How the note begins that ends all disruptions.
const STOPS: &str = "nothing more is disrupted: the workload did not come back from ";

impl Note {
    /// A note that the run stops disrupting because the workload did not recover from a scenario. `in_vain` is what the
    /// harness waited for.
    pub fn stops(scenario: Scenario, in_vain: &str) -> Self {
        Self { message: format!("{STOPS}{scenario}: {in_vain}") }
    }

    /// The scenario after which the run stopped disrupting and what it waited for in vain, if the note says that.
    pub fn stopped(&self) -> Option<(Scenario, &str)> {
        let (scenario, in_vain) = self.message.strip_prefix(STOPS)?.split_once(": ")?;
        Some((scenario.parse().ok()?, in_vain))
    }
}

/// The last lines of a container's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerLog {
    /// The pod's name.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// The container.
    pub container: String,
    /// Whether the log is of a container that ended and was restarted.
    pub previous: bool,
    /// The lines, oldest first, without secret values.
    pub lines: Vec<String>,
}
