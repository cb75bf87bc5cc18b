//! Runs of sets with unusual policies.

use super::{History, row, subject};
use crate::evidence::{Act, EventType, Phase, PodManagement, Scenario, SqlAnswer, Subject, What};

impl History {
    /// A good run of a set with podManagementPolicy Parallel: its pods are started, all but one are scaled away, and
    /// come back while that one is held.
    pub fn good_in_parallel() -> Self {
        let mut history = Self::deployed_in_parallel();
        history.scaled_down_in_parallel(100);
        let primary = history.subject.primary();
        history.held(&primary);
        let up = Act::Scale { from: 1, to: history.subject.replicas };
        history.fault(up.clone());
        history.scaled(history.subject.replicas);
        let surplus = history.replicas();
        surplus.iter().for_each(|pod| drop(history.added(pod)));
        history.released(&primary);
        history.all_ready(&surplus);
        let proof = history.set_seen();
        history.proved(up, proof);
        history.step(Scenario::Scale, Phase::End);
        history
    }

    /// The same run up to the point at which its pods have started.
    pub fn deployed_in_parallel() -> Self {
        let mut history = Self::begun_in_parallel();
        let pods = history.pod_names();
        pods.iter().for_each(|pod| drop(history.added(pod)));
        history.all_ready(&pods);
        history.deployed();
        history
    }

    /// The same run before its first pod.
    pub fn begun_in_parallel() -> Self {
        let mut history = Self::with(Subject { pod_management: PodManagement::Parallel, ..subject(3) });
        history.acts(|scenario| [Scenario::Deploy, Scenario::Scale].contains(&scenario));
        history.step(Scenario::Deploy, Phase::Begin);
        history.applied();
        history
    }

    /// The set is scaled to one pod; the others begin to terminate this many milliseconds apart.
    pub fn scaled_down_in_parallel(&mut self, apart_ms: u64) {
        self.step(Scenario::Scale, Phase::Begin);
        let down = Act::Scale { from: self.subject.replicas, to: 1 };
        self.fault(down.clone());
        self.scaled(1);
        let surplus = self.replicas();
        for pod in &surplus {
            self.deleting(pod);
            self.pass_ms(apart_ms);
        }
        self.pass_ms(800);
        let gone = surplus.iter().map(|pod| self.deleted(pod)).last().unwrap_or_default();
        self.proved(down, gone);
    }

    /// These pods become Ready shortly after one another, and their servers answer.
    pub fn all_ready(&mut self, pods: &[String]) {
        self.pass_ms(1_500);
        for pod in pods {
            self.pass_ms(100);
            self.ready(pod);
            self.pinged(pod, SqlAnswer::Rows(vec![row([("ping", "1")])]));
        }
    }

    /// A good run of a set with minReadySeconds in which each creation and each deletion of a pod comes this much later
    /// than usual.
    pub fn good_and_patient(min_ready_seconds: u32, later_ms: u64) -> Self {
        let mut history = Self::good_with(Subject { min_ready_seconds, ..subject(3) });
        let mut shift_us = 0;
        for record in &mut history.records {
            let turn = match &record.what {
                What::Object(event) if event.object_kind == "Pod" => {
                    event.event == EventType::Added || event.object["metadata"]["deletionTimestamp"].is_string()
                }
                _ => false,
            };
            shift_us += if turn { later_ms * 1_000 } else { 0 };
            record.at_us += shift_us;
        }
        history
    }
}
