//! Rules for the lengths of files and functions.

use super::source::{closes, identifiers, lines};

/// The maximum number of lines of a file, without its tests.
pub(crate) const FILE: usize = 350;

/// The maximum number of lines of a function.
pub(crate) const FUNCTION: usize = 70;

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

/// The names that exceed the limit.
pub(crate) fn above(unit: &str, lengths: &[(String, usize)], limit: usize) -> Vec<String> {
    let long = lengths.iter().filter(|(_, length)| *length > limit);
    long.map(|(name, length)| format!("{name} has {length} {unit}, {limit} are allowed: split it")).collect()
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
        let lengths = [("a".to_owned(), 11), ("b".to_owned(), 10)];
        assert_eq!(above("lines", &lengths, 10), ["a has 11 lines, 10 are allowed: split it"]);
    }
}
