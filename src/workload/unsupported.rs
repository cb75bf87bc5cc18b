//! Recognises, from their manifests, workloads that a run cannot judge: a run compares the transactions of one primary
//! and its replicas by GTID.

use serde_json::Value;

use super::Manifest;
use super::options::Options;
use super::subject::SubjectError;
use crate::image::Image;
use crate::lint::manifest::{base_name, server};
use crate::object::{items, text};

/// Images whose server has exactly the options that the manifests give it. Mirrors have them under `library` too.
const OFFICIAL: [&str; 8] = [
    "mysql",
    "docker.io/mysql",
    "mysql/mysql-server",
    "container-registry.oracle.com/mysql/community-server",
    "percona",
    "docker.io/percona",
    "percona/percona-server",
    "docker.io/percona/percona-server",
];
const IN_LIBRARY: [&str; 2] = ["library/mysql", "library/percona"];

/// How several servers get the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Galera,
    GroupReplication,
    WithoutGtids,
}

impl Way {
    fn words(self) -> &'static str {
        match self {
            Self::Galera => "its servers are members of a Galera cluster",
            Self::GroupReplication => "its servers are members of a replication group",
            Self::WithoutGtids => "its servers have no GTIDs: gtid_mode is OFF by default",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Galera | Self::GroupReplication => {
                "a run needs one primary, at the first ordinal, and replicas that follow it by GTID; `steadfast lint` \
                 can check the manifests, and checks without replication can run by name, such as `steadfast run \
                 dns::short_names_resolve`"
            }
            Self::WithoutGtids => {
                "the harness configures and compares replicas by GTID: set gtid_mode=ON and enforce_gtid_consistency=ON"
            }
        }
    }
}

/// Rejects a workload whose replication a run cannot judge.
///
/// # Errors
/// When the workload is such a one.
pub fn can_be_judged(manifests: &[Manifest]) -> Result<(), SubjectError> {
    refused(manifests, |_| true)
}

/// Rejects only group members. A running server may have GTIDs although no manifest shows it.
///
/// # Errors
/// When the workload is such a one.
pub fn is_no_group(manifests: &[Manifest]) -> Result<(), SubjectError> {
    refused(manifests, |way| way != Way::WithoutGtids)
}

fn refused(manifests: &[Manifest], counts: impl Fn(Way) -> bool) -> Result<(), SubjectError> {
    let Some(set) = manifests.iter().find(|manifest| manifest.kind() == "StatefulSet") else { return Ok(()) };
    let pod = set.object.pointer("/spec/template/spec").unwrap_or(&Value::Null);
    let containers: Vec<&Value> = items(pod, "/containers").collect();
    let [place] = server::servers(pod)[..] else { return Ok(()) };
    let replicates = set.object.pointer("/spec/replicas").and_then(Value::as_u64).is_some_and(|pods| pods > 1);
    match way(manifests, pod, containers[place]) {
        Some((way, seen)) if counts(way) && (way != Way::WithoutGtids || replicates) => {
            let (set, what, remedy) = (set.name().to_owned(), way.words(), way.remedy());
            Err(SubjectError::Unsupported { set, what, seen, remedy })
        }
        _ => Ok(()),
    }
}

/// How the servers replicate, if no run can judge that, and where it shows.
fn way(manifests: &[Manifest], pod: &Value, server: &Value) -> Option<(Way, String)> {
    let image = text(server, "/image").unwrap_or_default();
    let repository = Image::parse(image).repository;
    let name = base_name(repository);
    if ["galera", "xtradb-cluster", "pxc"].iter().any(|word| name.contains(word)) {
        return Some((Way::Galera, format!("the image {image}")));
    }
    let options = Options::of(manifests, pod, server);
    let wsrep = options.get("wsrep_on");
    let is_off = wsrep.as_ref().is_some_and(|said| said.is(false));
    let joins = || options.get("wsrep_cluster_address").filter(|said| !said.value.is_empty() && !is_off);
    if let Some(said) = wsrep.filter(|said| said.is(true)).or_else(joins) {
        return Some((Way::Galera, said.place));
    }
    if let Some(said) = options.get("group_replication_group_name") {
        return Some((Way::GroupReplication, said.place));
    }
    if let Some(said) = options.get("gtid_mode").filter(|said| said.is(false)) {
        return Some((Way::WithoutGtids, said.place));
    }
    let in_library = IN_LIBRARY
        .iter()
        .any(|known| repository.strip_suffix(known).is_some_and(|before| before.is_empty() || before.ends_with('/')));
    let official = in_library || OFFICIAL.contains(&repository);
    let silent = official && !options.not_seen && !options.mention(pod, "gtid");
    silent.then(|| (Way::WithoutGtids, "neither its command nor an option file mentions them".to_owned()))
}

#[cfg(test)]
mod tests;
