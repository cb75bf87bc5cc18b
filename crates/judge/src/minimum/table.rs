//! What each scenario asks: whom, what, at which checkpoint.

use super::{Expected, Names, Need};
use crate::case::Case;
use crate::evidence::{Checkpoint, Question, Scenario};

/// The checkpoint of a question.
#[derive(Clone, Copy)]
enum At {
    Deployed,
    Replicating,
    BeforeDeletion,
    Deletion,
    Held,
    BeforeKill,
    Kill,
    Released,
    ScaledDown,
    ScaledUp,
    Joined,
    Recovered,
    Settled,
}

/// Who is asked, or whose name is queried.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    /// Every pod of the set.
    Pods,
    /// Every pod but the first.
    Replicas,
    /// The first pod.
    Primary,
    /// The pod of the checkpoint.
    Itself,
    /// The pod of the checkpoint, if it is a replica.
    ItselfAsReplica,
    /// The additional pod while the set is scaled to one more.
    Newcomer,
}

/// The condition under which something is asked.
#[derive(Clone, Copy)]
enum Only {
    Always,
    /// If replication was configured.
    Replicating,
    /// If the set has several pods.
    Several,
    /// If the set's update strategy lets the harness update pods.
    Updatable,
    /// If replication was configured in a set of several pods.
    ReplicatingSeveral,
    /// If replication was configured in a set that can be updated.
    ReplicatingUpdatable,
}

struct Row {
    scenarios: &'static [Scenario],
    at: At,
    of: &'static [Of],
    only: Only,
    needs: &'static [Need],
}

/// Prints the short host name.
pub(crate) const HOSTNAME: &[&str] = &["hostname"];
/// Prints the full host name.
pub(crate) const FULL_HOSTNAME: &[&str] = &["hostname", "-f"];
/// Looks up the name that is appended to it.
pub(crate) const LOOKUP: &[&str] = &["getent", "ahosts"];
const ALL_NAMES: &[Need] =
    &[Need::Names(Names::Service), Need::Names(Names::Pods), Need::Names(Names::Ports), Need::Names(Names::Addresses)];
const IDENTITY: &[Need] = &[Need::Sql(Question::Identity)];
const CONTENTS: &[Need] = &[Need::Sql(Question::GtidExecuted), Need::Sql(Question::Rows), Need::Sql(Question::Digest)];
const FOLLOWING: &[Need] =
    &[Need::Sql(Question::Barrier), Need::Sql(Question::ReplicaStatus), Need::Sql(Question::TryWrite)];

/// The scenarios that end with a recovery in every set; `grow` and `roll` do nothing to some sets.
const RECOVERED: &[Scenario] = &[
    Scenario::ServerKill,
    Scenario::DeleteAll,
    Scenario::Drain,
    Scenario::NodePause,
    Scenario::NodeStop,
    Scenario::PowerCut,
    Scenario::DnsReplace,
    Scenario::ApiserverKill,
    Scenario::Claims,
];

