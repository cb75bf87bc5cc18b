//! A stored run with edits.

use std::collections::HashMap;
use std::io::Write as _;

use serde::Deserialize as _;
use serde_json::Value;
use steadfast::evidence::{LONGEST_RUN_US, What};

use crate::edit::{Edit, Field, Pick, Story};
use crate::random::Random;
use crate::seen::{Seen, named};
use crate::stored::{self, Stored, pointers};
use crate::values::New;

/// An edited log is at most this many times as long as the stored run.
const LONGEST: usize = 3;

/// One edit changes at most this many fields at random.
const MOST_SCATTERED: usize = 64;

/// A log that edits change.
#[derive(Debug)]
pub struct Log {
    stored: &'static Stored,
    lines: Vec<Line>,
}

/// A record, with its new content if it was changed.
#[derive(Debug, Clone)]
struct Line {
    of: &'static stored::Line,
    at_us: u64,
    changed: Option<Value>,
}

impl Log {
    /// The log of a story.
    pub fn of(story: &Story) -> Self {
        let stored = story.stored();
        let lines = stored.lines.iter().map(|of| Line { of, at_us: of.at_us, changed: None }).collect();
        let mut log = Self { stored, lines };
        story.edits.iter().for_each(|edit| log.edit(edit));
        log
    }

    fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Drop { from, more } => {
                let Some((from, to)) = self.stretch(*from, *more) else { return };
                self.lines.drain(from..to);
            }
            Edit::DropKind(kind) => {
                let kind = usize::from(*kind) % self.stored.kinds;
                self.lines.retain(|line| line.of.kind != kind);
            }
            Edit::Cut(at) => {
                let Some(at) = self.place(*at) else { return };
                self.lines.truncate(at);
            }
            Edit::Repeat { from, more, times } => {
                let Some((from, to)) = self.stretch(*from, *more) else { return };
                let most = (self.stored.lines.len() * LONGEST).saturating_sub(self.lines.len()) / (to - from);
                let count = (to - from) * most.min((*times).into());
                let again: Vec<Line> = self.lines[from..to].iter().cycle().take(count).cloned().collect();
                self.lines.splice(to..to, again);
            }
            Edit::Swap(one, other) => {
                let (Some(one), Some(other)) = (self.place(*one), self.place(*other)) else { return };
                let (early, late) = (self.lines[one].at_us, self.lines[other].at_us);
                self.lines.swap(one, other);
                (self.lines[one].at_us, self.lines[other].at_us) = (early, late);
            }
            Edit::Later { from, power } => {
                let Some(from) = self.place(*from) else { return };
                let by = 10_u64.pow(u32::from(*power) % 16);
                self.lines[from..].iter_mut().for_each(|line| line.at_us = line.at_us.saturating_add(by));
            }
            Edit::Set { of, field, new } => self.set(*of, *field, new, false),
            Edit::SetFrom { of, field, new } => self.set(*of, *field, new, true),
            Edit::Scatter { from, apart, seed } => self.scatter(*from, *apart, *seed),
            Edit::Remove { of, field } => self.remove(*of, *field),
        }
    }

    /// The position of the picked record, or `None` if the log has no record of that kind.
    fn place(&self, pick: Pick) -> Option<usize> {
        let kind = usize::from(pick.kind) % self.stored.kinds;
        let places = || self.lines.iter().enumerate().filter(|(_, line)| line.of.kind == kind).map(|(at, _)| at);
        // A kind can have more records than a byte can count. Steps make all of them reachable.
        let count = places().count();
        let nth = usize::from(pick.nth) * count.div_ceil(256).max(1);
        places().nth(nth % count.max(1))
    }

    fn stretch(&self, from: Pick, more: u8) -> Option<(usize, usize)> {
        let from = self.place(from)?;
        Some((from, (from + 1 + usize::from(more)).min(self.lines.len())))
    }

    fn set(&mut self, of: Pick, field: Field, new: &New, from_there_on: bool) {
        let Some(at) = self.place(of) else { return };
        let (stored, kind) = (self.stored, self.lines[at].of.kind);
        let Some(pointer) = self.lines[at].field(field) else { return };
        let end = if from_there_on { self.lines.len() } else { at + 1 };
        for line in self.lines[at..end].iter_mut().filter(|line| line.of.kind == kind) {
            line.set(&pointer, new, stored);
        }
    }

    fn scatter(&mut self, from: Pick, apart: u8, seed: u16) {
        let Some(at) = self.place(from) else { return };
        let (stored, kind, mut random) = (self.stored, self.lines[at].of.kind, Random(seed.into()));
        let mut random = || random.next().unwrap_or_default();
        let (apart, mut left) = (u64::from(apart) % 64 + 2, MOST_SCATTERED);
        for line in self.lines[at..].iter_mut().filter(|line| line.of.kind == kind) {
            for pointer in pointers(line.what()) {
                let is_leaf = line.what().pointer(&pointer).is_some_and(|it| it.is_number() || it.is_string());
                if left > 0 && is_leaf && random() % apart == 0 {
                    line.set(&pointer, &New::drawn(random()), stored);
                    left -= 1;
                }
            }
        }
    }

    fn remove(&mut self, of: Pick, field: Field) {
        let Some(at) = self.place(of) else { return };
        let Some(pointer) = self.lines[at].field(field) else { return };
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        self.lines[at].change(|what| match what.pointer_mut(parent) {
            Some(Value::Object(fields)) => drop(fields.remove(&name.replace("~1", "/").replace("~0", "~"))),
            Some(Value::Array(items)) => drop(name.parse().map(|at: usize| items.remove(at))),
            _ => {}
        });
    }

    /// The bytes of the log, repaired so that the reader accepts it: records and proofs get new numbers, time does not
    /// go back, only one run is described, and records about pods that the log has not shown are left out.
    pub fn bytes(&self) -> Vec<u8> {
        let (mut bytes, mut numbers) = (Vec::with_capacity(1 << 20), HashMap::new());
        let (mut seq, mut now, mut has_run, mut seen) = (0, 0, false, Seen::default());
        for line in &self.lines {
            let is_another_run = line.what()["kind"] == "run" && std::mem::replace(&mut has_run, true);
            seen.look(line.what());
            if is_another_run || !line.is_about(&seen) {
                continue;
            }
            (seq, now) = (seq + 1, line.at_us.clamp(now, LONGEST_RUN_US));
            write!(bytes, "{{\"seq\":{seq},\"at_us\":{now}").expect("memory");
            match line.proved_by(&numbers) {
                Some(what) => writeln!(bytes, ",\"wall\":\"1970-01-01T00:00:00Z\",\"what\":{what}}}").expect("memory"),
                None => bytes.extend_from_slice(line.of.tail.as_bytes()),
            }
            numbers.entry(line.of.seq).or_insert(seq);
        }
        bytes
    }
}

