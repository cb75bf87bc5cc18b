//! Every checkpoint of a name counts.

use insta::assert_snapshot;

use super::{ABSENT, FOLLOWS, POD, SERVICE, rcode, three_ready};
use crate::Verdict::{self, Fail, Inconclusive, Pass};
use crate::evidence::{Act, Checkpoint, Dns, Phase, Scenario, Transport, What, reverse_name};
use crate::history::{History, PODS};

const SRV: &str = "dns::srv_lists_every_pod";
const PTR: &str = "dns::ptr_points_back";

fn recovered(scenario: Scenario) -> Checkpoint {
    Checkpoint::Recovered { scenario }
}

/// Three pods that are Ready and queried, and again after a scenario that replaced the second one.
fn after(scenario: Scenario) -> History {
    let mut history = three_ready();
    history.pass_ms(5_000);
    history.swept(&Checkpoint::Deployed);
    history.step(scenario, Phase::Begin);
    history.goes("mysql-1");
    history.starts("mysql-1");
    history.pass_ms(5_000);
    history.swept(&recovered(scenario));
    history.step(scenario, Phase::End);
    history
}

fn answering(history: History, wanted: impl Fn(&Dns) -> bool, answer: impl Fn(&mut Dns)) -> History {
    history.edit(|what| match what {
        What::Dns(dns) if wanted(dns) => answer(dns),
        _ => {}
    })
}

#[test]
fn what_is_wrong_after_any_disruption_fails() {
    for scenario in [
        Scenario::ServerKill,
        Scenario::DeleteAll,
        Scenario::Drain,
        Scenario::NodePause,
        Scenario::NodeStop,
        Scenario::DnsReplace,
        Scenario::ApiserverKill,
        Scenario::Claims,
        Scenario::Roll,
        Scenario::Grow,
    ] {
        let checkpoint = recovered(scenario);
        let right = after(scenario);
        for check in [SERVICE, POD, SRV, PTR] {
            assert!(right.expect(check, Pass).contains(" checkpoints"), "{check}");
        }
        let nothing =
            answering(right.clone(), |dns| dns.checkpoint == checkpoint, |dns| dns.answer = rcode("NXDOMAIN"));
        for check in [SERVICE, POD, SRV, PTR, FOLLOWS] {
            nothing.expect(check, Fail);
        }
        // Only one server, over one transport.
        let one =
            |dns: &Dns| dns.checkpoint == checkpoint && dns.server == "coredns-b" && dns.transport == Transport::Tcp;
        answering(right, one, |dns| dns.answer = rcode("NXDOMAIN")).expect(SERVICE, Fail);
    }
}

#[test]
fn an_old_address_after_any_disruption_fails() {
    let mut history = after(Scenario::Drain);
    history.step(Scenario::NodePause, Phase::Begin);
    history.asked(&recovered(Scenario::NodePause), &history.subject.fqdn("mysql-1"), &["10.0.1.1".into()]);
    assert_snapshot!(history.expect(FOLLOWS, Fail), @"the last answer to A of mysql-1.mysql-h.steadfast.svc.cluster.local, queried from namespace default to coredns-a over UDP, was 10.0.1.1 at #156, 5.0 s after the last change (#86); it must be 10.0.1.2; and 7 more like this");
    history.expect(POD, Fail);
}

#[test]
fn the_pod_that_joins_counts_like_the_others() {
    let joined = |answer: &[&str]| {
        let mut history = three_ready();
        history.pass_ms(5_000);
        history.swept(&Checkpoint::Deployed);
        history.starts("mysql-3");
        history.pass_ms(5_000);
        let addresses: Vec<String> = answer.iter().map(|&address| address.to_owned()).collect();
        history.asked(&Checkpoint::Joined, &history.subject.fqdn("mysql-3"), &addresses);
        history
    };
    assert_snapshot!(joined(&["10.0.3.1"]).expect(POD, Pass), @"A of mysql-0, mysql-1, mysql-2, mysql-3 resolved to each pod's own address at 2 checkpoints; all answers were correct from the first query (the limit is 2.0 s: the Corefile has no cache)");
    for wrong in [&[][..], &["10.0.1.1"], &["10.0.3.1", "10.0.1.1"]] {
        joined(wrong).expect(POD, Fail);
    }
    let mut history = joined(&["10.0.3.1"]);
    history.asked(&Checkpoint::Joined, &history.subject.service_fqdn(), &["10.0.0.1".into(), "10.0.1.1".into()]);
    history.expect(SERVICE, Fail);
    let mut history = joined(&["10.0.3.1"]);
    history.asked_for(&Checkpoint::Joined, "PTR", &reverse_name([10, 0, 3, 1].into()), &["elsewhere".into()]);
    history.expect(PTR, Fail);
}

