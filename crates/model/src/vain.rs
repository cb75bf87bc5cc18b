//! What the cluster and the containers said while the harness waited in vain. It explains and is never judged: warnings
//! can be late, merged or missing.

use std::fmt;

use super::record::{ContainerLog, Note, ObjectEvent, Snapshot, SnapshotOf, Wait, What};
use super::{Evidence, Mark, Subject};
use crate::object::{number, text};

/// How many warnings are quoted for a wait: the last ones, each of another kind.
const MOST: usize = 3;

/// The longest part of a message that is quoted, in characters.
const LONGEST: usize = 200;

/// A warning of the cluster about the set, a pod or a claim
/// (<https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning<'a> {
    /// Its record.
    pub mark: Mark,
    /// The kind of object that it is about.
    pub kind: &'a str,
    /// That object's name.
    pub name: &'a str,
    /// The reason, such as `FailedScheduling`.
    pub reason: &'a str,
    /// The message.
    pub message: &'a str,
    /// How often it had occurred by then.
    pub count: i64,
}

impl<'a> Warning<'a> {
    /// The warning in a watch event of an Event.
    pub fn of(event: &'a ObjectEvent, mark: Mark) -> Option<Self> {
        if event.object_kind != "Event" {
            return None;
        }
        let field = |pointer| text(&event.object, pointer);
        Some(Self {
            mark,
            kind: field("/involvedObject/kind")?,
            name: field("/involvedObject/name")?,
            reason: field("/reason").unwrap_or("without a reason"),
            message: field("/message").unwrap_or_default(),
            count: number(&event.object, "/count").max(1),
        })
    }
}

impl fmt::Display for Warning<'_> {
    /// Such as `FailedScheduling: 0/3 nodes are available (mysql-1, #123)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mark, name, reason, message, count, .. } = self;
        let times = if *count > 1 { format!(", {count} times") } else { String::new() };
        write!(f, "{reason}: {} ({name}{times}, #{})", quoted(message), mark.seq)
    }
}

/// The last lines of a container before the harness gave up waiting for its pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// The record.
    pub mark: Mark,
    /// The lines.
    pub log: ContainerLog,
}

impl LastWords {
    /// The last line, preceded by one or two lines that report errors, or else by the line before it.
    fn telling(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.log.lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
        let Some((last, before)) = lines.split_last() else { return Vec::new() };
        let tells = |line: &&&str| ["error", "fatal"].iter().any(|word| line.to_lowercase().contains(word));
        let mut told: Vec<&str> = before.iter().rev().filter(tells).take(2).copied().collect();
        if told.is_empty() {
            told.extend(before.last());
        }
        told.reverse();
        told.push(last);
        told
    }
}

impl fmt::Display for LastWords {
    /// Such as `container mysql of mysql-1 said last: "unknown variable"; "Aborting" (#124)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContainerLog { pod, container, .. } = &self.log;
        let lines: Vec<String> = self.telling().into_iter().map(|line| format!("\"{}\"", quoted(line))).collect();
        write!(f, "container {container} of {pod} said last: {} (#{})", lines.join(", "), self.mark.seq)
    }
}

/// A text of others on one line, shortened.
fn quoted(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", line[..end].trim_end()),
        None => line,
    }
}

/// The pods and claims that a wait names.
struct Named<'a> {
    subject: &'a Subject,
    names: Vec<&'a str>,
}

impl<'a> Named<'a> {
    fn of(subject: &'a Subject, wait: &'a Wait) -> Self {
        let words = wait.what.split(|c: char| c.is_whitespace() || "(),:`".contains(c));
        let known = |word: &&str| subject.has("Pod", word) || subject.has("PersistentVolumeClaim", word);
        Self { subject, names: words.filter(known).collect() }
    }

    /// Whether the wait names this object, or names none and so means all pods.
    fn has(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.contains(&name)
    }

    /// Whether a warning may be related. A warning about the set may concern any pod.
    fn concerns(&self, warning: &Warning<'_>) -> bool {
        let of_pod =
            |pod: &&str| self.subject.claims.iter().any(|template| self.subject.claim(template, pod) == warning.name);
        match warning.kind {
            "StatefulSet" => true,
            "PersistentVolumeClaim" => self.has(warning.name) || self.names.iter().any(of_pod),
            _ => self.has(warning.name),
        }
    }
}

impl Evidence {
    /// Whether a wait is about this pod, or about all of them.
    pub fn is_about(&self, wait: &Wait, pod: &str) -> bool {
        self.run().is_some_and(|run| Named::of(&run.subject, wait).has(pod))
    }

    /// The warnings of the cluster during a wait that ended with this record: the last one of each kind about what the
    /// wait names, oldest first.
    pub fn warnings(&self, wait: &Wait, ended: Mark) -> Vec<Warning<'_>> {
        let Some(run) = self.run() else { return Vec::new() };
        let named = Named::of(&run.subject, wait);
        let begun = ended.at_us.saturating_sub(wait.took_us);
        let mut found: Vec<Warning<'_>> = Vec::new();
        for place in self.index.objects("Event").iter().rev() {
            let record = &self.records[*place];
            let mark = Mark { seq: record.seq, at_us: record.at_us };
            if record.at_us < begun || found.len() == MOST {
                break;
            }
            let What::Object(event) = &record.what else { continue };
            let Some(warning) = Warning::of(event, mark).filter(|it| mark.seq < ended.seq && named.concerns(it)) else {
                continue;
            };
            if !found.iter().any(|known| (known.name, known.reason) == (warning.name, warning.reason)) {
                found.push(warning);
            }
        }
        found.reverse();
        found
    }

    /// The last lines of a container of a pod that was awaited in vain until this record, preferably of a container
    /// that ended. The harness reads them right after the wait.
    pub fn last_words(&self, wait: &Wait, ended: Mark) -> Option<LastWords> {
        let named = Named::of(&self.run()?.subject, wait);
        let place = self.records.partition_point(|record| record.seq <= ended.seq);
        let asked = self.records[place..].iter().take_while(|record| !matches!(record.what, What::Step(_)));
        let words = asked.filter_map(|record| match &record.what {
            What::Snapshot(Snapshot { of: SnapshotOf::ContainerLog, value }) => {
                let log: ContainerLog = serde_json::from_value(value.clone()).ok()?;
                let mark = Mark { seq: record.seq, at_us: record.at_us };
                Some(LastWords { mark, log })
            }
            _ => None,
        });
        let mut words: Vec<LastWords> = words.filter(|it| named.has(&it.log.pod) && !it.telling().is_empty()).collect();
        let ended = words.iter().position(|it| it.log.previous).unwrap_or(0);
        (!words.is_empty()).then(|| words.swap_remove(ended))
    }

    /// The note that ended all disruptions, with its record.
    pub fn stopped(&self) -> Option<(Mark, &Note)> {
        self.index.notes.iter().find_map(|place| {
            let record = &self.records[*place];
            let What::Note(note) = &record.what else { return None };
            note.stopped().map(|_| (Mark { seq: record.seq, at_us: record.at_us }, note))
        })
    }
}
