//! The stage `fuzz`. What a target finds new goes to `fuzz/corpus`, what breaks the program to `fuzz/artifacts`. The seeds
//! are in the repository.

use std::fs;

use anyhow::{Context as _, ensure};

use super::Stages;
use crate::command::{Cmd, CommandError};

/// The targets, and how many bytes their inputs have at most: a log is many, twenty edits of a stored run are few.
const TARGETS: [(&str, u32); 2] = [("reader", 32_768), ("judges", 1024)];

/// How many seconds each target is run for, unless `STEADFAST_FUZZ_SECONDS` says otherwise.
const SECONDS: u32 = 300;

/// After how many seconds an input hangs: each takes milliseconds.
const HANGS: f64 = 30.0;

impl Stages<'_> {
    pub(super) fn fuzz(&self) -> anyhow::Result<()> {
        ensure!(self.runner.has("c++"), "a C++ compiler is missing, of which libFuzzer is built: apt-get install g++");
        self.tool("fuzz", &self.versions.cargo_fuzz)?;
        // cargo-fuzz knows no --locked: where this one fails, it would write another lock file.
        self.runner.run(&Cmd::cargo("fetch --locked --manifest-path fuzz/Cargo.toml").title("dependencies"))?;
        let of_fuzz = "--locked --manifest-path fuzz/Cargo.toml --target-dir target";
        let clippy = Cmd::cargo("clippy").words(of_fuzz).words("--all-targets --quiet -- -D warnings");
        self.runner.run(&clippy.title("lints"))?;
        self.runner.run(&Cmd::cargo("test").words(of_fuzz).arg("--quiet").title("seeds"))?;
        let mut failed = None;
        for (target, longest) in TARGETS {
            let [run, minimize] = self.commands(target, longest)?;
            fs::create_dir_all(self.root.join("fuzz/corpus").join(target)).context("cannot make fuzz/corpus")?;
            for command in [run, minimize] {
                match self.runner.run(&command) {
                    Err(error @ CommandError::Failed { .. }) => failed = failed.or(Some(error)),
                    ended => ended?,
                }
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// What runs a target, and what keeps of inputs that reach the same only the smallest, with which the next night begins.
    fn commands(&self, target: &str, longest: u32) -> anyhow::Result<[Cmd; 2]> {
        let seconds = self.variable("STEADFAST_FUZZ_SECONDS").unwrap_or_else(|| SECONDS.to_string());
        let scale = self.timeout_scale();
        let scale: f64 = scale.parse().with_context(|| format!("STEADFAST_TIMEOUT_SCALE is `{scale}`, no number"))?;
        let mut options = vec![
            format!("-timeout={:.0}", (HANGS * scale).floor()),
            "-rss_limit_mb=4096".to_owned(),
            format!("-max_len={longest}"),
        ];
        let dictionary = format!("fuzz/seeds/{target}.dict");
        if self.root.join(&dictionary).is_file() {
            options.push(format!("-dict={dictionary}"));
        }
        let (corpus, seeds) = (format!("fuzz/corpus/{target}"), format!("fuzz/seeds/{target}"));
        let run = fuzz("run", target).arg(&corpus).arg(seeds).arg("--").args(&options);
        let run = run.arg(format!("-max_total_time={seconds}")).words("-len_control=0 -print_final_stats=1");
        Ok([run, fuzz("cmin", target).arg(corpus).arg("--").args(options)])
    }
}

/// Sanitizers want a nightly compiler, and look for what only unsafe code does. Debug assertions and overflow checks are on.
/// Comparisons are not traced: that takes a third of the time, and inputs that are edits gain nothing by it.
fn fuzz(subcommand: &str, target: &str) -> Cmd {
    Cmd::cargo("fuzz").arg(subcommand).words("--sanitizer none --no-trace-compares").arg(target)
}
