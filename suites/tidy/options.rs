//! The effect of the options of a run: a page that lists, for each field of `RunConfig`, the files that read it.

use std::fmt::Write as _;

use super::repository::File;
use super::source::lines;

/// The files with the structs that clap fills and that make up `RunConfig`.
pub(crate) const DECLARED: [&str; 3] = ["src/run/config.rs", "src/workload/hints.rs", "src/driver/rate.rs"];

/// The names of variables with these structs, and of the record of a run that stores them.
const HOLDERS: [&str; 5] = ["config", "hints", "ledger", "rate", "run"];

/// An option of the command line and its field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    option: String,
    field: String,
}

/// The options that a file declares: the fields below `#[arg(long)]`.
pub(crate) fn declared(text: &str) -> Vec<Declared> {
    let mut found = Vec::new();
    let mut long = None;
    for line in text.lines().map(str::trim) {
        if let Some(arguments) = line.strip_prefix("#[arg(") {
            long = arguments.contains("long").then(|| (named(arguments, "long = \""), named(arguments, "id = \"")));
        } else if let (Some(field), Some((name, id))) = (field_of(line), &long) {
            let option = name.or(*id).unwrap_or(field).replace('_', "-");
            found.push(Declared { option, field: field.to_owned() });
            long = None;
        }
    }
    found
}

fn named<'a>(arguments: &'a str, key: &str) -> Option<&'a str> {
    arguments.split_once(key)?.1.split_once('"').map(|(name, _)| name)
}

fn field_of(line: &str) -> Option<&str> {
    line.strip_prefix("pub ")?.split_once(':').map(|(field, _)| field).filter(|field| !field.contains(' '))
}

/// The page: one row for each option, with the files that read its field.
pub(crate) fn page(code: &[File]) -> String {
    let mut page = "# Where options act\n\nWritten from the code by `UPDATE_DOCS=1 cargo test --test tidy`: change `src`, \
                    not this page.\nThese are the options that `RunConfig` holds from the command line to the saved state. \
                    `steadfast run --help` says what each does.\n\n| option | files that read it |\n| --- | --- |\n"
        .to_owned();
    let files = code.iter().filter(|file| !is_test(&file.path));
    let files: Vec<(&str, String)> = files.map(|file| (file.path.as_str(), without_tests(&file.text))).collect();
    for Declared { option, field } in DECLARED.iter().flat_map(|path| declared(text_of(code, path))) {
        let readers = files.iter().filter(|(_, code)| reads(code, &field));
        let readers: Vec<String> = readers.map(|(path, _)| format!("`{path}`")).collect();
        let _ = writeln!(page, "| `--{option}` | {} |", readers.join(", "));
    }
    page
}

/// The options whose rows name only the file that declares them. They would have no effect.
pub(crate) fn without_effect(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| `--"));
    let idle = |row: &&str| row.split('`').filter(|part| part.ends_with(".rs")).all(|path| DECLARED.contains(&path));
    rows.filter(idle).map(|row| format!("nothing reads the option of this row: {row}")).collect()
}

fn text_of<'a>(code: &'a [File], path: &str) -> &'a str {
    code.iter().find(|file| file.path == path).map_or("", |file| &file.text)
}

fn is_test(path: &str) -> bool {
    !(path.starts_with("src/") || path.starts_with("crates/"))
        || path.contains("/tests")
        || path.contains("/history")
        || path.contains("/sample")
}

/// The code of a file without comments and without its unit tests.
fn without_tests(text: &str) -> String {
    let code: Vec<String> = lines(text).into_iter().map(|line| line.code).collect();
    code.split(|line| line.trim() == "#[cfg(test)]").next().unwrap_or_default().join("\n")
}

/// Whether code reads the field from one of the holders.
fn reads(code: &str, field: &str) -> bool {
    HOLDERS.iter().any(|holder| {
        let access = format!("{holder}.{field}");
        let is_part = |char: char| char.is_alphanumeric() || char == '_';
        code.match_indices(&access).any(|(at, _)| {
            let (before, after) = (&code[..at], &code[at + access.len()..]);
            !before.ends_with(is_part) && !after.starts_with(is_part)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARATION: &str = "/// Fast.\n#[arg(id = \"rate\", long, value_name = \"N\")]\npub per_second: u32,\n\
                               #[command(flatten)]\npub hints: Hints,\n#[arg(long = \"budget\")]\npub budgets: Vec<Budget>,\n\
                               #[arg(long)]\n#[serde(default)]\npub pull_secret: Option<String>,";

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn an_option_is_named_as_clap_names_it() {
        let options: Vec<String> = declared(DECLARATION).into_iter().map(|it| it.option).collect();
        assert_eq!(options, ["rate", "budget", "pull-secret"]);
    }

    #[test]
    fn a_reader_is_found_and_an_option_without_one_is_reported() {
        let code = [
            file("src/run/config.rs", DECLARATION),
            file("src/a.rs", "fn a() { use_of(config.budgets); config.per_seconds } // rate.per_second"),
            file("src/b.rs", "#[cfg(test)]\nmod tests { fn a() { rate.per_second } }"),
            file("src/a/tests.rs", "fn a() { rate.per_second }"),
        ];
        let page = page(&code);
        assert!(page.ends_with("| `--rate` |  |\n| `--budget` | `src/a.rs` |\n| `--pull-secret` |  |\n"), "{page}");
        assert_eq!(without_effect(&page).len(), 2);
    }
}
