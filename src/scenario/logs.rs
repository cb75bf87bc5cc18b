//! Saves what the workload's containers wrote, before it goes with them, and records their last words.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};

use super::context::Context;
use crate::evidence::{ContainerLog, Snapshot, SnapshotOf, What};

const READ_WITHIN: Duration = Duration::from_secs(10);

/// So many lines are a container's last words.
const LAST_LINES: i64 = 20;

/// The longest part of such a line, in characters.
const LONGEST_LINE: usize = 500;

impl Context {
    /// Saves the logs of a pod's containers, those of containers that were restarted too. A log that cannot be had is
    /// noted, and no failure.
    pub(super) async fn save_logs(&self, pod: &str) {
        let Some((uid, containers)) = self.containers(pod).await else { return };
        let reads = containers.iter().flat_map(|container| [(container, false), (container, true)]).map(
            async |(container, previous)| {
                let parameters = LogParams { previous, container: Some(container.clone()), ..LogParams::default() };
                let pods = self.pods();
                // Most containers were never restarted: they have no earlier log.
                let limit = self.vain.brief(READ_WITHIN);
                let Ok(Ok(text)) = tokio::time::timeout(limit, pods.logs(pod, &parameters)).await else { return };
                let suffix = if previous { ".previous" } else { "" };
                let name = format!("{pod}.{}.{container}{suffix}.log", uid.split('-').next().unwrap_or_default());
                self.save_text(&name, &text);
            },
        );
        join_all(reads).await;
    }

    /// Saves a text beside the logs. That it cannot be saved is noted, and no failure.
    pub(super) fn save_text(&self, name: &str, text: &str) {
        let written = std::fs::create_dir_all(&self.logs).and_then(|()| std::fs::write(self.logs.join(name), text));
        if let Err(error) = written {
            self.journal.note(format!("{name} was not saved: {error}"));
        }
    }

    /// Saves the logs of every pod that is there.
    pub async fn save_all_logs(&self) {
        let pods: Vec<String> = self.journal.log.look(|timeline| {
            timeline.pods.iter().filter(|pod| pod.deleted.is_none()).map(|pod| pod.name.clone()).collect()
        });
        join_all(pods.iter().map(|pod| self.save_logs(pod))).await;
    }

    /// Records the last that was written by the containers of every pod that is there and not Ready: it may tell why.
    pub(super) async fn last_words(&self) {
        let pods: Vec<(String, String)> = self.journal.log.look(|timeline| {
            let waiting =
                timeline.pods.iter().filter(|life| life.deleted.is_none() && !life.ready_at(timeline.last_seq));
            waiting.map(|life| (life.name.clone(), life.uid.clone())).collect()
        });
        let words = join_all(pods.iter().map(|(pod, uid)| self.last_words_of(pod, uid))).await;
        for log in words.into_iter().flatten() {
            let value = serde_json::to_value(log).unwrap_or_default();
            self.journal.log.record(What::Snapshot(Snapshot { of: SnapshotOf::ContainerLog, value }));
        }
    }

    /// Of each container of a pod, the last lines of the one that ended before, where there was one, and those of the one
    /// that is there.
    async fn last_words_of(&self, pod: &str, uid: &str) -> Vec<ContainerLog> {
        let Some((_, containers)) = self.containers(pod).await.filter(|(there, _)| there == uid) else {
            return Vec::new();
        };
        let reads = containers.iter().flat_map(|container| [(container, true), (container, false)]).map(
            async |(container, previous)| {
                let (container, tail_lines) = (container.clone(), Some(LAST_LINES));
                let parameters =
                    LogParams { previous, tail_lines, container: Some(container.clone()), ..LogParams::default() };
                let (pods, limit) = (self.pods(), self.vain.brief(READ_WITHIN));
                let text = tokio::time::timeout(limit, pods.logs(pod, &parameters)).await.ok()?.ok()?;
                let clipped = |line: &str| self.redaction.line(line).chars().take(LONGEST_LINE).collect();
                let lines: Vec<String> = text.lines().map(clipped).collect();
                let (pod, uid) = (pod.to_owned(), uid.to_owned());
                (!lines.is_empty()).then_some(ContainerLog { pod, uid, container, previous, lines })
            },
        );
        join_all(reads).await.into_iter().flatten().collect()
    }

    async fn containers(&self, pod: &str) -> Option<(String, Vec<String>)> {
        let pods: Api<Pod> = self.pods();
        let limit = self.vain.brief(READ_WITHIN);
        let pod = tokio::time::timeout(limit, pods.get_opt(pod)).await.ok()?.ok()??;
        let spec = pod.spec?;
        let inits = spec.init_containers.into_iter().flatten();
        let names = inits.chain(spec.containers).map(|container| container.name).collect();
        Some((pod.metadata.uid?, names))
    }
}
