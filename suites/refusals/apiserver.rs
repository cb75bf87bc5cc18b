//! An API server that is none: it answers on the loopback interface as a small cluster would, and remembers every request.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// The UID of its namespace kube-system.
pub const UID: &str = "3d5b2b1c-0c9e-4c57-9d0a-2f6c1f0b7a11";

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

const COREFILE: &str =
    ".:53 {\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n        ttl 30\n    }\n    cache 30\n}\n";

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: there
clusters: [{name: there, cluster: {server: SERVER}}]
users: [{name: somebody, user: {token: none}}]
contexts: [{name: there, context: {cluster: there, user: somebody}}]
";

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    pub body: Value,
}

/// A status and a body.
pub type Answer = (u16, String);

/// What a fixture answers in place of the small cluster.
pub type Odd = fn(&Request) -> Option<Answer>;

/// The server. Its threads end with the process.
pub struct ApiServer {
    /// Its address, as a kubeconfig has it.
    pub address: String,
    world: Arc<World>,
}

/// The same, where it depends on how many requests came before.
type NumberedOdd = Box<dyn Fn(usize, &Request) -> Option<Answer> + Send + Sync>;

/// Stands for an answer that never comes: the connection is closed.
pub const RESET: u16 = 0;

struct World {
    /// What is answered to the request of a number in place of what the small cluster says.
    odd: NumberedOdd,
    requests: Mutex<Vec<Request>>,
    /// Objects that can be read and deleted, by path.
    objects: Mutex<BTreeMap<String, Value>>,
}

impl ApiServer {
    /// A server that answers as a small cluster, but for what is odd about it, and holds these objects.
    pub fn start(odd: Odd, objects: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self::start_numbered(move |_, request| odd(request), objects)
    }

    /// The same, where what is odd depends on how many requests came before.
    pub fn start_numbered(
        odd: impl Fn(usize, &Request) -> Option<Answer> + Send + Sync + 'static,
        objects: impl IntoIterator<Item = (String, Value)>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let objects = Mutex::new(objects.into_iter().collect());
        let world = Arc::new(World { odd: Box::new(odd), requests: Mutex::default(), objects });
        let here = world.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let world = here.clone();
                // A client that goes away in the middle is its own business.
                std::thread::spawn(move || world.serve(stream).ok());
            }
        });
        Self { address, world }
    }

    /// A kubeconfig whose current context leads to it.
    pub fn kubeconfig(&self) -> String {
        KUBECONFIG.replace("SERVER", &self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.world.requests.lock().expect("requests").clone()
    }

    /// Those that could change something: all but reads, and reviews, which are POSTs and store nothing.
    pub fn writes(&self) -> Vec<String> {
        let requests = self.requests().into_iter();
        let writes = requests.filter(|request| request.method != "GET" && request.path != REVIEWS);
        writes.map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// The objects that are still there, by path.
    pub fn objects(&self) -> Vec<String> {
        self.world.objects.lock().expect("objects").keys().cloned().collect()
    }
}

impl World {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            // The client thought better of it.
            return Ok(());
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            match header.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap_or(0);
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let request = Request { method, path, query, body: serde_json::from_slice(&body).unwrap_or_default() };
        let number = {
            let mut requests = self.requests.lock().expect("requests");
            requests.push(request.clone());
            requests.len() - 1
        };
        let (status, text) = (self.odd)(number, &request).unwrap_or_else(|| self.answer(&request));
        if status == RESET {
            return Ok(());
        }
        let kind = if text.starts_with('{') { "application/json" } else { "text/html" };
        let head = format!("HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", text.len());
        // An API server that does not serve a request says when to ask again.
        let head = if [429, 503].contains(&status) { format!("{head}Retry-After: 0\r\n") } else { head };
        (&stream).write_all(format!("{head}Connection: close\r\n\r\n{text}").as_bytes())
    }

    /// What a small cluster says in which all is well.
    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/version") => (200, json!({"major": "1", "minor": "37", "gitVersion": "v1.37.2"}).to_string()),
            ("GET", "/api/v1/namespaces/kube-system") => (200, namespace("kube-system", UID).to_string()),
            ("GET", "/api/v1/nodes") => (200, list(ready("node"))),
            ("GET", "/api/v1/namespaces/kube-system/pods") if request.query.contains("node-local-dns") => {
                (200, json!({"metadata": {"resourceVersion": "1"}, "items": []}).to_string())
            }
            ("GET", "/api/v1/namespaces/kube-system/services") => (200, list(dns_service())),
            ("GET", "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices") => (200, list(dns_endpoints())),
            ("GET", "/api/v1/namespaces/kube-system/pods/coredns") => (200, ready("coredns").to_string()),
            ("GET", "/api/v1/namespaces/kube-system/configmaps/coredns") => {
                let map = json!({"metadata": {"name": "coredns"}, "data": {"Corefile": COREFILE}});
                (200, map.to_string())
            }
            ("GET", "/apis/storage.k8s.io/v1/storageclasses") => {
                (200, list(json!({"metadata": {"name": "standard"}, "provisioner": "nobody"})))
            }
            ("GET", "/api/v1") => {
                let namespaced = [("services", "Service", true), ("secrets", "Secret", true)];
                (200, kinds("v1", &[&namespaced[..], &[("namespaces", "Namespace", false)]].concat()))
            }
            ("GET", "/apis/storage.k8s.io/v1") => {
                (200, kinds("storage.k8s.io/v1", &[("storageclasses", "StorageClass", false)]))
            }
            ("GET", "/apis/apps/v1") => (200, kinds("apps/v1", &[("statefulsets", "StatefulSet", true)])),
            ("GET", "/metrics") => (200, String::new()),
            ("POST", REVIEWS) => (201, review(&request.body, true)),
            ("GET", path) => match self.objects.lock().expect("objects").get(path) {
                Some(object) => (200, object.to_string()),
                None => refusal(404, "not found"),
            },
            ("DELETE", path) => self.delete(path, &request.body),
            _ => refusal(403, "nothing is written here"),
        }
    }

    /// Deletes the object at a path, unless the UID that is asked for is another one's.
    fn delete(&self, path: &str, options: &Value) -> Answer {
        let mut objects = self.objects.lock().expect("objects");
        let Some(there) = objects.get(path) else { return refusal(404, "not found") };
        match options.pointer("/preconditions/uid") {
            Some(uid) if *uid != there["metadata"]["uid"] => refusal(409, "the UID in the precondition is another one"),
            _ => {
                objects.remove(path);
                (200, json!({"kind": "Status", "status": "Success"}).to_string())
            }
        }
    }
}

