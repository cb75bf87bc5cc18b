//! Sets in both formats, and the model that they are compared with.

use std::collections::HashSet;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B: &str = "ffffffff-0000-4000-8000-00000000000a";

fn set(text: &str) -> GtidSet {
    text.parse().expect("a set")
}

fn message(text: &str) -> String {
    text.parse::<GtidSet>().unwrap_err().to_string()
}

#[test]
fn the_form_of_mysql_is_read_and_printed_canonically() {
    let upper = A.to_uppercase();
    let text = format!(" {upper}:7:1-3 : 4-5,\n{B} : 2 ,");
    assert_eq!(set(&text).to_string(), format!("{A}:1-5:7,{B}:2"));
    assert_eq!(set("").to_string(), "");
    assert!(set(" \n").is_empty());
}

#[test]
fn tags_have_numbers_of_their_own() {
    let text = format!("{A}:Beta:2-3:1:alpha:4:7,{B}:9,{A}:1:beta:5");
    assert_eq!(set(&text).to_string(), format!("{A}:1:alpha:4:7:beta:1-3:5,{B}:9"));
    let (plain, tagged) = (set(&format!("{A}:1-5")), set(&format!("{A}:tag:1-5")));
    assert_eq!(plain.subtract(&tagged), plain);
    assert_eq!(plain.union(&tagged).to_string(), format!("{A}:1-5:tag:1-5"));
}

#[test]
fn the_form_of_mariadb_is_read_and_printed() {
    assert_eq!(
        set("1-2-3, 0-101-7,\n0-100-18446744073709551615").to_string(),
        "0-100-18446744073709551615,0-101-7,1-2-3"
    );
    assert_eq!(set("0-1-5,0-1-3"), set("0-1-5"));
    let beyond = set("0-1-5,0-2-1").subtract(&set("0-1-3,1-1-9"));
    assert_eq!(beyond.to_string(), "0-1-4..5,0-2-1");
    assert_eq!(set(&beyond.to_string()), beyond);
    assert_eq!(beyond.union(&set("0-1-9..9")).to_string(), "0-1-4..5,0-1-9..9,0-2-1");
}

#[test]
fn a_position_covers_all_numbers_of_a_domain_up_to_its_last() {
    let beyond = |set_: &str, position: &str| set(set_).beyond(&set(position)).to_string();
    assert_eq!(beyond("0-100-744,0-7-3", "0-100-744"), "");
    assert_eq!(beyond("0-100-744,0-7-800", "0-100-744"), "0-7-745..800");
    assert_eq!(beyond("0-100-744,5-100-1", "0-100-744"), "5-100-1");
    assert_eq!(beyond("0-100-7", "0-100-5,0-7-6"), "0-100-7..7");
    assert_eq!(beyond("0-1-3", ""), "0-1-3");
    // In MySQL each server numbers its own transactions.
    assert_eq!(beyond(&format!("{A}:1-5,{B}:1"), &format!("{A}:2-9")), format!("{A}:1,{B}:1"));
    let ours = set("0-100-8,1-1-1");
    assert_eq!(set("0-100-5,0-101-8,1-1-4").of_origins(&ours).to_string(), "0-100-5,1-1-4");
}

#[test]
fn an_error_says_what_stands_where() {
    assert_snapshot!(message("mysql:1"), @"`mysql` at byte 0 is neither a server UUID nor domain-server-number");
    assert_snapshot!(message(" ?"), @"`?` at byte 1 is neither a server UUID nor domain-server-number");
    for wrong in ["0-1", "0-1x-1", "0-4294967296-1", "-1-2-3", "0--1"] {
        assert_eq!(message(wrong), format!("`{wrong}` at byte 0 is neither a server UUID nor domain-server-number"));
    }
    for (text, found, at) in
        [(format!("{A}:1,\n {B}"), B, 41), (format!("{A}:1:t"), "t", 39), (format!("{A}:t:u:1"), "t", 37)]
    {
        assert_eq!(message(&text), format!("`{found}` at byte {at} names no transaction"));
    }
    for wrong in ["0", "5-3", "1t", "", "1-", "-1", "9223372036854775808", "t-1", "a_tag_that_is_longer_than_32_bytes"]
    {
        let expected = format!("`{wrong}` at byte 37 is not a transaction number or a range of them");
        assert_eq!(message(&format!("{A}:{wrong}")), expected);
    }
    for wrong in ["0", "x", "5..3", "0..3", "18446744073709551616", "1-1"] {
        let expected = format!("`{wrong}` at byte 4 is not a transaction number or a range of them");
        assert_eq!(message(&format!("0-1-{wrong}")), expected);
    }
}

