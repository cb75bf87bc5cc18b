//! Waits for a control plane, whose components a restarted kubelet reports one after the other.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::driver::Context;
use crate::evidence::ComponentSummary;
use crate::record::WaitStatus;

/// How long the control plane must be Ready without a break. A new kubelet reports its node Ready seconds before it
/// restarts its static pods, and nothing announces that restart.
pub(super) const STEADY: Duration = Duration::from_secs(15);

/// Waits until the kubelets have reported every known component of the control plane, and all of them have been Ready
/// for `steady`. A component that fails this shows in the state, which is read all the same.
pub(crate) async fn ready(context: &Context, known: &[ComponentSummary], steady: Duration) {
    let since = Cell::new(None);
    let ready = context.poll("the control plane Ready, and steady", context.timeouts.pod_ready, async || {
        let state = match context.components().await {
            Ok(there) => unready(known, &there),
            Err(error) => Some(error.to_string()),
        };
        if let Some(state) = state {
            since.set(None);
            return WaitStatus::Pending(state);
        }
        let begun = since.get().unwrap_or_else(Instant::now);
        since.set(Some(begun));
        if begun.elapsed() >= steady {
            WaitStatus::Met(())
        } else {
            WaitStatus::Pending("Ready, but only just".to_owned())
        }
    });
    if let Err(error) = ready.await {
        context.journal.note(error.to_string());
    }
}

/// What keeps a control plane from being Ready. A component that moved to another node counts as present. A kubelet may
/// report a component only a minute after its own restart, although it runs all the time.
fn unready(known: &[ComponentSummary], there: &[ComponentSummary]) -> Option<String> {
    let late = there.iter().find(|it| !it.ready).map(|it| format!("{} on {} is not Ready", it.component, it.node));
    let of = |all: &[ComponentSummary], name: &str| all.iter().filter(|it| it.component == name).count();
    late.or_else(|| {
        known.iter().find_map(|ComponentSummary { component, .. }| {
            let (now, before) = (of(there, component), of(known, component));
            (now < before).then(|| format!("{now} of {before} {component} there"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_is_ready_with_all_that_was_there() {
        let component = |name: &str, node: &str, ready| ComponentSummary {
            component: name.to_owned(),
            node: node.to_owned(),
            ready,
            ..ComponentSummary::default()
        };
        let known = [component("etcd", "one", true), component("kube-scheduler", "one", true)];
        assert_eq!(unready(&known, &known), None);
        assert_eq!(unready(&[], &[]), None);
        let newer = [&known[..], &[component("a-new-one", "one", true)]].concat();
        assert_eq!(unready(&known, &newer), None);
        let moved = [component("etcd", "two", true), component("kube-scheduler", "two", true)];
        assert_eq!(unready(&known, &moved), None);
        let late = [component("etcd", "one", true), component("kube-scheduler", "one", false)];
        assert_eq!(unready(&known, &late).as_deref(), Some("kube-scheduler on one is not Ready"));
        assert_eq!(unready(&known, &known[..1]).as_deref(), Some("0 of 1 kube-scheduler there"));
        let both = [&known[..], &moved[..]].concat();
        assert_eq!(unready(&both, &both[..3]).as_deref(), Some("1 of 2 kube-scheduler there"));
    }
}
