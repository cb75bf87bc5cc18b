//! The container engine that clusters run on: Docker, on this machine.

use std::time::Duration;

use tokio::process::Command;

use super::lab::Lab;
use super::program::{CommandError, run};
use super::proxy::is_loopback;

const ASK_WITHIN: Duration = Duration::from_secs(20);

/// The variable that makes kind use another engine (<https://kind.sigs.k8s.io/docs/user/rootless/>).
const PROVIDER: &str = "KIND_EXPERIMENTAL_PROVIDER";

/// An engine that cannot host a cluster.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It does not answer.
    #[error(
        "the container engine does not answer: {}; ci/setup starts it, and `steadfast doctor` checks the rest",
        .0.last_line()
    )]
    Silent(CommandError),
    /// kind is configured to use another engine.
    #[error("{PROVIDER} is `{provider}`, but clusters are created with Docker only; unset it, and start Docker")]
    AnotherProvider {
        /// The engine's name.
        provider: String,
    },
    /// Another engine answers instead of Docker.
    #[error(
        "`{program}` is {engine}, but clusters are created with Docker only; install Docker's own client and engine"
    )]
    NotDocker {
        /// The engine.
        engine: String,
        /// The program that was called.
        program: String,
    },
    /// It is on another machine.
    #[error(
        "the engine at {host} is on another machine, and the API servers of its clusters listen on the loopback \
         address of that machine; run this program there, or unset DOCKER_HOST and choose a local `docker context`"
    )]
    Remote {
        /// Its address.
        host: String,
    },
}

/// The engine's version.
///
/// # Errors
/// When it does not answer, or when it cannot host a cluster.
pub async fn engine(lab: &Lab) -> Result<String, EngineError> {
    let provider = std::env::var(PROVIDER).unwrap_or_default();
    if !["", "docker"].contains(&provider.as_str()) {
        return Err(EngineError::AnotherProvider { provider });
    }
    if let Some(host) = host(lab).await.filter(|host| !is_here(host)) {
        return Err(EngineError::Remote { host });
    }
    let called = run(Command::new(&lab.docker).arg("--version"), ASK_WITHIN).await.map_err(EngineError::Silent)?;
    let format = "{{.Server.Version}}|{{range .Server.Components}}{{.Name}},{{end}}";
    // The client of another engine may not support Docker's format fields, so ask for its name first.
    let engine = called.split_whitespace().next().unwrap_or_default().to_owned();
    if engine != "Docker" {
        return Err(EngineError::NotDocker { engine, program: lab.docker.clone() });
    }
    let said = run(Command::new(&lab.docker).args(["version", "--format", format]), ASK_WITHIN).await;
    let said = said.map_err(EngineError::Silent)?;
    let (version, components) = said.trim().split_once('|').unwrap_or((said.trim(), ""));
    match components.split(',').find(|name| name.to_lowercase().contains("podman")) {
        Some(engine) => Err(EngineError::NotDocker { engine: engine.to_owned(), program: lab.docker.clone() }),
        None => Ok(version.to_owned()),
    }
}

/// The unique ID of this engine.
///
/// # Errors
/// When it does not answer.
pub(super) async fn id(lab: &Lab) -> Result<String, CommandError> {
    let said = run(Command::new(&lab.docker).args(["info", "--format", "{{.ID}}"]), ASK_WITHIN).await?;
    Ok(said.trim().to_owned())
}

/// The engine's address. The environment wins over the selected context
/// (<https://docs.docker.com/engine/manage-resources/contexts/>).
async fn host(lab: &Lab) -> Option<String> {
    if let Some(host) = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        return Some(host);
    }
    let asked = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
    run(Command::new(&lab.docker).args(asked), ASK_WITHIN).await.ok().map(|said| said.trim().to_owned())
}

fn is_here(host: &str) -> bool {
    let Some((scheme, rest)) = host.split_once("://") else { return host.is_empty() || host.starts_with('/') };
    let place = rest.split('/').next().unwrap_or_default();
    let local = is_loopback(place.rsplit_once(':').map_or(place, |(name, _)| name));
    ["unix", "npipe", "fd"].contains(&scheme) || (["tcp", "http", "https"].contains(&scheme) && local)
}

/// Options to save an image. An engine with the containerd image store holds only the names of other platforms, so it
/// must be told which platform to save, if its API supports that
/// (<https://docs.docker.com/reference/cli/docker/image/save/#platform>).
pub(super) async fn save_options(lab: &Lab, image: &str) -> Vec<String> {
    let ask = async |words: &[&str]| {
        run(Command::new(&lab.docker).args(words), ASK_WITHIN)
            .await
            .map(|said| said.trim().to_owned())
            .unwrap_or_default()
    };
    let status = ask(&["info", "--format", "{{json .DriverStatus}}"]).await;
    let version = ask(&["version", "--format", "{{.Server.APIVersion}}"]).await;
    if !status.contains("io.containerd.snapshotter") || !can_be_told_platforms(&version) {
        return Vec::new();
    }
    let platform = ask(&["image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", image]).await;
    if platform.contains('/') { vec!["--platform".to_owned(), platform] } else { Vec::new() }
}

/// Whether an engine with this API version accepts a platform: from 1.48 on.
fn can_be_told_platforms(version: &str) -> bool {
    let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
    numbers.as_slice() >= &[1, 48]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_of_this_machine_is_known_by_its_address() {
        for here in [
            "unix:///var/run/docker.sock",
            "npipe:////./pipe/docker_engine",
            "tcp://127.0.0.1:2375",
            "tcp://[::1]:2375",
            "",
        ] {
            assert!(is_here(here), "{here}");
        }
        for there in [
            "ssh://me@10.0.0.9",
            "tcp://build.example:2376",
            "ssh://127.0.0.1",
            "build.example:2376",
            "tcp://127.corp.example:2376",
            "tcp://localhost.corp.example",
        ] {
            assert!(!is_here(there), "{there}");
        }
    }

    #[test]
    fn newer_engines_are_told_platforms() {
        assert!(["1.48", "1.51", "2.0"].iter().all(|version| can_be_told_platforms(version)));
        assert!(["1.47", "1.9", ""].iter().all(|version| !can_be_told_platforms(version)));
    }
}
