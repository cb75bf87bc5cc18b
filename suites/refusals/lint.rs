//! What `steadfast lint` finds, and what it refuses.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use steadfast::cluster::Lab;

use super::call::{Call, TO_RUN, WORKLOAD, call};
use super::program::{Place, lab};

pub(crate) fn trials() -> [Trial; 2] {
    [Trial::test("lint::overlay", lint_of_the_overlay), Trial::test("lint::mutants", lint_of_mutants)]
}

/// The findings of lint on the seed, and what lint refuses. Only the kustomization with a patch needs kubectl.
pub(crate) fn calls() -> Vec<Call> {
    let of_seed = |name, format| {
        call(name, 1, &["lint", "seed", "--format", format])
            .with("seed/kustomization.yaml", include_str!("../../manifests/seed/kustomization.yaml"))
            .with("seed/service.yaml", include_str!("../../manifests/seed/service.yaml"))
            .with("seed/statefulset.yaml", include_str!("../../manifests/seed/statefulset.yaml"))
    };
    let of = |name, code, text: String| call(name, code, &["lint", "@/db.yaml"]).with("db.yaml", text);
    vec![
        of_seed("lint::seed_text", "text"),
        of_seed("lint::seed_json", "json"),
        of_seed("lint::seed_sarif", "sarif"),
        of("lint::no_error", 0, format!("{WORKLOAD}{TO_RUN}")).holding("0 errors, 5 warnings, 0 notes in 2 objects"),
        of("lint::not_yaml", 2, WORKLOAD.replace("selector: {app: db}", "selector: {app: db")),
        of("lint::no_kind", 2, WORKLOAD.replace("kind: Service\n", "")),
        of("lint::no_stateful_set", 2, WORKLOAD.split("---\n").next().unwrap_or_default().to_owned()),
        call("lint::empty_folder", 2, &["lint", "@/empty"]).with("empty/README", ""),
        call("lint::nothing_there", 2, &["lint", "@/nothing"]),
        call("lint::no_kubectl", 2, &["lint", "@"]).with("kustomization.yaml", "namePrefix: my-\n"),
        call("lint::no_path", 2, &["lint"]),
        call("lint::unknown_format", 2, &["lint", "@", "--format", "xml"]),
    ]
}

/// The findings of lint on a folder of the manifests, with the lab's kubectl: rule and level.
fn linted(folder: &str) -> Result<Vec<(String, String)>, Failed> {
    let place = Place::new();
    let mut ready = lab("/nowhere/kind", "docker");
    ready["kubectl"] = Lab::read()?.kubectl.into();
    place.write("lab.json", &ready.to_string());
    let path = format!("{}/manifests/{folder}", env!("CARGO_MANIFEST_DIR"));
    let answer = place.call(&["lint", &path, "--format", "json"], &[("STEADFAST_LAB", "@/lab.json")]);
    if answer.code > 1 {
        return Err(answer.error.into());
    }
    let output: Value = serde_json::from_str(&answer.stdout)?;
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let findings = output["findings"].as_array().cloned().unwrap_or_default();
    Ok(findings.iter().map(|finding| (text(finding, "rule"), text(finding, "level"))).collect())
}

/// The overlay adds what the seed needs to run.
fn lint_of_the_overlay() -> Result<(), Failed> {
    let findings = linted("overlay")?;
    let errors = findings.iter().filter(|(_, level)| level == "error").count();
    if errors == 0 && !findings.is_empty() { Ok(()) } else { Err(format!("{findings:?}").into()) }
}

/// Lint finds the faults of mutants that their manifests show.
fn lint_of_mutants() -> Result<(), Failed> {
    let mutants = [
        ("cluster-ip", "service-not-headless"),
        ("datadir-outside-mount", "data-outside-claim"),
        ("empty-dir", "data-outside-claim"),
        ("no-readiness-probe", "no-readiness-probe"),
        ("parallel", "parallel-pods"),
        ("readiness-always-true", "no-readiness-probe"),
        ("same-server-id", "same-server-id"),
        ("scaling-deletes-claims", "claims-deleted"),
        ("selector-typo", "selector-mismatch"),
        ("service-of-another", "selector-mismatch"),
    ];
    for (mutant, rule) in mutants {
        let findings = linted(&format!("mutants/{mutant}"))?;
        if !findings.iter().any(|(found, _)| found == rule) {
            return Err(format!("{mutant} is not found by {rule}: {findings:?}").into());
        }
    }
    Ok(())
}