#[test]
fn the_difference_names_what_is_missing_and_what_is_errant() {
    let (source, replica) = (set(&format!("{A}:1-10")), set(&format!("{A}:1-4:6-9,{B}:1")));
    assert_eq!(source.subtract(&replica), set(&format!("{A}:5:10")));
    assert_eq!(replica.subtract(&source), set(&format!("{B}:1")));
    assert!(!source.contains(&replica) && source.contains(&set(&format!("{A}:3-5"))));
}

type Model = HashSet<(&'static str, u64)>;

/// Transactions of these origins, given as the text before the number.
fn model(origins: &'static [&'static str]) -> impl Strategy<Value = Model> {
    prop::collection::hash_set((prop::sample::select(origins), 1_u64..30), 0..60)
}

/// The set of the model's members, written one by one in arbitrary order.
fn of(model: &Model) -> GtidSet {
    let one = |(origin, number): &(&str, u64)| match origin.strip_suffix("..") {
        Some(domain) => format!("{domain}{number}..{number}"),
        None => format!("{origin}{number}"),
    };
    set(&model.iter().map(one).collect::<Vec<_>>().join(","))
}

const MYSQL: [&str; 4] = [
    "3e11fa47-71ca-11e1-9e33-c80aa9429562:",
    "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:",
    "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag_2:",
    "ffffffff-0000-4000-8000-00000000000a:tag:",
];
const MARIADB: [&str; 4] = ["0-1-..", "0-2-..", "1-1-..", "4294967295-4294967295-.."];

fn behave_like_sets(a: &Model, b: &Model) -> Result<(), TestCaseError> {
    let (x, y) = (of(a), of(b));
    prop_assert_eq!(x.subtract(&y), of(&(a - b)));
    prop_assert_eq!(x.union(&y), of(&(a | b)));
    prop_assert_eq!(x.contains(&y), a.is_superset(b));
    prop_assert_eq!(x.is_empty(), a.is_empty());
    prop_assert_eq!(x == y, a == b);
    prop_assert_eq!(set(&x.to_string()), x);
    Ok(())
}

proptest! {
    #[test]
    fn sets_of_mysql_behave_like_sets(a in model(&MYSQL), b in model(&MYSQL)) {
        behave_like_sets(&a, &b)?;
    }

    #[test]
    fn sets_of_mariadb_behave_like_sets(a in model(&MARIADB), b in model(&MARIADB)) {
        behave_like_sets(&a, &b)?;
    }

    /// As servers print them: an entry stands for all numbers up to its own, so a union keeps the higher of two.
    #[test]
    fn entries_of_mariadb_stand_for_all_before_them(
        a in prop::collection::hash_map((0_u32..3, 1_u32..3), 1_u64..9, 0..6),
        b in prop::collection::hash_map((0_u32..3, 1_u32..3), 1_u64..9, 0..6),
    ) {
        let text = |state: &std::collections::HashMap<(u32, u32), u64>| {
            state.iter().map(|((domain, server), last)| format!("{domain}-{server}-{last}")).collect::<Vec<_>>().join(",")
        };
        let mut highest = a.clone();
        for (origin, last) in &b {
            highest.entry(*origin).and_modify(|ours| *ours = (*ours).max(*last)).or_insert(*last);
        }
        let (x, y) = (set(&text(&a)), set(&text(&b)));
        prop_assert_eq!(x.union(&y), set(&text(&highest)));
        prop_assert_eq!(x.contains(&y), b.iter().all(|(origin, last)| a.get(origin).is_some_and(|ours| ours >= last)));
        prop_assert!(x.contains(&set("")) && x.contains(&x));
    }
}

#[test]
fn whoever_numbered_a_transaction_is_a_source() {
    let sources = |text: &str| set(text).sources().into_iter().collect::<Vec<_>>();
    assert_eq!(sources(&format!("{B}:2,{A}:1:tag:1-3")), [A, B]);
    assert_eq!(sources("1-2-3,0-100-5,0-101-7"), ["0-100", "0-101", "1-2"]);
    assert_eq!(sources(""), [""; 0]);
}
