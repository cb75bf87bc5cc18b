//! What is wrong with a single state, whatever came before: something is not Ready, or several sources of the cluster
//! contradict each other.

use std::collections::BTreeSet;

use super::compare::Class;
use crate::evidence::{EndpointSummary, Family, PodSummary, State, Subject};

/// A defect of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Defect {
    /// The defect, as a sentence.
    pub what: String,
    /// Wrong, or open if it is uncertain.
    pub class: Class,
}

/// All defects of a state.
pub(super) fn defects(subject: &Subject, state: &State) -> Vec<Defect> {
    let wrong = |what: String| Defect { what, class: Class::Wrong };
    let known = pods(subject, state).chain(cluster(subject, state)).chain(storage(state)).chain(endpoints(state));
    known.map(wrong).chain(servers(subject, state)).collect()
}

/// The defects of the set's pods.
pub(super) fn pods<'a>(subject: &'a Subject, state: &'a State) -> impl Iterator<Item = String> + 'a {
    let missing = |name: &String| state.pods.iter().all(|pod| pod.name != *name);
    let missing = subject.pods().filter(missing).map(|name| format!("{name} does not exist"));
    let unready = state.pods.iter().filter(|pod| !pod.ready || pod.phase != "Running").map(|pod| {
        let place = pod.node.as_ref().map_or("on no node".to_owned(), |node| format!("on {node}"));
        let ready = if pod.ready { "Ready" } else { "not Ready" };
        format!("{} is {}, {ready}, {place}", pod.name, pod.phase)
    });
    missing.chain(unready)
}

fn cluster<'a>(subject: &Subject, state: &'a State) -> impl Iterator<Item = String> + use<'a> {
    let set = &state.set;
    let nodes =
        state.nodes.iter().filter(|node| !node.ready).map(|node| format!("the node {} is not Ready", node.name));
    let not_seen = set.observed_generation != set.generation;
    let not_seen = not_seen.then(|| "the set's controller has not observed the current set".to_owned());
    let few =
        |what: &str, count: i64| (count < set.replicas).then(|| format!("{count} of {} pods are {what}", set.replicas));
    // With minReadySeconds a pod may not be available yet.
    let available = if subject.min_ready_seconds == 0 { few("available", set.available) } else { None };
    let counts = few("counted as Ready", set.ready).into_iter().chain(available);
    let dns = (state.dns.ready < state.dns.wanted)
        .then(|| format!("{} of {} DNS servers are Ready", state.dns.ready, state.dns.wanted));
    let components = state.control_plane.iter().filter(|it| !it.ready);
    let components = components.map(|it| format!("{} on {} is not Ready", it.component, it.node));
    nodes.chain(not_seen).chain(counts).chain(dns).chain(components)
}

fn storage(state: &State) -> impl Iterator<Item = String> + '_ {
    let loose = |phase: &str| phase != "Bound";
    let claims = state.claims.iter().filter(move |it| loose(&it.phase));
    let claims = claims.map(|it| format!("the claim {} is {}", it.name, it.phase));
    let volumes = state.volumes.iter().filter(move |it| loose(&it.phase));
    claims.chain(volumes.map(|it| format!("the volume {} is {}", it.name, it.phase)))
}

/// Contradictions between EndpointSlices, the Endpoints object and the pods about which pods are ready.
fn endpoints(state: &State) -> impl Iterator<Item = String> + '_ {
    let of_pods = state.pods.iter().flat_map(|pod| of_pod(state, pod));
    of_pods.chain(stale(state)).chain(legacy(state))
}

/// Whether an endpoint is this pod's, by UID, or by address if somebody wrote it by hand.
fn is_of(endpoint: &EndpointSummary, pod: &PodSummary) -> bool {
    match &endpoint.pod_uid {
        Some(uid) => *uid == pod.uid,
        None => pod.addresses().any(|address| address == endpoint.address),
    }
}

