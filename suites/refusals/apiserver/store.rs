//! The store of a small cluster. As in an API server, every object has a UID, every change has a version, and watches
//! see every change.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Answer, Request, refusal};

/// How often a watch checks whether its time is up.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Objects by path, and all their events.
pub(super) struct Store {
    state: Mutex<State>,
    changed: Condvar,
}

/// The current state.
#[derive(Default)]
pub(super) struct State {
    pub objects: BTreeMap<String, Value>,
    /// The initial objects, unchanged. They include the cluster's own objects.
    before: BTreeMap<String, Value>,
    own: BTreeSet<String>,
    version: u64,
    changes: Vec<Change>,
    pub closed: bool,
}

struct Change {
    version: u64,
    what: &'static str,
    path: String,
    object: Value,
}

/// A namespace.
pub(crate) fn namespace(name: &str, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": uid}})
}

/// The path of an object's collection, and the object's name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The namespace of an object, from its path.
fn namespace_of(path: &str) -> Option<&str> {
    let (name, rest) = path.split_once("/namespaces/")?.1.split_once('/')?;
    (!rest.is_empty()).then_some(name)
}

/// Whether a path is a collection: all objects of a kind, with or without a namespace.
fn is_collection(path: &str) -> bool {
    let names: Vec<&str> = path.split('/').collect();
    let of_api = if path.starts_with("/api/") { 3 } else { 4 };
    matches!(names.get(of_api..), Some([_] | ["namespaces", _, _]))
}

impl Store {
    /// A store with the cluster's own objects, and others.
    pub(super) fn new(own: Vec<(String, Value)>, others: impl IntoIterator<Item = (String, Value)>) -> Self {
        let mut state = State { own: own.iter().map(|(path, _)| path.clone()).collect(), ..State::default() };
        for (path, object) in own.into_iter().chain(others) {
            state.put("ADDED", &path, object);
        }
        state.before = state.objects.clone();
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the store")
    }

    /// Wakes waiting threads after a change.
    pub(super) fn tell(&self) {
        self.changed.notify_all();
    }

