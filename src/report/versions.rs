//! The names and versions of everything that a run used, the same in every report for machines.

use schemars::JsonSchema;
use serde::Serialize;

use crate::evidence::{Evidence, Question, Run, SqlAnswer, What};
use crate::object::{has_condition, items, text};

/// The servers under test, each once, in the order of their first appearance.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Servers {
    /// The images of the server's container in pods that were Ready.
    pub(super) images: Vec<String>,
    /// The versions that the servers reported, such as `5.7.22-log`.
    pub(super) versions: Vec<String>,
}

/// The servers of a run.
pub(super) fn servers(evidence: &Evidence, run: &Run) -> Servers {
    let mut servers = Servers::default();
    for record in &evidence.records {
        match &record.what {
            What::Object(event) if event.object_kind == "Pod" && has_condition(&event.object, "Ready") => {
                let containers = items(&event.object, "/spec/containers");
                let server = |container: &&_| text(container, "/name") == Some(&run.subject.container);
                note(&mut servers.images, containers.into_iter().find(server).and_then(|it| text(it, "/image")));
            }
            What::Sql(sql) if sql.question == Question::Identity => {
                let SqlAnswer::Rows(rows) = &sql.answer else { continue };
                for row in rows {
                    note(&mut servers.versions, row.get("version").and_then(Option::as_deref));
                }
            }
            _ => {}
        }
    }
    servers
}

fn note(known: &mut Vec<String>, seen: Option<&str>) {
    if let Some(seen) = seen.filter(|seen| !known.iter().any(|it| it == seen)) {
        known.push(seen.to_owned());
    }
}

/// Everything that a run used, as names and values. Empty for a run that never started.
pub(super) fn versions(evidence: &Evidence) -> Vec<(&'static str, String)> {
    let Some(run) = evidence.run() else { return Vec::new() };
    let mut all = vec![
        ("run", run.run_id.clone()),
        ("steadfast", run.steadfast.clone()),
        ("kubernetes", run.kubernetes.clone()),
        ("cluster", run.cluster.clone()),
    ];
    if let Some(upgrade) = &run.upgrade {
        all.extend([("upgrade_from", upgrade.from.clone()), ("upgrade_to", upgrade.to.clone())]);
    }
    let Servers { images, versions } = servers(evidence, run);
    all.extend(images.into_iter().map(|image| ("server_image", image)));
    all.extend(versions.into_iter().map(|version| ("server_version", version)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Upgrade;
    use crate::report::sample;

    #[test]
    fn only_what_was_ready_ran() {
        let evidence = sample::disrupted_evidence();
        let servers = servers(&evidence, evidence.run().unwrap());
        assert_eq!(servers.images, ["steadfast.local/mysql:5.7.22"]);
        assert_eq!(servers.versions, ["5.7.22-log"]);
    }

    #[test]
    fn an_upgrade_has_two_versions() {
        let mut records = sample::passing_evidence().records;
        for record in &mut records {
            if let What::Run(run) = &mut record.what {
                run.upgrade = Some(Upgrade { from: "v1.36.3".into(), to: "v1.37.2".into() });
            }
        }
        let all = versions(&Evidence::new(records));
        assert!(all.contains(&("upgrade_from", "v1.36.3".to_owned())), "{all:?}");
        assert!(all.contains(&("upgrade_to", "v1.37.2".to_owned())), "{all:?}");
    }

    #[test]
    fn a_run_that_never_started_ran_on_nothing() {
        assert_eq!(versions(&Evidence::new(Vec::new())), []);
    }
}
