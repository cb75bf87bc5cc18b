//! Lookups inside the workload's pods: the result of the pod's own resolver, with its search list and hosts file.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::context::Context;
use super::names::{ASK_AGAIN_AFTER, SLACK};
use crate::evidence::{Checkpoint, ExecAnswer, Family, RESOLVER, Timeline};

/// A name to look up in one pod.
struct Lookup {
    from: String,
    name: String,
    /// The pod whose name it is; `None` for the Service.
    of: Option<String>,
}

impl Context {
    /// Looks up every pod from every other pod, by full and short name, until the answers are right, or until the
    /// budget and some slack have passed. Pods do not look up themselves, because a pod's own name is in its hosts
    /// file. A single pod looks up the Service. If the image has no program for lookups, the resolver's configuration
    /// is read instead.
    pub(crate) async fn look_up(&self, checkpoint: &Checkpoint) {
        let subject = &self.workload.subject;
        let mut open = Vec::new();
        for from in subject.pods() {
            for of in subject.pods().filter(|of| *of != from) {
                for name in [subject.fqdn(&of), subject.short_name(&of)] {
                    open.push(Lookup { from: from.clone(), name, of: Some(of.clone()) });
                }
            }
            if subject.replicas == 1 {
                open.push(Lookup { from, name: subject.service.clone(), of: None });
            }
        }
        let limit = Duration::from_millis(self.cluster.dns_budget_ms) + SLACK;
        let begun = Instant::now();
        let unaided = AtomicBool::new(false);
        loop {
            // An answer that is still wrong after the budget counts as wrong; an earlier one may only be late.
            let last = begun.elapsed() > limit;
            let right = join_all(open.iter().map(|lookup| self.look_up_once(checkpoint, lookup, &unaided))).await;
            let mut right = right.into_iter();
            open.retain(|_| !right.next().unwrap_or(false));
            if open.is_empty() || last {
                break;
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        if unaided.into_inner() {
            join_all(subject.pods().map(async |pod| self.run_in(checkpoint, &pod, RESOLVER, self.timeouts.exec).await))
                .await;
        }
    }

    /// True if the answer is right, or if no answer will ever come because the image has no program for lookups.
    async fn look_up_once(&self, checkpoint: &Checkpoint, lookup: &Lookup, unaided: &AtomicBool) -> bool {
        let argv = ["getent", "ahosts", &lookup.name];
        // A resolver whose servers do not answer tries each of them for several seconds, more than once.
        let answer = self.run_in(checkpoint, &lookup.from, &argv, self.timeouts.exec * 3).await;
        match answer {
            ExecAnswer::Exited { code: 0, stdout, .. } => {
                let first = |line: &str| line.split_whitespace().next()?.parse().ok();
                let found: BTreeSet<IpAddr> = stdout.lines().filter_map(first).collect();
                self.journal.log.look(|timeline| is_found(timeline, lookup.of.as_deref(), &found))
            }
            answer => {
                let lacks = answer.lacks_program();
                unaided.fetch_or(lacks, Ordering::Relaxed);
                lacks
            }
        }
    }
}

/// Whether these are the addresses of a pod (or of the Service) in each address family that was found at all.
fn is_found(timeline: &Timeline, of: Option<&str>, found: &BTreeSet<IpAddr>) -> bool {
    let seq = timeline.last_seq;
    let listed = timeline.pods.iter().filter(|pod| pod.serving_at(seq) && of.is_none_or(|name| name == pod.name));
    let expected: BTreeSet<IpAddr> = listed.flat_map(|pod| pod.addresses_at(seq)).collect();
    let of_family = |all: &BTreeSet<IpAddr>, family: Family| -> BTreeSet<IpAddr> {
        all.iter().copied().filter(|address| Family::of(*address) == family).collect()
    };
    let (mut some, mut right) = (false, true);
    for family in timeline.families() {
        let told = of_family(found, family);
        some |= !told.is_empty();
        right &= told.is_empty() || told == of_family(&expected, family);
    }
    some && right
}
