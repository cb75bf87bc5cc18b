//! Acts that happened, and acts that did not although a record is named for each.

use serde_json::json;

use crate::case::Case;
use crate::evidence::{Act, Checkpoint, DnsServer, NodeState, Question, Retention, SnapshotOf, SqlAnswer, What};
use crate::history::{History, PODS, row};

fn started() -> History {
    let mut history = History::of(3);
    PODS.iter().for_each(|pod| history.starts(pod));
    history.set_seen();
    history
}

/// Whether the last requested act of this kind is proved.
fn is_proved(history: &History, act: &Act) -> bool {
    let evidence = history.evidence();
    let case = Case::of(&evidence).expect("a run");
    let acts = case.acts(|it| it == act);
    acts.last().expect("an act").proved.is_some()
}

/// Whether an act counts after these events, with the last record as its proof.
fn holds<T>(act: &Act, happening: impl FnOnce(&mut History) -> T) -> bool {
    let mut history = started();
    history.fault(act.clone());
    happening(&mut history);
    let last = history.records.last().expect("a record").seq;
    history.proved(act.clone(), last);
    is_proved(&history, act)
}

#[test]
fn a_proof_names_records_from_when_it_was_asked_for_until_it_was_proved() {
    let act = Act::DeletePod { pod: "mysql-2".into(), uid: "2.1".into(), grace_s: None };
    let named = |by: &dyn Fn(u64) -> Vec<u64>| {
        let mut history = started();
        history.fault(act.clone());
        let gone = history.goes("mysql-2");
        history.proved_by(act.clone(), by(gone));
        is_proved(&history, &act)
    };
    assert!(named(&|gone| vec![gone]));
    assert!(!named(&|_| vec![]));
    assert!(!named(&|gone| vec![gone, 1]));
    assert!(!named(&|gone| vec![gone, gone + 9]));
    assert!(!named(&|gone| vec![gone - 1]));
    // The request itself proves nothing.
    let policy = Act::SetClaimPolicy { when_scaled: Retention::Delete };
    for before in [0, 1] {
        let mut history = started();
        let asked = history.fault(policy.clone());
        history.proved(policy.clone(), asked - before);
        assert!(!is_proved(&history, &policy));
    }
}

#[test]
fn a_pod_is_held_and_released_while_it_is_there() {
    let (pod, uid) = ("mysql-1".to_owned(), "1.1".to_owned());
    let hold = Act::Hold { pod: pod.clone(), uid: uid.clone() };
    let release = Act::Release { pod, uid };
    let unready = |history: &mut History| history.unready("mysql-1");
    assert!(holds(&hold, unready));
    assert!(!holds(&hold, |history| history.pinged("mysql-1", SqlAnswer::Rows(vec![]))));
    assert!(!holds(&hold, |history| history.goes("mysql-1")));
    assert!(holds(&release, |history| history.ready("mysql-1")));
    assert!(!holds(&release, unready));
    assert!(!holds(&release, |history| history.goes("mysql-1")));
}

#[test]
fn a_server_was_killed_where_its_pod_stays_and_it_was_started_again() {
    let kill = Act::KillServer { pod: "mysql-0".into(), uid: "0.1".into() };
    let again = |history: &mut History| {
        history.server_starts_again("mysql-0", 137);
        history.ready("mysql-0");
    };
    assert!(holds(&kill, again));
    assert!(!holds(&kill, |history| history.ready("mysql-0")));
    assert!(!holds(&kill, |history| {
        again(history);
        history.goes("mysql-0");
    }));
}

#[test]
fn a_server_that_its_supervisor_starts_again_is_known_by_its_uptime() {
    let kill = Act::KillServer { pod: "mysql-0".into(), uid: "0.1".into() };
    let tells = |history: &mut History, checkpoint: Checkpoint, seconds: &str| {
        let columns = [("variable_name", "Uptime"), ("value", seconds)];
        history.sql(&checkpoint, "mysql-0", Question::Uptime, SqlAnswer::Rows(vec![row(columns)]))
    };
    let pod = || "mysql-0".to_owned();
    let proved = |before: Option<&str>, after: &str| {
        let mut history = started();
        before.map(|seconds| tells(&mut history, Checkpoint::BeforeKill { pod: pod() }, seconds));
        history.fault(kill.clone());
        let last = tells(&mut history, Checkpoint::Kill { pod: pod() }, after);
        history.proved(kill.clone(), last);
        is_proved(&history, &kill)
    };
    assert!(proved(Some("60"), "1"));
    assert!(!proved(Some("60"), "60") && !proved(Some("60"), "59"), "both are rounded");
    assert!(!proved(None, "1") && !proved(Some("60"), "soon"));
    // An uptime after the kill says nothing about the server before it.
    let mut late = started();
    late.fault(kill.clone());
    tells(&mut late, Checkpoint::Kill { pod: pod() }, "60");
    let last = tells(&mut late, Checkpoint::Kill { pod: pod() }, "1");
    late.proved(kill.clone(), last);
    assert!(!is_proved(&late, &kill));
}