const ROWS: &[Row] = &[
    row(
        &[Scenario::Deploy],
        At::Deployed,
        &[Of::Pods],
        Only::Always,
        &[
            Need::Sql(Question::Identity),
            Need::Sql(Question::Settings),
            Need::Exec(HOSTNAME),
            Need::Exec(FULL_HOSTNAME),
            Need::Exec(LOOKUP),
        ],
    ),
    row(&[Scenario::Deploy], At::Deployed, &[Of::Pods], Only::Always, ALL_NAMES),
    row(&[Scenario::Replicate], At::Replicating, &[Of::Pods], Only::Replicating, CONTENTS),
    row(&[Scenario::Replicate], At::Replicating, &[Of::Replicas], Only::Replicating, FOLLOWING),
    row(&[Scenario::Restart], At::BeforeDeletion, &[Of::Itself], Only::Always, IDENTITY),
    row(&[Scenario::Restart], At::BeforeDeletion, &[Of::Itself], Only::Replicating, &[Need::Sql(Question::Rows)]),
    row(
        &[Scenario::Restart],
        At::BeforeDeletion,
        &[Of::ItselfAsReplica],
        Only::Replicating,
        &[Need::Sql(Question::Barrier)],
    ),
    row(
        &[Scenario::Restart],
        At::Deletion,
        &[Of::Itself],
        Only::Always,
        &[Need::Sql(Question::Identity), Need::Exec(HOSTNAME), Need::Exec(FULL_HOSTNAME), Need::Names(Names::Pods)],
    ),
    row(
        &[Scenario::Restart],
        At::Deletion,
        &[Of::Itself, Of::Replicas],
        Only::Replicating,
        &[Need::Sql(Question::Rows)],
    ),
    row(&[Scenario::Restart], At::Deletion, &[Of::Replicas], Only::Replicating, FOLLOWING),
    row(
        &[Scenario::Unready],
        At::Held,
        &[Of::Itself],
        Only::Always,
        &[Need::Names(Names::Pods), Need::Names(Names::Service)],
    ),
    row(
        &[Scenario::Unready],
        At::Kill,
        &[Of::Primary],
        Only::Several,
        &[Need::Exec(HOSTNAME), Need::Exec(FULL_HOSTNAME), Need::Names(Names::Pods)],
    ),
    row(
        &[Scenario::Unready],
        At::Released,
        &[Of::Replicas],
        Only::ReplicatingSeveral,
        &[Need::Sql(Question::Barrier), Need::Sql(Question::Rows)],
    ),
    row(&[Scenario::Unready], At::BeforeKill, &[Of::Primary], Only::Several, IDENTITY),
    row(&[Scenario::Unready], At::Kill, &[Of::Primary], Only::Several, IDENTITY),
    row(&[Scenario::Unready], At::BeforeKill, &[Of::Primary], Only::ReplicatingSeveral, &[Need::Sql(Question::Rows)]),
    row(&[Scenario::Unready], At::Kill, &[Of::Primary], Only::ReplicatingSeveral, &[Need::Sql(Question::Rows)]),
    row(&[Scenario::ServerKill], At::BeforeKill, &[Of::Primary], Only::Always, IDENTITY),
    row(&[Scenario::ServerKill], At::Kill, &[Of::Primary], Only::Always, IDENTITY),
    row(&[Scenario::ServerKill], At::BeforeKill, &[Of::Primary], Only::Replicating, &[Need::Sql(Question::Rows)]),
    row(&[Scenario::ServerKill], At::Kill, &[Of::Primary], Only::Replicating, &[Need::Sql(Question::Rows)]),
    row(
        &[Scenario::Scale],
        At::ScaledDown,
        &[Of::Replicas],
        Only::Several,
        &[Need::Names(Names::Pods), Need::Names(Names::Service)],
    ),
    row(&[Scenario::Scale], At::ScaledUp, &[Of::Pods], Only::Several, IDENTITY),
    row(&[Scenario::Scale], At::ScaledUp, &[Of::Pods], Only::Several, ALL_NAMES),
    row(&[Scenario::Scale], At::ScaledUp, &[Of::Pods], Only::ReplicatingSeveral, CONTENTS),
    row(&[Scenario::Scale], At::ScaledUp, &[Of::Replicas], Only::ReplicatingSeveral, FOLLOWING),
    row(
        &[Scenario::Grow],
        At::Joined,
        &[Of::Newcomer],
        Only::Several,
        &[
            Need::Sql(Question::Identity),
            Need::Exec(HOSTNAME),
            Need::Exec(FULL_HOSTNAME),
            Need::Names(Names::Pods),
            Need::Names(Names::Service),
        ],
    ),
    row(&[Scenario::Grow], At::Joined, &[Of::Pods, Of::Newcomer], Only::ReplicatingSeveral, CONTENTS),
    row(&[Scenario::Grow], At::Joined, &[Of::Replicas, Of::Newcomer], Only::ReplicatingSeveral, FOLLOWING),
    row(&[Scenario::Grow], At::Recovered, &[Of::Pods], Only::Several, IDENTITY),
    row(&[Scenario::Grow], At::Recovered, &[Of::Pods], Only::Several, ALL_NAMES),
    row(&[Scenario::Grow], At::Recovered, &[Of::Pods], Only::ReplicatingSeveral, CONTENTS),
    row(&[Scenario::Grow], At::Recovered, &[Of::Replicas], Only::ReplicatingSeveral, FOLLOWING),
    row(RECOVERED, At::Recovered, &[Of::Pods], Only::Always, IDENTITY),
    row(RECOVERED, At::Recovered, &[Of::Pods], Only::Always, ALL_NAMES),
    row(RECOVERED, At::Recovered, &[Of::Pods], Only::Replicating, CONTENTS),
    row(RECOVERED, At::Recovered, &[Of::Replicas], Only::Replicating, FOLLOWING),
    row(&[Scenario::Roll], At::Recovered, &[Of::Pods], Only::Updatable, IDENTITY),
    row(&[Scenario::Roll], At::Recovered, &[Of::Pods], Only::Updatable, ALL_NAMES),
    row(&[Scenario::Roll], At::Recovered, &[Of::Pods], Only::ReplicatingUpdatable, CONTENTS),
    row(&[Scenario::Roll], At::Recovered, &[Of::Replicas], Only::ReplicatingUpdatable, FOLLOWING),
    row(&[Scenario::PowerCut], At::Recovered, &[Of::Pods], Only::Replicating, &[Need::Sql(Question::Entries)]),
    row(&[Scenario::Settle], At::Settled, &[Of::Pods], Only::Replicating, CONTENTS),
    row(&[Scenario::Settle], At::Settled, &[Of::Pods], Only::Replicating, &[Need::Sql(Question::Entries)]),
    row(
        &[Scenario::Settle],
        At::Settled,
        &[Of::Replicas],
        Only::Replicating,
        &[Need::Sql(Question::Barrier), Need::Sql(Question::ReplicaStatus)],
    ),
];

