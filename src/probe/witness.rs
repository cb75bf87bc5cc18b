//! The harness's side of a witness session: one exec session that carries many concurrent questions. The next question
//! reopens a broken session; pending questions are answered with an error.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, AttachedProcess};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Lines};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::witness::protocol::{Answer, Ask, Line, OLDEST, PROTOCOL, Reply, Request, TELLS_RESOLVER};

/// The witness's command in its image.
const COMMAND: [&str; 3] = ["/steadfast", "witness", "serve"];

const OPEN_WITHIN: Duration = Duration::from_secs(10);

/// How long to wait before trying again to reach a witness that could not be reached.
const REFUSED_FOR: Duration = Duration::from_secs(3);

/// Time for the transport to the witness and back, on top of the question's own deadline.
const WAY: Duration = Duration::from_secs(10);

/// The witness could not be asked. This says nothing about the target of the question.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the witness {pod} could not be asked: {reason}")]
pub struct WitnessError {
    pod: String,
    reason: String,
}

type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Reply>>>>;

/// A session with one witness pod.
pub struct Session {
    pods: Api<Pod>,
    pod: String,
    next: AtomicU64,
    /// The protocol version that the witness speaks.
    protocol: AtomicU32,
    link: tokio::sync::Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    link: Option<Link>,
    /// When and why the witness could not be reached.
    refused: Option<(Instant, WitnessError)>,
}

struct Link {
    input: Box<dyn AsyncWrite + Send + Unpin>,
    pending: Pending,
    reader: JoinHandle<()>,
    /// Ends the session when dropped.
    _process: AttachedProcess,
}

impl Session {
    /// A session with this pod. The first question opens it.
    pub fn new(pods: Api<Pod>, pod: &str) -> Self {
        Self {
            pods,
            pod: pod.to_owned(),
            next: AtomicU64::new(1),
            protocol: AtomicU32::new(0),
            link: tokio::sync::Mutex::default(),
        }
    }

    /// Opens the session now, so that the first question does not wait for it.
    ///
    /// # Errors
    /// When the witness cannot be reached.
    pub async fn open(&self) -> Result<(), WitnessError> {
        let mut slot = self.link.lock().await;
        self.connected(&mut slot).await.map(drop)
    }

