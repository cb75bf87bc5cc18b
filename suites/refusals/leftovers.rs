//! `steadfast down` removes what a killed run left on a cluster, and nothing else, whatever the API server does at any
//! request.

use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::apiserver::{ApiServer, Fate, UID, refusal, said};
use super::program::Place;

/// The run with the book.
const RUN: &str = "steadfast-20260105-030000-7f3a55";

/// Kind, API, name and path of the objects in the book, and the run in their label. Two of them belong to somebody
/// else.
const OBJECTS: [(&str, &str, &str, &str, Option<&str>); 5] = [
    ("Namespace", "v1", "shop", "/api/v1/namespaces/shop", Some(RUN)),
    ("Namespace", "v1", "shop-witness", "/api/v1/namespaces/shop-witness", Some(RUN)),
    ("StorageClass", "storage.k8s.io/v1", "fast", "/apis/storage.k8s.io/v1/storageclasses/fast", Some(RUN)),
    ("StorageClass", "storage.k8s.io/v1", "slow", "/apis/storage.k8s.io/v1/storageclasses/slow", None),
    (
        "StorageClass",
        "storage.k8s.io/v1",
        "other",
        "/apis/storage.k8s.io/v1/storageclasses/other",
        Some("steadfast-other"),
    ),
];

/// Means that the connection is closed.
const RESET: u16 = 0;

/// More requests than one call makes.
const REQUESTS: usize = 24;

/// The ways in which an API server fails, and for how many requests in a row.
const FAULTS: [(&str, u16, usize); 10] = [
    ("429", 429, 1),
    ("500", 500, 1),
    ("502", 502, 1),
    ("503", 503, 1),
    ("504", 504, 1),
    ("401", 401, 1),
    ("403", 403, 1),
    ("reset", RESET, 1),
    ("503 for long", 503, 7),
    ("resets", RESET, 4),
];

/// The number of calls at once. They mostly wait.
const AT_ONCE: usize = 6;

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("leftovers::nothing_is_left_and_nobody_else_is_touched_whichever_request_fails", every_fault)]
}

fn every_fault() -> Result<(), Failed> {
    let cases: Vec<_> = (0..REQUESTS).flat_map(|at| FAULTS.map(|fault| (at, fault))).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        while let Some((at, fault)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            removed_in_spite_of(*at, *fault).map_err(|error| format!("{} at request {at}: {error}", fault.0))?;
        }
        Ok(())
    };
    let ended: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    Ok(ended.into_iter().collect::<Result<(), String>>()?)
}

fn removed_in_spite_of(at: usize, (_, status, times): (&str, u16, usize)) -> Result<(), String> {
    let fails = move |number: usize| -> Option<Fate> {
        let now = (at..at + times).contains(&number);
        now.then(|| if status == RESET { Fate::Reset } else { said(refusal(status, "on purpose"), 0) })
    };
    let there = OBJECTS.map(|(kind, _, name, path, run)| (path.to_owned(), object(kind, name, run)));
    let server = ApiServer::start_with(move |number, _| fails(number), there);
    let place = place(&server);
    let call = || {
        let arguments = ["down", "--kubeconfig", "@/config", "--cluster-uid", UID];
        place.call(&arguments, &[("STEADFAST_LAB", "@/lab.json")])
    };
    let mut said = call();
    for _ in 0..times {
        // It may give up if it says so. The next call removes the rest.
        if said.code == 0 || !said.error.starts_with("error: ") {
            break;
        }
        said = call();
    }
    let mut left = server.objects();
    left.sort();
    let others = ["/apis/storage.k8s.io/v1/storageclasses/other", "/apis/storage.k8s.io/v1/storageclasses/slow"];
    let books = std::fs::read_dir(place.path("cache/steadfast/runs/clusters").join(UID)).map_or(0, Iterator::count);
    if said.code == 0 && left == others && books == 0 {
        return Ok(());
    }
    Err(format!("exit code {}, {books} books, left: {left:?}\n{}{}", said.code, said.stdout, said.error))
}

fn object(kind: &str, name: &str, run: Option<&str>) -> Value {
    let labels = run.map_or_else(|| json!({}), |run| json!({"steadfast/run": run}));
    json!({"kind": kind, "metadata": {"name": name, "uid": format!("{kind}-{name}"), "labels": labels}})
}

/// A folder with a kubeconfig for the server, and the book of a run that is not active.
fn place(server: &ApiServer) -> Place {
    let place = Place::of(server);
    let intents =
        OBJECTS.map(|(kind, api_version, name, ..)| json!({"api_version": api_version, "kind": kind, "name": name}));
    let book = json!({
        "run": RUN,
        "cluster": UID,
        "server": server.address,
        "kubeconfig": "/nowhere/config",
        "context": "there",
        "intents": intents,
    });
    place.write(&format!("cache/steadfast/runs/clusters/{UID}/{RUN}.lease"), &book.to_string());
    place
}
