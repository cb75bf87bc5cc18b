//! Disruptions: each one is announced in the evidence, done, and proved by the records that show it.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::context::Context;
use super::error::ScenarioError;
use crate::evidence::{Act, Fault, Incarnation, PodLife, Timeline, What};
use crate::record::WaitStatus;
use crate::workload::by_uid;

/// An image that no kubelet can start and no registry is asked for: upper-case letters make the name invalid.
pub(crate) const UNSTARTABLE: &str = "STEADFAST/UNSTARTABLE";

/// The kubelet's reason for such an image.
const REFUSAL: &str = "InvalidImageName";

/// How long to watch for something that must not happen. A controller that has seen a change acts on it in the same
/// round, within milliseconds. The recorder continues meanwhile, and the reports give the actual duration.
const QUIET: Duration = Duration::from_secs(1);

/// Gives the recorder time to see what must not happen.
pub(crate) async fn quiet() {
    tokio::time::sleep(QUIET).await;
}

/// A pod that is held un-Ready, and what is needed to release it.
pub(crate) struct Held {
    pod: String,
    uid: String,
    image: String,
}

/// The record since which a pod is Ready, or not Ready.
fn turned(life: &PodLife, ready: bool) -> Option<u64> {
    life.ready.last().filter(|last| last.value == ready).map(|last| last.since.seq)
}

pub(crate) fn failed(what: String) -> impl FnOnce(kube::Error) -> ScenarioError {
    move |source| ScenarioError::Api { what, source: Box::new(source) }
}

impl Context {
    fn sets(&self) -> Api<StatefulSet> {
        Api::namespaced(self.cluster.client.clone(), &self.workload.subject.namespace)
    }

    fn asked(&self, act: &Act) {
        self.journal.log.record(What::Fault(Fault { act: act.clone(), proof: None }));
    }

    fn proved(&self, act: Act, by: impl IntoIterator<Item = u64>) {
        self.journal.log.record(What::Fault(Fault { act, proof: Some(by.into_iter().collect()) }));
    }

    /// Does something that disrupts the workload. The act is recorded before, and proved by the records that `doing`
    /// returns.
    pub(crate) async fn disrupt<E>(&self, act: Act, doing: impl Future<Output = Result<Vec<u64>, E>>) -> Result<(), E> {
        self.asked(&act);
        let proof = doing.await?;
        self.proved(act, proof);
        Ok(())
    }

    /// The number of the last record.
    pub(crate) fn last_record(&self) -> u64 {
        self.journal.log.look(|timeline| timeline.last_seq)
    }

    /// Patches the StatefulSet, and waits until its controller has seen the change. Lists of containers are merged by
    /// name.
    pub(crate) async fn patch_set(&self, what: &str, patch: Value) -> Result<(), ScenarioError> {
        let set = &self.workload.subject.set;
        let patched = self.sets().patch(set, &PatchParams::default(), &Patch::Strategic(patch)).await;
        let patched = patched.map_err(failed(what.to_owned()))?;
        self.seen(patched.metadata.generation.unwrap_or_default()).await
    }

    /// Scales the StatefulSet, and waits until its controller has seen the change.
    pub(crate) async fn patch_scale(&self, to: u32) -> Result<(), ScenarioError> {
        let patch = json!({"spec": {"replicas": to}});
        self.patch_set(&format!("scale {} to {to}", self.workload.subject.set), patch).await
    }

    /// Waits until the controller has seen this generation of the StatefulSet.
    async fn seen(&self, generation: i64) -> Result<(), ScenarioError> {
        let what =
            format!("generation {generation} of StatefulSet {} seen by its controller", self.workload.subject.set);
        self.wait(&what, self.timeouts.reaction, |timeline| match &timeline.set {
            Some(set) if set.generation >= generation && set.observed_generation >= generation => WaitStatus::Met(()),
            Some(set) => WaitStatus::Pending(format!("generation {} of {}", set.observed_generation, set.generation)),
            None => WaitStatus::Pending("there is no such set".to_owned()),
        })
        .await
    }

