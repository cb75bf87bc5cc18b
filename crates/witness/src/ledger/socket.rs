//! The way from a session to the pod's main process: a socket on the pod's volume, a line each way, a connection for
//! each question.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::super::protocol::{LedgerAnswer, LedgerAsk};
use super::Ledger;

/// Answers who connects to this path, until the socket breaks. What was asked is done also when who asked is gone.
///
/// # Errors
/// When nothing can listen there.
pub async fn listen(path: &Path, ledger: &Arc<Ledger>) -> io::Result<()> {
    // An earlier process of this pod left its own: nobody listens on it any more.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let ledger = ledger.clone();
        tokio::spawn(async move {
            // Who asked sees that no answer came.
            let _ = converse(stream, &ledger).await;
        });
    }
}

async fn converse(stream: UnixStream, ledger: &Ledger) -> io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut line = Vec::new();
    BufReader::new(input).read_until(b'\n', &mut line).await?;
    let answer = match serde_json::from_slice(&line) {
        Ok(ask) => ledger.answer(ask).await,
        // What the parser says may quote a password.
        Err(_) => LedgerAnswer::Refused { message: "the ledger was asked what it does not understand".to_owned() },
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    output.write_all(&bytes).await
}

/// Asks who listens on this path.
pub async fn relay(path: &Path, ask: &LedgerAsk, deadline: Duration) -> LedgerAnswer {
    let message = match timeout(deadline, put(path, ask)).await {
        Ok(Ok(answer)) => return answer,
        Ok(Err(error)) => format!("the witness's main process could not be asked: {error}"),
        Err(_) => format!("the witness's main process did not answer within {deadline:?}"),
    };
    LedgerAnswer::Refused { message }
}

async fn put(path: &Path, ask: &LedgerAsk) -> io::Result<LedgerAnswer> {
    let (input, mut output) = UnixStream::connect(path).await?.into_split();
    let mut bytes = serde_json::to_vec(ask)?;
    bytes.push(b'\n');
    output.write_all(&bytes).await?;
    let mut line = Vec::new();
    BufReader::new(input).read_until(b'\n', &mut line).await?;
    Ok(serde_json::from_slice(&line)?)
}
