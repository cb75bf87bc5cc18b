//! What the program says of itself.

use super::offline::{Case, case};

pub fn cases() -> Vec<Case> {
    vec![
        case("output::list", 0, &["list"]),
        case("output::list_json", 0, &["list", "--json"]),
        case("output::explain", 0, &["explain", "dns::each_pod_has_its_name"]),
        case("output::help", 0, &["--help"]),
        case("output::run_help", 0, &["run", "--help"]).at_once(),
        case("output::lint_help", 0, &["lint", "--help"]),
        case("output::schema", 0, &["schema"]),
        case("output::schema_of_evidence", 0, &["schema", "evidence"])
            .holding("https://json-schema.org/draft/2020-12/schema"),
        case("output::completions_bash", 0, &["completions", "bash"]).holding("complete -F _steadfast"),
        case("output::completions_zsh", 0, &["completions", "zsh"]).holding("#compdef steadfast"),
        case("output::completions_fish", 0, &["completions", "fish"]).holding("complete -c steadfast"),
        case("output::man", 0, &["man"]).holding(".TH steadfast 1"),
        case("output::man_pages", 0, &["man", "@/man1"]),
        case("output::man_into_a_file", 2, &["man", "@/file"]).with("file", ""),
    ]
}