    /// Deletes a pod by UID, with its own grace period or with `grace_s` seconds, waits until it is gone, and returns
    /// its UID.
    pub(crate) async fn delete(&self, pod: &str, grace_s: Option<u32>) -> Result<String, ScenarioError> {
        let uid = self.uid(pod).unwrap_or_default();
        let act = Act::DeletePod { pod: pod.to_owned(), uid: uid.clone(), grace_s };
        let doing = async {
            self.ask_to_go(pod, &uid, grace_s).await?;
            Ok::<_, ScenarioError>(vec![self.gone(pod, &uid).await?])
        };
        self.disrupt(act, doing).await?;
        Ok(uid)
    }

    /// Requests the deletion of the pod with this UID, not of its replacement.
    pub(crate) async fn ask_to_go(&self, pod: &str, uid: &str, grace_s: Option<u32>) -> Result<(), ScenarioError> {
        let parameters = DeleteParams { grace_period_seconds: grace_s, ..by_uid(uid) };
        self.pods().delete(pod, &parameters).await.map(drop).map_err(failed(format!("delete {pod}")))
    }

    /// Waits for something in one object's life. If that life ends first, it can no longer happen.
    pub(crate) async fn of_life<L: Incarnation, T>(
        &self,
        what: &str,
        limit: Duration,
        find: impl Fn(&Timeline) -> Option<&L>,
        status: impl Fn(&L) -> WaitStatus<T>,
    ) -> Result<T, ScenarioError> {
        self.wait(what, limit, |timeline| {
            let Some(life) = find(timeline) else { return WaitStatus::Impossible("it was never seen".to_owned()) };
            match status(life) {
                WaitStatus::Pending(_) if life.lasts().1.is_some() => WaitStatus::Impossible("it is gone".to_owned()),
                status => status,
            }
        })
        .await
    }

    /// Like [`Context::of_life`], for the pod with this UID.
    pub(crate) async fn of_pod<T>(
        &self,
        what: &str,
        limit: Duration,
        uid: &str,
        met: impl Fn(&PodLife) -> Option<T>,
    ) -> Result<T, ScenarioError> {
        let status =
            |life: &PodLife| met(life).map_or_else(|| WaitStatus::Pending(life.summary.clone()), WaitStatus::Met);
        self.of_life(what, limit, |timeline| timeline.pod_by_uid(uid), status).await
    }

    /// Waits until the pod with this UID is gone, and returns the record that shows it.
    pub(crate) async fn gone(&self, pod: &str, uid: &str) -> Result<u64, ScenarioError> {
        let gone = |life: &PodLife| life.deleted.map(|mark| mark.seq);
        let what = format!("{pod} (uid {uid}) gone");
        self.comes_back(self.of_pod(&what, self.timeouts.pod_gone, uid, gone)).await
    }

    /// Waits until the controller has replaced the pod with the UID `old`, and the new one is Ready.
    pub(crate) async fn replaced(&self, pod: &str, old: &str) -> Result<(), ScenarioError> {
        let what = format!("{pod} (uid {old}) told to go");
        let going = |life: &PodLife| life.deleting.or(life.deleted).map(drop);
        self.of_pod(&what, self.timeouts.reaction, old, going).await?;
        self.ready(pod, Some(old)).await
    }

