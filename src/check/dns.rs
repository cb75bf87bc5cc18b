//! DNS: names lead to the pods that bear them, and to nothing once those are gone.
//!
//! Every server is asked, over UDP and TCP, from the workload's namespace and from another one. The last answer of each
//! asker must be right, and no answer may be wrong for longer than the Corefile lets old answers live.

mod converge;
mod corefile;
mod lookups;
#[cfg(test)]
mod properties;
mod query;
mod records;
mod sweep;
#[cfg(test)]
mod tests;
mod unready;

use std::collections::HashMap;

use crate::evidence::{Change, Evidence, Mark, Moment, SnapshotOf};

use super::{
    Check, Finding,
    case::{Case, ScaleDown},
    minimum::{LOOKUP, Names, Need},
    opinion::{Judged, Opinion, judged},
    words::{during, seconds},
};
use converge::Settled;
use corefile::Budget;
use query::{Data, Query, Truth};
use sweep::settle;

pub(super) use corefile::lost_of_zone;
pub(super) use lookups::SHORT_NAMES_RESOLVE;
pub(super) use records::{PTR_POINTS_BACK, SRV_LISTS_EVERY_POD};
pub(super) use unready::UNREADY_POD_LEAVES_DNS;

/// For how many milliseconds after a change an old answer about the cluster's names is still right, by this Corefile:
/// whoever asks DNS must go on asking for longer.
pub fn dns_budget_ms(corefile: &str, domain: &str) -> u64 {
    Budget::of(corefile, domain).ms
}

/// The cluster's DNS zone, by this Corefile; none where it does not say.
pub fn dns_zone(corefile: &str) -> Option<String> {
    corefile::zone(corefile)
}

/// The moments at which all names are asked for.
static SWEEPS: [Moment; 2] = [Moment::Deployed, Moment::ScaledUp];

/// How long an old answer may live, by the Corefile that was read.
fn budget(case: &Case<'_>) -> Judged<Budget> {
    let corefile = case.snapshot(SnapshotOf::Corefile);
    let text = corefile.as_ref().and_then(|corefile| corefile.value.as_str());
    text.map(|text| Budget::of(text, &case.subject.domain)).ok_or_else(|| {
        Finding::inconclusive("the Corefile was not read, so nobody knows for how long an old answer may live", [])
    })
}

/// When a name was asked for: at a moment, and between two records where that comes again.
#[derive(Clone, Copy)]
struct When<'a> {
    moment: &'a Moment,
    from: u64,
    to: u64,
}

impl<'a> From<&'a Moment> for When<'a> {
    fn from(moment: &'a Moment) -> Self {
        Self { moment, from: 0, to: u64::MAX }
    }
}

/// Judges the answers to a name, and remembers the last ones.
fn weigh<'a>(
    case: &Case<'_>,
    opinion: &mut Opinion,
    when: impl Into<When<'a>>,
    query: &Query,
    budget: &Budget,
) -> Option<Settled> {
    let when = when.into();
    let known = known(case, last_asked(case, when));
    let settled = opinion.weigh(known.and_then(|()| settle(case, when, query, budget)))?;
    opinion.prove(settled.last.iter().copied());
    Some(settled)
}

/// The same for a name that must lead somewhere.
fn weigh_present<'a>(
    case: &Case<'_>,
    opinion: &mut Opinion,
    when: impl Into<When<'a>>,
    query: &Query,
    budget: &Budget,
) -> Option<Settled> {
    let when = when.into();
    opinion.weigh(present(&query.name, &query.truth, when.moment, last_asked(case, when)))?;
    weigh(case, opinion, when, query, budget)
}

/// When a name was asked for last.
fn last_asked(case: &Case<'_>, When { moment, from, to }: When<'_>) -> Option<Mark> {
    case.dns_at(moment, from, to).next_back().map(|dns| dns.mark)
}

/// Where the pods' own history has a gap nobody knows what would have been right.
fn known(case: &Case<'_>, asked: Option<Mark>) -> Judged<()> {
    asked.and_then(|asked| case.gap("Pod", 0, asked.seq)).map_or(Ok(()), Err)
}

