//! Rules for pages.

use std::path::{Component, Path, PathBuf};

/// The relative links of a page that lead nowhere, with their lines. `exists` gets a path from the root of the
/// repository.
pub(crate) fn broken_links(page: &str, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut is_code = false;
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        is_code ^= line.trim_start().starts_with("```");
        let targets = if is_code { Vec::new() } else { targets(line) };
        for target in targets {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty()
                && !path.contains("://")
                && !path.starts_with("mailto:")
                && !exists(&flat(&folder.join(path)))
            {
                findings.push(format!("line {}: the link to {target} leads nowhere", number + 1));
            }
        }
    }
    findings
}

/// The targets of the links in a line.
fn targets(line: &str) -> Vec<&str> {
    let target = |(at, start): (usize, &str)| {
        let rest = &line[at + start.len()..];
        rest.find([')', ' ']).map(|end| &rest[..end])
    };
    line.match_indices("](").filter_map(target).collect()
}

/// A path without `..`.
fn flat(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut flat, component| {
        match component {
            Component::ParentDir => _ = flat.pop(),
            other => flat.push(other),
        }
        flat
    })
}

/// A finding if a page has too many lines.
pub(crate) fn too_long(text: &str, limit: usize) -> Vec<String> {
    let lines = text.lines().count();
    let finding = format!("it has {lines} lines, {limit} are allowed: move what is not for the first visit to docs/");
    (lines > limit).then_some(finding).into_iter().collect()
}

/// The properties of the catalogue that a page does not introduce in bold.
pub(crate) fn missing_properties<'a>(text: &str, properties: impl Iterator<Item = &'a str>) -> Vec<String> {
    let text = text.to_lowercase();
    let missing = properties.filter(|property| !text.contains(&format!("**{property}**")));
    missing.map(|property| format!("the property {property} is not introduced: - **{property}**: …")).collect()
}

/// A finding if a page gives another number of these than there are, as in `56 workloads`.
pub(crate) fn wrong_number(text: &str, of: &str, number: usize) -> Vec<String> {
    let wanted = format!("{number} {of}");
    let is_told = text.contains(&wanted);
    (!is_told).then(|| format!("it does not say that there are {wanted}")).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_or_a_number_that_the_page_lacks_is_found() {
        let page = "- **DNS**: exact answers\n56 workloads";
        assert_eq!(missing_properties(page, ["dns", "ordering"].into_iter()).len(), 1);
        assert!(wrong_number(page, "workloads", 56).is_empty());
        assert_eq!(wrong_number(page, "workloads", 57), ["it does not say that there are 57 workloads"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let exists = |path: &Path| ["README.md", "docs/a.md"].iter().any(|known| Path::new(known) == path);
        let found = |text: &str| broken_links("docs/b.md", text, exists);
        assert_eq!(found("see\n[a](c.md#d)"), ["line 2: the link to c.md#d leads nowhere"]);
        assert_eq!(found("[a](a.md), [b](../README.md), [c](https://example.com/x), [d](#e), [f](f.md)").len(), 1);
        assert_eq!(found("[a](README.md)").len(), 1);
        assert!(found("```\n[a](c.md)\n```").is_empty());
    }

    #[test]
    fn a_long_page_is_found() {
        assert_eq!(too_long("a\nb\nc\n", 2).len(), 1);
        assert!(too_long("a\nb\n", 2).is_empty());
    }
}
