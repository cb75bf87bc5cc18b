//! Rules for imports and paths.

use super::source::{Line, lines};

/// Each `use` must import from one module only. A module above the parent must be named from the root of the crate.
pub(crate) fn style(text: &str) -> Vec<String> {
    let lines = lines(text);
    let mut findings = Vec::new();
    for (number, Line { code, .. }) in lines.iter().enumerate() {
        if code.contains("super::super::") {
            findings.push(format!("line {}: name the module from the root: crate::", number + 1));
        }
        if is_import(code) && depth(&lines[number..]) > 1 {
            findings.push(format!("line {}: write one `use` for each module", number + 1));
        }
    }
    findings
}

fn is_import(code: &str) -> bool {
    let code = code.trim_start();
    code.starts_with("use ") || code.starts_with("pub use ") || (code.starts_with("pub(") && code.contains(") use "))
}

/// The depth of the braces in the statement that begins on the first of these lines.
fn depth(lines: &[Line]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for char in lines.iter().flat_map(|line| line.code.chars()) {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ';' => break,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_braces_and_distant_parents_are_found() {
        let right = "use std::{fs, io};\npub(crate) use crate::a::{B, C};\nfn a() { use_of(&|x| { { x } }) }";
        assert!(style(right).is_empty(), "{:?}", style(right));
        let nested = "use std::{\n    collections::{BTreeMap, HashMap},\n    fs,\n};";
        assert_eq!(style(nested), ["line 1: write one `use` for each module"]);
        assert_eq!(style(&nested.replace("use", "pub(super) use")).len(), 1);
        assert_eq!(style("fn a() { super::super::b() }"), ["line 1: name the module from the root: crate::"]);
    }
}