const fn row(scenarios: &'static [Scenario], at: At, of: &'static [Of], only: Only, needs: &'static [Need]) -> Row {
    Row { scenarios, at, of, only, needs }
}

impl Only {
    pub(super) fn holds(self, case: &Case<'_>) -> bool {
        let several = case.subject.replicas > 1;
        let replicating = case.ended(Scenario::Replicate);
        let updatable = case.subject.is_updatable();
        match self {
            Self::Always => true,
            Self::Replicating => replicating,
            Self::Several => several,
            Self::ReplicatingSeveral => replicating && several,
            Self::Updatable => updatable,
            Self::ReplicatingUpdatable => replicating && updatable,
        }
    }
}

impl At {
    /// The checkpoints of a scenario, each with its pod.
    fn checkpoints(self, case: &Case<'_>, scenario: Scenario) -> Vec<(Checkpoint, String)> {
        let subject = case.subject;
        let each =
            |checkpoint: fn(String) -> Checkpoint| subject.pods().map(|pod| (checkpoint(pod.clone()), pod)).collect();
        let of = |checkpoint: fn(String) -> Checkpoint, pod: String| vec![(checkpoint(pod.clone()), pod)];
        let none = |checkpoint| vec![(checkpoint, String::new())];
        let held = || subject.nth(u32::from(subject.replicas > 1));
        match self {
            Self::Deployed => none(Checkpoint::Deployed),
            Self::Replicating => none(Checkpoint::Replicating),
            Self::BeforeDeletion => each(|pod| Checkpoint::BeforeDeletion { pod }),
            Self::Deletion => each(|pod| Checkpoint::Deletion { pod }),
            Self::Held => of(|pod| Checkpoint::Held { pod }, held()),
            Self::Released => of(|pod| Checkpoint::Released { pod }, held()),
            Self::BeforeKill => of(|pod| Checkpoint::BeforeKill { pod }, subject.primary()),
            Self::Kill => of(|pod| Checkpoint::Kill { pod }, subject.primary()),
            Self::ScaledDown => none(Checkpoint::ScaledDown),
            Self::ScaledUp => none(Checkpoint::ScaledUp),
            Self::Joined => none(Checkpoint::Joined),
            Self::Recovered if scenario == Scenario::PowerCut => {
                case.power_losses().iter().flat_map(|loss| none(loss.checkpoint())).collect()
            }
            Self::Recovered => none(Checkpoint::Recovered { scenario }),
            Self::Settled => none(Checkpoint::Settled),
        }
    }
}

impl Of {
    fn pods(self, case: &Case<'_>, itself: &str) -> Vec<String> {
        let subject = case.subject;
        match self {
            Self::Pods => subject.pods().collect(),
            Self::Replicas => subject.replica_pods().collect(),
            Self::Primary => vec![subject.primary()],
            Self::Itself => vec![itself.to_owned()],
            Self::ItselfAsReplica => subject.replica_pods().filter(|pod| pod == itself).collect(),
            Self::Newcomer => vec![subject.nth(subject.replicas)],
        }
    }
}

/// The answers of these kinds that the completed scenarios must have left.
pub(super) fn expected(case: &Case<'_>, minimum: &[Need]) -> Vec<Expected> {
    let mut expected = Vec::new();
    for &scenario in case.run.scenarios.iter().filter(|scenario| case.ended(**scenario)) {
        let within = case.span(scenario);
        for row in ROWS.iter().filter(|row| row.scenarios.contains(&scenario) && row.only.holds(case)) {
            for (checkpoint, itself) in row.at.checkpoints(case, scenario) {
                for pod in row.of.iter().flat_map(|of| of.pods(case, &itself)) {
                    expected.extend(row.needs.iter().filter(|need| minimum.contains(need)).map(|need| Expected {
                        scenario,
                        within,
                        checkpoint: checkpoint.clone(),
                        pod: pod.clone(),
                        need: *need,
                    }));
                }
            }
        }
    }
    expected
}
