//! What the program says about itself.

use super::call::{Call, call};

pub(crate) fn calls() -> Vec<Call> {
    vec![
        call("output::list", 0, &["list"]),
        call("output::list_json", 0, &["list", "--json"]),
        call("output::explain", 0, &["explain", "dns::each_pod_has_its_name"]),
        call("output::help", 0, &["--help"]),
        call("output::run_help", 0, &["run", "--help"]).at_once(),
        call("output::lint_help", 0, &["lint", "--help"]),
        call("output::schema", 0, &["schema"]),
        call("output::schema_of_evidence", 0, &["schema", "evidence"])
            .holding("https://json-schema.org/draft/2020-12/schema"),
        call("output::completions_bash", 0, &["completions", "bash"]).holding("complete -F _steadfast"),
        call("output::completions_zsh", 0, &["completions", "zsh"]).holding("#compdef steadfast"),
        call("output::completions_fish", 0, &["completions", "fish"]).holding("complete -c steadfast"),
        call("output::man", 0, &["man"]).holding(".TH steadfast 1"),
        call("output::man_pages", 0, &["man", "@/man1"]),
        call("output::man_into_a_file", 2, &["man", "@/file"]).with("file", ""),
    ]
}
