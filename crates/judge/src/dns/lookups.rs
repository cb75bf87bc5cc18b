//! Lookups inside the pods: what the server there gets, with the search list and the hosts file of its resolver.

use std::net::IpAddr;

use super::converge::{Expected, Heard, Said, Settled, converged};
use super::query::{Data, Query, list};
use super::{Zone, known, nobody_there, slowest};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, Seen};
use crate::evidence::{Checkpoint, Exec, ExecAnswer, Family, RESOLVER, Scenario};
use crate::minimum::{LOOKUP, Need};
use crate::words::during;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

/// The checkpoint at which every pod looks the others up.
const CHECKPOINT: Checkpoint = Checkpoint::Deployed;

pub(crate) const SHORT_NAMES_RESOLVE: Check = Check {
    id: "dns::short_names_resolve",
    statement: "The short name <pod>.<service> MUST resolve to the pod's address when another pod of the set looks it \
                up.",
    source: "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#namespaces-of-services and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
Configuration inside the namespace uses short server names, such as mysql-0.mysql-h. The search list completes them.
Once all pods are Ready, `getent ahosts` resolves each pod's short name in every other pod of the set. A pod's own name
is not used, because it is in the pod's hosts file. In a set of one pod the Service's name is resolved instead. The
result must be exactly the addresses in the Pod watch. The last lookup counts, within the Corefile's limit as for
queries to CoreDNS. Addresses are compared for the Service's IP families; both are compared only if both are found,
because a resolver may omit one. If the image has no program `getent`, only the search list in /etc/resolv.conf is
judged.
Common causes: dnsPolicy is Default; the pods use the host's network without ClusterFirstWithHostNet; or dnsConfig
replaces the search list.",
    scenarios: &[Scenario::Deploy],
    minimum: &[Need::Exec(LOOKUP)],
    judge: short_names_resolve,
};

fn short_names_resolve(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let zone = Zone::of(case)?;
        let mut settled = Vec::new();
        if let [alone] = &case.subject.pods().collect::<Vec<_>>()[..] {
            let (name, query) = (&case.subject.service, Query::service(case));
            settled.extend(weigh_lookup(&zone, assessment, alone, name, &query));
            let found = if goes_by_search_list(case) { "resolves through the search list" } else { "was resolved" };
            return Ok(format!("{name} {found} in {alone}; {}", slowest(&settled, &zone.budget)));
        }
        for pod in case.subject.pods() {
            let (name, query) = (case.subject.short_name(&pod), Query::pod(case, &pod));
            settled.extend(weigh_lookups(&zone, assessment, &pod, &name, &query));
        }
        let names: Vec<_> = case.subject.pods().map(|pod| case.subject.short_name(&pod)).collect();
        let found = if goes_by_search_list(case) { "resolve through the search list" } else { "were resolved" };
        Ok(format!("{} {found} in every other pod; {}", names.join(", "), slowest(&settled, &zone.budget)))
    })
}

/// Whether the image has no lookup program, so that the run read the resolver's configuration instead.
fn goes_by_search_list(case: &Case<'_>) -> bool {
    case.execs().any(|exec| exec.checkpoint == CHECKPOINT && exec.argv == RESOLVER)
}

/// Judges the lookups of the full names, if the run made any, and returns words for the reason of a pass: DNS may be
/// right and yet be masked by the hosts file.
pub(super) fn weigh_full_names(
    zone: &Zone<'_, '_>,
    assessment: &mut Assessment,
    settled: &mut Vec<Settled>,
) -> &'static str {
    let case = zone.case;
    let any = case.execs().any(|exec| exec.checkpoint == CHECKPOINT && looked_up(&exec).is_some());
    // A search list says nothing about a fully qualified name.
    if !any || case.subject.replicas < 2 || goes_by_search_list(case) {
        return "";
    }
    for pod in case.subject.pods() {
        let query = Query::pod(case, &pod);
        settled.extend(weigh_lookups(zone, assessment, &pod, &query.name, &query));
    }
    ", and when the pods looked them up"
}

/// Judges the lookups of a pod's name in every other pod.
fn weigh_lookups(
    zone: &Zone<'_, '_>,
    assessment: &mut Assessment,
    pod: &str,
    name: &str,
    query: &Query,
) -> Vec<Settled> {
    let others = zone.case.subject.pods().filter(|from| from != pod);
    others.filter_map(|from| weigh_lookup(zone, assessment, &from, name, query)).collect()
}

/// Judges the lookups of a name in one pod.
fn weigh_lookup(
    zone: &Zone<'_, '_>,
    assessment: &mut Assessment,
    from: &str,
    name: &str,
    query: &Query,
) -> Option<Settled> {
    let settled = assessment.check(lookup(zone, from, name, query))?;
    assessment.cite(settled.last.iter().copied());
    Some(settled)
}

