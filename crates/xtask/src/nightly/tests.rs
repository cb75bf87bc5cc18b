use std::cell::{Cell, RefCell};

use super::*;
use crate::stage::STAGES;

/// A pace for fast stages: a minute lasts a second.
const QUICK: Pace =
    Pace { minute: Duration::from_secs(1), grace: Duration::from_secs(20), poll: Duration::from_millis(5) };

fn call(name: &str) -> Call {
    Call::parse::<&str>(name, &[]).expect("a call")
}

fn calls(names: &[&str]) -> Vec<Call> {
    names.iter().map(|name| call(name)).collect()
}

/// Runs stages as scripts. `$STAGE` is the name of the stage.
fn run(names: &[&str], script: &str, signals: &mut dyn FnMut() -> usize, pace: Pace) -> (Vec<Row>, String) {
    let command = |call: &Call| {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).env("STAGE", call.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        // A nightly run that includes these tests sets these variables.
        shell.env_remove("PROPTEST_CASES").env_remove("STEADFAST_TIMEOUT_SCALE");
        shell
    };
    let mut out = Vec::new();
    let host = Host { command: &command, signals, variables: &|_| None, pace, out: &mut out };
    let rows = Night::new(calls(names), host).run().expect("it ends");
    (rows, String::from_utf8(out).expect("a text"))
}

fn quick(names: &[&str], script: &str) -> (Vec<Row>, String) {
    run(names, script, &mut || 0, QUICK)
}

fn outcomes(rows: &[Row]) -> Vec<Outcome> {
    rows.iter().map(|row| row.outcome).collect()
}

#[test]
fn a_stage_that_fails_does_not_keep_others_from_their_turn() {
    let (rows, out) = quick(&["style", "botched", "seed"], "[ $STAGE != botched ] || exit 3");
    assert_eq!(outcomes(&rows), [Outcome::Passed, Outcome::Failed(3), Outcome::Passed]);
    assert_eq!(code(&rows), 1);
    insta::assert_snapshot!(out, @r"

    ==> stage style, at most 40 min

    ==> stage botched, at most 90 min

    ==> stage seed, at most 90 min
    ");
}

#[test]
fn a_stage_that_takes_too_long_is_out_of_time() {
    // The deadline of `trend` is 15 minutes, that of `seed` 90.
    let pace = Pace { minute: Duration::from_millis(60), ..QUICK };
    let (rows, _) = run(&["trend", "seed"], "[ $STAGE = seed ] || sleep 1000", &mut || 0, pace);
    assert_eq!(outcomes(&rows), [Outcome::OutOfTime, Outcome::Passed]);
    assert_eq!(code(&rows), 1);
}

#[test]
fn two_go_beside_each_other_and_their_output_is_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    // Each stage waits until the other one has begun, so neither can end alone.
    let script = format!(
        "cd {}; echo $STAGE begins; touch $STAGE; until [ -e upgrade ] && [ -e offline ]; do sleep 0.01; done; \
         echo scale $STEADFAST_TIMEOUT_SCALE >&2; if [ $STAGE = offline ]; then nice; touch ended; \
         else until [ -e ended ]; do sleep 0.01; done; sleep 0.3; fi",
        directory.path().display()
    );
    let (rows, out) = quick(&["upgrade", "offline"], &script);
    assert_eq!(outcomes(&rows), [Outcome::Passed, Outcome::Passed]);
    assert_eq!(code(&rows), 0);
    insta::assert_snapshot!(out, @r"

    ==> stage upgrade, at most 90 min; its output follows when it has ended

    ==> stage offline, at most 90 min; its output follows when it has ended

    ==> stage offline has ended: passed
    offline begins
    scale 1.5
    19

    ==> stage upgrade has ended: passed
    upgrade begins
    scale 1.5
    ");
}

#[test]
fn no_more_than_two_go_beside_each_other_and_none_beside_others() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = format!(
        "cd {}; touch $STAGE; sleep 0.1; ls | wc -l >> /dev/stdout; sleep 0.1; rm $STAGE",
        directory.path().display()
    );
    let (rows, out) = quick(&["upgrade", "offline", "phases", "fuzz", "seed"], &script);
    assert!(rows.iter().all(|row| row.outcome == Outcome::Passed));
    let counts: Vec<u32> = out.lines().filter_map(|line| line.trim().parse().ok()).collect();
    assert!(counts.len() == 4 && counts.iter().all(|count| *count <= 2), "{out}");
}

