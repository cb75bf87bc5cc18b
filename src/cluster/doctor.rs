//! Preflight: checks everything that a run needs from this machine before the run creates anything. Each finding names
//! its remedy.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::book::{self, Book};
use super::lab::{Lab, cache_dir};
use super::program::run;
use super::proxy::Environment;
use super::{abandoned, kept, kind};

/// With less free disk (MiB) a cluster is likely to fail late and obscurely, because kind turns eviction off.
const FREE_DISK_MIB: u64 = 4 * 1024;

/// The memory (MiB) that three nodes with three servers use.
const FREE_MEMORY_MIB: u64 = 3 * 1024;

/// kind's recommendation for clusters of several nodes (<https://kind.sigs.k8s.io/docs/user/known-issues/>).
const INOTIFY_INSTANCES: u64 = 512;

/// A program that stays silent for so long hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// The result of one check of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Good,
    /// A run may go wrong.
    Doubtful,
    /// A run cannot work.
    Bad,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The result.
    pub health: Health,
    /// What was checked.
    pub name: &'static str,
    /// What was found, with the remedy if it is not good.
    pub found: String,
}

fn item(health: Health, name: &'static str, found: impl Into<String>) -> Item {
    Item { health, name, found: found.into() }
}

/// Checks everything and reports all results, even after a failure.
pub async fn examine() -> Vec<Item> {
    let mut items = Vec::new();
    match Lab::read() {
        Ok(lab) => {
            items.push(item(Health::Good, "lab", format!("Kubernetes {} by default", lab.default_kubernetes)));
            let (engine, kind, kubectl, images) =
                tokio::join!(engine(&lab), version("kind", &lab.kind, &["version"]), kubectl(&lab), images(&lab));
            items.extend([engine, kind, kubectl]);
            items.extend(images);
        }
        Err(error) => items.push(item(Health::Bad, "lab", error.to_string())),
    }
    items.push(proxy());
    items.push(disk().await);
    items.push(memory());
    items.push(inotify());
    items.push(clusters());
    items.extend(left_elsewhere());
    items
}

async fn engine(lab: &Lab) -> Item {
    match super::engine(lab).await {
        Ok(version) => item(Health::Good, "engine", format!("{} {version}", lab.docker)),
        Err(error) => item(Health::Bad, "engine", error.to_string()),
    }
}

async fn version(name: &'static str, program: &str, arguments: &[&str]) -> Item {
    match run(Command::new(program).args(arguments), ANSWER_WITHIN).await {
        Ok(said) => item(Health::Good, name, said.lines().next().unwrap_or_default()),
        Err(error) => item(Health::Bad, name, format!("{error}; run ci/setup")),
    }
}

async fn kubectl(lab: &Lab) -> Item {
    version("kubectl", &lab.kubectl, &["version", "--client"]).await
}

async fn images(lab: &Lab) -> Vec<Item> {
    let nodes = lab.nodes.iter().map(|node| ("node image", node.image.as_str(), None));
    let workloads = lab.images.iter().map(|image| ("workload image", image.image.as_str(), Some(&image.archive)));
    let witness = [("witness image", lab.witness.image.as_str(), Some(&lab.witness.archive))];
    let mut items = Vec::new();
    for (name, image, archive) in nodes.chain(workloads).chain(witness) {
        let ready = match archive {
            Some(archive) => archive.is_file(),
            None => kind::has_image(lab, image).await,
        };
        items.push(match ready {
            true => item(Health::Good, name, image),
            false => item(Health::Bad, name, format!("{image} is missing; run ci/setup")),
        });
    }
    items
}

fn proxy() -> Item {
    let Environment { https, no, .. } = Environment::read();
    // The variable may hold a password, so do not print it.
    let found = match (https.is_empty(), no.is_empty()) {
        (true, _) => "none".to_owned(),
        (false, true) => "HTTPS_PROXY is set: clusters on other machines are reached through it".to_owned(),
        (false, false) => {
            format!("HTTPS_PROXY is set: clusters on other machines are reached through it, except {no}")
        }
    };
    item(Health::Good, "proxy", found)
}

async fn disk() -> Item {
    let folder = cache_dir();
    let mut command = Command::new("df");
    let said = run(command.args(["--output=avail", "--block-size=1M"]).arg(existing(&folder)), ANSWER_WITHIN).await;
    let free = said.ok().and_then(|said| said.lines().nth(1)?.trim().parse().ok());
    match free {
        Some(free) => {
            enough("disk", free, FREE_DISK_MIB, "free some space: kind reports a full disk late and unclearly")
        }
        None => item(Health::Doubtful, "disk", format!("`df {}` printed no number", folder.display())),
    }
}

fn existing(path: &Path) -> &Path {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"))
}

fn memory() -> Item {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let free = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    match free {
        Some(kib) => enough("memory", kib / 1024, FREE_MEMORY_MIB, "close other programs, or use --nodes 1"),
        None => item(Health::Doubtful, "memory", "this system does not report how much is available"),
    }
}

fn enough(name: &'static str, free_mib: u64, wanted_mib: u64, remedy: &str) -> Item {
    if free_mib >= wanted_mib {
        return item(Health::Good, name, format!("{free_mib} MiB available"));
    }
    item(Health::Doubtful, name, format!("{free_mib} MiB available, {wanted_mib} MiB needed: {remedy}"))
}

fn inotify() -> Item {
    let path = "/proc/sys/fs/inotify/max_user_instances";
    let found = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    match found {
        Some(found) if found >= INOTIFY_INSTANCES => item(Health::Good, "inotify", format!("{found} instances")),
        Some(found) => item(
            Health::Doubtful,
            "inotify",
            format!(
                "{found} instances; several nodes may need {INOTIFY_INSTANCES}: sysctl fs.inotify.max_user_instances"
            ),
        ),
        None => item(Health::Doubtful, "inotify", format!("{path} cannot be read")),
    }
}

/// What runs left on existing clusters, one item per run.
fn left_elsewhere() -> Vec<Item> {
    let left = book::left();
    let of = |health, what: &'static str| {
        move |book: Book| {
            let (run, server, removal) = (&book.run, &book.server, book.removal());
            item(health, "other clusters", format!("{run} {what} {server}; remove its objects with: {removal}"))
        }
    };
    let dead = left.dead.into_iter().map(of(Health::Doubtful, "was killed on"));
    dead.chain(left.kept.into_iter().map(of(Health::Good, "was kept on"))).collect()
}

fn clusters() -> Item {
    let folder = kind::lease_folder();
    let (abandoned, kept) = (abandoned(&folder), kept(&folder));
    let mut words = Vec::new();
    if !kept.is_empty() {
        words.push(format!("kept: {} (`steadfast down` removes them)", kept.join(", ")));
    }
    if !abandoned.is_empty() {
        words.push(format!("left by killed runs: {} (the next run removes them)", abandoned.join(", ")));
    }
    let found = if words.is_empty() { "none".to_owned() } else { words.join("; ") };
    item(Health::Good, "clusters", found)
}
