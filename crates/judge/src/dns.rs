//! DNS: names resolve to the current pods, and do not exist once those are gone.
//!
//! Every server is queried over UDP and TCP, from the workload's namespace and from another one. At every checkpoint of
//! a name, each asker's last answer must be right, and no answer may be wrong for longer than the Corefile lets old
//! answers be cached.

mod converge;
mod corefile;
mod follows;
mod lookups;
#[cfg(test)]
mod properties;
mod query;
mod records;
mod servers;
mod sweep;
#[cfg(test)]
mod tests;
mod unready;

use std::collections::BTreeSet;

use serde_json::Value;

use super::assessment::{Assessment, Judged, judged};
use super::case::{Asking, Case, ScaleDown};
use super::minimum::{LOOKUP, Names, Need};
use super::words::{during, seconds};
use super::{CaseFile, Check, Finding};
use crate::evidence::{Checkpoint, Mark, Scenario, SnapshotOf};
use converge::Settled;
use corefile::Budget;
use query::Query;
use servers::Servers;
use sweep::settle;

pub(super) use corefile::lost_of_zone;
pub(super) use follows::NAME_FOLLOWS_THE_POD;
pub(super) use lookups::SHORT_NAMES_RESOLVE;
pub(super) use records::{PTR_POINTS_BACK, SRV_LISTS_EVERY_POD};
pub(super) use unready::UNREADY_POD_LEAVES_DNS;

/// How long after a change, in milliseconds, an old answer about the cluster's names is still right, by this Corefile
/// or without one. A client must keep asking for longer than that.
pub fn dns_budget_ms(corefile: Option<&str>, domain: &str) -> u64 {
    corefile.map_or_else(Budget::usual, |corefile| Budget::of(corefile, domain)).ms
}

/// The same for the names of addresses.
pub fn dns_reverse_budget_ms(corefile: Option<&str>) -> u64 {
    corefile.map_or_else(Budget::usual, Budget::of_addresses).ms
}

/// The cluster's DNS zone by this Corefile; `None` if it does not name one.
pub fn dns_zone(corefile: &str) -> Option<String> {
    corefile::zone(corefile)
}

/// What judging names needs.
struct Zone<'c, 'e> {
    case: &'c Case<'e>,
    budget: Budget,
    servers: Servers,
}

impl<'c, 'e> Zone<'c, 'e> {
    fn of(case: &'c Case<'e>) -> Judged<Self> {
        Self::by(case, |corefile| Budget::of(corefile, &case.subject.domain))
    }

    /// What judging the names of addresses needs.
    fn of_addresses(case: &'c Case<'e>) -> Judged<Self> {
        Self::by(case, Budget::of_addresses)
    }

    fn by(case: &'c Case<'e>, of: impl Fn(&str) -> Budget) -> Judged<Self> {
        Ok(Self { case, budget: budget(case, of)?, servers: Servers::of(case) })
    }
}

/// How long an old answer may be cached, by the Corefile that the run read.
fn budget(case: &Case<'_>, of: impl Fn(&str) -> Budget) -> Judged<Budget> {
    let corefile = case.snapshot(SnapshotOf::Corefile);
    match corefile.as_ref().map(|corefile| &corefile.value) {
        Some(Value::String(text)) => Ok(of(text)),
        Some(Value::Bool(false)) => Ok(Budget::usual()),
        _ => Err(Finding::inconclusive("the Corefile was not read, so the cache time is unknown", [])),
    }
}

/// The results for some names, with their checkpoints.
#[derive(Default)]
struct Told<'e> {
    settled: Vec<Settled>,
    checkpoints: BTreeSet<(usize, &'e Checkpoint)>,
}

impl<'e> Told<'e> {
    fn add(&mut self, asking: &Asking<'e>, settled: Option<Settled>) {
        self.checkpoints.insert((asking.turn, asking.checkpoint));
        self.settled.extend(settled);
    }

    /// The number of checkpoints in words.
    fn when(&self) -> String {
        match self.checkpoints.len() {
            1 => "at 1 checkpoint".to_owned(),
            count => format!("at {count} checkpoints"),
        }
    }
}

/// Judges the answers to a name at one checkpoint, and cites the last one.
fn weigh(zone: &Zone<'_, '_>, assessment: &mut Assessment, asking: &Asking<'_>, query: &Query) -> Option<Settled> {
    let settled = assessment.check(known(zone.case, asking.to).and_then(|()| settle(zone, asking, query)))?;
    assessment.cite(settled.last.iter().max().copied());
    Some(settled)
}

