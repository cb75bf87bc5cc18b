//! Saves what the workload's containers wrote, before it goes with them.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};

use super::context::Context;

const READ_WITHIN: Duration = Duration::from_secs(10);

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
                let Ok(Ok(text)) = tokio::time::timeout(READ_WITHIN, pods.logs(pod, &parameters)).await else { return };
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

    async fn containers(&self, pod: &str) -> Option<(String, Vec<String>)> {
        let pods: Api<Pod> = self.pods();
        let pod = tokio::time::timeout(READ_WITHIN, pods.get_opt(pod)).await.ok()?.ok()??;
        let spec = pod.spec?;
        let inits = spec.init_containers.into_iter().flatten();
        let names = inits.chain(spec.containers).map(|container| container.name).collect();
        Some((pod.metadata.uid?, names))
    }
}
