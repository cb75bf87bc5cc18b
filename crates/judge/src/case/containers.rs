//! Container statuses, as the kubelet reports them
//! (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states>).

use std::fmt;

use serde_json::Value;

use super::{Case, Seen};
use crate::evidence::{ObjectEvent, PodLife};
use crate::object::{items, number, text};

/// The kubelet's reason for a container whose end it did not observe.
const UNKNOWN: &str = "ContainerStatusUnknown";

/// A container of a pod in one event.
pub(crate) struct Container<'a> {
    /// Its name.
    pub name: &'a str,
    /// How often it restarted.
    pub restarts: i64,
    /// Whether it is running.
    pub runs: bool,
    /// How it ended, if it did and has not restarted.
    pub ended: Option<Exit<'a>>,
    /// How it ended before its last restart.
    pub before: Option<Exit<'a>>,
}

/// How a container ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exit<'a> {
    /// The exit code.
    pub code: i64,
    /// The signal that ended it, if the runtime reports one.
    signal: i64,
    reason: &'a str,
    finished: Option<&'a str>,
}

impl<'a> Exit<'a> {
    /// Reads a terminated state, unless the kubelet only assumed the end.
    fn of(terminated: &'a Value) -> Option<Self> {
        let code = terminated.get("exitCode")?.as_i64()?;
        let reason = text(terminated, "/reason").unwrap_or_default();
        let (signal, finished) = (number(terminated, "/signal"), text(terminated, "/finishedAt"));
        (reason != UNKNOWN).then_some(Self { code, signal, reason, finished })
    }

    /// When it ended by the node's clock, in seconds since 1970.
    pub(crate) fn finished_s(&self) -> Option<i64> {
        seconds_of(self.finished?)
    }
}

impl fmt::Display for Exit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.code)?;
        if self.signal != 0 {
            write!(f, " by signal {}", self.signal)?;
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, " ({})", self.reason) }
    }
}

/// A timestamp of the API server in seconds since 1970.
pub(crate) fn seconds_of(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// The containers of a pod, including its init containers.
pub(crate) fn containers(event: &ObjectEvent) -> impl Iterator<Item = Container<'_>> {
    let statuses = ["/status/containerStatuses", "/status/initContainerStatuses"];
    statuses.into_iter().flat_map(|pointer| items(&event.object, pointer)).filter_map(|status| {
        Some(Container {
            name: text(status, "/name")?,
            restarts: number(status, "/restartCount"),
            runs: status.pointer("/state/running").is_some(),
            ended: status.pointer("/state/terminated").and_then(Exit::of),
            before: status.pointer("/lastState/terminated").and_then(Exit::of),
        })
    })
}

impl<'a> Case<'a> {
    /// The events of the set's pods, each with the pod's life.
    pub(crate) fn pod_events(&self) -> impl Iterator<Item = (&'a PodLife, Seen<'a, ObjectEvent>)> + use<'a> {
        let timeline = self.timeline;
        self.events("Pod", 0, u64::MAX).filter_map(move |event| {
            let uid = text(&event.it.object, "/metadata/uid")?;
            Some((timeline.pod_by_uid(uid)?, event))
        })
    }
}