impl Line {
    fn what(&self) -> &Value {
        self.changed.as_ref().unwrap_or(&self.of.what)
    }

    /// Selects one of its fields.
    fn field(&self, which: Field) -> Option<String> {
        let mut pointers = pointers(self.what());
        let is_of_class = |value: &Value| match which.class % 4 {
            0 => value.is_number(),
            1 => value.is_string(),
            2 => !value.is_number() && !value.is_string(),
            _ => true,
        };
        pointers.retain(|pointer| self.what().pointer(pointer).is_some_and(is_of_class));
        pointers.get(usize::from(which.nth) % pointers.len().max(1)).cloned()
    }

    /// Replaces the value of a field, if the field exists.
    fn set(&mut self, pointer: &str, new: &New, stored: &Stored) {
        let new = self.what().pointer(pointer).and_then(|old| new.instead_of(old, stored, self.of.kind, pointer));
        if let Some(new) = new {
            self.change(|what| *what.pointer_mut(pointer).expect("a field") = new);
        }
    }

    /// Changes the content, if the result is still a record.
    fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut what = self.what().clone();
        change(&mut what);
        if What::deserialize(&what).is_ok() {
            self.changed = Some(what);
        }
    }

    fn is_about(&self, seen: &Seen) -> bool {
        self.changed.as_ref().map_or_else(|| seen.has(&self.of.named), |what| seen.has(&named(what)))
    }

    /// The content of the record, if it or the numbers of its proofs have changed. Proofs that no longer come before
    /// the record are left out.
    fn proved_by(&self, numbers: &HashMap<u64, u64>) -> Option<Value> {
        let proofs = |what: &Value| Some(what["proof"].as_array()?.iter().filter_map(Value::as_u64).collect());
        let Some(old): Option<Vec<u64>> = proofs(self.what()) else { return self.changed.clone() };
        let new: Vec<u64> = old.iter().filter_map(|seq| numbers.get(seq)).copied().collect();
        if old == new {
            return self.changed.clone();
        }
        let mut what = self.what().clone();
        what["proof"] = new.into();
        Some(what)
    }
}
