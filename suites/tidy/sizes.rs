//! Rules for the lengths of files and functions.

use super::source::{closes, identifiers, lines};

/// The maximum number of lines of a file, without its tests.
pub(crate) const FILE: usize = 350;

/// The maximum number of lines of a function.
pub(crate) const FUNCTION: usize = 70;

/// Files that are longer, and their limits. Make them shorter and lower the number. Do not add files.
pub(crate) const LONGER_FILES: &[(&str, usize)] = &[
    ("crates/judge/src/minimum/table.rs", 351),
    ("crates/judge/src/ordering/rolls/tests.rs", 353),
    ("src/driver/servers.rs", 354),
    ("src/record/log.rs", 354),
    ("src/report/describe.rs", 356),
    ("src/run/workload_run.rs", 392),
];

/// Functions that are longer, and their limits.
pub(crate) const LONGER_FUNCTIONS: &[(&str, usize)] =
    &[("src/report/sample/each.rs: questions", 74), ("src/run/workload_run.rs: act", 84)];

/// The number of lines of a file without its `mod tests`.
pub(crate) fn lines_without_tests(text: &str) -> usize {
    let all = if text.contains("mod tests {") { lines(text) } else { Vec::new() };
    let first = all.iter().position(|line| line.code.trim() == "mod tests {");
    let tests = first.and_then(|first| Some(closes(&all, first)? + 1 - first));
    text.lines().count() - tests.unwrap_or_default()
}

/// Each function of a file and its number of lines, from `fn` to the closing brace.
pub(crate) fn functions(text: &str) -> Vec<(String, usize)> {
    let lines = lines(text);
    let named = |(number, code): (usize, &str)| {
        let mut words = identifiers(code).skip_while(|word| *word != "fn");
        // A type such as `fn(&str)` has no name.
        let name = words.nth(1).filter(|name| code.contains(&format!("fn {name}")))?;
        Some((name.to_owned(), closes(&lines, number)? + 1 - number))
    };
    lines.iter().map(|line| line.code.as_str()).enumerate().filter_map(named).collect()
}

/// The names that exceed the limit. A known name may have its listed length, but no more. A known name that is short
/// enough must be removed from the list.
pub(crate) fn above(unit: &str, lengths: &[(String, usize)], limit: usize, known: &[(&str, usize)]) -> Vec<String> {
    let long = lengths.iter().filter_map(|(name, length)| {
        let ceiling = known.iter().find(|(known, _)| known == name).map_or(limit, |(_, ceiling)| *ceiling);
        (*length > ceiling).then(|| format!("{name} has {length} {unit}, {ceiling} are allowed: split it"))
    });
    let short = known.iter().filter_map(|(name, _)| {
        let is_long = lengths.iter().any(|(other, length)| other == name && *length > limit);
        (!is_long)
            .then(|| format!("{name} is not longer than {limit} {unit} any more: take it off suites/tidy/sizes.rs"))
    });
    long.chain(short).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\n";
        assert_eq!(lines_without_tests(text), 3);
        assert_eq!(lines_without_tests("mod tests;\nfn a() {}\n"), 2);
    }

    #[test]
    fn functions_are_measured() {
        let text =
            "trait A {\n    fn a();\n    fn b() {\n        c(\"{\");\n    }\n}\nfn d(e: fn(u8)) {}\ntype F = fn(u8);\n";
        assert_eq!(functions(text), [("b".to_owned(), 3), ("d".to_owned(), 1)]);
    }

    #[test]
    fn what_is_too_long_is_found() {
        let lengths = [("a".to_owned(), 11), ("b".to_owned(), 15), ("c".to_owned(), 9)];
        assert_eq!(above("lines", &lengths, 10, &[("b", 15)]), ["a has 11 lines, 10 are allowed: split it"]);
        let grown = above("lines", &lengths, 10, &[("a", 11), ("b", 14)]);
        assert_eq!(grown, ["b has 15 lines, 14 are allowed: split it"]);
        let shrunk = above("lines", &lengths, 20, &[("c", 25)]);
        assert_eq!(shrunk, ["c is not longer than 20 lines any more: take it off suites/tidy/sizes.rs"]);
    }
}
