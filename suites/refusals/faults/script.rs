//! Decides which request of a run gets which fault.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::apiserver::{Fate, Request, refusal};

/// The duration of a temporary fault, in which credentials are refused or the API server is down.
const PASSES_AFTER: Duration = Duration::from_millis(1_500);

/// The value of `Retry-After`, in seconds.
const RETRY_AFTER: u64 = 1;

/// The fault of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Status 429 with `Retry-After`.
    Busy,
    /// Status 500.
    Fails,
    /// Status 503 from a load balancer, which does not say when to retry.
    Unavailable,
    /// The connection is closed and nothing is done.
    Reset,
    /// The request is served, and the connection is closed without an answer.
    Lost,
    /// No answer comes, and nothing is done.
    Hangs,
    /// The request is served, and no answer comes.
    Stuck,
    /// Status 401 for a while.
    Expires,
    /// Status 401 until the client has other credentials.
    ExpiresForGood,
    /// The server is down for a while.
    Away,
    /// Another client has just created an object of the same name.
    Taken,
    /// The program is killed, and nothing is done.
    Killed,
    /// The request is served, and the program is killed.
    KilledAfter,
}

/// The request of a kind with this number, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InjectionPoint {
    /// The method, or `WATCH`, and the path.
    pub request: String,
    pub turn: usize,
}

impl InjectionPoint {
    pub(super) fn is_write(&self) -> bool {
        !["GET ", "WATCH "].iter().any(|read| self.request.starts_with(read)) && !self.request.contains("/selfsubject")
    }

    pub(super) fn is_watch(&self) -> bool {
        self.request.starts_with("WATCH ")
    }

    /// Whether the request creates or changes something.
    pub(super) fn makes(&self) -> bool {
        self.is_write() && !self.request.starts_with("DELETE ")
    }

    /// Whether the request creates something under a name that may already be taken.
    pub(super) fn takes_name(&self) -> bool {
        self.is_write() && self.request.starts_with("POST ")
    }
}

impl fmt::Display for InjectionPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (no. {})", self.request, self.turn + 1)
    }
}

/// The kind of a request, which is the same in every run.
pub(super) fn kind_of(request: &Request) -> String {
    let method = if request.is_watch() { "WATCH" } else { &request.method };
    let names = request.path.split('/').map(|name| match name.rsplit_once('-') {
        // Replaces the random end of a run's name.
        Some((name, word)) if word.len() == 6 && word.bytes().all(|it| it.is_ascii_hexdigit()) => {
            format!("{name}-[RUN]")
        }
        _ => name.to_owned(),
    });
    format!("{method} {}", names.collect::<Vec<_>>().join("/"))
}

/// The points of these requests, in order.
pub(super) fn points(requests: &[Request]) -> Vec<InjectionPoint> {
    let mut turns: BTreeMap<String, usize> = BTreeMap::new();
    let point = |request: &Request| {
        let request = kind_of(request);
        let next = turns.entry(request.clone()).or_default();
        *next += 1;
        InjectionPoint { request, turn: *next - 1 }
    };
    requests.iter().map(point).collect()
}

/// A fault at a point during its test.
pub(super) struct Script {
    point: InjectionPoint,
    fault: Fault,
    turns: Mutex<usize>,
    occurred: Mutex<Option<Instant>>,
    healed: AtomicBool,
    kill: Mutex<Sender<()>>,
}

impl Script {
    /// The receiver of `kill` kills the program.
    pub(super) fn new(point: InjectionPoint, fault: Fault, kill: Sender<()>) -> Self {
        let (turns, occurred, healed) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        Self { point, fault, turns, occurred, healed, kill: Mutex::new(kill) }
    }

    /// Whether the request with the fault has occurred.
    pub(super) fn has_occurred(&self) -> bool {
        self.occurred.lock().expect("no panic").is_some()
    }

    /// Ends the fault: all later requests are served.
    pub(super) fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
    }

    /// The fate of a request.
    pub(super) fn fate(&self, request: &Request) -> Option<Fate> {
        if self.healed.load(Ordering::Relaxed) {
            return None;
        }
        let lasting = match self.fault {
            Fault::Expires | Fault::Away => PASSES_AFTER,
            Fault::ExpiresForGood | Fault::Killed | Fault::KilledAfter => Duration::MAX,
            _ => Duration::ZERO,
        };
        let mut occurred = self.occurred.lock().expect("no panic");
        let now = match *occurred {
            Some(since) => since.elapsed() < lasting,
            None => self.is_it(request),
        };
        if !now {
            return None;
        }
        let first = occurred.is_none();
        occurred.get_or_insert_with(Instant::now);
        drop(occurred);
        Some(self.as_fault(first))
    }

    fn is_it(&self, request: &Request) -> bool {
        if kind_of(request) != self.point.request {
            return false;
        }
        let mut turns = self.turns.lock().expect("no panic");
        *turns += 1;
        *turns - 1 == self.point.turn
    }

    fn as_fault(&self, first: bool) -> Fate {
        let refused = |status, words, after| Fate::Said(refusal(status, words), after);
        match self.fault {
            Fault::Busy => refused(429, "too many requests, please try again later", Some(RETRY_AFTER)),
            Fault::Fails => refused(500, "etcdserver: request timed out", None),
            Fault::Unavailable => refused(503, "no healthy upstream", None),
            Fault::Reset | Fault::Away => Fate::Reset,
            Fault::Lost => Fate::Lost,
            Fault::Hangs => Fate::Hang,
            Fault::Stuck => Fate::Stuck,
            Fault::Expires | Fault::ExpiresForGood => refused(401, "Unauthorized", None),
            Fault::Taken => Fate::Taken,
            Fault::Killed | Fault::KilledAfter => {
                // If the program was already killed, there is no receiver.
                let _ = self.kill.lock().expect("no panic").send(());
                if first && self.fault == Fault::KilledAfter { Fate::Stuck } else { Fate::Hang }
            }
        }
    }
}