#[test]
fn a_set_was_scaled_where_it_has_all_pods_and_no_others() {
    let (down, up) = (Act::Scale { from: 3, to: 2 }, Act::Scale { from: 2, to: 3 });
    let goes = |history: &mut History| history.goes("mysql-2");
    assert!(holds(&down, goes));
    assert!(!holds(&down, |history| history.deleting("mysql-2")));
    // The pods that stay may be unready.
    assert!(holds(&down, |history| {
        history.unready("mysql-0");
        goes(history);
    }));
    assert!(holds(&up, |history| history.ready("mysql-2")));
    assert!(!holds(&up, |history| history.unready("mysql-2")));
    assert!(!holds(&up, |history| history.starts("mysql-3")));
    // The pods that stay must be Ready if the set does not shrink.
    assert!(!holds(&Act::Scale { from: 3, to: 3 }, |history| history.unready("mysql-2")));
    let all = Act::DeleteAllPods;
    assert!(holds(&all, |history| PODS.map(|pod| history.goes(pod))));
    assert!(!holds(&all, |history| ["mysql-1", "mysql-2"].map(|pod| history.goes(pod))));
    let mut nobody = History::of(3);
    nobody.fault(all.clone());
    let record = nobody.snapshot(SnapshotOf::Corefile, json!("."));
    nobody.proved(all.clone(), record);
    assert!(!is_proved(&nobody, &all));
}

#[test]
fn the_template_changed_where_the_controller_has_seen_it() {
    for act in [Act::Roll { partition: 0 }, Act::BreakTemplate, Act::RevertTemplate] {
        assert!(holds(&act, |history| history.template("rev-2")), "{act}");
        assert!(!holds(&act, |history| history.ready("mysql-2")), "{act}");
        assert!(!holds(&act, |history| history.set_seen()), "{act}");
    }
}

#[test]
fn a_node_is_in_the_state_that_the_act_gives_it() {
    let node = || "worker".to_owned();
    let acts = [
        (Act::PauseNode { node: node() }, vec!["paused"]),
        (Act::UnpauseNode { node: node() }, vec!["running"]),
        (Act::StopNode { node: node() }, vec!["exited"]),
        (Act::StartNode { node: node() }, vec!["running", "Ready"]),
        (Act::Uncordon { node: node() }, vec!["schedulable"]),
    ];
    let told = |act: &Act, node: &str, states: &[&str]| {
        let mut history = started();
        history.fault(act.clone());
        let by = states.iter().map(|state| history.node_is(node, state)).collect();
        history.proved_by(act.clone(), by);
        is_proved(&history, act)
    };
    for (act, states) in acts {
        assert!(told(&act, "worker", &states), "{act}");
        assert!(!told(&act, "worker2", &states), "{act}");
        assert!(!told(&act, "worker", &["NotReady"]), "{act}");
        for missing in 0..states.len() {
            let mut some = states.clone();
            some[missing] = "gone";
            assert!(!told(&act, "worker", &some), "{act} without {}", states[missing]);
        }
    }
}

#[test]
fn a_drain_takes_a_pod_from_its_node() {
    let act = Act::Drain { node: "worker".into() };
    let drained = |bound: bool, goes: bool| {
        let mut history = started();
        if !bound {
            history = history.edit(|what| {
                if let What::Object(event) = what {
                    event.object["spec"]["nodeName"] = json!("worker2");
                }
            });
        }
        history.fault(act.clone());
        let cordoned = history.node_is("worker", "cordoned");
        if goes {
            history.goes("mysql-2");
        }
        history.proved_by(act.clone(), vec![cordoned]);
        is_proved(&history, &act)
    };
    assert!(drained(true, true));
    assert!(!drained(true, false));
    // If no pod was on the node, none must leave it.
    assert!(drained(false, false));
}

#[test]
fn dns_servers_are_replaced_by_others() {
    let act = Act::RestartDns;
    assert!(holds(&act, |history| history.new_dns_servers(["coredns-c", "coredns-d"])));
    assert!(!holds(&act, |history| history.snapshot(SnapshotOf::DnsServers, json!([]))));
    let same = |old: [&'static str; 2], new: [&'static str; 2]| {
        let mut history = started();
        history.new_dns_servers(old);
        history.fault(act.clone());
        let listed = history.new_dns_servers(new);
        history.proved(act.clone(), listed);
        is_proved(&history, &act)
    };
    assert!(same(["coredns-a", "coredns-b"], ["coredns-c", "coredns-d"]));
    assert!(!same(["coredns-a", "coredns-b"], ["coredns-c", "coredns-b"]));
}

#[test]
fn a_dns_server_of_a_known_name_or_uid_is_no_other_one() {
    let act = Act::RestartDns;
    let listed = |history: &mut History, name: &str, uid: &str| {
        let server = DnsServer { name: name.into(), uid: uid.into(), address: [10, 96, 0, 2].into() };
        history.snapshot(SnapshotOf::DnsServers, json!([server]))
    };
    let replaced_by = |name: &str, uid: &str| {
        let mut history = started();
        listed(&mut history, "coredns-a", "first");
        history.fault(act.clone());
        let proof = listed(&mut history, name, uid);
        history.proved(act.clone(), proof);
        is_proved(&history, &act)
    };
    assert!(replaced_by("coredns-b", "second"));
    assert!(!replaced_by("coredns-a", "second"));
    assert!(!replaced_by("coredns-b", "first"));
}

#[test]
fn what_is_read_back_must_be_what_was_asked_for() {
    assert!(holds(&Act::Reapply, |history| history.applied()));
    assert!(!holds(&Act::Reapply, |history| history.ready("mysql-0")));
    let left = |of| move |history: &mut History| history.snapshot(of, json!([]));
    assert!(holds(&Act::Teardown, left(SnapshotOf::LeftoverObjects)));
    assert!(!holds(&Act::Teardown, left(SnapshotOf::LeftoverResources)));
    let server = |state: &str| json!(NodeState { node: "control-plane".into(), state: state.into() });
    let process =
        |state: &'static str| move |history: &mut History| history.snapshot(SnapshotOf::ApiServer, server(state));
    assert!(holds(&Act::RestartApiServer, process("700 since 08:00:00")));
    assert!(!holds(&Act::RestartApiServer, process("")));
}
