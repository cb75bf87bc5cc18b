//! Lookups in pods: right ones and wrong ones.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::dns::tests::three_ready;
use crate::evidence::{Checkpoint, Exec, ExecAnswer, RESOLVER, What};
use crate::history::History;

const SHORT: &str = "dns::short_names_resolve";
const FULL: &str = "dns::each_pod_has_its_name";
const NAME: &str = "mysql-1.mysql-h";

fn exited(code: i32, stdout: &str, stderr: &str) -> ExecAnswer {
    ExecAnswer::Exited { code, stdout: stdout.into(), stderr: stderr.into() }
}

/// Three pods that have been Ready for long and whose names were queried; each looks the others up.
fn looked_up() -> History {
    let mut history = three_ready();
    history.pass_ms(5_000);
    history.pod_names().iter().for_each(|pod| history.asked_for_pod(&Checkpoint::Deployed, pod));
    history.looked_up(&Checkpoint::Deployed);
    history
}

/// Three pods whose image has no `getent`, and whose resolver has this configuration.
fn without_getent(resolver: &str) -> History {
    let mut history = looked_up();
    for pod in history.pod_names() {
        history.exec(&Checkpoint::Deployed, &pod, RESOLVER, resolver);
        // Other commands and other checkpoints do not count.
        history.exec(&Checkpoint::Deployed, &pod, &["hostname"], "search other.example\n");
        history.exec(&Checkpoint::Deletion { pod: pod.clone() }, &pod, RESOLVER, "search later.example\n");
    }
    history.edit(|what| match what {
        What::Exec(exec) if exec.argv[0] == "getent" => exec.answer = exited(127, "", "no such program"),
        _ => {}
    })
}

#[test]
fn without_getent_the_search_list_counts() {
    let search =
        "nameserver 10.96.0.10\nsearch steadfast.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n";
    assert_snapshot!(without_getent(search).expect(SHORT, Pass), @"mysql-0.mysql-h, mysql-1.mysql-h, mysql-2.mysql-h resolve through the search list in every other pod; all answers were correct from the first query (the limit is 2.0 s: the Corefile has no cache)");
    assert!(!without_getent(search).expect(FULL, Pass).contains("looked them up"));
    assert_snapshot!(without_getent("nameserver 10.96.0.10\nsearch corp.example\n").expect(SHORT, Fail), @"the search list of mysql-1 does not complete mysql-0.mysql-h to mysql-0.mysql-h.steadfast.svc.cluster.local: corp.example (#57); the search list of mysql-2 does not complete mysql-0.mysql-h to mysql-0.mysql-h.steadfast.svc.cluster.local: corp.example (#60); the search list of mysql-0 does not complete mysql-1.mysql-h to mysql-1.mysql-h.steadfast.svc.cluster.local: corp.example (#54); and 3 more like this");
    without_getent("nameserver 10.96.0.10\n").expect(SHORT, Fail);
    without_getent("nameserver 10.96.0.10\n").expect(FULL, Pass);
    without_getent("search cluster.local\nsearch steadfast.svc.cluster.local.\n").expect(SHORT, Pass);
}

/// Whether this is the lookup of a name, in any pod.
fn is_lookup_of(what: &What, name: &str) -> bool {
    matches!(what, What::Exec(exec) if exec.argv[..] == ["getent", "ahosts", name])
}

/// The same history with edited lookups of a name.
fn finding(history: History, name: &str, mut edit: impl FnMut(&mut Exec)) -> History {
    history.edit(|what| {
        if is_lookup_of(what, name)
            && let What::Exec(exec) = what
        {
            edit(exec);
        }
    })
}

fn answering(name: &str, answer: &ExecAnswer) -> History {
    finding(looked_up(), name, |exec| exec.answer = answer.clone())
}