/// Judges the answers to a name at every checkpoint of it. At one of them at least the name must have records.
fn weigh_all<'e>(zone: &Zone<'_, 'e>, assessment: &mut Assessment, query: &Query, told: &mut Told<'e>) {
    let askings = zone.case.askings(&query.name);
    for asking in &askings {
        told.add(asking, weigh(zone, assessment, asking, query));
    }
    let Some(first) = askings.first() else { return assessment.reject(unasked(query)) };
    if !askings.iter().any(|asking| query.leads_somewhere(asking.to)) {
        assessment.reject(nobody_there(&query.name, first.checkpoint, first.to));
    }
}

/// The inconclusive finding about a name that was not queried.
fn unasked(query: &Query) -> Finding {
    Finding::inconclusive(format!("{} of {} was not queried", query.types(), query.name), [])
}

/// The inconclusive finding if no pod was Ready when its name was queried.
fn nobody_there(name: &str, checkpoint: &Checkpoint, seq: u64) -> Finding {
    let reason = format!("no pod that {name} must resolve to was Ready {} (#{seq})", during(checkpoint));
    Finding::inconclusive(reason, [seq])
}

/// The inconclusive finding if the pods' history has a gap, so that the right answer is unknown.
fn known(case: &Case<'_>, asked: u64) -> Judged<()> {
    case.gap("Pod", 0, asked).map_or(Ok(()), Err)
}

/// How often else something was right, as the end of a list.
fn times_besides(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; and once more".to_owned(),
        count => format!("; and {count} more times"),
    }
}

/// The slowest of several names, for the reason of a pass.
fn slowest(settled: &[Settled], budget: &Budget) -> String {
    let limit = format!("the limit is {}: {}", seconds(budget.ms * 1000), budget.why);
    match settled.iter().filter_map(|settled| settled.latency_us).max() {
        Some(latency) => format!("the slowest answer was correct {} after the last change ({limit})", seconds(latency)),
        None => format!("all answers were correct from the first query ({limit})"),
    }
}

pub(super) const SERVICE_RESOLVES_TO_READY_PODS: Check = Check {
    id: "dns::service_resolves_to_ready_pods",
    statement: "The A and AAAA records of the headless Service MUST be exactly the addresses of its ready pods.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.1",
    explain: "\
Clients that can use any server choose it from this answer. A missing address is a server that nobody uses; an extra
address is a connection that fails.
Each CoreDNS pod is queried over UDP and TCP from two namespaces, once all pods are Ready and after each disruption. The
answers are compared as sets with the addresses in the Pod watch. With publishNotReadyAddresses pods need not be Ready.
A must hold the IPv4 addresses and AAAA the IPv6 addresses if the Service has that family. For a family that it does not
have, the name must exist but have no records.
The time from the last change to the first answer that stays correct is reported and compared with the Corefile's limit.
Common causes: the Service has a ClusterIP; or its selector matches no pods, or pods of another workload.",
    scenarios: &[Scenario::Deploy],
    minimum: &[Need::Names(Names::Service)],
    judge: service_resolves_to_ready_pods,
};

fn service_resolves_to_ready_pods(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let (zone, query, mut told) = (Zone::of(case)?, Query::service(case), Told::default());
        weigh_all(&zone, assessment, &query, &mut told);
        let (types, name, when) = (query.types(), &query.name, told.when());
        Ok(format!("{types} of {name} listed exactly the ready pods {when}; {}", slowest(&told.settled, &zone.budget)))
    })
}

pub(super) const EACH_POD_HAS_ITS_NAME: Check = Check {
    id: "dns::each_pod_has_its_name",
    statement: "The A and AAAA records of <pod>.<service>.<namespace>.svc.<domain> MUST be exactly the addresses of \
                that pod.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.1 (hostname) and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
Replicas find their source, and clients find the primary, by this name only.
Each CoreDNS pod is queried over UDP and TCP from two namespaces, once all pods are Ready, after each disruption, and
when a pod joins. The answer must be the pod's address in the Pod watch, for each IP family of the Service. A pod that
does not exist must have no name. In addition, `getent ahosts` resolves each name in the other pods of the set once all
are Ready, because that is the answer the server gets there.
The time from the last change to the first answer that stays correct is reported and compared with the Corefile's limit.
Common causes: spec.serviceName is not the name of the Service; the Service is not headless, or it selects other pods;
or, if only the lookups in pods are wrong, hostAliases in the template map the name to another address.",
    scenarios: &[Scenario::Deploy],
    minimum: &[Need::Names(Names::Pods), Need::Exec(LOOKUP)],
    judge: each_pod_has_its_name,
};

