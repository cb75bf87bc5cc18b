//! Waits of the harness that did not get what they waited for.

use std::fmt;
use std::ops::Deref;

use super::Seen;
use crate::Finding;
use crate::evidence::{Evidence, Wait, WaitOutcome};
use crate::words::seconds;

/// The kubelet's and the scheduler's reasons for a pod that lacks an image or room on the nodes
/// (<https://kubernetes.io/docs/concepts/containers/images/> and
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/>).
const INFRASTRUCTURE: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "Unschedulable",
    "nodes are available",
];

/// A wait that did not get what it waited for.
#[derive(Clone, Copy)]
pub(crate) struct Unmet<'a> {
    wait: Seen<'a, Wait>,
    evidence: &'a Evidence,
}

impl<'a> Deref for Unmet<'a> {
    type Target = Seen<'a, Wait>;

    fn deref(&self) -> &Seen<'a, Wait> {
        &self.wait
    }
}

impl<'a> Unmet<'a> {
    pub(super) fn of(wait: Seen<'a, Wait>, evidence: &'a Evidence) -> Self {
        Self { wait, evidence }
    }

    /// Whether the wait was for this pod, or for all of them.
    pub(crate) fn is_about(&self, pod: &str) -> bool {
        self.evidence.is_about(self.it, pod)
    }

    /// The finding for an unmet wait: a failure, unless the cluster could not give the pod an image or a node, or the
    /// run cut the wait short, which says nothing about the workload.
    pub(crate) fn blame(&self, reason: String, evidence: impl IntoIterator<Item = u64>) -> Finding {
        self.blame_beside(None, reason, evidence)
    }

    /// As [`Self::blame`], except for one kind of trouble that the harness caused itself: the workload must recover
    /// from it.
    pub(crate) fn blame_beside(
        &self,
        own: Option<&str>,
        reason: String,
        evidence: impl IntoIterator<Item = u64>,
    ) -> Finding {
        let evidence = evidence.into_iter().chain(self.heard());
        let impossible = if let WaitOutcome::Impossible(why) = &self.it.outcome { why } else { "" };
        let said = |trouble: &str| impossible.contains(trouble) || self.it.last_seen.contains(trouble);
        if INFRASTRUCTURE.into_iter().any(|trouble| Some(trouble) != own && said(trouble)) {
            return Finding::inconclusive(format!("infrastructure: {reason}"), evidence);
        }
        if self.it.outcome == WaitOutcome::CutShort {
            return Finding::inconclusive(reason, evidence);
        }
        // With a lapse, the true wait may have been shorter than recorded, or the awaited event may still be on its
        // way.
        let begun_us = self.mark.at_us.saturating_sub(self.it.took_us);
        if self.it.outcome == WaitOutcome::Expired
            && let Some(doubt) = self.evidence.clocks.lasted(begun_us, self.mark.at_us).doubt
        {
            return Finding::inconclusive(format!("{reason}; {doubt}"), evidence.chain(doubt.seqs.iter().copied()));
        }
        Finding::fail(reason, evidence)
    }

    /// The records of what the cluster and the containers said meanwhile. They are quoted and decide nothing.
    fn heard(&self) -> Vec<u64> {
        let warnings = self.evidence.warnings(self.it, self.mark).into_iter().map(|warning| warning.mark.seq);
        warnings.chain(self.evidence.last_words(self.it, self.mark).map(|words| words.mark.seq)).collect()
    }
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { mark, it } = self.wait;
        write!(f, "`{}` was not reached within {}", it.what, seconds(it.took_us))?;
        match &it.outcome {
            WaitOutcome::Impossible(why) => write!(f, " and can no longer be reached ({why})")?,
            WaitOutcome::CutShort => {
                f.write_str("; the wait was cut short because an earlier wait for the workload had timed out")?
            }
            WaitOutcome::Met | WaitOutcome::Expired => {}
        }
        write!(f, "; last seen: {} (#{})", it.last_seen, mark.seq)?;
        let warnings: Vec<String> =
            self.evidence.warnings(it, mark).iter().map(|warning| warning.to_string()).collect();
        if !warnings.is_empty() {
            write!(f, "; the cluster warned: {}", warnings.join(", "))?;
        }
        self.evidence.last_words(it, mark).map_or(Ok(()), |words| write!(f, "; {words}"))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::Verdict;
    use crate::case::Case;
    use crate::history::History;

