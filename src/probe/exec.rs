//! Runs a fixed command in a container, without a shell and without any text from the cluster in the command.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::evidence::ExecAnswer;

/// Runs `argv` in a container and waits at most `limit` for its end.
pub async fn exec(pods: &Api<Pod>, pod: &str, container: &str, argv: &[&str], limit: Duration) -> ExecAnswer {
    within(argv, limit, attempt(pods, pod, container, argv, None)).await
}

/// Like [`exec`], with a standard input.
pub async fn exec_with(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    argv: &[&str],
    input: &str,
    limit: Duration,
) -> ExecAnswer {
    within(argv, limit, attempt(pods, pod, container, argv, Some(input))).await
}

async fn within(
    argv: &[&str],
    limit: Duration,
    attempt: impl Future<Output = Result<ExecAnswer, String>>,
) -> ExecAnswer {
    match tokio::time::timeout(limit, attempt).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(message)) => ExecAnswer::Broken { message },
        Err(_) => ExecAnswer::Broken { message: format!("`{}` did not end within {limit:?}", argv.join(" ")) },
    }
}

async fn attempt(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    argv: &[&str],
    input: Option<&str>,
) -> Result<ExecAnswer, String> {
    let parameters = AttachParams::default().container(container).stdout(true).stderr(true).stdin(input.is_some());
    let started = pods.exec(pod, argv.iter().copied(), &parameters).await;
    let mut process = started.map_err(|error| format!("cannot start `{}`: {error}", argv.join(" ")))?;
    let status = process.take_status();
    if let (Some(input), Some(mut stdin)) = (input, process.stdin()) {
        let written = async {
            stdin.write_all(input.as_bytes()).await?;
            stdin.shutdown().await
        };
        written.await.map_err(|error| format!("`{}` takes no input: {error}", argv.join(" ")))?;
    }
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let (stdout, stderr) = tokio::join!(read(stdout), read(stderr));
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    let status = status.ok_or_else(|| "the connection broke before the command's end was reported".to_owned())?;
    let message = status.message.clone().unwrap_or_default();
    let code = match (status.status.as_deref(), exit_code(&status)) {
        (Some("Success"), _) => 0,
        (_, Some(code)) => code,
        (_, None) if lacks_program(&message) => return Ok(ExecAnswer::Exited { code: 127, stdout, stderr: message }),
        (_, None) => return Err(format!("the command did not run: {message}")),
    };
    Ok(ExecAnswer::Exited { code, stdout, stderr })
}

/// Whether a container runtime says, in the words of runc or crun, that the program does not exist. No shell is
/// involved that would turn this into an exit code.
fn lacks_program(message: &str) -> bool {
    let in_path = message.contains("executable file") && message.contains("not found");
    in_path || (message.contains("exec: \"") && message.contains("no such file or directory"))
}

/// The exit code, which the API server reports as a cause of the failure.
fn exit_code(status: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Status) -> Option<i32> {
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let cause = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    cause.message.as_ref()?.parse().ok()
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // Output from before the connection broke is still useful; the missing status reports the break.
        let _ = stream.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::lacks_program;

    #[test]
    fn a_program_that_is_not_there_is_told_from_other_failures() {
        for none in [
            "exec failed: unable to start container process: exec: \"hostname\": executable file not found in $PATH",
            "executable file `hostname` not found in $PATH: No such file or directory",
            "unable to start container process: exec: \"/bin/x\": stat /bin/x: no such file or directory",
        ] {
            assert!(lacks_program(none), "{none}");
        }
        for other in ["cannot exec in a stopped container", "open /proc/7/ns/ipc: no such file or directory"] {
            assert!(!lacks_program(other), "{other}");
        }
    }
}
