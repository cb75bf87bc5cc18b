//! Rules for the places of modules and tests.

use super::source::{Line, closes, lines};

/// A module is `x.rs`, and its children are in `x/`.
pub(crate) fn module_style(path: &str) -> Vec<String> {
    let Some(module) = path.strip_suffix("/mod.rs") else { return Vec::new() };
    vec![format!("a module is a file beside its folder: git mv {path} {module}.rs")]
}

/// Modules with a `#[path]`: readers do not find them by name, and each crate compiles them again.
pub(crate) fn path_attributes(text: &str) -> Vec<String> {
    let has_path = |code: &str| code.contains("#[path") || (code.contains("cfg_attr(") && code.contains(",path="));
    let of = |(number, line): (usize, Line)| {
        let finding = "a module is found by its name: no #[path]; what suites share is in suites/support";
        has_path(&line.code.replace(' ', "")).then(|| format!("line {}: {finding}", number + 1))
    };
    lines(text).into_iter().enumerate().filter_map(of).collect()
}

/// A file with a function that is called as a test, but writes the stored runs.
const CALLED_AS_TESTS: [&str; 1] = ["crates/judge/src/history/store.rs"];

/// Tests are in `mod tests` of the file, in `x/tests.rs` or in `x/tests/`. Properties have the same places. All code in
/// suites is test code.
pub(crate) fn of_tests(path: &str, text: &str) -> Vec<String> {
    let is_library = ["src/", "crates/", "suites/support/"].iter().any(|root| path.starts_with(root));
    let is_of_tests = |part: &str| matches!(part, "tests" | "tests.rs" | "properties" | "properties.rs");
    if !is_library || path.split('/').any(is_of_tests) || CALLED_AS_TESTS.contains(&path) {
        return Vec::new();
    }
    if !["mod tests", "#[test]", "#[tokio::test"].iter().any(|word| text.contains(word)) {
        return Vec::new();
    }
    let lines = lines(text);
    let (mut findings, mut inside) = (Vec::new(), 0..0);
    for (number, line) in lines.iter().enumerate() {
        let code = line.code.trim();
        if code.starts_with("mod tests") {
            inside = number..closes(&lines, number).unwrap_or(number);
            if number == 0 || !lines[number - 1].code.contains("cfg(test)") {
                findings.push(format!("line {}: `mod tests` wants #[cfg(test)]", number + 1));
            }
        }
        let is_test = ["#[test]", "#[tokio::test"].iter().any(|attribute| code.starts_with(attribute));
        if is_test && !inside.contains(&number) {
            findings.push(format!("line {}: a test stands in `mod tests`, or in a file tests.rs", number + 1));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mod_rs_is_found() {
        assert_eq!(
            module_style("src/run/mod.rs"),
            ["a module is a file beside its folder: git mv src/run/mod.rs src/run.rs"]
        );
        assert!(module_style("src/run.rs").is_empty());
        assert_eq!(module_style("suites/refusals/mod.rs").len(), 1);
    }

    #[test]
    fn a_path_attribute_is_found() {
        let finding = "line 2: a module is found by its name: no #[path]; what suites share is in suites/support";
        assert_eq!(path_attributes("mod a;\n#[path = \"x/b.rs\"]\nmod b;\n"), [finding]);
        assert_eq!(path_attributes("\n#[cfg_attr(test, path = \"x/b.rs\")]\nmod b;\n"), [finding]);
        assert!(path_attributes("// #[path = \"x/b.rs\"]\nlet a = \"#[path]\";\nlet path = 1;\n").is_empty());
    }

    #[test]
    fn a_test_that_stands_elsewhere_is_found() {
        let astray = "fn a() {}\n#[test]\nfn b() {}\n";
        let inline = "fn a() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn b() {}\n}\n";
        assert_eq!(of_tests("src/a.rs", astray), ["line 2: a test stands in `mod tests`, or in a file tests.rs"]);
        assert!(of_tests("src/a/tests.rs", astray).is_empty());
        assert!(of_tests("suites/a.rs", astray).is_empty());
        assert_eq!(of_tests("suites/support/src/a.rs", astray).len(), 1);
        assert!(of_tests("src/a.rs", inline).is_empty());
        assert_eq!(of_tests("src/a.rs", &format!("{inline}#[tokio::test]\n")).len(), 1);
        let built_always = inline.replace("#[cfg(test)]\n", "");
        assert_eq!(of_tests("src/a.rs", &built_always), ["line 2: `mod tests` wants #[cfg(test)]"]);
    }
}
