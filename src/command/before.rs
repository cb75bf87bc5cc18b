//! `steadfast before`: the first half of an upgrade that somebody else makes.

use std::path::PathBuf;

use clap::Args;
use steadfast::report::Progress;
use steadfast::run::{self, phases};
use steadfast::terminal::tell;

use super::ending::{INTERRUPTED, refused, tell_kept, trouble, usage};
use super::options::RunOptions;

/// What `before` can be told.
#[derive(Debug, Args)]
#[command(mut_arg("writers", |arg| arg.default_value("2")), mut_arg("rate", |arg| arg.default_value("2")))]
#[command(mut_args(|arg| {
    // The cluster exists already, its objects stay until `after`, and nothing is disrupted.
    let hidden = ["nodes", "kubernetes", "ip_family", "file_system", "cuts", "keep", "allow_disruption", "witness_namespace"].contains(&arg.get_id().as_str());
    arg.hide(hidden)
}))]
#[command(mut_arg("cluster", |arg| arg.help("The kind cluster on this machine that you are about to upgrade")))]
#[command(mut_arg("context", |arg| arg.help("The context in that file [default: its current one]")))]
#[command(mut_arg("namespace", |arg| {
    arg.help("The workload's namespace. It must not exist, unless --adopt is given: then it is the namespace of the \
              adopted workload [default: the one in the manifests, or one named after the run]")
}))]
pub(crate) struct BeforeOptions {
    /// The file that stores what `steadfast after` needs. If it exists, `before` continues from it.
    #[arg(long, value_name = "FILE", default_value = "steadfast-state.json")]
    state: PathBuf,
    /// Adopt this StatefulSet, which runs in --namespace, instead of deploying one. None of its objects are changed.
    #[arg(long, value_name = "STATEFULSET", requires_all = ["namespace", "allow_writes"])]
    adopt: Option<String>,
    /// Allow `before` to create the schema `steadfast` and the account `steadfast_writer` on the adopted servers, and
    /// to write to the schema until `steadfast after` removes both.
    #[arg(long, requires = "adopt")]
    allow_writes: bool,
    #[command(flatten)]
    run: RunOptions,
}

impl BeforeOptions {
    fn request(&self) -> phases::Before {
        phases::Before { state: self.state.clone(), adopt: self.adopt.clone(), settings: self.run.settings(Vec::new()) }
    }
}

/// Runs the command.
pub(crate) async fn act(options: &BeforeOptions) -> anyhow::Result<u8> {
    if options.run.has_namespaces() {
        return Ok(usage(
            "--witness-namespace is an option of `steadfast run` only: `before` creates its namespaces; \
                         omit the option",
        ));
    }
    let progress = Progress::new();
    let finished = match phases::before(&options.request(), run::cancelled_by_signals(), &progress).await {
        Err(error) => return refused(&error, &progress),
        Ok(finished) => finished,
    };
    let trouble = trouble(&finished, &progress);
    tell(&format!("evidence: {}", finished.directory.join("evidence.jsonl").display()));
    tell_kept(&finished);
    let interrupted = matches!(finished.trouble, Some(run::RunError::Interrupted)).then_some(INTERRUPTED);
    Ok(trouble.or(interrupted).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use steadfast::driver::Rate;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parsed(arguments: &[&str]) -> Result<BeforeOptions, clap::Error> {
        let words = ["steadfast", "before"].iter().chain(arguments);
        Cli::try_parse_from(words).map(|cli| match cli.command {
            Command::Before { options } => options,
            other => panic!("not a before: {other:?}"),
        })
    }

    #[test]
    fn the_ledger_writes_slowly_unless_told_otherwise() {
        let rate = |arguments: &[&str]| parsed(arguments).expect("valid").request().settings.config.ledger;
        assert_eq!(rate(&[]), Rate { writers: 2, per_second: 2 });
        assert_eq!(rate(&["--writers", "8", "--rate", "10"]), Rate { writers: 8, per_second: 10 });
    }

    #[test]
    fn a_workload_is_adopted_with_its_namespace_and_agreement() {
        let adopted = ["--adopt", "db", "--namespace", "shop", "--allow-writes"];
        assert_eq!(parsed(&adopted).expect("valid").request().adopt.as_deref(), Some("db"));
        for refused in [&adopted[..2], &adopted[..4], &["--allow-writes"], &["--adopt", "db", "--allow-writes"]] {
            assert!(parsed(refused).is_err(), "{refused:?} was taken");
        }
    }
}