/// Where no pod was Ready when its name was asked for, nothing can be said.
fn present(name: &str, truth: &Truth, moment: &Moment, asked: Option<Mark>) -> Judged<()> {
    let Some(Mark { seq, .. }) = asked else { return Ok(()) };
    if query::at(truth, seq).is_some_and(|now| !now.value.is_empty()) {
        return Ok(());
    }
    let reason = format!("no pod that {name} must lead to was Ready {} (#{seq})", during(moment));
    Err(Finding::inconclusive(reason, [seq]))
}

/// The slowest of several names, for the reason of a pass.
fn slowest(settled: &[Settled], budget: &Budget) -> String {
    let limit = format!("the budget is {}: {}", seconds(budget.ms * 1000), budget.why);
    match settled.iter().filter_map(|settled| settled.latency_us).max() {
        Some(latency) => format!("the slowest was right {} after the last change ({limit})", seconds(latency)),
        None => format!("all were right from the first question ({limit})"),
    }
}

fn was_asked(case: &Case<'_>, moment: &Moment, record_type: &str) -> bool {
    case.dns_at(moment, 0, u64::MAX).any(|dns| dns.record_type == record_type)
}

/// Of these moments the first one, at which every run asks, and those others to which the run came.
fn sweeps(case: &Case<'_>, moments: &'static [Moment], record_type: &str) -> impl Iterator<Item = &'static Moment> {
    moments.iter().filter(move |moment| **moment == Moment::Deployed || was_asked(case, moment, record_type))
}

pub(super) const SERVICE_RESOLVES_TO_READY_PODS: Check = Check {
    id: "dns::service_resolves_to_ready_pods",
    statement: "A of the headless Service MUST be exactly the set of the addresses of its ready pods.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.1",
    explain: "\
Clients that take any server take it from this answer: a missing address is a server that nobody uses, one too many is
a connection that fails.
Asked of every CoreDNS pod, over UDP and TCP, from two namespaces, once all pods are Ready and after each scaling.
Sets are compared with the addresses in the Pod watch; with publishNotReadyAddresses pods need not be Ready.
The time from the last change to the first answer that stays right is reported and held to the Corefile's budget.
Usually wrong: the Service has a ClusterIP, or its selector matches no pod or pods of somebody else's.",
    scenarios: &["deploy"],
    minimum: &[Need::Names(Names::Service)],
    judge: service_resolves_to_ready_pods,
};

fn service_resolves_to_ready_pods(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let query = Query::service(case);
        let mut settled = Vec::new();
        for moment in sweeps(case, &[Moment::Deployed, Moment::ScaledDown, Moment::ScaledUp], "A") {
            settled.extend(weigh_present(case, opinion, moment, &query, &budget));
        }
        Ok(format!("A of {} was the set of the ready pods; {}", query.name, slowest(&settled, &budget)))
    })
}

pub(super) const EACH_POD_HAS_ITS_NAME: Check = Check {
    id: "dns::each_pod_has_its_name",
    statement: "A of <pod>.<service>.<namespace>.svc.<domain> MUST be the address of that pod and no other.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.1 (hostname) and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
Replicas find their source, and clients the primary, by this name alone.
Asked of every CoreDNS pod, over UDP and TCP, from two namespaces, once all pods are Ready and after scaling up; the
answer must be the one address that the Pod watch shows. Besides, `getent ahosts` looks each name up in the other pods
of the set, once all are Ready: that is what the server there will be told.
The time from the last change to the first answer that stays right is reported and held to the Corefile's budget.
Usually wrong: spec.serviceName is not the name of the Service, the Service is not headless, or it selects other pods;
or, where only the lookups are wrong, hostAliases in the template give the name another address.",
    scenarios: &["deploy"],
    minimum: &[Need::Names(Names::Pods), Need::Exec(LOOKUP)],
    judge: each_pod_has_its_name,
};

fn each_pod_has_its_name(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let mut settled = Vec::new();
        for pod in case.subject.pods() {
            let query = Query::pod(case, &pod);
            for moment in sweeps(case, &SWEEPS, "A") {
                settled.extend(weigh_present(case, opinion, moment, &query, &budget));
            }
        }
        let whom = lookups::weigh_full_names(case, opinion, &budget, &mut settled);
        let pods: Vec<_> = case.subject.pods().collect();
        Ok(format!("A of {} led to each pod's own address{whom}; {}", pods.join(", "), slowest(&settled, &budget)))
    })
}

