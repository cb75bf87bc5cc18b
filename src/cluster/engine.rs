//! The container engine that clusters are made with: Docker, on this machine.

use std::time::Duration;

use tokio::process::Command;

use super::lab::Lab;
use super::program::{KindError, run};

const ASK_WITHIN: Duration = Duration::from_secs(20);

/// Has kind use another engine (<https://kind.sigs.k8s.io/docs/user/rootless/>).
const PROVIDER: &str = "KIND_EXPERIMENTAL_PROVIDER";

/// An engine that no cluster can be made with.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It does not answer.
    #[error("the container engine does not answer: {}; ci/setup starts it, `steadfast doctor` looks at the rest", .0.last_line())]
    Silent(KindError),
    /// kind is told to use another one.
    #[error("{PROVIDER} is `{provider}`, and clusters are made with Docker alone; unset it, and have Docker run")]
    AnotherProvider {
        /// The engine's name.
        provider: String,
    },
    /// Something answers in Docker's place.
    #[error(
        "{engine} answers to `{program}`, and clusters are made with Docker alone; install Docker's own client and engine"
    )]
    NotDocker {
        /// What it is.
        engine: String,
        /// The program that was called.
        program: String,
    },
    /// It is on another machine.
    #[error(
        "the engine at {host} is on another machine, and the API servers of its clusters listen there on the loopback address; \
         run this program on that machine, or unset DOCKER_HOST and choose a local `docker context`"
    )]
    Remote {
        /// Its address.
        host: String,
    },
}

/// The engine's version.
///
/// # Errors
/// When it does not answer, or no cluster can be made with it.
pub async fn engine(lab: &Lab) -> Result<String, EngineError> {
    let provider = std::env::var(PROVIDER).unwrap_or_default();
    if !["", "docker"].contains(&provider.as_str()) {
        return Err(EngineError::AnotherProvider { provider });
    }
    if let Some(host) = host(lab).await.filter(|host| !is_here(host)) {
        return Err(EngineError::Remote { host });
    }
    let format = "{{.Server.Version}}\t{{range .Server.Components}}{{.Name}},{{end}}";
    let said = run(Command::new(&lab.docker).args(["version", "--format", format]), ASK_WITHIN).await;
    let said = said.map_err(EngineError::Silent)?;
    let (version, components) = said.trim().split_once('\t').unwrap_or((said.trim(), ""));
    match components.split(',').find(|name| ["podman", "nerdctl"].iter().any(|it| name.to_lowercase().contains(it))) {
        Some(engine) => Err(EngineError::NotDocker { engine: engine.to_owned(), program: lab.docker.clone() }),
        None => Ok(version.to_owned()),
    }
}

/// Where the client finds the engine: the environment comes before the context that was chosen
/// (<https://docs.docker.com/engine/manage-resources/contexts/>).
async fn host(lab: &Lab) -> Option<String> {
    if let Some(host) = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        return Some(host);
    }
    let asked = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
    run(Command::new(&lab.docker).args(asked), ASK_WITHIN).await.ok().map(|said| said.trim().to_owned())
}

fn is_here(host: &str) -> bool {
    let Some((scheme, rest)) = host.split_once("://") else { return true };
    let address = rest.rsplit('@').next().unwrap_or(rest);
    let local = ["127.", "localhost", "[::1]"].iter().any(|name| address.starts_with(name));
    ["unix", "npipe", "fd"].contains(&scheme) || (scheme == "tcp" && local)
}

/// The platform by which an image has to be saved, where the engine keeps images for several: such a store has what a
/// registry lists, and of other platforms only the names (<https://docs.docker.com/engine/storage/containerd/>).
pub(super) async fn platform(lab: &Lab) -> Option<String> {
    let format = "{{json .DriverStatus}}\t{{.OSType}}/{{.Architecture}}";
    let said = run(Command::new(&lab.docker).args(["info", "--format", format]), ASK_WITHIN).await.ok()?;
    let (status, platform) = said.trim().split_once('\t')?;
    let platform = platform.replace("x86_64", "amd64").replace("aarch64", "arm64");
    status.contains("io.containerd.snapshotter").then_some(platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_of_this_machine_is_known_by_its_address() {
        for here in ["unix:///var/run/docker.sock", "npipe:////./pipe/docker_engine", "tcp://127.0.0.1:2375", ""] {
            assert!(is_here(here), "{here}");
        }
        for there in ["ssh://me@10.0.0.9", "tcp://build.example:2376", "ssh://127.0.0.1"] {
            assert!(!is_here(there), "{there}");
        }
    }
}
