//! The connection from a session to the pod's main process: a socket on the pod's volume. Each question has its own
//! connection with a line in each direction.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::Ledger;
use crate::protocol::{LedgerAnswer, LedgerAsk};

/// Answers clients on this path until the socket breaks. A request is carried out even if its client has disconnected.
///
/// # Errors
/// If it cannot listen on the path.
pub(crate) async fn listen(path: &Path, ledger: &Arc<Ledger>) -> io::Result<()> {
    // An earlier process of this pod left its socket, on which nobody listens any more.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let ledger = ledger.clone();
        tokio::spawn(async move {
            // A client notices that no answer came.
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
        // The parser's message may quote a password.
        Err(_) => LedgerAnswer::Refused { message: "the ledger was asked what it does not understand".to_owned() },
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    output.write_all(&bytes).await
}

/// Asks the process that listens on this path.
pub(crate) async fn relay(path: &Path, ask: &LedgerAsk, deadline: Duration) -> LedgerAnswer {
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
