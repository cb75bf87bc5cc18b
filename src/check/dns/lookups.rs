//! Lookups in the pods themselves: what the server there is told, with its resolver's search list and its hosts file.

use crate::evidence::{Evidence, Exec, ExecAnswer, Moment};

use super::{
    super::{
        Check, Finding,
        case::{Case, Seen},
        minimum::{LOOKUP, Need},
        opinion::{Judged, Opinion, judged},
        words::during,
    },
    budget,
    converge::{Heard, Said, Settled, converged, list},
    corefile::Budget,
    known, present,
    query::{Data, Query},
    slowest,
};

#[cfg(test)]
mod tests;

/// When every pod looks the others up.
const MOMENT: Moment = Moment::Deployed;

pub(in super::super) const SHORT_NAMES_RESOLVE: Check = Check {
    id: "dns::short_names_resolve",
    statement: "The short name <pod>.<service> MUST lead to the pod's address when another pod of the set looks it up.",
    source: "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#namespaces-of-services and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
Configuration within the namespace names its servers shortly, as in mysql-0.mysql-h: the search list completes that.
Once all pods are Ready, `getent ahosts` looks up each pod's short name in every other pod of the set: its own name
stands in its hosts file. In a set of one pod the Service's name is looked up. The addresses found must be exactly
those in the Pod watch, and the last lookup counts, within the Corefile's budget as for questions to CoreDNS.
Of a dual-stack pod only addresses of the family of its first one are compared.
Usually wrong: dnsPolicy is Default, or the pods are on the host's network without ClusterFirstWithHostNet, or dnsConfig
replaces the search list. An image without the program `getent` leaves the question open.",
    scenarios: &["deploy"],
    minimum: &[Need::Exec(LOOKUP)],
    judge: short_names_resolve,
};

fn short_names_resolve(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let mut settled = Vec::new();
        if let [alone] = &case.subject.pods().collect::<Vec<_>>()[..] {
            let (name, query) = (&case.subject.service, Query::service(case));
            settled.extend(weigh_lookup(case, opinion, alone, name, &query, &budget));
            return Ok(format!("{name} was found in {alone}; {}", slowest(&settled, &budget)));
        }
        for pod in case.subject.pods() {
            let (name, query) = (case.subject.short_name(&pod), Query::pod(case, &pod));
            settled.extend(weigh_lookups(case, opinion, &pod, &name, &query, &budget));
        }
        let names: Vec<_> = case.subject.pods().map(|pod| case.subject.short_name(&pod)).collect();
        Ok(format!("{} were found in every other pod; {}", names.join(", "), slowest(&settled, &budget)))
    })
}

/// Judges the lookups of the full names, where the run had anything looked up, and says so for the reason of a
/// pass: DNS may be right and yet be masked by the hosts file.
pub(super) fn weigh_full_names(
    case: &Case<'_>,
    opinion: &mut Opinion,
    budget: &Budget,
    settled: &mut Vec<Settled>,
) -> &'static str {
    let any = case.execs().any(|exec| exec.moment == MOMENT && looked_up(&exec).is_some());
    if !any || case.subject.replicas < 2 {
        return "";
    }
    for pod in case.subject.pods() {
        let query = Query::pod(case, &pod);
        settled.extend(weigh_lookups(case, opinion, &pod, &query.name, &query, budget));
    }
    ", and when the pods looked them up"
}

/// Judges the lookups of a pod's name in every other pod.
fn weigh_lookups(
    case: &Case<'_>,
    opinion: &mut Opinion,
    pod: &str,
    name: &str,
    query: &Query,
    budget: &Budget,
) -> Vec<Settled> {
    let others = case.subject.pods().filter(|from| from != pod);
    others.filter_map(|from| weigh_lookup(case, opinion, &from, name, query, budget)).collect()
}

/// Judges the lookups of a name in one pod.
fn weigh_lookup(
    case: &Case<'_>,
    opinion: &mut Opinion,
    from: &str,
    name: &str,
    query: &Query,
    budget: &Budget,
) -> Option<Settled> {
    let settled = opinion.weigh(lookup(case, from, name, query, budget))?;
    opinion.prove(settled.last.iter().copied());
    Some(settled)
}

fn lookup(case: &Case<'_>, from: &str, name: &str, query: &Query, budget: &Budget) -> Judged<Settled> {
    let same = |exec: &Seen<'_, Exec>| exec.moment == MOMENT && looked_up(exec) == Some(name);
    let six = query.truth.iter().flat_map(|change| &change.value).any(|address| is_six(address));
    let heard: Vec<Heard> = case.execs_in(from).filter(same).map(|exec| heard(exec, six)).collect();
    let question = format!("`getent ahosts {name}` in {from}");
    let Some(last) = heard.last().map(|heard| heard.mark) else {
        return Err(Finding::inconclusive(format!("{question} was not run {}", during(&MOMENT)), []));
    };
    known(case, Some(last))?;
    present(name, &query.truth, &MOMENT, Some(last))?;
    converged(&question, &heard, query, budget)
}

/// The name that a command looks up, if it does.
fn looked_up(exec: &Exec) -> Option<&str> {
    match &exec.argv[..] {
        [getent, ahosts, name] if (getent.as_str(), ahosts.as_str()) == ("getent", "ahosts") => Some(name),
        _ => None,
    }
}

/// What a lookup came to (<https://man7.org/linux/man-pages/man1/getent.1.html>).
fn heard(exec: Seen<'_, Exec>, six: bool) -> Heard {
    let said = match &exec.it.answer {
        ExecAnswer::Exited { code: 0, stdout, .. } => {
            let all: Data =
                stdout.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
            let words = if all.is_empty() { "nothing".to_owned() } else { list(&all) };
            let data = all.into_iter().filter(|address| is_six(address) == six).collect();
            Ok(Said { exists: Some(true), data, words })
        }
        ExecAnswer::Exited { code: 2, .. } => {
            Ok(Said { exists: Some(false), data: Data::new(), words: "no such name".to_owned() })
        }
        // A shell's or a runtime's words for a program that is not in the image.
        ExecAnswer::Exited { code: 126 | 127, stderr, .. } => Err(format!("there is no program `getent`: {stderr}")),
        ExecAnswer::Exited { code, stderr, .. } => Err(format!("it failed with exit code {code}: {stderr}")),
        ExecAnswer::Broken { message } => Err(message.clone()),
    };
    Heard { mark: exec.mark, took_us: exec.it.took_us, said }
}

fn is_six(address: &str) -> bool {
    address.contains(':')
}
