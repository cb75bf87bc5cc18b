//! Runs one case: a run with the fault, the next start or `down`, and the checks afterwards.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::fixtures::{NAMESPACE, WORKLOAD, others};
use super::script::{Fault, InjectionPoint, Script, points};
use crate::apiserver::{ApiServer, UID};
use crate::program::Place;

/// The time limit of a run. A run that exceeds it hangs.
const ENDS_WITHIN: Duration = Duration::from_secs(600);

/// How often to check whether the program has ended. Nothing announces the end of another process.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How long the cluster may take to remove a volume after its claim.
const COLLECTED_WITHIN: Duration = Duration::from_secs(5);

/// What happens after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Down,
    Run,
}

/// A fault at a point, and what happens afterwards.
pub(super) struct FaultTrial {
    pub point: InjectionPoint,
    pub fault: Fault,
    pub next: Next,
}

impl fmt::Display for FaultTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}, then {:?}", self.fault, self.point, self.next)
    }
}

/// How a run ended.
pub(super) struct Said {
    /// `None` if it was killed.
    pub code: Option<i32>,
    /// Its output.
    pub text: String,
}

/// A run without faults, and its requests.
pub(super) fn without_a_fault() -> Result<(Said, Vec<InjectionPoint>), String> {
    let server = ApiServer::start(|_| None, others());
    let place = place(&server);
    let (_keep, never) = mpsc::channel();
    let said = run(&place, &never)?;
    is_clean(&server, &place, &said.text)?;
    Ok((said, points(&server.requests())))
}

impl FaultTrial {
    /// Runs the case. Returns whether the request with the fault occurred.
    pub(super) fn run(&self) -> Result<bool, String> {
        let (kill, killed) = mpsc::channel();
        let script = Arc::new(Script::new(self.point.clone(), self.fault, kill));
        let here = script.clone();
        let server = ApiServer::start_with(move |_, request| here.fate(request), others());
        let place = place(&server);
        let said = run(&place, &killed)?;
        script.heal();
        // A client that is told when to retry must retry.
        if self.fault == Fault::Busy && said.code != Some(0) {
            return Err(format!("it ended with {:?}\n{}", said.code, said.text));
        }
        if said.code.is_some() && told(&at_rest(&server), &place, &said)? {
            return is_clean(&server, &place, &said.text).map(|()| script.has_occurred());
        }
        let next = match self.next {
            Next::Down => place.call(&["down", "--kubeconfig", "@/config", "--cluster-uid", UID], &[LAB]),
            Next::Run => place.call(&arguments(), &[LAB]),
        };
        let text = format!("{}\nthen: {}{}{}", said.text, next.stdout, next.progress, next.error);
        if next.code != 0 {
            return Err(format!("who came next ended with {}\n{text}", next.code));
        }
        is_clean(&server, &place, &text)?;
        Ok(script.has_occurred())
    }
}

const LAB: (&str, &str) = ("STEADFAST_LAB", "@/lab.json");

fn arguments() -> Vec<&'static str> {
    let run = ["run", "no_deadlock_on_failed_predecessor", "--manifests", "@/db.yaml", "--kubeconfig", "@/config"];
    let there = ["--cluster-uid", UID, "--witness-image", "registry.example/witness", "--namespace", NAMESPACE];
    [&run[..], &there, &["--allow-disruption", "--timeout-scale", "0.3"]].concat()
}

fn place(server: &ApiServer) -> Place {
    let place = Place::of(server);
    place.write("db.yaml", WORKLOAD);
    place
}

/// Runs until the program ends, or until the script kills it.
fn run(place: &Place, killed: &Receiver<()>) -> Result<Said, String> {
    let [out, err] = ["stdout", "stderr"].map(|name| place.path(name));
    let file = |path| File::create(path).map_err(|error| error.to_string());
    let mut program = place.program(&arguments(), &[LAB]);
    let mut child = program.stdout(file(&out)?).stderr(file(&err)?).spawn().map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let mut ended = None;
    while ended.is_none() {
        let is_late = begun.elapsed() > ENDS_WITHIN;
        if killed.recv_timeout(LOOK_AGAIN_AFTER).is_ok() || is_late {
            child.kill().map_err(|error| error.to_string())?;
        }
        ended = child.try_wait().map_err(|error| error.to_string())?;
        if is_late {
            let text = std::fs::read_to_string(&err).unwrap_or_default();
            return Err(format!("it did not end within {ENDS_WITHIN:?}\n{text}"));
        }
    }
    let text = [&out, &err].map(|path| std::fs::read_to_string(path).unwrap_or_default()).concat();
    Ok(Said { code: ended.and_then(|status| status.code()), text })
}

/// The objects that remain after the cluster has removed what it removes by itself.
fn at_rest(server: &ApiServer) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let left = server.made();
        let collects = left.iter().any(|path| path.contains("/persistentvolumes/"));
        if !collects || begun.elapsed() > COLLECTED_WITHIN {
            return left;
        }
        std::thread::sleep(LOOK_AGAIN_AFTER);
    }
}

/// Whether a run left nothing. A run that left something, or may have left something, must name it and the command
/// that removes it, and must not exit with success.
fn told(left: &[String], place: &Place, said: &Said) -> Result<bool, String> {
    // A run with a book does not know that nothing remains.
    if left.is_empty() && books(place) == 0 {
        return Ok(true);
    }
    let file = place.path("config").display().to_string();
    let command = format!("remove them with: steadfast down --kubeconfig {file} --context there --cluster-uid {UID}");
    // Objects in a namespace, and their volumes, are deleted with the namespace.
    let is_told = |path: &String| match path.rsplit_once('/') {
        Some(("/api/v1/namespaces", name)) => said.text.contains(&format!("Namespace {name} (")),
        Some(("/apis/storage.k8s.io/v1/storageclasses", name)) => said.text.contains(&format!("StorageClass {name} (")),
        _ => true,
    };
    if said.code != Some(0) && said.text.contains(&command) && left.iter().all(is_told) {
        return Ok(false);
    }
    Err(format!("it ended with {:?} and does not tell that this is left: {left:?}\n{}", said.code, said.text))
}

fn books(place: &Place) -> usize {
    std::fs::read_dir(place.path("cache/steadfast/runs/clusters").join(UID)).map_or(0, Iterator::count)
}

/// Checks that nothing remains, and that nothing else was changed.
fn is_clean(server: &ApiServer, place: &Place, text: &str) -> Result<(), String> {
    let (left, touched, books) = (at_rest(server), server.touched(), books(place));
    if left.is_empty() && touched.is_empty() && books == 0 {
        return Ok(());
    }
    Err(format!("{books} books; left: {left:?}; touched: {touched:?}\n{text}"))
}
