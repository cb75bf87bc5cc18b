//! How states are worded.

use super::*;

fn said(answer: &SqlAnswer) -> (Option<String>, bool) {
    let server = ServerSummary { trouble: answer.trouble(), ..ServerSummary::default() };
    let was_not_asked = server.was_not_asked();
    (server.trouble, was_not_asked)
}

#[test]
fn a_probe_that_broke_is_told_from_a_server_that_does_not_answer() {
    let message = || "timed out".to_owned();
    assert_eq!(said(&SqlAnswer::Rows(Vec::new())), (None, false));
    let refused = SqlAnswer::Error { code: 1045, message: "Access denied".to_owned() };
    assert_eq!(said(&refused), (Some("answered error 1045: Access denied".to_owned()), false));
    let unreachable = SqlAnswer::Unreachable { message: message() };
    assert_eq!(said(&unreachable), (Some("could not be reached: timed out".to_owned()), false));
    let broken = SqlAnswer::Broken { message: message() };
    assert_eq!(said(&broken), (Some("gave no usable answer: timed out".to_owned()), true));
}

#[test]
fn a_stage_is_told_by_its_step() {
    let worker = || "worker".to_owned();
    let stages =
        [Stage::Nothing, Stage::ControlPlane { node: worker() }, Stage::Node { node: worker() }, Stage::Unseen];
    let told: Vec<String> = stages.iter().map(|stage| format!("{stage}: {}", stage.step())).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    before the upgrade: the time before the upgrade
    after the control plane on worker: the upgrade of the control plane on worker
    after the node worker: the upgrade of the node worker
    after the upgrade: the upgrade
    ");
}