#[test]
fn a_stage_that_is_alone_has_the_machine_for_itself() {
    let (rows, out) = quick(&["style", "offline"], "[ -z \"$STEADFAST_TIMEOUT_SCALE\" ]");
    assert_eq!(outcomes(&rows), [Outcome::Passed, Outcome::Passed]);
    assert!(!out.contains("its output follows"));
}

#[test]
fn a_setting_of_the_environment_stays() {
    let (mut signals, mut out) = (|| 0, Vec::new());
    let command = |_: &Call| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "[ $PROPTEST_CASES = 7 ]"]).env("PROPTEST_CASES", "7");
        shell
    };
    let variables = |name: &str| (name == "PROPTEST_CASES").then(|| "7".to_owned());
    let host = Host { command: &command, signals: &mut signals, variables: &variables, pace: QUICK, out: &mut out };
    let rows = Night::new(calls(&["style"]), host).run().expect("it ends");
    assert_eq!(outcomes(&rows), [Outcome::Passed]);
}

#[test]
fn properties_are_tried_on_more_histories() {
    assert_eq!(outcomes(&quick(&["style"], "[ $PROPTEST_CASES = 10000 ]").0), [Outcome::Passed]);
}

#[test]
fn a_signal_is_handed_on_and_waited_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().display();
    let script =
        format!("cd {place}; trap 'touch cleaned; exit 130' INT; touch begun; while true; do sleep 0.01; done");
    let sent = Cell::new(false);
    let mut signals = || {
        let now = !sent.get() && directory.path().join("begun").exists();
        sent.set(sent.get() || now);
        usize::from(now)
    };
    let (rows, _) = run(&["style", "seed"], &script, &mut signals, QUICK);
    assert_eq!(outcomes(&rows), [Outcome::Interrupted, Outcome::NotRun]);
    assert!(directory.path().join("cleaned").exists());
    assert_eq!(code(&rows), 130);
}

#[test]
fn a_real_signal_ends_a_night() {
    use signal_hook::consts::SIGUSR1;
    let mut caught = signal_hook::iterator::Signals::new([SIGUSR1]).expect("it can be caught");
    // No other test catches this signal.
    signal_hook::low_level::raise(SIGUSR1).expect("a signal");
    let (rows, out) = run(&["style", "seed"], "exit 0", &mut || caught.pending().count(), QUICK);
    assert_eq!((outcomes(&rows), out.as_str()), (vec![Outcome::NotRun; 2], ""));
}

#[test]
fn a_stage_that_cannot_be_started_does_not_keep_others_from_their_turn() {
    let begun = RefCell::new(Vec::new());
    let command = |call: &Call| {
        begun.borrow_mut().push(call.to_string());
        Command::new("/nowhere/go")
    };
    let (mut signals, mut out) = (|| 0, Vec::new());
    let host = Host { command: &command, signals: &mut signals, variables: &|_| None, pace: QUICK, out: &mut out };
    let rows = Night::new(calls(&["style", "seed"]), host).run().expect("it ends");
    assert_eq!(outcomes(&rows), [Outcome::NotStarted, Outcome::NotStarted]);
    assert_eq!((code(&rows), begun.into_inner()), (1, vec!["style".to_owned(), "seed".to_owned()]));
}

#[test]
fn a_table_shows_what_came_of_each() {
    let row =
        |name: &str, outcome, took: Option<u64>| Row { call: call(name), outcome, took: took.map(Duration::from_secs) };
    let mut rows = vec![
        row("style", Outcome::Passed, Some(58)),
        row("upgrade", Outcome::OutOfTime, Some(5400)),
        row("seed", Outcome::Failed(101), Some(495)),
        row("botched", Outcome::NotStarted, None),
        row("fuzz", Outcome::Interrupted, Some(61)),
        row("trend", Outcome::NotRun, None),
    ];
    rows[2].call = Call::parse("conformance", &["1.37.2", "mariadb:10.11"]).expect("a call");
    insta::assert_snapshot!(table(&rows, Duration::from_secs(6014)), @r"

    stage                               outcome               time
    style                               passed          0 min 58 s
    upgrade                             out of time    90 min 00 s
    conformance 1.37.2 mariadb:10.11    failed (101)    8 min 15 s
    botched                             not started
    fuzz                                interrupted     1 min 01 s
    trend                               not run
    all in all                                        100 min 14 s
    ");
}

#[test]
fn no_line_of_the_table_is_too_narrow() {
    let cell = |server: &str| Call::parse("conformance", &["1.37.2", server]).expect("a call").to_string();
    let versions = crate::versions::Versions::read(crate::root()).expect("they are read");
    assert!(versions.servers.iter().all(|server| cell(server).len() <= 34));
    assert!(STAGES.iter().all(|stage| stage.name.len() <= 34));
}
