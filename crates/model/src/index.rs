//! Where the records are in the log that checks ask for. The index is built once, so that no check scans the whole log
//! for each pod and each checkpoint.

use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::hash::Hash;

use super::{Checkpoint, Dns, Question, Record, Sql, WaitOutcome, What};

/// Positions of records in the log, ascending.
pub type Places = Vec<usize>;

/// The records of a log by kind.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// Beginnings and ends of acts.
    pub steps: Places,
    /// Where a scenario begins or ends, or an act is asked for.
    pub turns: Places,
    /// Waits that did not get what they waited for.
    pub unmet: Places,
    /// Questions to servers.
    pub sql: Places,
    /// Commands in containers.
    pub execs: Places,
    execs_in: HashMap<String, Places>,
    /// Writes of the ledger.
    pub writes: Places,
    /// Entries of the witness's ledger.
    pub entries: Places,
    /// Faults: acts asked for, and acts proved.
    pub faults: Places,
    /// Acts that were asked for.
    pub asked: Places,
    /// Snapshots.
    pub snapshots: Places,
    /// Notes on problems of the harness.
    pub notes: Places,
    /// Questions to DNS servers.
    pub dns: Places,
    objects: HashMap<String, Places>,
    names: HashMap<Checkpoint, Names>,
    /// By the name in lower case without a trailing dot.
    dns_of: HashMap<String, Places>,
    questions: HashMap<String, HashMap<Question, Asked>>,
}

/// The names that were queried at one checkpoint.
#[derive(Debug, Clone, Default)]
struct Names {
    all: Places,
    /// By the name in lower case without a trailing dot.
    by_name: HashMap<String, Places>,
}

/// The places of one question to one pod.
#[derive(Debug, Clone, Default)]
struct Asked {
    /// The checkpoints of this question, in the order of the first time at each.
    checkpoints: Vec<Checkpoint>,
    at: HashMap<Checkpoint, Places>,
}

impl Index {
    /// Builds the index of these records.
    pub fn of(records: &[Record]) -> Self {
        let mut index = Self::default();
        for (place, record) in records.iter().enumerate() {
            index.add(place, &record.what);
        }
        index
    }

    fn add(&mut self, place: usize, what: &What) {
        match what {
            What::Run(_) | What::Gap(_) | What::Lapse(_) => {}
            What::Step(step) => {
                self.steps.push(place);
                if step.whole().is_some() {
                    self.turns.push(place);
                }
            }
            What::Object(event) => {
                update(&mut self.objects, event.object_kind.as_str(), |places: &mut Places| places.push(place));
            }
            What::Wait(wait) => {
                if wait.outcome != WaitOutcome::Met {
                    self.unmet.push(place);
                }
            }
            What::Dns(dns) => {
                self.dns.push(place);
                self.add_name(place, dns);
            }
            What::Sql(sql) => self.add_question(place, sql),
            What::Exec(exec) => {
                self.execs.push(place);
                update(&mut self.execs_in, exec.pod.as_str(), |places: &mut Places| places.push(place));
            }
            What::Write(_) => self.writes.push(place),
            What::Entries(_) => self.entries.push(place),
            What::Fault(fault) => {
                self.faults.push(place);
                if fault.proof.is_none() {
                    self.asked.push(place);
                    self.turns.push(place);
                }
            }
            What::Snapshot(_) => self.snapshots.push(place),
            What::Note(_) => self.notes.push(place),
        }
    }

    fn add_name(&mut self, place: usize, dns: &Dns) {
        update(&mut self.names, &dns.checkpoint, |names: &mut Names| {
            names.all.push(place);
            update(&mut names.by_name, &*plain(&dns.name), |places: &mut Places| places.push(place));
        });
        update(&mut self.dns_of, &*plain(&dns.name), |places: &mut Places| places.push(place));
    }

    fn add_question(&mut self, place: usize, sql: &Sql) {
        self.sql.push(place);
        update(&mut self.questions, sql.pod.as_str(), |of_pod: &mut HashMap<Question, Asked>| {
            let asked = of_pod.entry(sql.question).or_default();
            update(&mut asked.at, &sql.checkpoint, |places: &mut Places| {
                if places.is_empty() {
                    asked.checkpoints.push(sql.checkpoint.clone());
                }
                places.push(place);
            });
        });
    }

    /// Watch events of one kind of object.
    pub fn objects(&self, kind: &str) -> &[usize] {
        self.objects.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Commands in one pod's containers.
    pub fn execs_in(&self, pod: &str) -> &[usize] {
        self.execs_in.get(pod).map_or(&[], Vec::as_slice)
    }

    /// DNS queries at a checkpoint.
    pub fn dns_at(&self, checkpoint: &Checkpoint) -> &[usize] {
        self.names.get(checkpoint).map_or(&[], |names| &names.all)
    }

    /// DNS queries for one name at a checkpoint, regardless of case and trailing dot.
    pub fn dns_for(&self, checkpoint: &Checkpoint, name: &str) -> &[usize] {
        let names = self.names.get(checkpoint).and_then(|names| names.by_name.get(&*plain(name)));
        names.map_or(&[], Vec::as_slice)
    }

    /// DNS queries for one name at any checkpoint, regardless of case and trailing dot.
    pub fn dns_of(&self, name: &str) -> &[usize] {
        self.dns_of.get(&*plain(name)).map_or(&[], Vec::as_slice)
    }

    /// Answers of a pod to a question at a checkpoint.
    pub fn answers(&self, pod: &str, question: Question, checkpoint: &Checkpoint) -> &[usize] {
        self.asked(pod, question).and_then(|asked| asked.at.get(checkpoint)).map_or(&[], Vec::as_slice)
    }

    /// The checkpoints at which a pod was asked a question, in the order of the first time at each.
    pub fn checkpoints(&self, pod: &str, question: Question) -> &[Checkpoint] {
        self.asked(pod, question).map_or(&[], |asked| &asked.checkpoints)
    }

    fn asked(&self, pod: &str, question: Question) -> Option<&Asked> {
        self.questions.get(pod)?.get(&question)
    }
}

/// Changes the value of a key. The key is cloned only when it is new.
fn update<K, Q, V>(map: &mut HashMap<K, V>, key: &Q, change: impl FnOnce(&mut V))
where
    K: Borrow<Q> + Hash + Eq,
    Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    V: Default,
{
    if let Some(value) = map.get_mut(key) {
        return change(value);
    }
    let mut value = V::default();
    change(&mut value);
    map.insert(key.to_owned(), value);
}

/// The name in lower case without a trailing dot, so that all spellings of a name are equal.
fn plain(name: &str) -> Cow<'_, str> {
    let name = name.trim_end_matches('.');
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Evidence;