fn of_pod<'a>(state: &'a State, pod: &'a PodSummary) -> impl Iterator<Item = String> + 'a {
    let name = &pod.name;
    let own: Vec<&EndpointSummary> = state.endpoints.iter().filter(|endpoint| is_of(endpoint, pod)).collect();
    let listed = pod.ready || state.service.publish_not_ready;
    let missing = own.is_empty() && listed;
    let missing = missing.then(|| format!("{name} is in no EndpointSlice but must be"));
    let of_family = |endpoint: &EndpointSummary| {
        let six = endpoint.address.contains(':');
        pod.addresses().find(|address| address.contains(':') == six)
    };
    let wrong = own.into_iter().filter_map(move |endpoint| {
        let is = |word: bool| if word { "ready" } else { "not ready" };
        match of_family(endpoint) {
            _ if endpoint.ready != listed => {
                let state = if pod.ready { "Ready" } else { "not Ready" };
                Some(format!("{name} is {state}, and its endpoint is {}", is(endpoint.ready)))
            }
            _ if endpoint.serving != pod.ready || endpoint.terminating => {
                let (serving, terminating) = (endpoint.serving, endpoint.terminating);
                Some(format!("the endpoint of {name} is serving: {serving}, terminating: {terminating}"))
            }
            Some(address) if endpoint.address != *address => {
                Some(format!("{name} has {address}, and its endpoint {}", endpoint.address))
            }
            _ => None,
        }
    });
    missing.into_iter().chain(wrong)
}

/// Endpoints with the name of a pod that belong to another one, such as its predecessor.
fn stale(state: &State) -> impl Iterator<Item = String> + '_ {
    let namesake = |endpoint: &&EndpointSummary| {
        let pod = state.pods.iter().find(|pod| endpoint.hostname.as_ref() == Some(&pod.name));
        pod.is_some_and(|pod| !is_of(endpoint, pod))
    };
    let stale = state.endpoints.iter().filter(namesake);
    stale.map(|it| format!("the endpoint {} is not a current pod", it.address))
}

/// Addresses that are ready in the Endpoints object and not in the slices, or vice versa. The Endpoints object only has
/// addresses of the Service's first family, so others are not expected in it.
fn legacy(state: &State) -> Vec<String> {
    let Some(legacy) = &state.legacy_endpoints else { return Vec::new() };
    let in_slices: BTreeSet<&str> =
        state.endpoints.iter().filter(|it| it.ready).map(|it| it.address.as_str()).collect();
    let first = state.families().first().copied();
    let of_family = |address: &&str| address.parse().ok().map(Family::of) == first;
    let of_pods = state.pods.iter().flat_map(PodSummary::addresses);
    let of_pods = of_pods.filter(|it| in_slices.contains(it)).filter(of_family);
    let all: BTreeSet<&str> = legacy.ready.union(&legacy.not_ready).map(String::as_str).chain(of_pods).collect();
    let differ = all.into_iter().filter(|address| legacy.ready.contains(*address) != in_slices.contains(address));
    let words = |ready: bool| if ready { "ready" } else { "not ready" };
    differ
        .map(|address| {
            let (older, newer) = (words(legacy.ready.contains(address)), words(in_slices.contains(address)));
            format!("{address} is {older} in the Endpoints object and {newer} in the EndpointSlices")
        })
        .collect()
}

/// What could not be read from the servers.
fn servers<'a>(subject: &'a Subject, state: &'a State) -> impl Iterator<Item = Defect> + 'a {
    let read = |name: &String| state.servers.iter().any(|server| server.pod == *name);
    let unread = subject.pods().filter(move |name| !read(name)).map(|name| {
        let what = format!("the server of {name} was not queried");
        Defect { what, class: Class::Open }
    });
    let troubled = state.servers.iter().filter_map(|server| {
        let what = format!("the server of {} {}", server.pod, server.trouble.as_ref()?);
        let class = if server.was_not_asked() { Class::Open } else { Class::Wrong };
        Some(Defect { what, class })
    });
    unread.chain(troubled)
}
