//! A pod that is not Ready has no names, unless its Service publishes unready addresses.

use super::converge::Settled;
use super::query::Query;
use super::{Zone, weigh};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Acted, Case};
use crate::evidence::{Act, Checkpoint, Scenario};
use crate::minimum::Need;
use crate::words::{during, seconds};
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const UNREADY_POD_LEAVES_DNS: Check = Check {
    id: "dns::unready_pod_leaves_dns",
    statement: "While a pod is not Ready, its stable name MUST return NXDOMAIN and the Service's A and AAAA records \
                MUST NOT list its addresses. With publishNotReadyAddresses both MUST stay.",
    source: "https://github.com/kubernetes/dns/blob/master/docs/specification.md sections 2.1 (ready) and 2.4.1",
    explain: "\
Readiness is the only way to take a server out of service. Clients that still find it send queries that it cannot
answer.
A pod is held unready by an image that cannot start. Meanwhile each CoreDNS pod is queried for the pod's name and the
Service's name, over UDP and TCP, from two namespaces, until all answers are correct. The Service must still list
exactly the other pods. The limit comes from the Corefile and counts from the record that shows the pod is not Ready.
With publishNotReadyAddresses, which replicas may need to find a source that is starting, nothing may change.
Common causes: publishNotReadyAddresses on the cluster differs from the manifest; the Corefile has a long cache time; or
somebody maintains EndpointSlices by hand.",
    scenarios: &[Scenario::Unready],
    minimum: &[Need::Acts],
    judge: unready_pod_leaves_dns,
};

fn unready_pod_leaves_dns(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let zone = Zone::of(case)?;
        let (begin, end) = case.span(Scenario::Unready);
        let mut holds = case.acts(|act| matches!(act, Act::Hold { .. }));
        holds.retain(|hold| (begin..=end).contains(&hold.asked.seq));
        if holds.is_empty() {
            return Err(Finding::inconclusive("no pod was held unready", []));
        }
        let service = Query::service(case);
        let texts = holds.iter().filter_map(|hold| weigh_hold(&zone, assessment, hold, &service));
        let texts: Vec<String> = texts.collect();
        let limit = format!("{}: {}", seconds(zone.budget.ms * 1000), zone.budget.why);
        Ok(format!("{} ({limit})", texts.join("; ")))
    })
}

/// Judges the answers while a pod was held, and returns words for the reason of a pass.
fn weigh_hold(zone: &Zone<'_, '_>, assessment: &mut Assessment, hold: &Acted<'_>, service: &Query) -> Option<String> {
    let (case, Act::Hold { pod, .. }) = (zone.case, hold.act) else { return None };
    let proved = assessment.check(proved(pod, hold))?;
    let own = weigh_name(zone, assessment, pod, hold, &Query::pod(case, pod));
    let service = weigh_name(zone, assessment, pod, hold, service);
    let (own, service) = (own?, service?);
    for settled in [&own, &service] {
        assessment.check(while_held(case, pod, proved, settled))?;
    }
    assessment.cite([proved]);
    Some(match case.subject.publish_not_ready {
        true => format!("{pod}, held unready, kept its name and stayed in the Service"),
        false => {
            format!("{pod}, held unready, was NXDOMAIN {} and not in the Service {}", own.after(), service.after())
        }
    })
}

/// Judges the answers to a name while a pod was held, until the next act.
fn weigh_name(
    zone: &Zone<'_, '_>,
    assessment: &mut Assessment,
    pod: &str,
    hold: &Acted<'_>,
    query: &Query,
) -> Option<Settled> {
    let (checkpoint, until) = (Checkpoint::Held { pod: pod.to_owned() }, zone.case.next_fault(hold.asked.seq));
    let mut askings = zone.case.askings(&query.name);
    askings.retain(|asking| *asking.checkpoint == checkpoint && (hold.asked.seq..until).contains(&asking.to));
    if askings.is_empty() {
        let (types, name, when) = (query.types(), &query.name, during(&checkpoint));
        let reason = format!("{types} of {name} was not queried {when}");
        assessment.reject(Finding::inconclusive(reason, []));
    }
    askings.iter().filter_map(|asking| weigh(zone, assessment, asking, query)).last()
}

/// The record that proves that a pod was held.
fn proved(pod: &str, hold: &Acted<'_>) -> Judged<u64> {
    let (asked, proof) = (hold.asked.seq, hold.proved.and_then(|(_, by)| by.last().copied()));
    proof.ok_or_else(|| {
        Finding::inconclusive(format!("{pod} was to be held unready (#{asked}) but was not seen unready"), [asked])
    })
}

/// Checks that each answer that counts came after the proof and while the pod was unready.
fn while_held(case: &Case<'_>, pod: &str, proved: u64, settled: &Settled) -> Judged<()> {
    let ready = |seq: u64| case.timeline.pod_at(pod, seq).is_none_or(|life| life.ready_at(seq));
    match settled.last.iter().find(|seq| !(proved..).contains(*seq) || ready(**seq)) {
        Some(seq) => Err(Finding::inconclusive(
            format!("{pod} was not unready when its name was queried (#{seq})"),
            [*seq, proved],
        )),
        None => Ok(()),
    }
}
