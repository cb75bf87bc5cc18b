//! DNS: names lead to the pods that bear them, and to nothing once those are gone.
//!
//! Every server is asked, over UDP and TCP, from the workload's namespace and from another one. The last answer of each
//! asker must be right, and no answer may be wrong for longer than the Corefile lets old answers live.

mod corefile;
mod sweep;

#[cfg(test)]
mod tests;

use crate::evidence::{Change, Evidence, Moment, SnapshotOf};

use super::{
    Check, Finding,
    case::{Case, ScaleDown},
    opinion::{Judged, Opinion, judged},
    words::{during, seconds},
};
use corefile::Budget;
use sweep::{Addresses, Settled, Truth, settle, truth};

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
const SWEEPS: [Moment; 2] = [Moment::Deployed, Moment::ScaledUp];

/// How long an old answer may live, by the Corefile that was read.
fn budget(case: &Case<'_>) -> Judged<Budget> {
    let corefile = case.snapshot(SnapshotOf::Corefile);
    let text = corefile.as_ref().and_then(|corefile| corefile.value.as_str());
    text.map(|text| Budget::of(text, &case.subject.domain)).ok_or_else(|| {
        Finding::inconclusive("the Corefile was not read, so nobody knows for how long an old answer may live", [])
    })
}

/// Judges the answers to a name, and remembers the last ones. Where the pods' own history has a gap nobody knows what
/// would have been right.
fn weigh(
    case: &Case<'_>,
    opinion: &mut Opinion,
    moment: &Moment,
    name: &str,
    truth: &Truth,
    budget: &Budget,
) -> Option<Settled> {
    let asked = case.dns().filter(|dns| dns.moment == *moment).last();
    let gap = asked.and_then(|last| case.gap("Pod", 0, last.mark.seq));
    let settled = gap.map_or_else(|| settle(case, moment, name, truth, budget), Err);
    let settled = opinion.weigh(settled)?;
    opinion.prove(settled.last.iter().copied());
    Some(settled)
}

/// The same for a name that must lead somewhere: where no pod was Ready when it was asked for, nothing can be said.
fn weigh_present(
    case: &Case<'_>,
    opinion: &mut Opinion,
    moment: &Moment,
    name: &str,
    truth: &Truth,
    budget: &Budget,
) -> Option<Settled> {
    if let Some(last) = case.dns().filter(|dns| dns.moment == *moment).last() {
        let now = truth.iter().rev().find(|change| change.since.seq <= last.mark.seq);
        if now.is_none_or(|now| now.value.is_empty()) {
            let seq = last.mark.seq;
            let reason = format!("no pod that {name} must lead to was Ready {} (#{seq})", during(moment));
            opinion.object(Finding::inconclusive(reason, [seq]));
            return None;
        }
    }
    weigh(case, opinion, moment, name, truth, budget)
}

/// The slowest of several names, for the reason of a pass.
fn slowest(settled: &[Settled], budget: &Budget) -> String {
    let limit = format!("the budget is {}: {}", seconds(budget.ms * 1000), budget.why);
    match settled.iter().filter_map(|settled| settled.latency_us).max() {
        Some(latency) => format!("the slowest was right {} after the last change ({limit})", seconds(latency)),
        None => format!("all were right from the first question ({limit})"),
    }
}

/// The addresses that a pod's own name must have, change by change.
fn truth_of(case: &Case<'_>, pod: &str) -> Truth {
    truth(case, case.timeline.pods.iter().filter(|life| life.name == pod))
}

fn was_asked(case: &Case<'_>, moment: &Moment) -> bool {
    case.dns().any(|dns| dns.moment == *moment)
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
    judge: service_resolves_to_ready_pods,
};

fn service_resolves_to_ready_pods(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let name = case.subject.service_fqdn();
        let truth = truth(case, case.timeline.pods.iter());
        let mut settled = Vec::new();
        for moment in [Moment::Deployed, Moment::ScaledDown, Moment::ScaledUp] {
            if moment == Moment::Deployed || was_asked(case, &moment) {
                settled.extend(weigh_present(case, opinion, &moment, &name, &truth, &budget));
            }
        }
        Ok(format!("A of {name} was the set of the ready pods; {}", slowest(&settled, &budget)))
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
answer must be the one address that the Pod watch shows.
The time from the last change to the first answer that stays right is reported and held to the Corefile's budget.
Usually wrong: spec.serviceName is not the name of the Service, the Service is not headless, or it selects other pods.",
    scenarios: &["deploy"],
    judge: each_pod_has_its_name,
};

fn each_pod_has_its_name(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let mut settled = Vec::new();
        for pod in case.subject.pods() {
            let (name, truth) = (case.subject.fqdn(&pod), truth_of(case, &pod));
            for moment in SWEEPS.iter().filter(|moment| **moment == Moment::Deployed || was_asked(case, moment)) {
                settled.extend(weigh_present(case, opinion, moment, &name, &truth, &budget));
            }
        }
        let pods: Vec<_> = case.subject.pods().collect();
        Ok(format!("A of {} led to each pod's own address; {}", pods.join(", "), slowest(&settled, &budget)))
    })
}

pub(super) const NAME_FOLLOWS_THE_POD: Check = Check {
    id: "dns::name_follows_the_pod",
    statement: "After a pod was created again its name MUST lead to the new address within the time for which the \
                Corefile lets answers be cached.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
A name that still leads to the old address sends replicas and clients to nobody, or to a stranger.
After each deletion the pod's name is asked for until every CoreDNS pod gives the new address everywhere. The limit is
read from the Corefile: 2 s where the cache is off for the cluster's zone, as kubeadm sets it now, or else the cache's
time and 5 s; it is counted from the new pod's Ready. An answer counts as late when it was wrong and sent after that.
Usually wrong: the Corefile caches for long; or CoreDNS has lost its watch of the API server.",
    scenarios: &["restart"],
    judge: name_follows_the_pod,
};

fn name_follows_the_pod(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let budget = budget(case)?;
        let returned = case.weigh_deletions(opinion, |deletion| {
            case.successor(deletion)?;
            Ok((deletion.pod, deletion.after()))
        });
        let mut texts = Vec::new();
        for (pod, moment) in returned {
            let (name, truth) = (case.subject.fqdn(pod), truth_of(case, pod));
            if let Some(settled) = weigh_present(case, opinion, &moment, &name, &truth, &budget) {
                texts.push(format!("{pod} {}", settled.after()));
            }
        }
        Ok(format!("names led to the new pods: {} ({}: {})", texts.join(", "), seconds(budget.ms * 1000), budget.why))
    })
}

impl Settled {
    fn after(&self) -> String {
        self.latency_us.map_or("from the first question".to_owned(), |latency| format!("after {}", seconds(latency)))
    }
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
            let Some(gone) = opinion.weigh(gone_by(case, &pod, asked)) else { continue };
            let name = case.subject.fqdn(&pod);
            if let Some(settled) = weigh(case, opinion, &Moment::ScaledDown, &name, &gone, &budget) {
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
    let gone = life.and_then(|life| life.deleted).filter(|mark| mark.seq < until);
    gone.map(|since| vec![Change { since, value: Addresses::new() }])
        .ok_or_else(|| Finding::inconclusive(format!("{pod} was not seen to go in the scale-down"), [asked]))
}
