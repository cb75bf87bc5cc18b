//! A fake API server. It listens on the loopback interface, answers as a small cluster would, stores what is written to
//! it, and remembers every request. Fixtures change single answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

mod cluster;
mod controllers;
mod store;
mod witness;

use store::Store;
pub(crate) use store::namespace;

/// The UID of the namespace kube-system.
pub(crate) const UID: &str = "3d5b2b1c-0c9e-4c57-9d0a-2f6c1f0b7a11";

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: there
clusters: [{name: there, cluster: {server: SERVER}}]
users: [{name: somebody, user: {token: none}}]
contexts: [{name: there, context: {cluster: there, user: somebody}}]
";

/// How long the server waits for a client before it checks whether the client of a hanging request has gone.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub method: String,
    /// The path without the query.
    pub path: String,
    pub query: String,
    pub body: Value,
    /// The key with which the client of a WebSocket checks that the server speaks this protocol.
    key: Option<String>,
}

/// A status and a body.
pub(crate) type Answer = (u16, String);

/// Answers of a fixture, which replace the answers of the small cluster.
pub(crate) type Odd = fn(&Request) -> Option<Answer>;

/// What happens to a request instead of a normal answer.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// The request is not served, and gets this answer. The number is the value of `Retry-After` in seconds, if the
    /// API server sends it.
    Said(Answer, Option<u64>),
    /// The request is not served, and the connection is closed.
    Reset,
    /// The request is served, and the connection is closed before the answer.
    Lost,
    /// The request is not served, and never answered.
    Hang,
    /// The request is served, and never answered.
    Stuck,
    /// Another client creates an object of the same name before the request is served.
    Taken,
}

/// The server. Its threads end when it is dropped.
pub(crate) struct ApiServer {
    /// The address, for a kubeconfig.
    pub address: String,
    backend: Arc<Backend>,
}

/// Decides the fate of a request by its number. `None` is a normal answer.
type Fates = Box<dyn Fn(usize, &Request) -> Option<Fate> + Send + Sync>;

struct Backend {
    fates: Fates,
    requests: Mutex<Vec<Request>>,
    store: Store,
    closed: AtomicBool,
}

impl ApiServer {
    /// A server that answers as a small cluster and has these objects, by path. `odd` changes some answers.
    pub(crate) fn start(odd: Odd, objects: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self::start_with(move |_, request| odd(request).map(|answer| said(answer, 0)), objects)
    }

    /// The same, but requests may have other fates, which may depend on the number of earlier requests.
    pub(crate) fn start_with(
        fates: impl Fn(usize, &Request) -> Option<Fate> + Send + Sync + 'static,
        objects: impl IntoIterator<Item = (String, Value)>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let store = Store::new(cluster::objects(), objects);
        let backend =
            Backend { fates: Box::new(fates), requests: Mutex::default(), store, closed: AtomicBool::new(false) };
        let backend = Arc::new(backend);
        let (here, controlled) = (backend.clone(), backend.clone());
        std::thread::spawn(move || controllers::act(&controlled.store));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if here.closed.load(Ordering::Relaxed) {
                    return;
                }
                let backend = here.clone();
                // A client may close the connection at any time, so errors are ignored.
                std::thread::spawn(move || backend.serve(stream).ok());
            }
        });
        Self { address, backend }
    }

    /// A kubeconfig whose current context leads to this server.
    pub(crate) fn kubeconfig(&self) -> String {
        KUBECONFIG.replace("SERVER", &self.address)
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.backend.requests.lock().expect("requests").clone()
    }

    /// The requests that could change something.
    pub(crate) fn writes(&self) -> Vec<String> {
        let requests = self.requests().into_iter().filter(Request::is_write);
        requests.map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// The objects by path, without the cluster's own.
    pub(crate) fn objects(&self) -> Vec<String> {
        self.backend.store.beside_its_own()
    }

    /// The objects that only its clients can have created, by path.
    pub(crate) fn made(&self) -> Vec<String> {
        self.backend.store.made()
    }

    /// The objects of others that have changed, and requests to change them. A request with the UID of an own object
    /// cannot change another one.
    pub(crate) fn touched(&self) -> Vec<String> {
        let store = &self.backend.store;
        let is_meant = |it: &Request| it.body.pointer("/preconditions/uid").is_none() && store.is_others(&it.path);
        let asked = self.requests().into_iter().filter(|it| it.is_write() && is_meant(it));
        asked.map(|it| format!("{} {}", it.method, it.path)).chain(store.changed()).collect()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.backend.closed.store(true, Ordering::Relaxed);
        self.backend.store.close();
        // Wakes the listener, which waits for a connection.
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
    }
}

