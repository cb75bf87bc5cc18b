//! A whole run on an existing cluster, with a fault at each request in turn. After the run, or after the next start
//! or `down`, nothing that the run created remains, and nothing else has changed. `STEADFAST_PART=2/8` runs the
//! second eighth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Failed, Trial};
use steadfast_suites::part::Part;

mod fault_trial;
mod fixtures;
mod script;

use fault_trial::{FaultTrial, Next};
use script::{Fault, InjectionPoint};

/// The maximum number of simultaneous runs that use the processor.
const AT_ONCE: usize = 12;

/// The maximum number of simultaneous runs that mostly wait.
const WAITING_AT_ONCE: usize = 48;

/// The faults for requests that only read, and for reviews.
const OF_READS: [Fault; 4] = [Fault::Busy, Fault::Fails, Fault::Reset, Fault::Expires];

/// The faults for requests that may change something.
const OF_WRITES: [Fault; 7] =
    [Fault::Busy, Fault::Fails, Fault::Unavailable, Fault::Reset, Fault::Lost, Fault::Expires, Fault::Away];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, fault_trials: fn(&[InjectionPoint]) -> Vec<FaultTrial>, at_once| {
        Trial::test(format!("faults::{name}"), move || {
            let part = Part::from_environment();
            let fault_trials = fault_trials(&passes()?).into_iter().enumerate().filter(|(index, _)| part.has(*index));
            run_all(&fault_trials.map(|(_, fault_trial)| fault_trial).collect::<Vec<_>>(), at_once)
        })
    };
    vec![
        trial("nothing_is_left_and_nobody_else_is_touched_whichever_request_fails", failures, AT_ONCE),
        trial("nor_whichever_is_never_answered_or_finds_the_token_expired", silences, WAITING_AT_ONCE),
        trial("nor_at_whichever_the_program_is_killed", kills, AT_ONCE),
    ]
}

/// The requests of a run without faults, in order.
fn passes() -> Result<Vec<InjectionPoint>, Failed> {
    let (said, points) = fault_trial::without_a_fault()?;
    if said.code == Some(0) { Ok(points) } else { Err(format!("{:?}\n{}", said.code, said.text).into()) }
}

/// A case for each of these faults at each point. If a request is repeated, its first occurrence gets all faults, and
/// each later one gets the next fault in turn.
fn everywhere<'a>(
    points: impl IntoIterator<Item = &'a InjectionPoint>,
    faults: &[Fault],
    next: Next,
) -> Vec<FaultTrial> {
    let mut later = faults.iter().cycle();
    let of = |point: &InjectionPoint| {
        let faults = if point.turn == 0 { faults } else { later.next().map_or(&[][..], std::slice::from_ref) };
        faults.iter().map(|fault| FaultTrial { point: point.clone(), fault: *fault, next }).collect::<Vec<_>>()
    };
    points.into_iter().flat_map(of).collect()
}

fn failures(points: &[InjectionPoint]) -> Vec<FaultTrial> {
    let (writes, reads): (Vec<&InjectionPoint>, Vec<&InjectionPoint>) = points.iter().partition(|it| it.is_write());
    let creations = writes.iter().copied().filter(|it| it.takes_name());
    let mut fault_trials = everywhere(creations, &[Fault::Taken], Next::Down);
    fault_trials.extend(everywhere(writes, &OF_WRITES, Next::Down));
    // Later requests of these kinds differ only in what they request.
    fault_trials.extend(everywhere(reads.into_iter().filter(|it| it.turn < 2), &OF_READS, Next::Down));
    fault_trials
}

fn silences(points: &[InjectionPoint]) -> Vec<FaultTrial> {
    let first = || points.iter().filter(|it| it.turn == 0);
    let mut fault_trials = everywhere(first().filter(|it| it.makes()), &[Fault::ExpiresForGood], Next::Down);
    fault_trials.extend(everywhere(first().filter(|it| it.is_write()), &[Fault::Stuck], Next::Down));
    fault_trials.extend(everywhere(first(), &[Fault::Hangs], Next::Down));
    fault_trials
}

fn kills(points: &[InjectionPoint]) -> Vec<FaultTrial> {
    let (writes, reads): (Vec<&InjectionPoint>, Vec<&InjectionPoint>) = points.iter().partition(|it| it.is_write());
    let reads = reads.into_iter().filter(|it| it.turn == 0);
    let mut fault_trials = everywhere(writes.iter().copied(), &[Fault::KilledAfter], Next::Run);
    fault_trials.extend(everywhere(writes, &[Fault::Killed, Fault::KilledAfter], Next::Down));
    fault_trials.extend(everywhere(reads, &[Fault::Killed], Next::Down));
    fault_trials
}

/// Runs these cases, some at the same time, and reports every failed case. For each request, at least one case must
/// have reached its fault: the number of requests of a kind may vary, but each kind always occurs.
fn run_all(fault_trials: &[FaultTrial], at_once: usize) -> Result<(), Failed> {
    let next = AtomicUsize::new(0);
    let tried: Mutex<BTreeMap<&str, usize>> = Mutex::default();
    let wrong: Mutex<Vec<String>> = Mutex::default();
    let work = || {
        while let Some(fault_trial) = fault_trials.get(next.fetch_add(1, Ordering::Relaxed)) {
            match fault_trial.run() {
                Ok(true) => *tried.lock().expect("no panic").entry(&fault_trial.point.request).or_default() += 1,
                Ok(false) => {}
                Err(why) => wrong.lock().expect("no panic").push(format!("{fault_trial}: {why}")),
            }
        }
    };
    std::thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(work))));
    let (tried, mut wrong) = (tried.into_inner().expect("no panic"), wrong.into_inner().expect("no panic"));
    let failed = wrong.len();
    let asked = fault_trials
        .iter()
        .filter(|fault_trial| !fault_trial.point.is_watch())
        .map(|fault_trial| fault_trial.point.request.as_str());
    let never: BTreeSet<&str> = asked.filter(|request| !tried.contains_key(request)).collect();
    wrong.extend(never.iter().map(|request| format!("no fault came about at {request}")));
    if wrong.is_empty() {
        let tried: usize = tried.values().sum();
        steadfast::terminal::complain(&format!("{tried} faults tried, left behind 0, others touched 0"));
        return Ok(());
    }
    Err(format!("{failed} of {} faults:\n{}", fault_trials.len(), wrong.join("\n")).into())
}
