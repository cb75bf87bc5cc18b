use std::fs;
use std::path::Path;

use super::*;
use crate::call::Call;
use crate::command::tests::Recorder;
use crate::versions::tests::good;

fn run_with(runner: &Recorder, task: &Task, variables: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    Stages { root: crate::root(), runner, versions: good(), variables }.run(task)
}

fn run(runner: &Recorder, task: &Task) -> anyhow::Result<()> {
    run_with(runner, task, &|_| None)
}

/// The commands of a task that succeeds.
fn commands(task: &Task) -> String {
    let runner = Recorder::default();
    run(&runner, task).expect("it passes");
    runner.commands()
}

fn part(text: &str) -> Part {
    text.parse().expect("a part")
}

#[test]
fn the_lab_is_made_ready_for_all_versions() {
    insta::assert_snapshot!(commands(&Task::Setup), @"ci/setup --kubernetes 1.37.2 --kubernetes 1.36.3 --kubernetes 1.9.10");
}

#[test]
fn suites_have_what_they_need() {
    let tasks = [
        Task::Offline,
        Task::Seed,
        Task::Upgrade,
        Task::Mutants(part("2/8")),
        Task::Variants(part("2/8")),
        Task::Variants(Part::ALL),
    ];
    let commands: Vec<String> = tasks.iter().map(commands).collect();
    insta::assert_snapshot!(commands.join("\n"), @r"
    ci/setup --server mysql:5.7 --without-witness
    STEADFAST_CLUSTER=none cargo test --locked --no-fail-fast
    ci/setup
    cargo test --locked --no-fail-fast --test conformance
    ci/setup --server mysql:5.7 --kubernetes 1.37.2 --kubernetes 1.36.3 --kubernetes 1.9.10
    STEADFAST_PART=1/1 cargo test --locked --no-fail-fast --test upgrade
    ci/setup
    STEADFAST_PART=2/8 cargo test --locked --no-fail-fast --test mutants
    ci/setup
    STEADFAST_PART=2/8 cargo test --locked --no-fail-fast --test variants --
    ci/setup
    STEADFAST_PART=1/1 cargo test --locked --no-fail-fast --test variants -- --skip mysql-8 --skip mysql-9 --skip mariadb
    ");
}

#[test]
fn upgrades_take_a_suite_each() {
    for (task, suite) in [(Task::Upgrade, "upgrade"), (Task::Phases, "phases"), (Task::Botched, "botched")] {
        assert!(
            commands(&task).ends_with(&format!("STEADFAST_PART=1/1 cargo test --locked --no-fail-fast --test {suite}"))
        );
    }
}

#[test]
fn suites_without_a_stage_are_found() {
    let metadata = r#"{"packages": [
        {"targets": [{"name": "steadfast", "kind": ["lib"]}, {"name": "mutants", "kind": ["test"]}, {"name": "secrets", "kind": ["test"]}]},
        {"targets": [{"name": "flavours", "kind": ["test"]}, {"name": "judges", "kind": ["bench"]}]}]}"#;
    let runner = Recorder { prints: vec![("cargo metadata", metadata)], ..Recorder::default() };
    run(&runner, &Task::Clusters).expect("it passes");
    insta::assert_snapshot!(runner.commands(), @r"
    ci/setup
    cargo metadata --locked --no-deps --format-version 1
    cargo test --locked --no-fail-fast --test=secrets --test=flavours
    ");
    let runner = Recorder { prints: vec![("cargo metadata", "{}")], ..Recorder::default() };
    let error = run(&runner, &Task::Clusters).expect_err("nothing is found").to_string();
    assert_eq!(error, "cannot parse the output of cargo metadata");
}

#[test]
fn other_suites_are_suites() {
    let manifest = fs::read_to_string(crate::root().join("Cargo.toml")).expect("it is there");
    for suite in OTHER_SUITES {
        assert!(manifest.contains(&format!("[[test]]\nname = \"{suite}\"")), "{suite}");
    }
}

