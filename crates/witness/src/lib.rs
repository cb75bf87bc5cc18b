//! The part of the program that runs as a pod. What pods see of DNS and of each other cannot be measured through the
//! API server: the witness asks in their place, with a new connection or datagram for each question, and reports the
//! answer.
//!
//! The pod's main process runs [`stay`] and keeps the write ledger. For each session the harness runs [`serve`] in the
//! pod through the exec API. A session passes questions about the ledger on to the main process.

mod dns;
#[cfg(test)]
mod fake;
mod ledger;
mod login;
pub mod protocol;
pub mod sql;
mod template;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use ledger::Ledger;
use protocol::{Answer, Ask, Hello, InvalidRequest, Line, PROTOCOL, Reply, Request};
use steadfast_model as evidence;
use steadfast_model::Stopwatch;

/// How many questions are answered concurrently. The next line is read when one of them has its answer.
const CONCURRENT: usize = 256;

/// The pod's own volume: it outlives the container, and no other pod has it.
pub const VOLUME: &str = "/ledger";

/// The file with the password of the ledger's account, mounted from a Secret. The password is in no session and nowhere
/// else on disk.
pub const PASSWORD: &str = "/credentials/password";

/// Keeps the ledger on this volume, with the password in this file, until SIGTERM or SIGINT. A ledger that is under way
/// continues. The first process of a container must handle these signals itself: the kernel applies no default action
/// to it, so the pod would end only after its grace period.
///
/// # Errors
/// If the signals cannot be handled, or the volume cannot be used.
pub async fn stay(volume: &Path, password: &Path) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let unusable = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", volume.display()));
    let (ledger, socket) = (Arc::new(Ledger::open(volume, password).map_err(unusable)?), socket(volume));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        listened = ledger::listen(&socket, &ledger) => return listened.map_err(unusable),
    }
    ledger.rest().await;
    Ok(())
}

fn socket(volume: &Path) -> PathBuf {
    volume.join("socket")
}

/// Answers the requests from `input` on `output`, many concurrently, until the input ends and all are answered.
/// Requests about the ledger go to the process that keeps it on this volume.
///
/// # Errors
/// If the input cannot be read or the output cannot be written.
pub async fn serve<I, O>(volume: &Path, input: I, output: O) -> io::Result<()>
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin + Send + 'static,
{
    let (lines, written) = mpsc::channel(CONCURRENT);
    let writer = tokio::spawn(write(written, output));
    let read = read(volume, input, lines).await;
    writer.await.map_err(io::Error::other)??;
    read
}

/// Reads requests and answers them, until the input ends or the output is gone.
async fn read(volume: &Path, input: impl AsyncRead + Unpin, lines: mpsc::Sender<Line>) -> io::Result<()> {
    let socket: Arc<Path> = socket(volume).into();
    let permits = Arc::new(Semaphore::new(CONCURRENT));
    let hello = Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() };
    send(&lines, Line::Hello(hello)).await;
    let mut input = BufReader::new(input).split(b'\n');
    loop {
        let line = tokio::select! {
            line = input.next_segment() => line?,
            () = lines.closed() => None,
        };
        let Some(line) = line else { return Ok(()) };
        match serde_json::from_slice(&line) {
            Ok(request) => {
                let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
                let (lines, socket) = (lines.clone(), socket.clone());
                tokio::spawn(async move {
                    send(&lines, Line::Reply(answer(request, &socket).await)).await;
                    drop(permit);
                });
            }
            Err(error) => send(&lines, Line::Trouble(trouble(&error))).await,
        }
    }
}

/// Sends a line. The writer is gone only if the output is, and reports that itself.
async fn send(lines: &mpsc::Sender<Line>, line: Line) {
    let _ = lines.send(line).await;
}

/// The only writer of the output, so that lines do not interleave.
async fn write(mut lines: mpsc::Receiver<Line>, mut output: impl AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        output.write_all(&bytes).await?;
        output.flush().await?;
    }
    output.shutdown().await
}

