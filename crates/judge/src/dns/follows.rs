//! A name follows its pod: it resolves to the pod that has the name now, whatever deleted the last one.

use super::query::Query;
use super::{Zone, asked_pods, nobody_there, times_besides, weigh};
use crate::assessment::{Assessment, judged};
use crate::case::Asking;
use crate::evidence::{Checkpoint, Scenario};
use crate::minimum::{Names, Need};
use crate::words::{during, seconds};
use crate::{CaseFile, Check, Finding};

pub(crate) const NAME_FOLLOWS_THE_POD: Check = Check {
    id: "dns::name_follows_the_pod",
    statement: "After a pod is recreated, its DNS name MUST resolve to the new IP address within the cache time that \
                the Corefile allows.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
If the name still resolves to the old address, replicas and clients connect to nothing, or to another workload.
The pod's name is queried after each deletion, with or without a grace period, and after each disruption that removed
pods, until each CoreDNS pod returns the new address everywhere. The limit comes from the Corefile: 2 s if the cache is
off for the cluster's zone, as kubeadm now configures it, otherwise the cache time plus 5 s. It counts from when the new
pod is Ready. An answer is late if it was wrong and its query was sent after the limit.
Common causes: the Corefile has a long cache time; or CoreDNS has lost its watch on the API server.",
    scenarios: &[Scenario::Restart],
    minimum: &[Need::Acts, Need::Names(Names::Pods)],
    judge: name_follows_the_pod,
};

fn name_follows_the_pod(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let zone = Zone::of(case)?;
        let returned = case.weigh_deletions(assessment, |deletion| {
            case.successor(deletion)?;
            Ok((deletion.pod, deletion.manner(), deletion.after(), deletion.asked.seq..deletion.until))
        });
        let (mut texts, mut judged) = (Vec::new(), Vec::new());
        for (pod, manner, after, within) in returned {
            let (query, askings) = (Query::pod(case, pod), case.askings(&case.subject.fqdn(pod)));
            let asking = askings.into_iter().rfind(|asking| within.contains(&asking.to));
            let Some(asking) = assessment.check(asking.ok_or_else(|| unasked_after(&query, &after))) else { continue };
            judged.push((pod, asking));
            if !query.leads_somewhere(asking.to) {
                assessment.reject(nobody_there(&query.name, asking.checkpoint, asking.to));
            } else if let Some(settled) = weigh(&zone, assessment, &asking, &query) {
                let how = if manner.is_empty() { String::new() } else { format!(", deleted{manner},") };
                texts.push(format!("{pod}{how} {}", settled.after()));
            }
        }
        let besides = weigh_other_returns(&zone, assessment, &judged);
        let limit = format!("{}: {}", seconds(zone.budget.ms * 1000), zone.budget.why);
        Ok(format!("names resolved to the new pods: {}{besides} ({limit})", texts.join(", ")))
    })
}

fn unasked_after(query: &Query, checkpoint: &Checkpoint) -> Finding {
    let (types, name, when) = (query.types(), &query.name, during(checkpoint));
    Finding::inconclusive(format!("{types} of {name} was not queried {when}"), [])
}

/// Judges all other queries for a pod's name after the pod was created again.
fn weigh_other_returns(zone: &Zone<'_, '_>, assessment: &mut Assessment, judged: &[(&str, Asking<'_>)]) -> String {
    let (case, mut count) = (zone.case, 0);
    for pod in asked_pods(case) {
        let query = Query::pod(case, &pod);
        let known = |asking: &Asking<'_>| judged.iter().any(|(of, known)| *of == pod && known == asking);
        for asking in case.askings(&query.name).iter().filter(|asking| !known(asking)) {
            let again = case.timeline.lives(&pod).filter(|life| life.added.seq <= asking.to).count() > 1;
            if again && query.leads_somewhere(asking.to) {
                count += usize::from(weigh(zone, assessment, asking, &query).is_some());
            }
        }
    }
    times_besides(count)
}