fn each_pod_has_its_name(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let (zone, mut told) = (Zone::of(case)?, Told::default());
        let queries: Vec<Query> = asked_pods(case).iter().map(|pod| Query::pod(case, pod)).collect();
        queries.iter().for_each(|query| weigh_all(&zone, assessment, query, &mut told));
        let when = told.when();
        let whom = lookups::weigh_full_names(&zone, assessment, &mut told.settled);
        let types: BTreeSet<String> = queries.iter().map(Query::types).collect();
        let types = Vec::from_iter(types).join(" and ");
        let (pods, slowest) = (asked_pods(case).join(", "), slowest(&told.settled, &zone.budget));
        Ok(format!("{types} of {pods} resolved to each pod's own address {when}{whom}; {slowest}"))
    })
}

/// The set's pods, and other pods of its names that existed and were queried, such as one that it had for a while.
fn asked_pods(case: &Case<'_>) -> Vec<String> {
    let mut pods: Vec<String> = case.subject.pods().collect();
    let others: BTreeSet<&str> = case.timeline.pods.iter().map(|life| life.name.as_str()).collect();
    let others = others.into_iter().filter(|name| !case.askings(&case.subject.fqdn(name)).is_empty());
    let more: Vec<String> = others.filter(|name| !pods.iter().any(|pod| pod == name)).map(str::to_owned).collect();
    pods.extend(more);
    pods
}

pub(super) const ABSENT_POD_IS_NXDOMAIN: Check = Check {
    id: "dns::absent_pod_is_nxdomain",
    statement: "The DNS name of a pod that was scaled down MUST return NXDOMAIN within the cache time that the \
                Corefile allows.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.1 and \
             https://www.rfc-editor.org/rfc/rfc8020",
    explain: "\
A name that outlives its pod sends clients to an address that a pod of another workload may get next.
After the scale-down, each CoreDNS pod is queried for the names of the removed pods until all answers are NXDOMAIN. The
limit comes from the Corefile and counts from the pod's DELETED event. An empty answer that is not NXDOMAIN is wrong.
Common causes: the Corefile has a long cache time; or somebody maintains Endpoints by hand.",
    scenarios: &[Scenario::Scale],
    minimum: &[Need::Acts],
    judge: absent_pod_is_nxdomain,
};

fn absent_pod_is_nxdomain(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let zone = Zone::of(case)?;
        let Some(ScaleDown { asked, to, .. }) = case.scale_down() else {
            return Err(match case.subject.replicas {
                0 | 1 => Finding::skipped("the set has one pod: no pod can be scaled down"),
                _ => Finding::inconclusive("the set was not scaled down", []),
            });
        };
        let mut texts = Vec::new();
        for pod in case.subject.ordinals().skip(to as usize).map(|ordinal| case.subject.pod(ordinal)) {
            let Some(since) = assessment.check(gone_by(case, &pod, asked)) else { continue };
            let (query, until) = (Query::gone(case, &pod, since), case.next_fault(asked));
            let mut askings = case.askings(&query.name).into_iter().filter(|it| (asked..until).contains(&it.to));
            match askings.next_back() {
                Some(asking) => {
                    texts.extend(weigh(&zone, assessment, &asking, &query).map(|it| format!("{pod} {}", it.after())))
                }
                None => {
                    let when = during(&Checkpoint::ScaledDown);
                    let reason = format!("{} of {} was not queried {when}", query.types(), query.name);
                    assessment.reject(Finding::inconclusive(reason, []));
                }
            }
        }
        let besides = weigh_other_absences(&zone, assessment, asked);
        let limit = format!("{}: {}", seconds(zone.budget.ms * 1000), zone.budget.why);
        Ok(format!("NXDOMAIN: {}{besides} ({limit})", texts.join(", ")))
    })
}

/// Judges every query for the name of a gone pod, except those after that scale-down.
fn weigh_other_absences(zone: &Zone<'_, '_>, assessment: &mut Assessment, scale_down: u64) -> String {
    let (case, mut count) = (zone.case, 0);
    let after = scale_down..case.next_fault(scale_down);
    for pod in asked_pods(case) {
        for asking in case.askings(&case.subject.fqdn(&pod)).iter().filter(|it| !after.contains(&it.to)) {
            let last = case.timeline.lives(&pod).rfind(|life| life.added.seq <= asking.to);
            let gone = last.and_then(|life| life.deleted).filter(|gone| gone.seq <= asking.to);
            if let Some(since) = gone {
                count += usize::from(weigh(zone, assessment, asking, &Query::gone(case, &pod, since)).is_some());
            }
        }
    }
    times_besides(count)
}

/// When a pod was gone in a scale-down: from then on its name must not exist.
fn gone_by(case: &Case<'_>, pod: &str, asked: u64) -> Judged<Mark> {
    let until = case.next_fault(asked);
    let life = case.timeline.pod_at(pod, asked);
    let gone = life.and_then(|life| life.deleted).filter(|mark| (asked..until).contains(&mark.seq));
    gone.ok_or_else(|| Finding::inconclusive(format!("{pod} was not seen to be gone after the scale-down"), [asked]))
}