/// An API server's refusal.
pub fn refusal(code: u16, message: &str) -> Answer {
    let reason = if code == 404 { "NotFound" } else { "" };
    let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason});
    (code, status.to_string())
}

/// The answer to a review: whether the account may do what it asks about.
pub fn review(asked: &Value, allowed: bool) -> String {
    let mut answer = asked.clone();
    answer["status"] = json!({"allowed": allowed});
    answer.to_string()
}

/// A namespace.
pub fn namespace(name: &str, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": uid}})
}

fn ready(name: &str) -> Value {
    let status = json!({"podIP": "10.0.0.2", "conditions": [{"type": "Ready", "status": "True"}]});
    let volumes = json!([{"name": "config", "configMap": {"name": "coredns"}}]);
    json!({"metadata": {"name": name, "uid": name}, "spec": {"containers": [], "volumes": volumes}, "status": status})
}

fn dns_service() -> Value {
    let spec = json!({"clusterIP": "10.96.0.10", "ipFamilies": ["IPv4"], "ports": [{"port": 53, "protocol": "UDP"}]});
    json!({"metadata": {"name": "kube-dns", "namespace": "kube-system"}, "spec": spec})
}

fn dns_endpoints() -> Value {
    let server = json!({"kind": "Pod", "name": "coredns", "uid": "coredns"});
    let endpoint = json!({"addresses": ["10.0.0.2"], "conditions": {"ready": true}, "targetRef": server});
    json!({"metadata": {"name": "kube-dns-1"}, "addressType": "IPv4", "endpoints": [endpoint]})
}

fn list(item: Value) -> String {
    json!({"metadata": {"resourceVersion": "1"}, "items": [item]}).to_string()
}

fn kinds(group_version: &str, kinds: &[(&str, &str, bool)]) -> String {
    let verbs = ["create", "delete", "get", "list", "patch", "watch"];
    let resources: Vec<Value> = kinds
        .iter()
        .map(|(name, kind, namespaced)| {
            json!({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs})
        })
        .collect();
    json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources}).to_string()
}
