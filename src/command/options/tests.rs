//! Tests of the command line: from its words to settings.

use clap::{CommandFactory as _, Parser as _};

use steadfast::evidence::Expect;

use super::*;
use crate::cli::{Cli, Command};

fn options(arguments: &[&str]) -> RunOptions {
    let words = ["steadfast", "run"].iter().chain(arguments);
    match Cli::try_parse_from(words).expect("valid").command {
        Command::Run { options, .. } => options,
        other => panic!("not a run: {other:?}"),
    }
}

#[test]
fn the_flags_do_not_contradict_each_other() {
    Cli::command().debug_assert();
}

#[test]
fn a_run_is_repeated_by_what_is_not_the_default() {
    assert_eq!(options(&[]).rerun(), "steadfast run");
    let all = ["--manifests", "m", "--namespace", "n", "--kubernetes", "1.36.3", "--nodes", "1"];
    let repeated = "steadfast run --manifests m --namespace n --kubernetes 1.36.3 --nodes 1";
    assert_eq!(options(&all).rerun(), repeated);
    let cluster = ["--cluster", "ci", "--allow-disruption"];
    assert_eq!(options(&cluster).rerun(), "steadfast run --cluster ci --allow-disruption");
    let context = ["--kubeconfig", "file", "--cluster-uid", "1-2"];
    assert_eq!(options(&context).rerun(), "steadfast run --kubeconfig file --cluster-uid 1-2");
    assert_eq!(options(&["--writers", "2", "--rate", "10"]).rerun(), "steadfast run --writers 2");
    assert_eq!(options(&["--semi-sync"]).rerun(), "steadfast run --semi-sync");
    let ordered = ["--expect", "ordered-ready"];
    assert_eq!(options(&ordered).rerun(), "steadfast run --expect ordered-ready");
    assert_eq!(options(&ordered).settings(vec![]).config.expect, [Expect::OrderedReady]);
    let observed = ["--replication", "observed"];
    assert_eq!(options(&observed).rerun(), "steadfast run --replication observed");
    let slow = ["--timeout-scale", "3"];
    assert_eq!(options(&slow).rerun(), "steadfast run --timeout-scale 3");
    let strict = ["--budget", "outage=30s", "--budget", "lag=0.2s"];
    assert_eq!(options(&strict).rerun(), "steadfast run --budget outage=30s --budget lag=200ms");
}

#[test]
fn a_cluster_that_was_there_is_named_alone() {
    let refused: [&[&str]; 5] = [
        &["--context", "ci"],
        &["--cluster-uid", "1-2"],
        &["--cluster", "ci", "--kubeconfig", "file"],
        &["--cluster", "ci", "--nodes", "2"],
        &["--kubeconfig", "file", "--kubernetes", "1.36.3"],
    ];
    for arguments in refused {
        let words = ["steadfast", "run"].iter().chain(arguments);
        assert!(Cli::try_parse_from(words).is_err(), "{arguments:?} was taken");
    }
    let settings = options(&["--kubeconfig", "file", "--context", "ci", "--cluster-uid", "1-2"]).settings(vec![]);
    let (context, uid, witness_image) = (Some("ci".to_owned()), Some("1-2".to_owned()), None);
    assert_eq!(
        settings.target,
        Target::Context {
            kubeconfig: "file".into(),
            context,
            uid,
            witness_image,
            allow_insecure: false,
            namespaces: None
        }
    );
    assert!(!settings.allow_disruption && options(&["--allow-disruption"]).settings(vec![]).allow_disruption);
}

#[test]
fn up_acts_what_stands_before_any_disruption() {
    let checks = options(&[]).up().checks;
    assert!(checks.iter().any(|check| check.scenarios.contains(&Scenario::Replicate)));
    assert!(!checks.iter().any(|check| check.scenarios.contains(&Scenario::Restart)));
}