pub(super) const NAME_FOLLOWS_THE_POD: Check = Check {
    id: "dns::name_follows_the_pod",
    statement: "After a pod was created again its name MUST lead to the new address within the time for which the \
                Corefile lets answers be cached.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
A name that still leads to the old address sends replicas and clients to nobody, or to a stranger.
After each deletion, with a grace period or without, the pod's name is asked for until every CoreDNS pod gives the new
address everywhere. The limit is read from the Corefile: 2 s where the cache is off for the cluster's zone, as kubeadm
sets it now, or else the cache's time and 5 s; it is counted from the new pod's Ready. An answer counts as late when it
was wrong and its question was sent after that.
Usually wrong: the Corefile caches for long; or CoreDNS has lost its watch of the API server.",
    scenarios: &["restart"],
    minimum: &[Need::Acts, Need::Names(Names::Pods)],
    judge: name_follows_the_pod,
};

fn name_follows_the_pod(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let returned = case.weigh_deletions(opinion, |deletion| {
            case.successor(deletion)?;
            Ok((deletion.pod, deletion.killed, deletion.after(), deletion.asked.seq, deletion.until))
        });
        let queries: HashMap<String, Query> =
            case.subject.pods().map(|pod| (pod.clone(), Query::pod(case, &pod))).collect();
        let mut texts = Vec::new();
        for (pod, killed, moment, from, to) in returned {
            let Some(query) = queries.get(pod) else { continue };
            if let Some(settled) = weigh_present(case, opinion, When { moment: &moment, from, to }, query, &budget) {
                let how = if killed { ", deleted without grace," } else { "" };
                texts.push(format!("{pod}{how} {}", settled.after()));
            }
        }
        Ok(format!("names led to the new pods: {} ({}: {})", texts.join(", "), seconds(budget.ms * 1000), budget.why))
    })
}

pub(super) const ABSENT_POD_IS_NXDOMAIN: Check = Check {
    id: "dns::absent_pod_is_nxdomain",
    statement: "The name of an ordinal that is gone MUST be NXDOMAIN within the time for which the Corefile lets \
                answers be cached.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4.1 and \
             https://www.rfc-editor.org/rfc/rfc8020",
    explain: "\
A name that outlives its pod sends clients to an address that the next pod of somebody else may get.
After the scale-down the names of the pods that went are asked for, of every CoreDNS pod, until all say NXDOMAIN. The
limit is the Corefile's, counted from the pod's DELETED event. An answer without records but without NXDOMAIN is wrong.
Usually wrong: the Corefile caches for long; or somebody keeps Endpoints by hand.",
    scenarios: &["scale"],
    minimum: &[Need::Acts],
    judge: absent_pod_is_nxdomain,
};

fn absent_pod_is_nxdomain(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let Some(ScaleDown { asked, to, .. }) = case.scale_down() else {
            return Err(match case.subject.replicas {
                0 | 1 => Finding::skipped("the set has one pod: no ordinal can go"),
                _ => Finding::inconclusive("the set was not scaled down", []),
            });
        };
        let mut texts = Vec::new();
        for pod in case.subject.ordinals().skip(to as usize).map(|ordinal| case.subject.pod(ordinal)) {
            let Some(truth) = opinion.weigh(gone_by(case, &pod, asked)) else { continue };
            let query = Query { truth, ..Query::pod(case, &pod) };
            if let Some(settled) = weigh(case, opinion, &Moment::ScaledDown, &query, &budget) {
                texts.push(format!("{pod} {}", settled.after()));
            }
        }
        Ok(format!("NXDOMAIN: {} ({}: {})", texts.join(", "), seconds(budget.ms * 1000), budget.why))
    })
}

/// The truth about a pod that went in a scale-down: its name must not exist any more.
fn gone_by(case: &Case<'_>, pod: &str, asked: u64) -> Judged<Truth> {
    let until = case.next_fault(asked);
    let life = case.timeline.pod_at(pod, asked);
    let gone = life.and_then(|life| life.deleted).filter(|mark| (asked..until).contains(&mark.seq));
    gone.map(|since| vec![Change { since, value: Data::new() }])
        .ok_or_else(|| Finding::inconclusive(format!("{pod} was not seen to go in the scale-down"), [asked]))
}
