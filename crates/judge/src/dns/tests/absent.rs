//! The names of pods that are scaled away.

use insta::assert_snapshot;

use super::{ABSENT, three_ready};
use crate::Verdict::{Inconclusive, Pass};
use crate::evidence::{Act, Checkpoint, Phase, Scenario};
use crate::history::PODS;

#[test]
fn a_name_has_time_until_its_pod_is_gone() {
    let mut history = three_ready();
    history.fault(Act::Scale { from: 3, to: 2 });
    history.deleting("mysql-2");
    history.unready("mysql-2");
    history.pass_ms(30_000);
    history.deleted("mysql-2");
    history.pass_ms(500);
    history.asked(&Checkpoint::ScaledDown, &history.subject.fqdn("mysql-2"), &["10.0.2.1".into()]);
    history.pass_ms(500);
    history.asked_for_pod(&Checkpoint::ScaledDown, "mysql-2");
    assert_snapshot!(history.expect(ABSENT, Pass), @"NXDOMAIN: mysql-2 after 1.0 s (2.0 s: the Corefile has no cache)");
}

#[test]
fn a_pod_that_did_not_go_leaves_it_open() {
    let mut history = three_ready();
    history.expect(ABSENT, Inconclusive);
    history.fault(Act::Scale { from: 3, to: 3 });
    assert_snapshot!(history.expect(ABSENT, Inconclusive), @"the set was not scaled down");
    history.fault(Act::Scale { from: 3, to: 1 });
    history.goes("mysql-2");
    history.pass_ms(3_000);
    PODS.iter().for_each(|pod| history.asked_for_pod(&Checkpoint::ScaledDown, pod));
    assert_snapshot!(history.expect(ABSENT, Inconclusive), @"mysql-1 was not seen to be gone after the scale-down");
}

#[test]
fn a_scale_down_in_which_claims_are_to_go_is_another_matter() {
    let mut history = three_ready();
    for phase in [Phase::Begin, Phase::End, Phase::Begin] {
        history.step(Scenario::Claims, phase);
    }
    history.fault(Act::Scale { from: 3, to: 2 });
    assert_snapshot!(history.expect(ABSENT, Inconclusive), @"the set was not scaled down");
}

#[test]
fn a_pod_that_goes_with_the_teardown_did_not_go_in_the_scale_down() {
    let mut history = three_ready();
    history.fault(Act::Scale { from: 3, to: 1 });
    history.fault(Act::Teardown);
    history.goes("mysql-2");
    history.goes("mysql-1");
    PODS.iter().for_each(|pod| history.asked_for_pod(&Checkpoint::ScaledDown, pod));
    history.expect(ABSENT, Inconclusive);
}

#[test]
fn a_name_of_which_something_else_was_asked_leaves_it_open() {
    let mut history = three_ready();
    history.fault(Act::Scale { from: 3, to: 2 });
    history.goes("mysql-2");
    history.pass_ms(3_000);
    history.asked_for(&Checkpoint::ScaledDown, "TXT", &history.subject.fqdn("mysql-2"), &[]);
    assert_snapshot!(history.expect(ABSENT, Inconclusive), @"A of mysql-2.mysql-h.steadfast.svc.cluster.local was not queried after the scale-down: no query was recorded");
}