#[test]
fn a_moment_that_comes_again_counts_each_time() {
    let kills = |first: &[&str], second: &[&str]| {
        let mut history = three_ready();
        PODS.iter().for_each(|pod| history.asked_for_pod(&Checkpoint::Deployed, pod));
        for (scenario, answer) in [(Scenario::Unready, first), (Scenario::ServerKill, second)] {
            history.step(scenario, Phase::Begin);
            history.pass_ms(5_000);
            let addresses: Vec<String> = answer.iter().map(|&address| address.to_owned()).collect();
            history.asked(&Checkpoint::Kill { pod: "mysql-1".into() }, &history.subject.fqdn("mysql-1"), &addresses);
            history.step(scenario, Phase::End);
        }
        history
    };
    let right = &["10.0.1.1"];
    kills(right, right).expect(POD, Pass);
    kills(&[], right).expect(POD, Fail);
    kills(right, &[]).expect(POD, Fail);
    // Within one scenario, the acts separate the stretches.
    let mut history = three_ready();
    history.pass_ms(5_000);
    history.asked(&Checkpoint::Deployed, &history.subject.service_fqdn(), &[]);
    history.fault(Act::Reapply);
    history.asked_for_service(&Checkpoint::Deployed);
    history.expect(SERVICE, Fail);
}

#[test]
fn who_is_not_ready_when_asked_for_again_has_no_name() {
    let unready = |answer: &[&str], verdict: Verdict| {
        let mut history = after(Scenario::Drain);
        history.step(Scenario::NodePause, Phase::Begin);
        history.unready("mysql-1");
        history.pass_ms(5_000);
        let addresses: Vec<String> = answer.iter().map(|&address| address.to_owned()).collect();
        history.asked(&recovered(Scenario::NodePause), &history.subject.fqdn("mysql-1"), &addresses);
        history.expect(POD, verdict)
    };
    unready(&[], Pass);
    unready(&["10.0.1.2"], Fail);
}

#[test]
fn a_pod_that_is_gone_has_no_name_whenever_it_is_asked_for() {
    let gone = |answer: &[&str]| {
        let mut history = three_ready();
        history.fault(Act::Scale { from: 3, to: 2 });
        history.goes("mysql-2");
        history.pass_ms(3_000);
        history.asked_for_pod(&Checkpoint::ScaledDown, "mysql-2");
        history.step(Scenario::Drain, Phase::Begin);
        history.fault(Act::Drain { node: "worker".into() });
        let addresses: Vec<String> = answer.iter().map(|&address| address.to_owned()).collect();
        history.asked(&recovered(Scenario::Drain), &history.subject.fqdn("mysql-2"), &addresses);
        history
    };
    assert_snapshot!(gone(&[]).expect(ABSENT, Pass), @"NXDOMAIN: mysql-2 from the first query; and once more (2.0 s: the Corefile has no cache)");
    gone(&["10.0.2.1"]).expect(ABSENT, Fail);
}

#[test]
fn a_pod_that_is_published_until_it_is_gone_may_be_listed_while_it_goes() {
    let mut subject = crate::history::subject(2);
    subject.publish_not_ready = true;
    let going = |answer: &[&str]| {
        let mut history = super::ready(subject.clone());
        history.asked_for_service(&Checkpoint::Deployed);
        history.deleting("mysql-1");
        history.pass_ms(20_000);
        history.step(Scenario::Drain, Phase::Begin);
        let addresses: Vec<String> = answer.iter().map(|&address| address.to_owned()).collect();
        history.asked(&recovered(Scenario::Drain), &history.subject.service_fqdn(), &addresses);
        history
    };
    going(&["10.0.0.1", "10.0.1.1"]).expect(SERVICE, Pass);
    going(&["10.0.0.1"]).expect(SERVICE, Pass);
    going(&["10.0.1.1"]).expect(SERVICE, Fail);
    let mut gone = going(&["10.0.0.1"]);
    gone.deleted("mysql-1");
    gone.pass_ms(1_000);
    gone.step(Scenario::NodePause, Phase::Begin);
    gone.asked(&recovered(Scenario::NodePause), &gone.subject.service_fqdn(), &["10.0.0.1".into(), "10.0.1.1".into()]);
    gone.expect(SERVICE, Inconclusive);
    gone.pass_ms(3_000);
    gone.asked(&recovered(Scenario::NodePause), &gone.subject.service_fqdn(), &["10.0.0.1".into(), "10.0.1.1".into()]);
    gone.expect(SERVICE, Fail);
}
