use super::*;
use crate::versions::tests::good;

/// A day whose parts are 4/16 and 4/8.
const DAY: u64 = 16 * 50 + 3;

fn night(only: &[&str], all_judges: bool) -> Result<Vec<String>, CallError> {
    let versions = good();
    let only: Vec<String> = only.iter().map(ToString::to_string).collect();
    let calls = Plan { versions: &versions, day: DAY }.night(&only, all_judges)?;
    Ok(calls.iter().map(ToString::to_string).collect())
}

fn found(only: &[&str]) -> Vec<String> {
    night(only, false).expect("there are such stages")
}

fn error(only: &str) -> String {
    night(&[only], false).expect_err("there is no such stage").to_string()
}

fn calls(caller: Caller) -> String {
    let versions = good();
    let calls = Plan { versions: &versions, day: DAY }.calls(caller);
    calls.iter().map(|call| format!("{call}\n")).collect()
}

#[test]
fn a_machine_takes_all_parts_at_once() {
    insta::assert_snapshot!(found(&[]).join("\n"), @r"
    setup
    style
    dependencies
    upgrade
    offline
    judges 4/16
    phases
    fuzz
    clusters
    botched
    seed
    conformance 1.36.3 mysql:5.7
    conformance 1.9.10 mysql:5.7
    conformance 1.37.2 mariadb:10.11
    mutants 1/1
    variants 1/1
    trend
    ");
}

#[test]
fn a_night_has_a_job_for_each_part() {
    insta::assert_snapshot!(calls(Caller::Night), @r"
    style
    dependencies
    upgrade
    offline
    judges 4/16
    phases
    fuzz
    clusters
    botched
    seed
    conformance 1.37.2 mysql:5.7
    conformance 1.36.3 mysql:5.7
    conformance 1.9.10 mysql:5.7
    conformance 1.37.2 mariadb:10.11
    mutants 1/8
    mutants 2/8
    mutants 3/8
    mutants 4/8
    mutants 5/8
    mutants 6/8
    mutants 7/8
    mutants 8/8
    variants 1/8
    variants 2/8
    variants 3/8
    variants 4/8
    variants 5/8
    variants 6/8
    variants 7/8
    variants 8/8
    ");
}

#[test]
fn a_pull_request_has_the_part_of_the_day() {
    insta::assert_snapshot!(calls(Caller::PullRequest), @r"
    style
    dependencies
    offline
    clusters
    seed
    mutants 4/8
    variants 4/8
    ");
}

#[test]
fn all_judges_are_each_part_in_turn_and_come_last() {
    let calls = night(&[], true).expect("there are such stages");
    let judges: Vec<&String> = calls.iter().skip_while(|call| *call != "judges 1/16").collect();
    assert_eq!((judges.len(), judges[15].as_str()), (16, "judges 16/16"));
    assert_eq!(calls[calls.len() - 17], "trend");
    assert!(!calls[..calls.len() - 16].iter().any(|call| call.starts_with("judges")));
    assert_eq!(night(&["judges"], true).expect("there are such stages").len(), 16);
}

#[test]
fn stages_are_named_by_a_line_or_its_first_words() {
    assert_eq!(found(&["style"]), ["style"]);
    assert_eq!(found(&["conformance"]).len(), 4);
    assert_eq!(found(&["conformance 1.37.2"]), ["conformance 1.37.2 mysql:5.7", "conformance 1.37.2 mariadb:10.11"]);
    assert_eq!(found(&["conformance 1.37.2 mysql:5.7"]), ["conformance 1.37.2 mysql:5.7"]);
    assert_eq!(found(&["mutants", "seed"]), ["mutants 1/1", "seed"]);
}

#[test]
fn a_part_may_be_one_that_the_machine_would_not_take() {
    assert_eq!(found(&["mutants 2/8", "judges 7/16"]), ["mutants 2/8", "judges 7/16"]);
    assert_eq!(error("mutants 9/8"), "`9/8` is not a part; give one such as 2/8");
}

#[test]
fn an_unknown_stage_is_told_with_the_nearest() {
    let told = |wanted: &str, nearest: &str| {
        format!("there is no stage `{wanted}`; the nearest is `{nearest}`, and `ci/nightly --list` shows all")
    };
    assert_eq!(error("mutant"), told("mutant", "mutants"));
    assert_eq!(error("styl"), told("styl", "style"));
    assert_eq!(error("seed 1/2"), told("seed 1/2", "seed"));
    assert_eq!(
        error("conformance 1.36.33 mysql:5.7"),
        told("conformance 1.36.33 mysql:5.7", "conformance 1.36.3 mysql:5.7")
    );
}