fn lookup(zone: &Zone<'_, '_>, from: &str, name: &str, query: &Query) -> Judged<Settled> {
    let case = zone.case;
    let same = |exec: &Seen<'_, Exec>| exec.checkpoint == CHECKPOINT && looked_up(exec) == Some(name);
    let lookups: Vec<_> = case.execs_in(from).filter(same).collect();
    let question = format!("`getent ahosts {name}` in {from}");
    let Some(last) = lookups.last() else {
        return Err(Finding::inconclusive(format!("{question} was not run {}", during(&CHECKPOINT)), []));
    };
    known(case, last.mark.seq)?;
    if !query.leads_somewhere(last.mark.seq) {
        return Err(nobody_there(name, &CHECKPOINT, last.mark.seq));
    }
    if last.answer.lacks_program()
        && let Some((seq, search)) = search_list(case, from)
    {
        return by_search_list(from, name, query, seq, &search);
    }
    let mut settled = Settled { latency_us: None, last: Vec::new() };
    for family in compared(case, last) {
        let heard: Vec<Heard> = lookups.iter().map(|exec| heard(*exec, family)).collect();
        let truth = query.records.iter().find(|(record_type, _)| *record_type == family.record_type());
        let Some((_, truth)) = truth else { continue };
        let expected = Expected { truth, rule: &query.rule, new_since: None, clocks: case.clocks };
        let one = converged(&question, &heard, &expected, &zone.budget)?;
        settled.latency_us = settled.latency_us.max(one.latency_us);
        settled.last = one.last;
    }
    Ok(settled)
}

/// The search domains of a pod's resolver, and the record that shows them; the last `search` line counts.
fn search_list<'a>(case: &Case<'a>, from: &str) -> Option<(u64, Vec<&'a str>)> {
    let told = case.execs_in(from).rfind(|exec| exec.checkpoint == CHECKPOINT && exec.argv == RESOLVER)?;
    let ExecAnswer::Exited { code: 0, stdout, .. } = &told.it.answer else { return None };
    let line = stdout.lines().filter_map(|line| line.strip_prefix("search")).next_back().unwrap_or_default();
    Some((told.mark.seq, line.split_whitespace().collect()))
}

/// Judges whether a resolver with this search list completes a name to the one that DNS serves.
fn by_search_list(from: &str, name: &str, query: &Query, seq: u64, search: &[&str]) -> Judged<Settled> {
    let completed = search.iter().map(|domain| format!("{name}.{}", domain.trim_end_matches('.')));
    if std::iter::once(name.to_owned()).chain(completed).any(|full| full == query.name) {
        return Ok(Settled { latency_us: None, last: vec![seq] });
    }
    let search = if search.is_empty() { "it is empty".to_owned() } else { search.join(", ") };
    let reason = format!("the search list of {from} does not complete {name} to {}: {search} (#{seq})", query.name);
    Err(Finding::fail(reason, [seq]))
}

/// The families to compare: those of the Service that the last lookup found, or all if it found none.
fn compared(case: &Case<'_>, last: &Seen<'_, Exec>) -> Vec<Family> {
    let families = case.timeline.families();
    let found = |family: &&Family| match heard(*last, **family).said {
        Ok(said) => !said.data.is_empty(),
        Err(_) => false,
    };
    let some: Vec<Family> = families.iter().filter(found).copied().collect();
    if some.is_empty() { families } else { some }
}

/// The name that a command looks up, if it is a lookup.
fn looked_up(exec: &Exec) -> Option<&str> {
    match &exec.argv[..] {
        [getent, ahosts, name] if (getent.as_str(), ahosts.as_str()) == ("getent", "ahosts") => Some(name),
        _ => None,
    }
}

/// The result of a lookup, limited to a family (<https://man7.org/linux/man-pages/man1/getent.1.html>).
fn heard(exec: Seen<'_, Exec>, family: Family) -> Heard {
    let said = match &exec.it.answer {
        ExecAnswer::Exited { code: 0, stdout, .. } => {
            let all: Data =
                stdout.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
            let words = if all.is_empty() { "nothing".to_owned() } else { list(&all) };
            let addresses = all.iter().filter_map(|address| address.parse::<IpAddr>().ok());
            let data = addresses.filter(|it| Family::of(*it) == family).map(|it| it.to_string()).collect();
            Ok(Said { exists: Some(true), data, words })
        }
        ExecAnswer::Exited { code: 2, .. } => {
            Ok(Said { exists: Some(false), data: Data::new(), words: "no such name".to_owned() })
        }
        // The exit codes of a shell or a runtime for a missing program.
        ExecAnswer::Exited { code: 126 | 127, stderr, .. } => Err(format!("there is no program `getent`: {stderr}")),
        ExecAnswer::Exited { code, stderr, .. } => Err(format!("it failed with exit code {code}: {stderr}")),
        ExecAnswer::Broken { message } => Err(message.clone()),
    };
    Heard { mark: exec.mark, took_us: exec.it.took_us, said }
}
