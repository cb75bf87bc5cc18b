use super::*;

#[test]
fn parts_share_the_trials_out() {
    let parts = ["1/3", "2/3", "3/3"].map(|text| text.parse::<Part>().expect("a part"));
    for index in 0..7 {
        assert_eq!(parts.iter().filter(|part| part.has(index)).count(), 1, "{index}");
    }
    assert!(parts[1].has(4));
    assert_eq!(parts[1].to_string(), "2/3");
}

#[test]
fn the_whole_suite_is_one_part() {
    let whole: Part = "1/1".parse().expect("a part");
    assert!((0..3).all(|index| whole.has(index)));
}

#[test]
fn what_is_no_part_is_refused() {
    for text in ["", "2", "0/3", "4/3", "1/0", "-1/3", "a/b", "1/2/3"] {
        assert_eq!(text.parse::<Part>(), Err("give a part as in 2/5"), "{text}");
    }
}
