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
    statement: "After a pod was created again its name MUST lead to the new address within the time for which the \
                Corefile lets answers be cached.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
A name that still leads to the old address sends replicas and clients to nobody, or to a stranger.
After each deletion, with a grace period or without, and after each disruption that took pods away, the pod's name is
asked for until every CoreDNS pod gives the new address everywhere. The limit is read from the Corefile: 2 s where the
cache is off for the cluster's zone, as kubeadm sets it now, or else the cache's time and 5 s; it is counted from the
new pod's Ready. An answer counts as late when it was wrong and its question was sent after that.
Usually wrong: the Corefile caches for long; or CoreDNS has lost its watch of the API server.",
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
        Ok(format!("names led to the new pods: {}{besides} ({limit})", texts.join(", ")))
    })
}

fn unasked_after(query: &Query, checkpoint: &Checkpoint) -> Finding {
    let (types, name, when) = (query.types(), &query.name, during(checkpoint));
    Finding::inconclusive(format!("{types} of {name} was not asked for {when}: by anybody"), [])
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