#[test]
fn names_that_are_found_pass() {
    assert_snapshot!(History::good().expect(SHORT, Pass), @"mysql-0.mysql-h, mysql-1.mysql-h, mysql-2.mysql-h were resolved in every other pod; all answers were correct from the first query (the limit is 2.0 s: the Corefile's cache is off for cluster.local)");
    assert_snapshot!(History::good_of(1).expect(SHORT, Pass), @"mysql-h was resolved in mysql-0; all answers were correct from the first query (the limit is 2.0 s: the Corefile's cache is off for cluster.local)");
    assert!(!History::good_of(1).expect(FULL, Pass).contains("looked"));
    assert!(History::good_of(2).expect(FULL, Pass).contains("looked"));
    looked_up().expect(SHORT, Pass);
    looked_up().expect(FULL, Pass);
}

#[test]
fn a_short_name_that_is_not_found_fails() {
    let history = answering(NAME, &exited(2, "", ""));
    assert_snapshot!(history.expect(SHORT, Fail), @"the last answer to `getent ahosts mysql-1.mysql-h` in mysql-0 was no such name at #43, 6.5 s after the last change (#10); it must be 10.0.1.1; the last answer to `getent ahosts mysql-1.mysql-h` in mysql-2 was no such name at #53, 6.5 s after the last change (#10); it must be 10.0.1.1");
    history.expect(FULL, Pass);
    let alone = History::good_of(1);
    let alone = finding(alone, "mysql-h", |exec| exec.answer = exited(2, "", ""));
    // The pod had only just become Ready.
    alone.expect(SHORT, Inconclusive);
}

#[test]
fn another_address_fails() {
    for printed in ["10.0.0.9 STREAM", "10.0.1.1 STREAM\n10.0.1.1 DGRAM\n10.0.0.9 STREAM", "", "::1 STREAM"] {
        answering(NAME, &exited(0, printed, "")).expect(SHORT, Fail);
    }
    let printed = "10.0.1.1 STREAM mysql-1\n\n10.0.1.1 DGRAM\nfd00::7 STREAM\n10.0.1.1 RAW";
    answering(NAME, &exited(0, printed, "")).expect(SHORT, Pass);
}

#[test]
fn a_full_name_that_is_masked_fails_though_dns_is_right() {
    let history = answering(&three_ready().subject.fqdn("mysql-1"), &exited(0, "127.0.0.1 STREAM", ""));
    assert_snapshot!(history.expect(FULL, Fail), @"the last answer to `getent ahosts mysql-1.mysql-h.steadfast.svc.cluster.local` in mysql-0 was 127.0.0.1 at #42, 6.5 s after the last change (#10); it must be 10.0.1.1; the last answer to `getent ahosts mysql-1.mysql-h.steadfast.svc.cluster.local` in mysql-2 was 127.0.0.1 at #52, 6.5 s after the last change (#10); it must be 10.0.1.1");
    history.expect(SHORT, Pass);
}

#[test]
fn a_lookup_that_could_not_be_made_leaves_it_open() {
    let broken = ExecAnswer::Broken { message: "websocket closed".into() };
    for answer in [exited(127, "", "getent: not found"), exited(126, "", ""), exited(1, "", "Unknown database"), broken]
    {
        answering(NAME, &answer).expect(SHORT, Inconclusive);
        answering(&three_ready().subject.fqdn("mysql-1"), &answer).expect(FULL, Inconclusive);
    }
    assert_snapshot!(answering(NAME, &exited(127, "", "getent: not found")).expect(SHORT, Inconclusive), @"`getent ahosts mysql-1.mysql-h` in mysql-0 was not answered: there is no program `getent`: getent: not found (#43); `getent ahosts mysql-1.mysql-h` in mysql-2 was not answered: there is no program `getent`: getent: not found (#53)");
    assert_snapshot!(answering(NAME, &exited(1, "", "Unknown database")).expect(SHORT, Inconclusive), @"`getent ahosts mysql-1.mysql-h` in mysql-0 was not answered: it failed with exit code 1: Unknown database (#43); `getent ahosts mysql-1.mysql-h` in mysql-2 was not answered: it failed with exit code 1: Unknown database (#53)");
}

