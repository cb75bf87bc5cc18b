//! Which barriers prove anything. A barrier for no transaction, or for fewer than the primary was known to have by
//! then, is reached by a replica that lags.

use std::collections::HashMap;

use super::{Case, Seen};
use crate::Finding;
use crate::evidence::{Checkpoint, Question, Sql};
use crate::mysql::gtid::GtidSet;

/// The reasons why barriers prove nothing, by sequence number; other barriers have no entry.
pub(super) type UnprovenBarriers = HashMap<u64, String>;

/// What the primary was known to have at some time.
#[derive(Default)]
struct Known<'a> {
    /// The largest set that was reported of the primary, with its record. A set is stored only if it contains the one
    /// before, so this stays as short as one reported set.
    most: Option<(GtidSet, u64)>,
    /// The primary's own last answer at each checkpoint, and whether it had all known transactions then.
    said: HashMap<&'a Checkpoint, (Seen<'a, Sql>, bool)>,
    /// Whether the run asks the primary for the set before its replicas wait for it. A barrier without that question is
    /// then not trusted.
    is_asked: bool,
}

impl<'a> Case<'a> {
    /// The inconclusive finding about a reached barrier, if it proves nothing.
    pub(crate) fn unproven(&self, barrier: &Seen<'a, Sql>) -> Option<Finding> {
        let (pod, seq) = (&barrier.it.pod, barrier.mark.seq);
        let why = self.unproven.get_or_init(|| self.find_unproven()).get(&seq)?;
        Some(Finding::inconclusive(format!("the barrier of {pod} proves nothing: {why} (#{seq})"), [seq]))
    }

    fn find_unproven(&self) -> UnprovenBarriers {
        let primary = self.subject.primary();
        let (mut told, mut barriers) = (Vec::new(), Vec::new());
        for sql in self.heard() {
            match sql.it.question {
                Question::Barrier => {
                    told.push(sql);
                    barriers.push(sql);
                }
                Question::GtidExecuted if sql.it.pod == primary => told.push(sql),
                _ => {}
            }
        }
        told.sort_by_key(|sql| (sql.mark.at_us, sql.mark.seq));
        barriers.sort_by_key(Seen::asked_us);
        let is_asked = told.iter().any(|sql| is_word(sql) && sql.value("barrier").is_ok());
        let (mut known, mut told) = (Known { is_asked, ..Known::default() }, told.into_iter().peekable());
        let mut unproven = UnprovenBarriers::new();
        for barrier in barriers {
            while let Some(earlier) = told.next_if(|sql| sql.mark.at_us <= barrier.asked_us()) {
                known.learn(earlier);
            }
            if let Some(why) = known.objection(&barrier, &primary) {
                unproven.insert(barrier.mark.seq, why);
            }
        }
        unproven
    }
}

impl<'a> Known<'a> {
    fn learn(&mut self, told: Seen<'a, Sql>) {
        if is_word(&told) {
            let has: Option<GtidSet> = told.value("gtid_executed").ok().and_then(|set| set.parse().ok());
            let has_all =
                has.is_some_and(|has| self.most.as_ref().is_none_or(|(most, _)| most.beyond(&has).is_empty()));
            self.said.insert(&told.it.checkpoint, (told, has_all));
        }
        let Some(set) = set_of(&told) else { return };
        if self.most.as_ref().is_none_or(|(most, _)| most.beyond(&set).is_empty()) {
            self.most = Some((set, told.mark.seq));
        }
    }

    /// What is wrong with the set that a barrier waited for, if anything.
    fn objection(&self, barrier: &Seen<'a, Sql>, primary: &str) -> Option<String> {
        let Some(set) = set_of(barrier) else {
            return Some("the GTID set that it waited for cannot be read".to_owned());
        };
        if set.is_empty() {
            return Some("it waited for no transaction".to_owned());
        }
        if let Some((most, seq)) = &self.most
            && let missing = most.beyond(&set)
            && !missing.is_empty()
        {
            return Some(format!("it did not wait for {missing}, although {primary} was known to have it (#{seq})"));
        }
        let Some((said, has_all)) = self.said.get(&barrier.it.checkpoint) else {
            return self.is_asked.then(|| format!("{primary} was not asked for the GTID set to wait for"));
        };
        if !has_all {
            return Some(format!(
                "the answer of {primary} lacks transactions that it was known to have (#{})",
                said.mark.seq
            ));
        }
        let differs = said.value("barrier").is_ok_and(|said| said.parse() != Ok(set));
        differs.then(|| format!("it did not wait for the GTID set of {primary} (#{})", said.mark.seq))
    }
}

/// Whether this is the primary's own answer and not a replica's barrier.
fn is_word(sql: &Seen<'_, Sql>) -> bool {
    sql.it.question == Question::GtidExecuted
}

