//! Claims that are deleted while pods use them.

use crate::Verdict::{Fail, Inconclusive};
use crate::history::{History, PODS};

const VOLUME: &str = "persistence::same_volume_returns";

/// A run in which the claim of a pod is gone, and the pod begins to terminate this long after it.
fn told_to_go_after(ms: u64) -> History {
    let mut history = History::of(3);
    PODS.iter().for_each(|pod| history.starts(pod));
    history.pass_ms(10_000);
    history.claim_goes("data-mysql-2");
    // The records of the volume's end and of the pod take a millisecond each.
    history.pass_ms(ms - 2);
    history.deleting("mysql-2");
    history
}

/// A run in which the claim of a pod is gone this long after the pod was created.
fn created_before(ms: u64) -> History {
    let mut history = History::of(3);
    PODS[..2].iter().for_each(|pod| history.starts(pod));
    history.added("mysql-2");
    // The records of the volume, of the claim, and of the two steps of its end take a millisecond each.
    history.pass_ms(ms - 4);
    history.claim_goes("data-mysql-2");
    history
}

#[test]
fn a_claim_that_goes_while_its_pod_is_to_stay_fails() {
    for history in [told_to_go_after(2_001), created_before(2_001)] {
        let reason = history.expect(VOLUME, Fail);
        assert!(reason.starts_with("the claim data-mysql-2 was DELETED"), "{reason}");
        assert!(reason.ends_with("while mysql-2 (uid 2.1) used it"), "{reason}");
    }
}

#[test]
fn what_two_watches_tell_may_be_two_seconds_apart() {
    for history in [told_to_go_after(2_000), created_before(2_000)] {
        let reason = history.expect(VOLUME, Inconclusive);
        assert!(!reason.contains("used it"), "{reason}");
    }
}

#[test]
fn a_pod_that_is_gone_before_anybody_saw_it_told_is_on_no_claim() {
    let mut history = History::of(3);
    PODS.iter().for_each(|pod| history.starts(pod));
    history.pass_ms(10_000);
    history.deleted("mysql-2");
    history.claim_goes("data-mysql-2");
    history.expect(VOLUME, Inconclusive);
}