#[test]
fn a_lookup_that_was_not_made_leaves_it_open() {
    assert_snapshot!(looked_up().without(|what| is_lookup_of(what, NAME)).expect(SHORT, Inconclusive), @"`getent ahosts mysql-1.mysql-h` in mysql-0 was not run after all pods were Ready; `getent ahosts mysql-1.mysql-h` in mysql-2 was not run after all pods were Ready");
    let another = finding(looked_up(), NAME, |exec| exec.argv[1] = "hosts".into());
    another.expect(SHORT, Inconclusive);
    let full = three_ready().subject.fqdn("mysql-2");
    looked_up().without(|what| is_lookup_of(what, &full)).expect(FULL, Inconclusive);
}

#[test]
fn a_run_without_lookups_is_judged_by_dns_alone() {
    let none = looked_up().without(|what| matches!(what, What::Exec(_)));
    let reason = none.expect(FULL, Pass);
    assert!(!reason.contains("looked"), "{reason}");
    none.expect(SHORT, Inconclusive);
    let others = History::good().without(|what| matches!(what, What::Exec(exec) if exec.argv[0] == "getent"));
    assert_eq!(others.expect(FULL, Pass).find("looked"), None);
}

#[test]
fn only_the_last_lookup_counts_within_the_budget() {
    let twice = |first_ms: u64, then: &[String]| {
        let mut history = three_ready();
        history.pass_ms(first_ms);
        history.looked_up(&Checkpoint::Deployed);
        let mut history = finding(history, NAME, |exec| exec.answer = exited(2, "", ""));
        for from in ["mysql-0", "mysql-2"] {
            history.looks_up(&Checkpoint::Deployed, from, NAME, then);
        }
        history
    };
    let right = ["10.0.1.1".to_owned()];
    assert_snapshot!(twice(300, &right).expect(SHORT, Pass), @"mysql-0.mysql-h, mysql-1.mysql-h, mysql-2.mysql-h were resolved in every other pod; the slowest answer was correct 1.8 s after the last change (the limit is 2.0 s: the Corefile has no cache)");
    assert_snapshot!(twice(2_500, &right).expect(SHORT, Fail), @"`getent ahosts mysql-1.mysql-h` in mysql-0 was correct only 4.0 s after the last change (#10), not within 2.0 s (the Corefile has no cache); still wrong at #19; `getent ahosts mysql-1.mysql-h` in mysql-2 was correct only 4.0 s after the last change (#10), not within 2.0 s (the Corefile has no cache); still wrong at #29");
    twice(300, &["10.0.0.9".to_owned()]).expect(SHORT, Inconclusive);
}

#[test]
fn a_lookup_that_began_within_the_budget_is_not_late() {
    let slow = finding(looked_up(), NAME, |exec| (exec.took_us, exec.answer) = (4_900_000, exited(2, "", "")));
    assert_snapshot!(slow.expect(SHORT, Inconclusive), @"the last answer to `getent ahosts mysql-1.mysql-h` in mysql-0 was no such name at #43, 6.5 s after the last change (#10); it must be 10.0.1.1; it was queried within 2.0 s (the Corefile has no cache), so it may only be late; the last answer to `getent ahosts mysql-1.mysql-h` in mysql-2 was no such name at #53, 6.5 s after the last change (#10); it must be 10.0.1.1; it was queried within 2.0 s (the Corefile has no cache), so it may only be late");
}

#[test]
fn a_pod_that_is_not_ready_has_no_name_to_look_up() {
    let mut history = three_ready();
    history.unready("mysql-1");
    history.pass_ms(5_000);
    history.looked_up(&Checkpoint::Deployed);
    for from in ["mysql-0", "mysql-2"] {
        history.looks_up(&Checkpoint::Deployed, from, NAME, &[]);
    }
    assert_snapshot!(history.expect(SHORT, Inconclusive), @"no pod that mysql-1.mysql-h must resolve to was Ready after all pods were Ready (#27); no pod that mysql-1.mysql-h must resolve to was Ready after all pods were Ready (#28)");
}