    /// Asks, and waits for the answer. Also returns how many microseconds the witness took.
    ///
    /// # Errors
    /// When the witness cannot be reached, or its answer does not come back.
    pub async fn ask(&self, ask: Ask, limit: Duration) -> Result<(u64, Answer), WitnessError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let deadline_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let mut line = serde_json::to_vec(&Request { id, deadline_ms, ask }).map_err(|error| self.trouble(error))?;
        line.push(b'\n');
        let conversation = async {
            let answer = self.send(id, &line).await?;
            answer.await.map_err(|_| self.trouble("the session ended before the answer came"))
        };
        match tokio::time::timeout(limit + WAY, conversation).await {
            Ok(reply) => reply.map(|reply| (reply.took_us, reply.answer)),
            Err(_) => Err(self.trouble(format!("no answer came within {:?}", limit + WAY))),
        }
    }

    /// The DNS server in the witness's resolver configuration, the same as every pod's. `None` if the witness is too
    /// old to report it.
    ///
    /// # Errors
    /// When the witness cannot be reached or does not know it.
    pub async fn resolver(&self) -> Result<Option<IpAddr>, WitnessError> {
        self.open().await?;
        if self.protocol.load(Ordering::Relaxed) < TELLS_RESOLVER {
            return Ok(None);
        }
        match self.ask(Ask::Resolver, WAY).await? {
            (_, Answer::Resolver(told)) => told.map(Some).map_err(|reason| self.trouble(reason)),
            _ => Err(self.trouble("it answered a different request")),
        }
    }

    async fn send(&self, id: u64, line: &[u8]) -> Result<oneshot::Receiver<Reply>, WitnessError> {
        let mut slot = self.link.lock().await;
        let link = self.connected(&mut slot).await?;
        let (sender, receiver) = oneshot::channel();
        link.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let written = async {
            link.input.write_all(line).await?;
            link.input.flush().await
        };
        let trouble = match tokio::time::timeout(WAY, written).await {
            Ok(Ok(())) => return Ok(receiver),
            Ok(Err(error)) => self.trouble(error),
            Err(_) => self.trouble("the session accepts no more requests"),
        };
        *slot = Slot::default();
        Err(trouble)
    }

    /// The open link. Shortly after a failed attempt it fails at once: if every question retried, one unreachable
    /// witness would delay a whole scenario.
    async fn connected<'a>(&self, slot: &'a mut Slot) -> Result<&'a mut Link, WitnessError> {
        if slot.link.as_ref().is_none_or(|link| link.reader.is_finished()) {
            if let Some((since, trouble)) = &slot.refused
                && since.elapsed() < REFUSED_FOR
            {
                return Err(trouble.clone());
            }
            let opened = tokio::time::timeout(OPEN_WITHIN, self.attach()).await;
            match opened.unwrap_or_else(|_| Err(self.trouble(format!("it did not answer within {OPEN_WITHIN:?}")))) {
                Ok(link) => *slot = Slot { link: Some(link), refused: None },
                Err(trouble) => {
                    *slot = Slot { link: None, refused: Some((Instant::now(), trouble.clone())) };
                    return Err(trouble);
                }
            }
        }
        slot.link.as_mut().ok_or_else(|| self.trouble("the session is closed"))
    }

    async fn attach(&self) -> Result<Link, WitnessError> {
        let buffer = 64 * 1024;
        let parameters = AttachParams::default().stdin(true).stdout(true).stderr(false);
        let parameters = parameters.max_stdin_buf_size(buffer).max_stdout_buf_size(buffer);
        let mut process = self.pods.exec(&self.pod, COMMAND, &parameters).await.map_err(|error| self.trouble(error))?;
        let input = process.stdin().ok_or_else(|| self.trouble("the session has no input"))?;
        let output = process.stdout().ok_or_else(|| self.trouble("the session has no output"))?;
        let mut lines = BufReader::new(output).lines();
        let first = lines.next_line().await.map_err(|error| self.trouble(error))?;
        let first = first.ok_or_else(|| self.trouble("the session ended before it began"))?;
        match serde_json::from_str(&first) {
            Ok(Line::Hello(hello)) if (OLDEST..=PROTOCOL).contains(&hello.protocol) => {
                self.protocol.store(hello.protocol, Ordering::Relaxed);
            }
            Ok(Line::Hello(hello)) => {
                let reason = format!("it speaks protocol {}, not {PROTOCOL}; run ci/setup again", hello.protocol);
                return Err(self.trouble(reason));
            }
            _ => return Err(self.trouble(format!("it did not identify itself, but sent: {first}"))),
        }
        let ended = process.take_status().ok_or_else(|| self.trouble("the session does not report its end"))?;
        let pending = Pending::default();
        let waiting = pending.clone();
        let reader = tokio::spawn(async move {
            // A broken connection ends the session but not the read side, which just stays silent.
            tokio::select! {
                () = read(lines, &waiting) => {}
                _ = ended => {}
            }
            waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Ok(Link { input: Box::new(input), pending, reader, _process: process })
    }

    fn trouble(&self, reason: impl ToString) -> WitnessError {
        WitnessError { pod: self.pod.clone(), reason: reason.to_string() }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Delivers answers to the waiting callers. When the session ends, the dropped senders report it to them.
async fn read(mut lines: Lines<BufReader<impl AsyncRead + Unpin>>, pending: &Pending) {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(Line::Reply(reply)) = serde_json::from_str(&line) {
            let waiting = pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&reply.id);
            if let Some(waiting) = waiting {
                // The caller may have timed out already.
                let _ = waiting.send(reply);
            }
        }
    }
}
