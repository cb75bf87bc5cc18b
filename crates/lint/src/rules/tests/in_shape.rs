//! Workloads in the style of the best-known tutorials, charts and operators: none has an error, and all other findings
//! are under review.

use std::path::Path;

use insta::assert_snapshot;

use crate::manifest::Sources;
use crate::{Level, lint};

/// The rules with findings in a file of `manifests/lint`, once for each finding.
async fn told(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/lint").join(file);
    let sources = Sources { paths: vec![path], values: Vec::new() };
    let linted = lint(&sources, &[], "kubectl").await.expect("manifests");
    let errors: Vec<&str> = linted
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(errors, [""; 0], "{file}");
    let mut rules: Vec<&str> = linted.findings.iter().map(|finding| finding.rule.id).collect();
    rules.sort_unstable();
    rules.join(" ")
}

#[tokio::test]
async fn a_tutorial_that_replicates() {
    assert_snapshot!(told("replicated-tutorial.yaml").await, @"liveness-kills-recovery no-disruption-budget no-resources no-resources open-root-password pods-share-a-node");
}

#[tokio::test]
async fn a_chart_of_two_sets() {
    assert_snapshot!(told("chart-of-two-sets.yaml").await, @"no-disruption-budget not-ready-published pods-share-a-node readiness-probe-lies readiness-probe-lies");
}

#[tokio::test]
async fn a_galera_chart() {
    assert_snapshot!(told("galera-chart.yaml").await, @"liveness-kills-recovery no-disruption-budget not-durable pods-share-a-node readiness-probe-lies");
}

#[tokio::test]
async fn one_server_and_an_application() {
    assert_snapshot!(told("one-server.yaml").await, @"image-tag-moves no-resources readiness-probe-lies unnamed-port");
}

#[tokio::test]
async fn a_cluster_of_an_operator() {
    assert_snapshot!(told("cluster-of-an-operator.yaml").await, @"not-ready-published");
}
