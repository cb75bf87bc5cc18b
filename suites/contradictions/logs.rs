//! Logs that no run writes, changed line by line.

use serde_json::{Value, json};

/// A description and the bytes of a changed log.
pub(crate) type Bytes = (String, Vec<u8>);

/// The lines of a stored run.
pub(crate) struct Log {
    /// The lines without line endings.
    pub lines: Vec<String>,
}

impl Log {
    fn value(&self, place: usize) -> Value {
        serde_json::from_str(&self.lines[place]).expect("a record")
    }

    /// The log with one line replaced.
    fn with(&self, place: usize, line: &str) -> Vec<u8> {
        let mut lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        lines[place] = line;
        bytes(&lines)
    }

    /// The log with one record changed.
    fn edited(&self, place: usize, edit: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut value = self.value(place);
        edit(&mut value);
        self.with(place, &value.to_string())
    }

    /// The log with all records from this one on changed.
    fn edited_from(&self, place: usize, mut edit: impl FnMut(&mut Value)) -> Vec<u8> {
        let mut lines = self.lines[..place].to_vec();
        for at in place..self.lines.len() {
            let mut value = self.value(at);
            edit(&mut value);
            lines.push(value.to_string());
        }
        bytes(&lines)
    }

    /// Some places, evenly spread.
    fn some(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let length = self.lines.len();
        (1..=count).map(move |part| part * (length - 1) / (count + 1))
    }

    /// The first record of each kind and, if it has one, of each question.
    fn of_each_kind(&self) -> Vec<(String, usize)> {
        let mut known: Vec<(String, usize)> = Vec::new();
        for place in 0..self.lines.len() {
            let what = &self.value(place)["what"];
            let word = |name: &str| what[name].as_str().unwrap_or_default().to_owned();
            let kind = format!("{} {}{}", word("kind"), word("question"), word("of"));
            if known.iter().all(|(it, _)| *it != kind) {
                known.push((kind, place));
            }
        }
        known
    }

    fn run(&self) -> usize {
        (0..self.lines.len()).find(|place| self.value(*place)["what"]["kind"] == "run").expect("a run")
    }
}

fn bytes(lines: &[impl AsRef<str>]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.as_ref().bytes().chain([b'\n'])).collect()
}

/// Time goes backwards, for one record or for the rest.
pub(crate) fn backwards(log: &Log) -> Vec<Bytes> {
    let mut all = Vec::new();
    for place in log.some(12) {
        let before = log.value(place - 1)["at_us"].as_u64().expect("a time");
        for at_us in [before - 1, before.saturating_sub(5_000_000), 0, 1 << 63, u64::MAX] {
            let edited = log.edited(place, |record| record["at_us"] = at_us.into());
            all.push((format!("#{} at {at_us} µs", place + 1), edited));
        }
        let back = log.edited_from(place, |record| {
            let at_us = record["at_us"].as_u64().expect("a time");
            record["at_us"] = at_us.saturating_sub(10_000_000).into();
        });
        all.push((format!("from #{} on 10 s back", place + 1), back));
    }
    all
}

/// A second run begins.
pub(crate) fn two_runs(log: &Log) -> Vec<Bytes> {
    let run = log.run();
    let mut all = Vec::new();
    for place in log.some(6).filter(|place| *place != run) {
        for (word, set) in [("the same", "mysql"), ("another", "postgres")] {
            let mut what = log.value(run)["what"].clone();
            what["subject"]["set"] = set.into();
            let edited = log.edited(place, |record| record["what"] = what);
            all.push((format!("{word} at #{}", place + 1), edited));
        }
    }
    all
}

/// Records are missing, repeated or swapped.
pub(crate) fn holes(log: &Log) -> Vec<Bytes> {
    let mut all = Vec::new();
    for place in log.some(8) {
        let mut lines = log.lines.clone();
        lines.remove(place);
        all.push((format!("without #{}", place + 1), bytes(&lines)));
        lines.insert(place, log.lines[place - 1].clone());
        all.push((format!("#{place} twice"), bytes(&lines)));
        let mut lines = log.lines.clone();
        lines.swap(place, place - 1);
        all.push((format!("#{place} after #{}", place + 1), bytes(&lines)));
        all.push((format!("#{} is number 0", place + 1), log.edited(place, |record| record["seq"] = 0.into())));
        let far = log.edited(place, |record| record["seq"] = u64::MAX.into());
        all.push((format!("#{} is number {}", place + 1, u64::MAX), far));
    }
    all.push(("begins with #2".into(), bytes(&log.lines[1..])));
    all
}

