//! Gaps of the watch history, and which of them do no harm.

use std::collections::{BTreeSet, HashSet};

use super::{Case, Seen, spanned};
use crate::Finding;
use crate::evidence::{EventType, ObjectEvent, Scenario};
use crate::object::text;

/// The scenarios that interrupt the API server and with it every watch.
const SCENARIOS: [Scenario; 2] = [Scenario::ApiserverKill, Scenario::Upgrade];

impl<'a> Case<'a> {
    /// The inconclusive finding if this kind's history has a harmful gap between two records.
    pub(crate) fn gap(&self, object_kind: &str, from: u64, to: u64) -> Option<Finding> {
        let mut gaps = self.timeline.gaps_between(object_kind, from, to);
        gaps.find(|(mark, _)| !self.bridged.contains(&mark.seq)).map(|(mark, gap)| {
            let reason = format!("the {object_kind} watch has a gap at #{}: {}", mark.seq, gap.reason);
            Finding::inconclusive(reason, [mark.seq])
        })
    }

    /// The gaps that the harness caused itself and in which nothing happened: the objects before the API server was
    /// killed or upgraded and those in the list after the gap have the same UIDs.
    pub(super) fn bridged(&self) -> HashSet<u64> {
        let gaps = &self.timeline.gaps;
        if gaps.is_empty() {
            return HashSet::new();
        }
        let own = SCENARIOS.map(|scenario| self.spans(scenario));
        let bridged = gaps.iter().filter(|(mark, gap)| {
            let after = gaps.iter().find(|(later, other)| later > mark && other.object_kind == gap.object_kind);
            let until = after.map_or(u64::MAX, |(later, _)| later.seq);
            own.iter().any(|spans| spanned(spans, mark.seq))
                && self.there_before(&gap.object_kind, mark.seq) == self.listed(&gap.object_kind, mark.seq, until)
        });
        bridged.map(|(mark, _)| mark.seq).collect()
    }

    /// The UIDs of the objects of a kind that existed at a record.
    fn there_before(&self, object_kind: &str, seq: u64) -> BTreeSet<&'a str> {
        let mut there = BTreeSet::new();
        for event in self.events(object_kind, 0, seq) {
            match event.event {
                EventType::Deleted => there.remove(uid(event)),
                _ => there.insert(uid(event)),
            };
        }
        there
    }

    /// The UIDs of the objects that were listed after a record, before any other event of their kind.
    fn listed(&self, object_kind: &str, after: u64, until: u64) -> BTreeSet<&'a str> {
        let events = self.events(object_kind, after, until);
        events.take_while(|event| event.event == EventType::Listed).map(uid).collect()
    }

    /// The events of all objects of a kind between two records.
    pub(crate) fn events(
        &self,
        object_kind: &str,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = Seen<'a, ObjectEvent>> + use<'a> {
        let places = self.between(self.evidence.index.objects(object_kind), from, to);
        self.seen(places, |what| if let super::What::Object(event) = what { Some(event.as_ref()) } else { None })
    }
}

fn uid(event: Seen<'_, ObjectEvent>) -> &str {
    text(&event.it.object, "/metadata/uid").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Phase, Scenario, What};
    use crate::history::{History, PODS};

    fn doubted(history: &History) -> bool {
        let evidence = history.evidence();
        let case = Case::of(&evidence).expect("a run");
        case.gap("Pod", 0, u64::MAX).is_some()
    }

    fn started() -> History {
        let mut history = History::of(3);
        PODS.iter().for_each(|pod| history.starts(pod));
        history
    }

    fn during(scenario: Scenario, happens: impl FnOnce(&mut History)) -> History {
        let mut history = started();
        history.step(scenario, Phase::Begin);
        happens(&mut history);
        history.step(scenario, Phase::End);
        history
    }

    fn bridged_gaps(history: &History) -> HashSet<u64> {
        Case::of(&history.evidence()).expect("a run").bridged
    }

    #[test]
    fn the_same_pods_after_the_api_server_was_killed_leave_no_doubt() {
        for scenario in SCENARIOS {
            assert!(!doubted(&during(scenario, History::lost_and_listed)), "{scenario}");
        }
        let twice = during(Scenario::ApiserverKill, |history| {
            history.lost_and_listed();
            history.lost_and_listed();
        });
        assert!(!doubted(&twice));
        let going_on = during(Scenario::ApiserverKill, |history| {
            history.lost_and_listed();
            history.unready("mysql-1");
        });
        assert!(!doubted(&going_on));
    }

    #[test]
    fn a_gap_that_nobody_made_is_one() {
        assert!(doubted(&during(Scenario::Restart, History::lost_and_listed)));
        let mut after = during(Scenario::ApiserverKill, |_| {});
        after.lost_and_listed();
        assert!(doubted(&after));
    }

    #[test]
    fn what_is_listed_must_be_what_was_there() {
        let unlisted = during(Scenario::ApiserverKill, |history| {
            history.gap("Pod");
        });
        assert!(doubted(&unlisted));
        let cut_short = during(Scenario::ApiserverKill, |history| {
            history.gap("Pod");
            history.unready("mysql-1");
            history.lost_and_listed();
        });
        assert!(doubted(&cut_short));
        let another = during(Scenario::ApiserverKill, History::lost_and_listed).edit(|what| match what {
            What::Object(event)
                if event.event == EventType::Listed && event.object["metadata"]["name"] == "mysql-2" =>
            {
                event.object["metadata"]["uid"] = "2.2".into();
            }
            _ => {}
        });
        assert!(doubted(&another));
    }

    #[test]
    fn only_a_gap_that_leaves_no_doubt_is_told_as_bridged() {
        let mut history = started();
        let own = history.step(Scenario::ApiserverKill, Phase::Begin) + 1;
        history.lost_and_listed();
        history.step(Scenario::ApiserverKill, Phase::End);
        history.lost_and_listed();
        assert_eq!(bridged_gaps(&history), HashSet::from([own]));
        assert_eq!(bridged_gaps(&during(Scenario::Drain, History::lost_and_listed)), HashSet::new());
    }

    #[test]
    fn a_pod_that_went_before_need_not_be_listed() {
        let mut history = started();
        history.goes("mysql-2");
        history.step(Scenario::ApiserverKill, Phase::Begin);
        history.lost_and_listed();
        history.step(Scenario::ApiserverKill, Phase::End);
        assert!(!doubted(&history));
    }

    #[test]
    fn what_is_listed_after_a_second_gap_says_nothing_of_the_first() {
        let lost_again = during(Scenario::ApiserverKill, |history| {
            history.gap("Pod");
            history.lost_and_listed();
        });
        assert!(doubted(&lost_again));
        let history = during(Scenario::ApiserverKill, |history| {
            history.lost_and_listed();
            history.gap("Pod");
            history.object(
                EventType::Listed,
                "Pod",
                serde_json::json!({"metadata": {"name": "mysql-0", "uid": "0.9"}}),
            );
        });
        let gaps: Vec<u64> = history.evidence().timeline.gaps.iter().map(|(mark, _)| mark.seq).collect();
        assert!(gaps.len() > 1 && bridged_gaps(&history) == HashSet::from([gaps[0]]), "{gaps:?}");
    }
}
