use std::path::Path;
use std::process::Stdio;

use super::*;

/// The longest time that a test waits for an expected event.
const SOON: Duration = Duration::from_secs(20);

/// A time that is short for people, but longer than the start of a shell.
const SHORT: Duration = Duration::from_millis(300);

fn start(script: &str, limit: Duration, grace: Duration) -> Group {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Group::start(&mut shell, limit, grace).expect("a shell")
}

/// Starts a script, whose deadline passes as soon as it has created the file `begun`.
fn start_and_expire(directory: &Path, script: &str, grace: Duration) -> Group {
    let mut group = start(&format!("cd {}; {script}", directory.display()), SOON, grace);
    let begun = Instant::now();
    while !directory.join("begun").exists() {
        assert!(begun.elapsed() < SOON, "it does not begin");
        // Nothing announces a new file, so the test polls.
        std::thread::sleep(Duration::from_millis(5));
    }
    group.deadline = Instant::now();
    group
}

fn end(group: &mut Group) -> End {
    let begun = Instant::now();
    loop {
        if let Some(end) = group.poll().expect("it can be waited for") {
            assert!(!lives(group.id));
            return end;
        }
        assert!(begun.elapsed() < SOON, "it does not end");
        // Nothing announces the end of a process that is not a child of this one, so the test polls.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the time since `begun` is far below the longest wait of a test.
fn is_quick(begun: Instant) -> bool {
    begun.elapsed() < SOON / 2
}

#[test]
fn a_command_passes_or_fails_with_its_code() {
    assert_eq!(end(&mut start("exit 0", SOON, SOON)), End::Passed);
    assert_eq!(end(&mut start("exit 7", SOON, SOON)), End::Failed(7));
    assert_eq!(end(&mut start("kill -TERM $$", SOON, SOON)), End::Failed(143));
}

#[test]
fn a_command_that_is_out_of_time_may_clean_up() {
    let directory = tempfile::tempdir().expect("a directory");
    // The shell runs the trap when the current command ends, so a long command that starts after the signal would
    // delay it.
    let script = "trap 'sleep 0.2; touch cleaned; exit 0' INT; touch begun; while :; do sleep 0.01; done";
    assert_eq!(end(&mut start_and_expire(directory.path(), script, SOON)), End::OutOfTime);
    assert!(directory.path().join("cleaned").exists(), "it could not clean up");
}

#[test]
fn a_group_that_ignores_the_deadline_is_killed_as_a_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "trap '' INT; sh -c 'touch begun; sleep 1000; sleep 1000' & sleep 1000; sleep 1000";
    let mut group = start_and_expire(directory.path(), script, SHORT);
    let expired = Instant::now();
    assert_eq!(end(&mut group), End::OutOfTime);
    assert!(expired.elapsed() >= SHORT && is_quick(expired));
}

#[test]
fn what_survives_its_parent_is_waited_for() {
    let begun = Instant::now();
    assert_eq!(end(&mut start("sleep 0.5 & exit 3", SOON, SOON)), End::Failed(3));
    assert!(begun.elapsed() >= Duration::from_millis(500) && is_quick(begun));
}

#[test]
fn what_survives_its_parent_for_too_long_is_killed() {
    let begun = Instant::now();
    assert_eq!(end(&mut start("sleep 1000 & exit 0", SOON, SHORT)), End::Passed);
    assert!(begun.elapsed() >= SHORT && is_quick(begun));
}

#[test]
fn a_group_that_cleans_up_at_its_deadline_gets_no_second_signal() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "trap 'echo >> signals' INT; touch begun; until [ -e signals ]; do sleep 0.01; done; sleep 0.2";
    let mut group = start_and_expire(directory.path(), script, SOON);
    group.interrupt();
    assert_eq!(end(&mut group), End::Passed);
    let signals = fs::read_to_string(directory.path().join("signals")).expect("it got one");
    assert_eq!(signals.lines().count(), 1);
}

#[test]
fn a_group_that_nobody_looks_at_any_more_is_interrupted() {
    let group = start("sleep 1000", SOON, SOON);
    let id = group.id;
    drop(group);
    let begun = Instant::now();
    while lives(id) {
        assert!(begun.elapsed() < SOON, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_interrupted_group_is_killed_when_it_does_not_end() {
    let begun = Instant::now();
    let mut group = start("trap '' INT; while true; do sleep 0.01; done", SOON, SHORT);
    group.interrupt();
    assert!(matches!(end(&mut group), End::Failed(130 | 137)));
    assert!(is_quick(begun));
}

#[test]
fn what_computes_yields_to_others() {
    let group = &mut start("sleep 0.3; [ $(nice) = 19 ]", SOON, SOON);
    group.yield_to_others();
    assert_eq!(end(group), End::Passed);
}

#[test]
fn a_command_that_is_not_there_cannot_be_started() {
    assert!(Group::start(&mut Command::new("/nowhere/go"), SOON, SOON).is_err());
}

#[test]
fn a_dead_process_is_not_at_work() {
    let group = Pid::from_raw(7).expect("a number");
    assert!(is_at_work("9 (a) Z b) S 1 7 7 0", group));
    assert!(!is_at_work("9 (a) Z 1 7 7 0", group));
    assert!(!is_at_work("9 (a) S 1 8 7 0", group));
    assert!(!is_at_work("", group));
}