/// Pods that never existed are asked or deleted.
pub(crate) fn unknown_pods(log: &Log) -> Vec<Bytes> {
    let mut all = Vec::new();
    for (kind, place) in log.of_each_kind() {
        let what = log.value(place)["what"].clone();
        for (pointer, other) in [
            ("/uid", "no such uid"),
            ("/pod", "mysql-99"),
            ("/pod", "another-0"),
            ("/moment/uid", "no such uid"),
            ("/moment/pod", "mysql-99"),
        ] {
            if what.pointer(pointer).is_some() {
                let edited = log.edited(place, |record| {
                    *record["what"].pointer_mut(pointer).expect("a field") = other.into();
                });
                all.push((format!("{kind}: {pointer} is {other} (#{})", place + 1), edited));
            }
        }
    }
    for place in 0..log.lines.len() {
        let what = log.value(place)["what"].clone();
        let Some(act) = what["act"].as_object().and_then(|act| Some(act.iter().next()?.0.clone())) else { continue };
        if what["kind"] == "fault" && what["proof"].is_null() && what["act"][&act]["uid"].is_string() {
            for (field, other) in [("uid", "no such uid"), ("pod", "mysql-99")] {
                let edited = log.edited(place, |record| record["what"]["act"][&act][field] = other.into());
                all.push((format!("{act}: {field} is {other} (#{})", place + 1), edited));
            }
        }
    }
    all
}

/// Impossible numbers.
pub(crate) fn insane(log: &Log) -> Vec<Bytes> {
    let run = log.run();
    let numbers: &[(&str, u64)] = &[
        ("/subject/replicas", 0),
        ("/subject/replicas", 1 << 31),
        ("/subject/replicas", u64::from(u32::MAX)),
        ("/subject/first_ordinal", u64::from(u32::MAX)),
        ("/subject/first_ordinal", (1 << 31) - 1),
        ("/budgets/resume_ms", u64::MAX),
        ("/budgets/recovery_ms", u64::MAX),
        ("/budgets/outage_ms", u64::MAX),
        ("/budgets/lag_ms", u64::MAX),
    ];
    let history = |(pointer, number): &(&str, u64)| {
        let edited = log.edited(run, |record| {
            let (parent, name) = pointer.rsplit_once('/').expect("a field");
            record["what"].pointer_mut(parent).expect("a part")[name] = (*number).into();
        });
        (format!("{pointer} is {number}"), edited)
    };
    let mut all: Vec<Bytes> = numbers.iter().map(history).collect();
    for place in 0..log.lines.len() {
        let what = log.value(place)["what"].clone();
        if what["kind"] == "fault" && what["act"]["scale"].is_object() && what["proof"].is_null() {
            for (from, to) in [(3, u32::MAX), (u32::MAX, 1), (1 << 31, 3)] {
                let edited =
                    log.edited(place, |record| record["what"]["act"]["scale"] = json!({ "from": from, "to": to }));
                all.push((format!("scale from {from} to {to} (#{})", place + 1), edited));
            }
        }
    }
    all
}

/// Proofs name records that were not written before them.
pub(crate) fn proofs(log: &Log) -> Vec<Bytes> {
    let mut all = Vec::new();
    for place in 0..log.lines.len() {
        if log.value(place)["what"]["proof"].is_array() {
            for other in [0, place as u64 + 1, place as u64 + 2, 999_999, u64::MAX] {
                let edited = log.edited(place, |record| record["what"]["proof"] = json!([other]));
                all.push((format!("#{} is proved by #{other}", place + 1), edited));
            }
        }
    }
    all.into_iter().step_by(3).collect()
}

/// Lines that are not records.
pub(crate) fn garbage(log: &Log) -> Vec<Bytes> {
    let mut all: Vec<Bytes> = vec![
        ("nothing at all".into(), Vec::new()),
        ("half a line".into(), log.lines[0].as_bytes()[..20].to_vec()),
        ("NULs without an end".into(), vec![0; 4096]),
    ];
    for place in log.some(4) {
        for line in ["", "garbage", "{}", "[]", "null", "\0\0\0\0", "{\"seq\":"] {
            all.push((format!("`{}` for #{}", line.escape_debug(), place + 1), log.with(place, line)));
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        all.push((format!("100,000 brackets for #{}", place + 1), log.with(place, &deep)));
        let mut binary = log.with(place, "_");
        let at = log.lines[..place].iter().map(|line| line.len() + 1).sum::<usize>();
        binary[at] = 0xff;
        all.push((format!("no UTF-8 for #{}", place + 1), binary));
        type Edit = fn(&mut Value);
        let edits: [(&str, Edit); 6] = [
            ("without a time", |record| record["at_us"] = Value::Null),
            ("with a time in words", |record| record["at_us"] = "noon".into()),
            ("with a negative time", |record| record["at_us"] = (-1).into()),
            ("of a kind that nobody knows", |record| record["what"] = json!({ "kind": "rumour" })),
            ("that says nothing", |record| record["what"] = Value::Null),
            ("without a wall clock", |record| record["wall"] = "yesterday".into()),
        ];
        all.extend(edits.map(|(word, edit)| (format!("#{} {word}", place + 1), log.edited(place, edit))));
    }
    all.push(("another format".into(), log.edited(log.run(), |record| record["what"]["schema"] = 2.into())));
    all
}

/// The log ends in the middle of a line.
pub(crate) fn torn(log: &Log) -> Vec<Bytes> {
    let whole = bytes(&log.lines);
    let mut all = Vec::new();
    for place in log.some(6).chain([log.lines.len() - 1]) {
        let at = log.lines[..place].iter().map(|line| line.len() + 1).sum::<usize>();
        let length = log.lines[place].len();
        for part in [1, length / 2, length] {
            all.push((format!("{part} bytes of #{}", place + 1), whole[..at + part].to_vec()));
        }
    }
    all
}