#[test]
fn conformance_takes_the_manifests_of_the_server() {
    let cell = |server: &str| Task::Conformance(Cell { kubernetes: "1.36.3".to_owned(), server: server.to_owned() });
    insta::assert_snapshot!([commands(&cell("mysql:5.7")), commands(&cell("mariadb:10.11"))].join("\n"), @r"
    ci/setup --kubernetes 1.36.3 --server mysql:5.7
    cargo run --locked --quiet --bin steadfast -- run --kubernetes 1.36.3 --timeout-scale 1
    ci/setup --kubernetes 1.36.3 --server mariadb:10.11
    cargo run --locked --quiet --bin steadfast -- run --kubernetes 1.36.3 --manifests manifests/servers/mariadb-10.11 --timeout-scale 1
    ");
    let runner = Recorder::default();
    let error = run(&runner, &cell("oracle:19")).expect_err("it has no manifests").to_string();
    assert_eq!(error, "there is no manifests/servers/oracle-19 with a workload for oracle:19");
    assert_eq!(runner.commands(), "");
}

#[test]
fn servers_have_manifests() {
    let versions = Versions::read(crate::root()).expect("they are read");
    for server in versions.servers.iter().filter(|server| **server != versions.seed_server) {
        assert!(crate::root().join("manifests/servers").join(server.replace(':', "-")).is_dir(), "{server}");
    }
}

#[test]
fn a_slow_machine_has_more_time() {
    let runner = Recorder::default();
    let task = Task::Conformance(Cell { kubernetes: "1.36.3".to_owned(), server: "mysql:5.7".to_owned() });
    run_with(&runner, &task, &|name| (name == "STEADFAST_TIMEOUT_SCALE").then(|| "3".to_owned())).expect("it passes");
    assert!(runner.commands().ends_with("--timeout-scale 3"));
}

#[test]
fn style_looks_at_everything() {
    let runner =
        Recorder { prints: vec![("git ls-files", "ci/setup\nci/digests\nci/lib/path.sh\n")], ..Recorder::default() };
    run(&runner, &Task::Style).expect("it passes");
    let commands = runner.commands();
    let (tests, others): (Vec<&str>, Vec<&str>) = commands.lines().partition(|line| line.starts_with("ci/tests/"));
    assert!(tests.contains(&"ci/tests/digests"));
    insta::assert_snapshot!(others.join("\n"), @r"
    cargo fmt --version
    cargo clippy --version
    ci/lint-tools
    cargo fmt --check
    cargo fmt --check --manifest-path fuzz/Cargo.toml
    cargo clippy --locked --all-targets --quiet -- -D warnings
    git ls-files ci .ci
    shellcheck ci/setup ci/lib/path.sh
    actionlint
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --quiet
    ");
}

#[test]
fn a_missing_component_is_told_with_its_remedy() {
    let runner = Recorder { fails: vec!["clippy --version"], ..Recorder::default() };
    let error = run(&runner, &Task::Style).expect_err("clippy is missing");
    assert!(error.to_string().contains("rustup component add rustfmt clippy"), "{error}");
}

#[test]
fn dependencies_are_judged_by_new_advisories() {
    let cache = tempfile::tempdir().expect("a directory");
    let variables = below(cache.path());
    let runner = Recorder::default();
    run_with(&runner, &Task::Dependencies, &variables).expect("it passes");
    insta::assert_snapshot!(runner.commands(), @r"
    cargo deny --locked --manifest-path Cargo.toml --config deny.toml check bans licenses sources
    cargo deny --locked --manifest-path fuzz/Cargo.toml --config deny.toml check bans licenses sources
    cargo deny --locked fetch db
    cargo deny --locked --manifest-path Cargo.toml --config deny.toml check advisories
    cargo deny --locked --manifest-path fuzz/Cargo.toml --config deny.toml check advisories
    ");
    let noted = fs::read_to_string(cache.path().join("steadfast/advisories")).expect("it is noted");
    assert_eq!(noted, "last fetched\n");
}

#[test]
fn dependencies_are_judged_by_old_advisories_where_new_ones_are_out_of_reach() {
    let cache = tempfile::tempdir().expect("a directory");
    let variables = below(cache.path());
    let commands = || {
        let runner = Recorder { fails: vec!["fetch db"], ..Recorder::default() };
        run_with(&runner, &Task::Dependencies, &variables).expect("it passes for some days");
        runner.commands()
    };
    let (none, passes) = (commands(), "without it this stage passes for 7 days, and then fails");
    assert!(!none.contains("check advisories") && none.ends_with(passes), "{none}");
    fs::create_dir_all(cache.path().join("advisory-dbs/advisory-db-1")).expect("a directory");
    let old = commands();
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let deny = "cargo deny --locked --offline --manifest-path";
        assert!(old.contains(&format!("{deny} {manifest} --config deny.toml check advisories\n")), "{old}");
    }
    assert!(old.ends_with(passes), "{old}");
}

#[test]
fn a_violation_fails_whether_advisories_are_in_reach_or_not() {
    let cache = tempfile::tempdir().expect("a directory");
    let runner = Recorder { fails: vec!["bans"], ..Recorder::default() };
    let error = run_with(&runner, &Task::Dependencies, &below(cache.path())).expect_err("it fails");
    assert_eq!(crate::code_of(&error), 3);
}

/// An environment whose caches are in a directory.
fn below(directory: &Path) -> impl Fn(&str) -> Option<String> {
    let directory = directory.display().to_string();
    move |name| matches!(name, "XDG_CACHE_HOME" | "CARGO_HOME").then(|| directory.clone())
}

#[test]
fn a_tool_that_is_missing_is_installed() {
    let cache = tempfile::tempdir().expect("a directory");
    let runner = Recorder { lacks: vec!["cargo-deny"], ..Recorder::default() };
    run_with(&runner, &Task::Dependencies, &below(cache.path())).expect("it passes");
    let first = "cargo install --locked --quiet --debug --root target/tools cargo-deny@0.20.2\n";
    assert!(runner.commands().starts_with(first));
    let runner = Recorder { lacks: vec!["cargo-deny"], fails: vec!["install"], ..Recorder::default() };
    let error = run_with(&runner, &Task::Dependencies, &below(cache.path())).expect_err("it cannot be installed");
    assert!(error.to_string().contains("could not be installed: cargo install --locked cargo-deny"), "{error}");
}

#[test]
fn each_fuzz_target_has_its_turn_though_one_fails() {
    let variables = |name: &str| match name {
        "STEADFAST_FUZZ_SECONDS" => Some("60".to_owned()),
        "STEADFAST_TIMEOUT_SCALE" => Some("1.5".to_owned()),
        _ => None,
    };
    let root = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(root.path().join("fuzz/seeds")).expect("a directory");
    fs::write(root.path().join("fuzz/seeds/reader.dict"), "").expect("a file");
    let runner = Recorder { fails: vec!["fuzz run"], ..Recorder::default() };
    let error = Stages { root: root.path(), runner: &runner, versions: good(), variables: &variables }
        .run(&Task::Fuzz)
        .expect_err("it fails");
    assert_eq!(crate::code_of(&error), 3);
    insta::assert_snapshot!(runner.commands(), @r"
    cargo fetch --locked --manifest-path fuzz/Cargo.toml
    cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir target --all-targets --quiet -- -D warnings
    cargo test --locked --manifest-path fuzz/Cargo.toml --target-dir target --quiet
    cargo fuzz run --sanitizer none --no-trace-compares reader fuzz/corpus/reader fuzz/seeds/reader -- -timeout=45 -rss_limit_mb=4096 -max_len=32768 -dict=fuzz/seeds/reader.dict -max_total_time=60 -len_control=0 -print_final_stats=1
    cargo fuzz cmin --sanitizer none --no-trace-compares reader fuzz/corpus/reader -- -timeout=45 -rss_limit_mb=4096 -max_len=32768 -dict=fuzz/seeds/reader.dict
    cargo fuzz run --sanitizer none --no-trace-compares judges fuzz/corpus/judges fuzz/seeds/judges -- -timeout=45 -rss_limit_mb=4096 -max_len=1024 -max_total_time=60 -len_control=0 -print_final_stats=1
    cargo fuzz cmin --sanitizer none --no-trace-compares judges fuzz/corpus/judges -- -timeout=45 -rss_limit_mb=4096 -max_len=1024
    ");
}

#[test]
fn judges_are_changed_in_a_copy_that_has_what_is_built() {
    let root = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(root.path().join("target/debug/deps")).expect("a directory");
    let listed = vec![("cargo mutants", "crates/judge/src/a.rs:1:2: replace < with <= in b")];
    let runner = Recorder { prints: listed, ..Recorder::default() };
    let stages = Stages { root: root.path(), runner: &runner, versions: good(), variables: &|_| None };
    stages.run(&Task::Judges(part("3/16"))).expect("it passes");
    let commands = runner.commands().replace(&root.path().display().to_string(), "ROOT");
    insta::assert_snapshot!(commands, @r"
    cp -a --parents debug/.fingerprint debug/build debug/deps ROOT/target/mutants/3-of-16/built
    cargo mutants --package steadfast-judge --list
    CARGO_TARGET_DIR=ROOT/target/mutants/3-of-16/built PROPTEST_CASES=64 cargo mutants --package steadfast-judge --output target/mutants/3-of-16 --shard 2/16
    ");
    assert!(!root.path().join("target/mutants/3-of-16/built").exists());
    let nothing = Recorder::default();
    let stages = Stages { runner: &nothing, ..stages };
    let error = stages.run(&Task::Judges(part("3/16"))).expect_err("nothing is changed").to_string();
    assert_eq!(error, "cargo mutants finds nothing to change: see .cargo/mutants.toml");
}

#[test]
fn fuzzing_needs_a_compiler_of_cpp() {
    let error = run(&Recorder { lacks: vec!["c++"], ..Recorder::default() }, &Task::Fuzz).expect_err("it is missing");
    assert!(error.to_string().contains("apt-get install g++"));
}

#[test]
fn a_trend_is_of_these_folders_and_keeps_its_code() {
    let summary = tempfile::NamedTempFile::new().expect("a file");
    let path = summary.path().display().to_string();
    let variables = move |name: &str| (name == "GITHUB_STEP_SUMMARY").then(|| path.clone());
    let prints = vec![("cargo run --locked --quiet --bin steadfast -- trend --markdown", "a page\n")];
    let runner = Recorder { prints, fails: vec!["trend a"], ..Recorder::default() };
    let task = Task::Trend(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(crate::code_of(&run_with(&runner, &task, &variables).expect_err("it fails")), 3);
    insta::assert_snapshot!(runner.commands(), @r"
    cargo run --locked --quiet --bin steadfast -- trend a b
    cargo run --locked --quiet --bin steadfast -- trend --markdown a b
    ");
    assert_eq!(fs::read_to_string(summary.path()).expect("it is there"), "a page\n");
    assert!(commands(&Task::Trend(Vec::new())).ends_with("trend target/steadfast"));
}

#[test]
fn an_error_has_the_code_of_its_command() {
    let code = |error: anyhow::Error| crate::code_of(&error);
    let failed = || CommandError::Failed { command: "a".to_owned(), code: 101 };
    assert_eq!(code(failed().into()), 101);
    assert_eq!(code(anyhow::Error::from(failed()).context("b")), 101);
    assert_eq!(code(CommandError::Interrupted.into()), 130);
    assert_eq!(code(Call::parse::<&str>("nothing", &[]).expect_err("no stage").into()), 2);
    assert_eq!(code(anyhow::anyhow!("c")), 1);
}