impl Request {
    fn read(stream: &TcpStream) -> std::io::Result<Option<Self>> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            // The client closed the connection without a request.
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (mut length, mut key) = (0, None);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "sec-websocket-key" => key = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (path, query, body) = (path.to_owned(), decoded(query), serde_json::from_slice(&body).unwrap_or_default());
        Ok(Some(Self { method, path, query, body, key }))
    }

    /// Whether this is a watch.
    pub(crate) fn is_watch(&self) -> bool {
        self.parameter("watch").is_some_and(|it| it == "true" || it == "1")
    }

    /// Whether the request could change something. A review is a POST, but stores nothing.
    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET" && self.path != REVIEWS
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name)).map(|it| it.1)
    }
}

impl Backend {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = Request::read(&stream)? else { return Ok(()) };
        let number = {
            let mut requests = self.requests.lock().expect("requests");
            requests.push(request.clone());
            requests.len() - 1
        };
        match (self.fates)(number, &request) {
            Some(Fate::Said(answer, after)) => return say(&stream, &answer, after),
            Some(Fate::Reset) => return Ok(()),
            Some(Fate::Hang) => return self.hang(&stream),
            Some(fate @ (Fate::Lost | Fate::Stuck)) => {
                drop(self.answer(&request));
                return if matches!(fate, Fate::Stuck) { self.hang(&stream) } else { Ok(()) };
            }
            Some(Fate::Taken) => self.store.take_name(&request.path, &request.body),
            None => {}
        }
        if request.is_watch() {
            return self.store.watch(&request, stream);
        }
        if let Some(key) = &request.key {
            return witness::serve(stream, key, &request.path, &self.store);
        }
        say(&stream, &self.answer(&request), None)
    }

    /// Sends nothing until the client has gone.
    fn hang(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(LOOK_AGAIN_AFTER))?;
        let is_patient = |kind| [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut].contains(&kind);
        while !self.closed.load(Ordering::Relaxed) {
            match stream.read(&mut [0]) {
                Err(error) if is_patient(error.kind()) => {}
                _ => break,
            }
        }
        Ok(())
    }

    /// The answer of a small cluster in which everything is fine.
    fn answer(&self, request: &Request) -> Answer {
        let (path, body) = (request.path.as_str(), &request.body);
        match request.method.as_str() {
            "GET" => cluster::of_itself(path).unwrap_or_else(|| self.store.get(request)),
            "POST" if path == REVIEWS => (201, review(body, true)),
            "POST" => self.store.create(path, body),
            "PATCH" => self.store.patch(path, body),
            "DELETE" => self.store.delete(path, body),
            _ => refusal(405, "the method is not allowed"),
        }
    }
}

fn say(mut stream: &TcpStream, (status, text): &Answer, after: Option<u64>) -> std::io::Result<()> {
    let kind = if text.starts_with('{') { "application/json" } else { "text/html" };
    let head = format!("HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", text.len());
    let after = after.map(|after| format!("Retry-After: {after}\r\n")).unwrap_or_default();
    stream.write_all(format!("{head}{after}Connection: close\r\n\r\n{text}").as_bytes())
}

/// A fixed answer. An API server that refuses a request temporarily says when to retry.
pub(crate) fn said(answer: Answer, after: u64) -> Fate {
    let unserved = [429, 503].contains(&answer.0);
    Fate::Said(answer, unserved.then_some(after))
}

/// Decodes the percent escapes of a query.
fn decoded(query: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = query.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match code.filter(|_| byte == b'%') {
            Some(code) => (bytes.push(code), rest = &after[2..]),
            None => (bytes.push(byte), rest = after),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A refusal by the API server.
pub(crate) fn refusal(code: u16, message: &str) -> Answer {
    let reason = match code {
        404 => "NotFound",
        409 => "AlreadyExists",
        _ => "",
    };
    let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason});
    (code, status.to_string())
}

/// The answer to a review: whether the account may do this.
pub(crate) fn review(asked: &Value, allowed: bool) -> String {
    let mut answer = asked.clone();
    answer["status"] = json!({"allowed": allowed});
    answer.to_string()
}