/// The GTID set in an answer: the one that a barrier waited for, or the one that replicas are to wait for.
fn set_of(sql: &Seen<'_, Sql>) -> Option<GtidSet> {
    let columns: &[&str] =
        if sql.it.question == Question::Barrier { &["gtid_set"] } else { &["barrier", "gtid_executed"] };
    columns.iter().find_map(|column| sql.value(column).ok())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{SqlAnswer, What};
    use crate::history::{History, PODS, broken};

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429560";

    fn started() -> History {
        let mut history = History::of(3);
        PODS.iter().for_each(|pod| history.starts(pod));
        history
    }

    fn waits(history: &mut History, set: &str) {
        let columns = [("gtid_set", set), ("reached", "1")];
        history.sql_row(&Checkpoint::Settled, "mysql-1", Question::Barrier, columns);
    }

    fn has(history: &mut History, pod: &str, barrier: &str, executed: &str) {
        let columns = [("barrier", barrier), ("gtid_executed", executed)];
        history.sql_row(&Checkpoint::Settled, pod, Question::GtidExecuted, columns);
    }

    /// Why the last barrier of a history proves nothing.
    fn unproven(history: &History) -> Option<String> {
        let evidence = history.evidence();
        let case = Case::of(&evidence).expect("a run");
        let last = case.answers("mysql-1", Question::Barrier, &Checkpoint::Settled).next_back().expect("a barrier");
        case.unproven(&last).map(|finding| finding.reason)
    }

    #[test]
    fn a_barrier_waits_for_something_and_for_all_that_was_known() {
        let mut history = started();
        waits(&mut history, "");
        insta::assert_snapshot!(unproven(&history).expect("a doubt"), @"the barrier of mysql-1 proves nothing: it waited for no transaction (#17)");
        waits(&mut history, "?");
        insta::assert_snapshot!(unproven(&history).expect("a doubt"), @"the barrier of mysql-1 proves nothing: the GTID set that it waited for cannot be read (#18)");
        waits(&mut history, &format!("{A}:1-7"));
        assert_eq!(unproven(&history), None);
        has(&mut history, "mysql-2", &format!("{A}:1-9"), "");
        waits(&mut history, &format!("{A}:1-7"));
        assert_eq!(unproven(&history), None, "what a replica has says nothing of the primary");
        waits(&mut history, &format!("{A}:1-6"));
        insta::assert_snapshot!(unproven(&history).expect("a doubt"), @"the barrier of mysql-1 proves nothing: it did not wait for 3e11fa47-71ca-11e1-9e33-c80aa9429560:7, although mysql-0 was known to have it (#21) (#22)");
        waits(&mut history, &format!("{A}:1-8"));
        assert_eq!(unproven(&history), None);
    }

    #[test]
    fn what_was_told_after_the_question_was_not_known() {
        let mut history = started();
        let columns = [("gtid_executed", &*format!("{A}:1-9"))];
        history.sql_row(&Checkpoint::Settled, "mysql-0", Question::GtidExecuted, columns);
        for (took_us, doubted) in [(999, true), (1_000, true), (1_001, false)] {
            let mut other = history.clone();
            waits(&mut other, &format!("{A}:1-8"));
            let Some(What::Sql(sql)) = other.records.last_mut().map(|last| &mut last.what) else { panic!("a barrier") };
            sql.took_us = took_us;
            assert_eq!(unproven(&other).is_some(), doubted, "{took_us}");
        }
    }

    #[test]
    fn a_barrier_is_for_what_the_primary_asked_for() {
        let mut history = started();
        has(&mut history, "mysql-0", &format!("{A}:1-9"), &format!("{A}:1-9"));
        let mut other = history.clone();
        waits(&mut other, &format!(" {}:1-5:6-9", A.to_uppercase()));
        assert_eq!(unproven(&other), None);
        let mut other = history.clone();
        waits(&mut other, &format!("{A}:1-10"));
        insta::assert_snapshot!(unproven(&other).expect("a doubt"), @"the barrier of mysql-1 proves nothing: it did not wait for the GTID set of mysql-0 (#17) (#18)");
        history.sql(&Checkpoint::Settled, "mysql-0", Question::GtidExecuted, broken());
        waits(&mut history, &format!("{A}:1-9"));
        assert!(unproven(&history).is_some());
        let mut less = started();
        has(&mut less, "mysql-0", &format!("{A}:1-9"), &format!("{A}:1-9"));
        has(&mut less, "mysql-0", &format!("{A}:1-10"), &format!("{A}:1-8"));
        waits(&mut less, &format!("{A}:1-10"));
        insta::assert_snapshot!(unproven(&less).expect("a doubt"), @"the barrier of mysql-1 proves nothing: the answer of mysql-0 lacks transactions that it was known to have (#18) (#19)");
        let mut untold = started();
        untold.sql(&Checkpoint::Replicating, "mysql-0", Question::GtidExecuted, SqlAnswer::Rows(Vec::new()));
        waits(&mut untold, &format!("{A}:1-9"));
        assert_eq!(unproven(&untold), None, "that was asked at another moment");
        // A run that asks the primary before one barrier does so before each.
        let mut elsewhere = started();
        let columns = [("barrier", "0-1-1"), ("gtid_executed", "0-1-1")];
        elsewhere.sql_row(&Checkpoint::Replicating, "mysql-0", Question::GtidExecuted, columns);
        waits(&mut elsewhere, "0-1-1");
        insta::assert_snapshot!(unproven(&elsewhere).expect("a doubt"), @"the barrier of mysql-1 proves nothing: mysql-0 was not asked for the GTID set to wait for (#18)");
    }

    #[test]
    fn the_last_number_of_a_domain_covers_a_former_primary() {
        let mut history = started();
        has(&mut history, "mysql-0", "0-100-744", "0-100-744,0-7-3");
        waits(&mut history, "0-100-744");
        assert_eq!(unproven(&history), None);
        has(&mut history, "mysql-0", "0-100-745,5-7-1", "0-100-745,0-7-3,5-7-1");
        waits(&mut history, "0-100-745");
        assert!(unproven(&history).is_some(), "another domain has numbers of its own");
    }
}