    /// A run in which the second pod is created and a wait for it ends, with these events during and after the wait.
    fn awaited(outcome: WaitOutcome, during: impl Fn(&mut History), after: impl Fn(&mut History)) -> History {
        let mut history = History::of(3);
        history.starts("mysql-0");
        history.warned("Pod", "mysql-1", "FailedMount", "from before the wait began");
        history.pass_ms(300_000);
        history.added("mysql-1");
        during(&mut history);
        history.waited("mysql-1 Ready", "Running, not Ready, CrashLoopBackOff", outcome);
        after(&mut history);
        history
    }

    fn told(history: &History) -> (String, Finding) {
        let evidence = history.evidence();
        let case = Case::of(&evidence).expect("a run");
        let wait = case.unmet_wait(0, u64::MAX).expect("a wait in vain");
        (wait.to_string(), wait.blame("it did not come".to_owned(), [1]))
    }

    fn nothing(_: &mut History) {}

    #[test]
    fn what_the_cluster_warned_of_meanwhile_is_quoted() {
        let warn = |history: &mut History| {
            history.warned("Pod", "mysql-1", "Unhealthy", "Readiness probe failed:\n\tconnection refused");
            history.warned("Pod", "mysql-0", "Unhealthy", "of another pod");
            history.warned("PersistentVolumeClaim", "data-mysql-1", "ProvisioningFailed", "no disk");
            history.warned("Pod", "mysql-1", "Unhealthy", "once more");
            history.warned("StatefulSet", "mysql", "FailedCreate", "exceeded quota");
        };
        let (text, finding) = told(&awaited(WaitOutcome::Expired, warn, nothing));
        assert_snapshot!(text, @"`mysql-1 Ready` was not reached within 300.0 s; last seen: Running, not Ready, CrashLoopBackOff (#16); the cluster warned: ProvisioningFailed: no disk (data-mysql-1, #13), Unhealthy: once more (mysql-1, #14), FailedCreate: exceeded quota (mysql, #15)");
        assert_eq!((finding.verdict, finding.evidence), (Verdict::Fail, vec![1, 13, 14, 15]));
    }

    #[test]
    fn warnings_decide_nothing() {
        let warn = |history: &mut History| {
            history.warned("Pod", "mysql-1", "FailedScheduling", "0/3 nodes are available: Unschedulable");
        };
        let (_, finding) = told(&awaited(WaitOutcome::Expired, warn, nothing));
        assert_eq!(finding.verdict, Verdict::Fail);
    }

    #[test]
    fn a_container_has_the_last_word() {
        let lines =
            ["[Note] starting", "[ERROR] unknown variable 'x'", "", "[ERROR] Aborting", "[Note] Shutdown complete"];
        let words = |history: &mut History| {
            history.last_words("mysql-0", true, &["of another pod"]);
            history.last_words("mysql-1", false, &["[Note] starting once more"]);
            history.last_words("mysql-1", true, &lines);
        };
        let (text, finding) = told(&awaited(WaitOutcome::Expired, nothing, words));
        assert_snapshot!(text, @r#"`mysql-1 Ready` was not reached within 300.0 s; last seen: Running, not Ready, CrashLoopBackOff (#11); container mysql of mysql-1 said last: "[ERROR] unknown variable 'x'", "[ERROR] Aborting", "[Note] Shutdown complete" (#14)"#);
        assert_eq!(finding.evidence, [1, 14]);
        let later = |history: &mut History| {
            history.step(crate::evidence::Scenario::Restart, crate::evidence::Phase::Begin);
            history.last_words("mysql-1", true, &lines);
        };
        let (text, _) = told(&awaited(WaitOutcome::Expired, nothing, later));
        assert!(!text.contains("said last"), "{text}");
        let plain = |history: &mut History| {
            history.last_words("mysql-1", false, &["one", "two", "three"]);
        };
        let (text, _) = told(&awaited(WaitOutcome::Expired, nothing, plain));
        assert!(text.ends_with("container mysql of mysql-1 said last: \"two\", \"three\" (#12)"), "{text}");
    }

    #[test]
    fn a_wait_that_was_given_up_leaves_it_open() {
        let (text, finding) = told(&awaited(WaitOutcome::CutShort, nothing, nothing));
        assert_eq!(finding.verdict, Verdict::Inconclusive);
        assert!(
            text.contains("the wait was cut short because an earlier wait for the workload had timed out"),
            "{text}"
        );
    }
}