async fn answer(request: Request, socket: &Path) -> Reply {
    let deadline = Duration::from_millis(request.deadline_ms);
    let (whole, started) = (Stopwatch::start(), Instant::now());
    let mut began = started;
    let answer = match &request.ask {
        Ask::Dns(ask) => Answer::Dns(dns::ask(ask, deadline).await),
        Ask::Sql(ask) => Answer::Sql(sql::ask(ask, deadline).await),
        Ask::Await(ask) => {
            let (last, answer) = sql::until_answered(ask, deadline).await;
            began = last;
            Answer::Sql(answer)
        }
        Ask::Resolver => Answer::Resolver(ledger::nameserver().await),
        Ask::Ledger(ask) => Answer::Ledger(ledger::relay(socket, ask, deadline).await),
    };
    let awake_us = |since: Instant| u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    // The requester's clock also counts the time in which the machine slept.
    let slept_us = whole.us().saturating_sub(awake_us(started));
    Reply { id: request.id, took_us: awake_us(began).saturating_add(slept_us), answer }
}

/// A parse error without the parser's message, which may quote the line and so a password.
fn trouble(error: &serde_json::Error) -> InvalidRequest {
    let kind = error.classify();
    InvalidRequest { message: format!("the line is not a request: {kind:?} error at column {}", error.column()) }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufRead, DuplexStream, duplex};
    use tokio::net::TcpListener;

    use super::*;
    use crate::evidence::{DnsAnswer, SqlAnswer};

    /// A session: its input, its output, and its end.
    fn session() -> (DuplexStream, BufReader<DuplexStream>, tokio::task::JoinHandle<io::Result<()>>) {
        let (input, served) = duplex(1 << 16);
        let (serving, output) = duplex(1 << 16);
        (input, BufReader::new(output), tokio::spawn(async { serve(Path::new("/nowhere"), served, serving).await }))
    }

    async fn next(output: &mut (impl AsyncBufRead + Unpin)) -> Line {
        let mut line = String::new();
        output.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn dns(id: u64, port: u16, deadline_ms: u64) -> String {
        format!(
            r#"{{"id":{id},"deadline_ms":{deadline_ms},"ask":{{"dns":{{"address":"127.0.0.1","port":{port},"transport":"tcp","name":"a.b","record_type":"A"}}}}}}"#
        ) + "\n"
    }

    #[tokio::test]
    async fn a_slow_question_does_not_hold_up_the_next() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let (mut input, mut output, served) = session();
        assert!(matches!(next(&mut output).await, Line::Hello(hello) if hello.protocol == PROTOCOL));
        let sql = r#"{"id":2,"deadline_ms":9000,"ask":{"sql":{"address":"127.0.0.1","port":1,"user":"a","password":"b","statements":["${c}"]}}}"#;
        input.write_all(format!("{}{sql}\n", dns(1, port, 300)).as_bytes()).await.unwrap();
        drop(input);
        let Line::Reply(first) = next(&mut output).await else { panic!("not a reply") };
        assert_eq!(first.id, 2);
        assert!(matches!(first.answer, Answer::Sql(SqlAnswer::Broken { .. })));
        let Line::Reply(second) = next(&mut output).await else { panic!("not a reply") };
        assert_eq!(second.id, 1);
        assert!(second.took_us >= 300_000);
        assert!(matches!(second.answer, Answer::Dns(DnsAnswer::Broken { .. })));
        served.await.unwrap().unwrap();
        assert_eq!(output.read_line(&mut String::new()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_line_that_is_no_request_is_told_without_quoting_it() {
        let (mut input, mut output, served) = session();
        next(&mut output).await;
        for line in ["hunter2\n", "{\"id\":\"hunter2\"}\n", "\n"] {
            input.write_all(line.as_bytes()).await.unwrap();
            let Line::Trouble(trouble) = next(&mut output).await else { panic!("not a trouble") };
            assert!(trouble.message.starts_with("the line is not a request: "), "{}", trouble.message);
            assert!(!trouble.message.contains("hunter2"), "{}", trouble.message);
        }
        input.write_all(b"\xff\xfe\n").await.unwrap();
        assert!(matches!(next(&mut output).await, Line::Trouble(_)));
        drop(input);
        served.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_session_ends_when_nobody_listens() {
        let (mut input, mut output, served) = session();
        next(&mut output).await;
        drop(output);
        input.write_all(b"no request\n").await.unwrap();
        assert!(served.await.unwrap().is_err());
    }
}
