//! The records of a run: what `evidence.jsonl` holds, one a line.
//!
//! Records are the only thing that a check sees. They say what was seen and never what it means; the meaning is
//! the checks' business. The format is versioned by [`SCHEMA`].

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
    /// Position in the log, counted from 1 without a hole. Failures quote it as `#seq`.
    pub seq: u64,
    /// Microseconds since the run began, those included in which the machine slept.
    pub at_us: u64,
    /// Wall-clock time, for people: two clocks and leap seconds make it unfit to judge by.
    pub wall: jiff::Timestamp,
    /// What was seen.
    pub what: What,
}

/// Everything that can be seen or done in a run.
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
    /// A stretch of the history was lost: order cannot be proved across it.
    Gap(Gap),
    /// The harness saw nothing for a while, or its clock on the wall jumped. The times are those of the log.
    Lapse(Lapse),
    /// A wait of the harness ended.
    Wait(Wait),
    /// A DNS question and its answer.
    Dns(Dns),
    /// An SQL question to one server and its answer.
    Sql(Sql),
    /// A command run in a container.
    Exec(Exec),
    /// The outcome of one write of the ledger.
    Write(Write),
    /// Entries of the ledger that the witness keeps, handed over by it.
    Entries(Entries),
    /// A disruption was asked for, or is proved to have happened.
    Fault(Fault),
    /// A state read at one moment, such as the Corefile or what remains after teardown.
    Snapshot(Snapshot),
    /// Trouble of the harness itself, for people.
    Note(Note),
}

/// An act of a scenario begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "StoredStep", into = "StoredStep")]
pub struct Step {
    /// The scenario; none for what surrounds them, which is written as `run`.
    pub scenario: Option<Scenario>,
    /// What is done, in the imperative: `delete mysql-1`.
    pub name: String,
    /// How far it is.
    pub phase: Phase,
}

impl Step {
    /// The scenario that this is the whole of.
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

/// A step as it is written.
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

/// What stands in the place of a scenario where a step belongs to none.
const RUN: &str = "run";

impl TryFrom<StoredStep> for Step {
    type Error = UnknownScenario;

    /// A step that is the whole of a scenario has the name that the scenario has now.
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

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It begins.
    Begin,
    /// It was carried out.
    End,
    /// It could not be carried out, for this reason.
    Failed(String),
}

/// A watch event, or an object of the list that the watch was opened from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ObjectEvent {
    /// What the API server said.
    pub event: EventType,
    /// The object's kind: `Pod`, `StatefulSet`, `PersistentVolumeClaim`, `PersistentVolume`, `Service`,
    /// `EndpointSlice`; `Event` for a warning of the cluster, of which only the newest state is kept and none is judged.
    pub object_kind: String,
    /// The object, without managedFields and without secret values.
    pub object: Value,
}

/// The type of a watch event (<https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventType {
    /// The object was in the list that the watch was opened from; it carries no order.
    Listed,
    /// The object was created.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone.
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
    /// Why: what the API server said.
    pub reason: String,
}

/// A wait of the harness ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wait {
    /// What was awaited: `mysql-1 Ready under a new UID`.
    pub what: String,
    /// How it ended.
    pub outcome: WaitOutcome,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// The state seen last.
    pub last_seen: String,
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WaitOutcome {
    /// What was awaited came.
    Met,
    /// The deadline came first.
    Expired,
    /// It can come no more, for this reason.
    Impossible(String),
    /// The run gave the wait up before its time: the workload had been awaited in vain already. It says nothing of what
    /// was awaited.
    CutShort,
}

/// A state read at one moment.
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
    /// The Corefile's text, a string; `false` where the cluster's DNS has none.
    Corefile,
    /// The objects as the API server answered when the manifests were applied: an array of `Applied`.
    Applied,
    /// What remains of the run's objects after teardown: an array of `Leftover`.
    LeftoverObjects,
    /// What remains of the run's cluster in the engine: an array of `Leftover`.
    LeftoverResources,
    /// A node, or the container that it is, at a moment of a disruption: a `NodeState`.
    Node,
    /// The cluster's DNS servers, when the run begins and whenever they were replaced: an array of `DnsServer`.
    DnsServers,
    /// The API server's process, as its node tells it: a `NodeState`.
    ApiServer,
    /// The cluster and the workload between two steps of an upgrade: a `State`.
    State,
    /// What the checks say of the upgraded cluster: an array of `Conformed`.
    Conformance,
    /// The last that a container of a pod wrote which was awaited in vain: a `ContainerLog`.
    ContainerLog,
}

/// How a node was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeState {
    /// The node.
    pub node: String,
    /// The engine's word for its container (`running`, `paused`, `exited`), or the cluster's for the node (`cordoned`,
    /// `schedulable`, `Ready`); of the API server, the number of its process and since when that is there.
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
    /// Where it is asked.
    pub address: std::net::IpAddr,
}

/// An object as the API server answered when its manifest was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Applied {
    /// The object's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// `metadata.generation`, which counts the changes of the spec; some kinds have none.
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

/// Trouble of the harness itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// What happened.
    pub message: String,
}

/// How the note begins that ends all disruptions.
const STOPS: &str = "nothing more is disrupted: the workload did not come back from ";

impl Note {
    /// That the run disrupts nothing more, since the workload did not come back from a scenario: what was awaited in vain.
    pub fn stops(scenario: Scenario, in_vain: &str) -> Self {
        Self { message: format!("{STOPS}{scenario}: {in_vain}") }
    }

    /// The scenario after which the run disrupted nothing more, and what was awaited in vain, where the note says that.
    pub fn stopped(&self) -> Option<(Scenario, &str)> {
        let (scenario, in_vain) = self.message.strip_prefix(STOPS)?.split_once(": ")?;
        Some((scenario.parse().ok()?, in_vain))
    }
}

/// The last that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerLog {
    /// The pod's name.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// The container.
    pub container: String,
    /// Whether a container wrote it that has ended, and was followed by another one.
    pub previous: bool,
    /// The lines, oldest first, without secret values.
    pub lines: Vec<String>,
}