    fn stored() -> Vec<Record> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/replay/made-good.jsonl");
        Evidence::read(std::path::Path::new(path)).expect("a stored run").records
    }

    /// The places that a scan of the whole log finds.
    fn found(records: &[Record], wanted: impl Fn(&What) -> bool) -> Places {
        (0..records.len()).filter(|place| wanted(&records[*place].what)).collect()
    }

    #[test]
    fn every_kind_is_where_it_is() {
        let records = stored();
        let index = Index::of(&records);
        let same = |places: &[usize], wanted: fn(&What) -> bool| {
            let found = found(&records, wanted);
            assert!(!found.is_empty());
            assert_eq!(places, found);
        };
        same(&index.steps, |what| matches!(what, What::Step(_)));
        same(&index.sql, |what| matches!(what, What::Sql(_)));
        same(&index.execs, |what| matches!(what, What::Exec(_)));
        same(&index.writes, |what| matches!(what, What::Write(_)));
        same(&index.faults, |what| matches!(what, What::Fault(_)));
        same(&index.asked, |what| matches!(what, What::Fault(fault) if fault.proof.is_none()));
        same(&index.snapshots, |what| matches!(what, What::Snapshot(_)));
        same(&index.turns, |what| match what {
            What::Step(step) => step.whole().is_some(),
            What::Fault(fault) => fault.proof.is_none(),
            _ => false,
        });
        same(index.objects("Pod"), |what| matches!(what, What::Object(event) if event.object_kind == "Pod"));
        same(index.execs_in("mysql-1"), |what| matches!(what, What::Exec(exec) if exec.pod == "mysql-1"));
        assert!(index.objects("Node").is_empty() && index.execs_in("mysql-9").is_empty());
    }

    #[test]
    fn answers_are_found_by_pod_question_and_moment() {
        let records = stored();
        let index = Index::of(&records);
        for sql in records.iter().filter_map(|record| if let What::Sql(sql) = &record.what { Some(sql) } else { None })
        {
            let of_pod =
                |what: &What| matches!(what, What::Sql(it) if (&it.pod, it.question) == (&sql.pod, sql.question));
            let same = |what: &What| of_pod(what) && matches!(what, What::Sql(it) if it.checkpoint == sql.checkpoint);
            assert_eq!(index.answers(&sql.pod, sql.question, &sql.checkpoint), found(&records, same));
            let mut checkpoints: Vec<Checkpoint> = Vec::new();
            for place in found(&records, of_pod) {
                if let What::Sql(it) = &records[place].what
                    && !checkpoints.contains(&it.checkpoint)
                {
                    checkpoints.push(it.checkpoint.clone());
                }
            }
            assert_eq!(index.checkpoints(&sql.pod, sql.question), checkpoints);
        }
        assert!(index.answers("mysql-9", Question::Ping, &Checkpoint::Deployed).is_empty());
        assert!(index.checkpoints("mysql-9", Question::Ping).is_empty());
    }

    #[test]
    fn names_are_found_however_they_are_written() {
        let mut records = stored();
        let asked = found(&records, |what| matches!(what, What::Dns(dns) if dns.checkpoint == Checkpoint::Deployed));
        let What::Dns(first) = &mut records[asked[0]].what else { panic!("a question for a name") };
        let name = first.name.clone();
        first.name = format!("{}.", name.to_uppercase());
        let index = Index::of(&records);
        let same = |what: &What| {
            matches!(what, What::Dns(dns) if dns.checkpoint == Checkpoint::Deployed
            && dns.name.trim_end_matches('.').eq_ignore_ascii_case(&name))
        };
        let anywhen =
            |what: &What| matches!(what, What::Dns(dns) if dns.name.trim_end_matches('.').eq_ignore_ascii_case(&name));
        let everywhere = found(&records, anywhen);
        let found = found(&records, same);
        assert_eq!(found[0], asked[0]);
        assert_eq!(index.dns_for(&Checkpoint::Deployed, &name), found);
        assert_eq!(index.dns_for(&Checkpoint::Deployed, &format!("{}.", name.to_uppercase())), found);
        assert_eq!(index.dns_at(&Checkpoint::Deployed), asked);
        assert_eq!(index.dns_of(&name.to_uppercase()), everywhere);
        assert!(index.dns_at(&Checkpoint::Replicating).is_empty());
    }
}