    /// Waits until something may have changed.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, LOOK_AGAIN_AFTER).expect("the store").0
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.tell();
    }

    pub(super) fn beside_its_own(&self) -> Vec<String> {
        let state = self.lock();
        state.objects.keys().filter(|path| !state.own.contains(*path)).cloned().collect()
    }

    pub(super) fn made(&self) -> Vec<String> {
        let state = self.lock();
        state.objects.keys().filter(|path| !state.before.contains_key(*path)).cloned().collect()
    }

    /// The initial objects that have changed.
    pub(super) fn changed(&self) -> Vec<String> {
        let state = self.lock();
        let changed = state.before.iter().filter(|(path, was)| state.objects.get(*path) != Some(was));
        changed.map(|(path, _)| format!("changed or gone: {path}")).collect()
    }

    /// Whether a path belongs to an initial object.
    pub(super) fn is_others(&self, path: &str) -> bool {
        self.lock().before.keys().any(|other| path == other || path.starts_with(&format!("{other}/")))
    }

    /// Creates another client's object with the name of the object that is about to be created.
    pub(super) fn take_name(&self, collection: &str, body: &Value) {
        let mut state = self.lock();
        let path = format!("{collection}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
        let metadata = json!({"name": body["metadata"]["name"]});
        state.put("ADDED", &path, json!({"kind": body["kind"], "metadata": metadata, "provisioner": "another"}));
        let there = state.objects[&path].clone();
        state.before.insert(path, there);
        self.tell();
    }

    /// The object, or the list of selected objects.
    pub(super) fn get(&self, request: &Request) -> Answer {
        let state = self.lock();
        if let Some(object) = state.objects.get(&request.path) {
            return (200, object.to_string());
        }
        if !is_collection(&request.path) {
            return refusal(404, "not found");
        }
        let items: Vec<&Value> =
            state.objects.iter().filter(|(path, it)| is_chosen(request, path, it)).map(|(_, it)| it).collect();
        (200, json!({"metadata": {"resourceVersion": state.version.to_string()}, "items": items}).to_string())
    }

    pub(super) fn create(&self, collection: &str, body: &Value) -> Answer {
        let mut state = self.lock();
        let path = format!("{collection}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
        if state.objects.contains_key(&path) {
            return refusal(409, &format!("{path} already exists"));
        }
        let answer = state.make(&path, body.clone(), 201);
        self.tell();
        answer
    }

    /// Merges into an existing object or creates it, as a server-side apply does.
    pub(super) fn patch(&self, path: &str, body: &Value) -> Answer {
        let mut state = self.lock();
        let answer = match state.objects.get(path).cloned() {
            None => state.make(path, body.clone(), 201),
            Some(there) if body.pointer("/metadata/uid").is_some_and(|uid| *uid != there["metadata"]["uid"]) => {
                refusal(409, "the UID in the patch is another one")
            }
            Some(there) => {
                let mut merged = there.clone();
                merge(&mut merged, body);
                if merged["spec"] != there["spec"] {
                    let generation = there["metadata"]["generation"].as_u64().unwrap_or(1) + 1;
                    merged["metadata"]["generation"] = json!(generation);
                }
                if merged != there {
                    state.put("MODIFIED", path, merged);
                }
                (200, state.objects[path].to_string())
            }
        };
        self.tell();
        answer
    }

    /// Deletes the object at a path, unless it has another UID than requested. Namespaces and pods are deleted later.
    pub(super) fn delete(&self, path: &str, options: &Value) -> Answer {
        let mut state = self.lock();
        let Some(there) = state.objects.get(path).cloned() else { return refusal(404, "not found") };
        match options.pointer("/preconditions/uid") {
            Some(uid) if *uid != there["metadata"]["uid"] => {
                return refusal(409, "the UID in the precondition is another one");
            }
            _ => state.end(path),
        }
        self.tell();
        (200, there.to_string())
    }

    /// Sends the changes since a version until the time is up or the client has gone.
    pub(super) fn watch(&self, request: &Request, mut stream: TcpStream) -> std::io::Result<()> {
        let number = |name| request.parameter(name).and_then(|it| it.parse::<u64>().ok());
        let mut told = number("resourceVersion").unwrap_or_default();
        let end = Instant::now() + Duration::from_secs(number("timeoutSeconds").unwrap_or(300));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")?;
        let mut state = self.lock();
        while !state.closed && Instant::now() < end {
            let news = state.changes.iter().filter(|it| it.version > told);
            let news = news.filter(|it| is_chosen(request, &it.path, &it.object));
            let lines: String = news.map(|it| format!("{}\n", json!({"type": it.what, "object": it.object}))).collect();
            told = state.version;
            if lines.is_empty() {
                state = self.wait(state);
                continue;
            }
            drop(state);
            stream.write_all(lines.as_bytes())?;
            state = self.lock();
        }
        Ok(())
    }
}

impl State {
    /// Stores an object as a new version.
    pub(super) fn put(&mut self, what: &'static str, path: &str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        if what == "DELETED" {
            self.objects.remove(path);
        } else {
            self.objects.insert(path.to_owned(), object.clone());
        }
        self.changes.push(Change { version: self.version, what, path: path.to_owned(), object });
    }

    /// Creates an object, if its namespace exists and is not being deleted.
    pub(super) fn make(&mut self, path: &str, mut object: Value, code: u16) -> Answer {
        if let Some(namespace) = namespace_of(path) {
            match self.objects.get(&format!("/api/v1/namespaces/{namespace}")) {
                None => return refusal(404, &format!("namespaces \"{namespace}\" not found")),
                Some(there) if is_ending(there) => {
                    return refusal(403, &format!("the namespace {namespace} is being terminated"));
                }
                Some(_) => object["metadata"]["namespace"] = json!(namespace),
            }
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("uid");
            metadata.insert("generation".to_owned(), json!(1));
            metadata.insert("creationTimestamp".to_owned(), json!("2026-01-05T03:00:00Z"));
        }
        self.put("ADDED", path, object);
        (code, self.objects[path].to_string())
    }

    /// Deletes the object at a path, or begins its deletion.
    pub(super) fn end(&mut self, path: &str) {
        let Some(mut object) = self.objects.get(path).cloned() else { return };
        let later = ["Namespace", "Pod"].iter().any(|kind| object["kind"] == *kind);
        if !later {
            self.put("DELETED", path, object);
        } else if !is_ending(&object) {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-05T03:00:01Z");
            self.put("MODIFIED", path, object);
        }
    }

    /// The paths of objects that clients created, or that the cluster created for them.
    pub(super) fn made_of(&self, kind: &str) -> Vec<String> {
        let made = self.objects.iter().filter(|(path, it)| it["kind"] == kind && !self.before.contains_key(*path));
        made.map(|(path, _)| path.clone()).collect()
    }
}

/// Whether an object is being deleted.
pub(super) fn is_ending(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// Whether a list or watch request selects this object.
fn is_chosen(request: &Request, path: &str, object: &Value) -> bool {
    let words = |name| request.parameter(name).into_iter().flat_map(|it| it.split(',')).filter(|it| !it.is_empty());
    let labels = &object["metadata"]["labels"];
    let labelled = words("labelSelector").all(|word| match word.split_once('=') {
        Some((label, value)) => labels[label] == value.trim_start_matches('='),
        None => !labels[word].is_null(),
    });
    let named = words("fieldSelector").all(|word| match word.split_once('=') {
        Some(("metadata.name", name)) => object["metadata"]["name"] == name,
        _ => true,
    });
    split(path).0 == request.path && labelled && named
}

/// Merges a patch: objects by field, lists of named items by name.
fn merge(there: &mut Value, patch: &Value) {
    match (there, patch) {
        (Value::Object(there), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(there.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(there), Value::Array(patch)) if patch.iter().all(|it| it["name"].is_string()) => {
            for value in patch {
                match there.iter_mut().find(|it| it["name"] == value["name"]) {
                    Some(known) => merge(known, value),
                    None => there.push(value.clone()),
                }
            }
        }
        (there, patch) => there.clone_from(patch),
    }
}