    /// Keeps a pod un-Ready, whatever its readiness probe checks: its server gets an image that cannot be started. The
    /// image is one of the few mutable fields of a pod
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/#pod-update-and-replacement>). The StatefulSet's template
    /// stays unchanged.
    pub(crate) async fn hold(&self, pod: &str) -> Result<Held, ScenarioError> {
        let there = self.pods().get(pod).await.map_err(failed(format!("read {pod}")))?;
        let containers = there.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
        let server = containers.iter().find(|container| container.name == self.workload.subject.container);
        let image = server.and_then(|server| server.image.clone()).unwrap_or_default();
        let held = Held { pod: pod.to_owned(), uid: there.uid().unwrap_or_default(), image };
        let act = Act::Hold { pod: held.pod.clone(), uid: held.uid.clone() };
        let doing = async {
            self.patch_image(&held, UNSTARTABLE).await?;
            Ok::<_, ScenarioError>(vec![self.unready(&held).await?])
        };
        match self.disrupt(act, doing).await {
            Ok(()) => Ok(held),
            Err(error) => {
                // Nothing else would restore the image.
                let _ = self.patch_image(&held, &held.image).await;
                Err(error)
            }
        }
    }

    /// Restores the image of a held pod, and waits until it is Ready.
    pub(crate) async fn release(&self, held: Held) -> Result<(), ScenarioError> {
        let act = Act::Release { pod: held.pod.clone(), uid: held.uid.clone() };
        let doing = async {
            self.patch_image(&held, &held.image).await?;
            Ok::<_, ScenarioError>(vec![self.ready_again(&held).await?])
        };
        self.disrupt(act, doing).await
    }

    async fn patch_image(&self, held: &Held, image: &str) -> Result<(), ScenarioError> {
        let patch = json!({
            "metadata": {"uid": held.uid},
            "spec": {"containers": [{"name": self.workload.subject.container, "image": image}]},
        });
        let patched = self.pods().patch(&held.pod, &PatchParams::default(), &Patch::Strategic(patch)).await;
        patched.map(drop).map_err(failed(format!("change the image of {}", held.pod)))
    }

    async fn unready(&self, held: &Held) -> Result<u64, ScenarioError> {
        let what = format!("{} not Ready", held.pod);
        self.of_pod(&what, self.timeouts.pod_gone, &held.uid, |life| turned(life, false)).await
    }

    async fn ready_again(&self, held: &Held) -> Result<u64, ScenarioError> {
        let what = format!("{} Ready again", held.pod);
        self.comes_back(self.of_pod(&what, self.timeouts.pod_ready, &held.uid, |life| turned(life, true))).await
    }

    /// Waits until containers of the pod with this UID restarted after a record and the pod is Ready. Returns the
    /// records that show it. The kubelet reports a pod's state as a whole, so an earlier Ready does not count.
    pub(crate) async fn restarted(&self, pod: &str, uid: &str, after: u64) -> Result<[u64; 2], ScenarioError> {
        let what = format!("a container of {pod} (uid {uid}) started again");
        let again = |life: &PodLife| {
            let last = life.restarts.last().filter(|last| last.value > life.restarts_at(after))?;
            Some(last.since.seq)
        };
        let started = self.comes_back(self.of_pod(&what, self.timeouts.pod_ready, uid, again)).await?;
        let what = format!("{pod} (uid {uid}) Ready again");
        let ready = self.of_pod(&what, self.timeouts.pod_ready, uid, |life| turned(life, true));
        let ready = self.comes_back(ready).await?;
        Ok([started, ready])
    }

    /// Waits until the replacement of a pod is stuck with an image that cannot be started, and returns the record that
    /// shows it.
    pub(crate) async fn stuck(&self, pod: &str, old: &str) -> Result<u64, ScenarioError> {
        let what = format!("{pod} stuck with its image");
        self.wait(&what, self.timeouts.pod_gone, |timeline| match timeline.live_pod(pod) {
            Some(life) if life.uid == old => WaitStatus::Pending(format!("still the old one: {}", life.summary)),
            Some(life) if life.summary.contains(REFUSAL) => WaitStatus::Met(timeline.last_seq),
            Some(life) => WaitStatus::Pending(life.summary.clone()),
            None => WaitStatus::Pending("there is no such pod".to_owned()),
        })
        .await
    }
}
