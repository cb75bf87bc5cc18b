//! Which answers count: those of the pod that had the name when it was asked. An answer under another UID is from
//! another server, whatever the name.

use super::{Case, Seen};
use crate::evidence::{Clocks, Exec, Mark, PodLife, Sql, Timeline, Write};

/// The history that answers are compared with, and the clocks that bound when they were asked for.
#[derive(Clone, Copy)]
pub(super) struct Heard<'a> {
    timeline: &'a Timeline,
    clocks: &'a Clocks,
}

impl<'a> Heard<'a> {
    /// The pod with this UID, if it had the name at that time. An event seen after a lapse may have happened before it.
    fn bearer(self, pod: &str, uid: &str, at_us: u64) -> Option<&'a PodLife> {
        self.timeline.pod_by_uid(uid).filter(|life| {
            let gone = life.deleted.is_some_and(|gone| gone.at_us <= at_us);
            life.name == pod && self.clocks.earliest(life.added.at_us) <= at_us && !gone
        })
    }

    /// Whether a pod with this UID had the name at that time. True if no pod of that name was watched: nothing
    /// contradicts it then.
    fn bore(self, pod: &str, uid: &str, at_us: u64) -> bool {
        self.timeline.lives(pod).next().is_none() || self.bearer(pod, uid, at_us).is_some()
    }

    /// The earliest time at which a question was asked: its answer is recorded when it arrives.
    fn asked_us(self, answered: Mark, took_us: u64) -> u64 {
        self.clocks.earliest_answer(answered.at_us).saturating_sub(took_us)
    }

    pub(super) fn counts(self, sql: &Seen<'_, Sql>) -> bool {
        self.bore(&sql.it.pod, &sql.it.uid, self.asked_us(sql.mark, sql.it.took_us))
    }

    pub(super) fn exec_counts(self, exec: &Seen<'_, Exec>) -> bool {
        self.bore(&exec.it.pod, &exec.it.uid, self.asked_us(exec.mark, exec.it.took_us))
    }
}

impl Seen<'_, Sql> {
    /// When it was asked, unless a lapse delayed the answer: an answer is recorded when it arrives.
    pub(crate) fn asked_us(&self) -> u64 {
        self.mark.at_us.saturating_sub(self.it.took_us)
    }
}

impl<'a> Case<'a> {
    pub(super) fn hearing(&self) -> Heard<'a> {
        Heard { timeline: self.timeline, clocks: self.clocks }
    }

    /// The earliest time at which a server was asked.
    pub(crate) fn earliest_asked_us(&self, sql: &Seen<'_, Sql>) -> u64 {
        self.hearing().asked_us(sql.mark, sql.it.took_us)
    }

    /// SQL answers that count.
    pub(crate) fn heard(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> + use<'a> {
        let hearing = self.hearing();
        self.sql().filter(move |sql| hearing.counts(sql))
    }

    /// The pod with this UID, if it had the name when it was asked, `took_us` before the answer.
    pub(crate) fn asked_pod(&self, pod: &str, uid: &str, took_us: u64, answered: Mark) -> Option<&'a PodLife> {
        let hearing = self.hearing();
        hearing.bearer(pod, uid, hearing.asked_us(answered, took_us))
    }

    /// Whether the server that a write names took it.
    pub(crate) fn was_taken(&self, write: &Seen<'a, Write>) -> bool {
        self.hearing().bore(&write.it.pod, &write.it.uid, write.mark.at_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Checkpoint, Question, SqlAnswer, What};
    use crate::history::{History, PODS};

    fn started() -> History {
        let mut history = History::of(3);
        PODS.iter().for_each(|pod| history.starts(pod));
        history
    }

    /// Whether the last answer of a history counts if it took this long.
    fn counts(mut history: History, took_us: u64, uid: &str) -> bool {
        history.sql(&Checkpoint::Settled, "mysql-1", Question::Rows, SqlAnswer::Rows(Vec::new()));
        history.exec(&Checkpoint::Settled, "mysql-1", &["hostname"], "mysql-1");
        for record in history.records.iter_mut().rev().take(2) {
            match &mut record.what {
                What::Sql(sql) => (sql.uid, sql.took_us) = (uid.to_owned(), took_us),
                What::Exec(exec) => (exec.uid, exec.took_us) = (uid.to_owned(), took_us + 1_000),
                _ => {}
            }
        }
        let evidence = history.evidence();
        let case = Case::of(&evidence).expect("a run");
        let sql = case.answers("mysql-1", Question::Rows, &Checkpoint::Settled).next().is_some();
        assert_eq!(case.execs_in("mysql-1").next().is_some(), sql);
        assert_eq!(case.execs().next().is_some(), sql);
        sql
    }

    #[test]
    fn an_answer_counts_for_the_pod_that_bore_the_name_when_it_was_asked() {
        let mut replaced = started();
        replaced.pass_ms(9);
        replaced.goes("mysql-1");
        replaced.pass_ms(5);
        replaced.starts("mysql-1");
        for (took_us, uid, wanted) in [
            (500, "1.2", true),
            (500, "1.1", false),
            (500, "0.1", false),
            (500, "", false),
            (500, "another", false),
            // The old pod still existed when it was asked.
            (1_600_000, "1.1", true),
            (1_600_000, "1.2", false),
        ] {
            assert_eq!(counts(replaced.clone(), took_us, uid), wanted, "{took_us} {uid}");
        }
    }

    #[test]
    fn where_nobody_watched_the_pods_every_answer_counts() {
        let unwatched = started().without(|what| matches!(what, What::Object(_)));
        assert!(counts(unwatched, 500, ""));
    }

    #[test]
    fn a_write_that_another_pod_took_is_not_acknowledged() {
        let mut history = started();
        let id = history.write(&Checkpoint::Replicating, "mysql-0");
        let known = |history: &History| {
            let evidence = history.evidence();
            let ledger = crate::ledger::Ledger::of(&Case::of(&evidence).expect("a run"));
            [ledger.acknowledged.has(id, u64::MAX), ledger.possible.has(id, u64::MAX)]
        };
        assert_eq!(known(&history), [true, true]);
        let other = history.edit(|what| {
            if let What::Write(write) = what {
                write.uid = "0.0".into();
            }
        });
        assert_eq!(known(&other), [false, true]);
    }
}
