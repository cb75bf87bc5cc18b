//! The stage `fuzz`. New inputs of a target go to `fuzz/corpus`, and inputs that break the program to
//! `fuzz/artifacts`. The seeds are in the repository.

use std::fs;

use anyhow::{Context as _, ensure};

use super::Stages;
use crate::command::{Cmd, CommandError};

/// The targets, and the largest size of their inputs in bytes: a log needs many, twenty edits of a stored run few.
const TARGETS: [(&str, u32); 2] = [("reader", 32_768), ("judges", 1024)];

/// How long each target runs, in seconds, unless `STEADFAST_FUZZ_SECONDS` sets it.
const SECONDS: u32 = 300;

/// The time limit for one input, in seconds. An input normally takes milliseconds.
const HANGS: f64 = 30.0;

impl Stages<'_> {
    pub(super) fn fuzz(&self) -> anyhow::Result<()> {
        ensure!(self.runner.has("c++"), "libFuzzer needs a C++ compiler: apt-get install g++");
        self.tool("fuzz", &self.versions.cargo_fuzz)?;
        // cargo-fuzz has no --locked. This command fails where cargo-fuzz would write another lock file.
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

    /// The command that runs a target, and the command that minimizes its corpus for the next night.
    fn commands(&self, target: &str, longest: u32) -> anyhow::Result<[Cmd; 2]> {
        let seconds = self.variable("STEADFAST_FUZZ_SECONDS").unwrap_or_else(|| SECONDS.to_string());
        let scale = self.timeout_scale();
        let scale: f64 =
            scale.parse().with_context(|| format!("STEADFAST_TIMEOUT_SCALE is `{scale}`, which is not a number"))?;
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

/// Disables the sanitizer, because sanitizers need a nightly compiler and detect only errors of unsafe code. Debug
/// assertions and overflow checks are on. Disables the tracing of comparisons, because it takes a third of the time
/// and does not help inputs that are edits.
fn fuzz(subcommand: &str, target: &str) -> Cmd {
    Cmd::cargo("fuzz").arg(subcommand).words("--sanitizer none --no-trace-compares").arg(target)
}
