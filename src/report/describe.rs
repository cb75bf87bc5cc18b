//! Records as people read them, one line each.

mod said;
mod snapshots;

use serde_json::Value;

use crate::evidence::duration::{as_seconds, milliseconds, seconds};
use crate::evidence::{
    Act, Checkpoint, Dns, DnsAnswer, Entries, EventType, Exec, ExecAnswer, Fault, Gap, Mark, ObjectEvent, Phase,
    Question, Record, Row, Run, Sql, SqlAnswer, Step, Transport, Wait, WaitOutcome, Warning, What, Write, WriteOutcome,
};
use crate::object::{has_condition, items, text};
use crate::text::in_line;
use said::warning_line;
use snapshots::snapshot_line;

/// Longer texts are cut: a replica's status has about sixty columns, and a Corefile is a whole file.
const LONGEST: usize = 280;

/// The width of a record's number and time, with the space after them.
pub(super) const STAMP: usize = 19;

/// The record with its number and time: `#41      12.345 s  Pod mysql-1 ADDED …`.
pub fn line(record: &Record) -> String {
    stamp(record) + &describe(record)
}

/// The record's number and time, in a column of [`STAMP`] characters.
pub(super) fn stamp(record: &Record) -> String {
    format!("#{:<5}{:>9.3} s  ", record.seq, as_seconds(record.at_us))
}

/// The content of the record on one line.
pub fn describe(record: &Record) -> String {
    let text = match &record.what {
        What::Run(run) => run_line(run),
        What::Step(step) => step_line(step),
        What::Object(event) => match Warning::of(event, Mark { seq: record.seq, at_us: record.at_us }) {
            Some(warning) => warning_line(&warning),
            None => object_line(event),
        },
        What::Gap(gap) => gap_line(gap),
        What::Lapse(lapse) => format!("LAPSE: {}", lapse.words("harness")),
        What::Wait(wait) => wait_line(wait),
        What::Dns(dns) => dns_line(dns),
        What::Sql(sql) => sql_line(sql),
        What::Exec(exec) => exec_line(exec),
        What::Write(write) => write_line(write),
        What::Entries(entries) => entries_line(entries),
        What::Fault(fault) => fault_line(fault),
        What::Snapshot(snapshot) => snapshot_line(snapshot),
        What::Note(note) => format!("note: {}", note.message),
    };
    clip(&in_line(&text))
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// The first eight characters of a UID tell the incarnations of a name apart. The evidence has the whole UID.
fn short(uid: &str) -> String {
    let head: String = uid.chars().take(8).collect();
    if head.len() < uid.len() { format!("uid {head}…") } else { format!("uid {uid}") }
}

/// A lost stretch of the watch history.
pub(super) fn gap_line(gap: &Gap) -> String {
    format!("GAP in the history of {} after version {}: {}", gap.object_kind, gap.after_version, gap.reason)
}

fn run_line(run: &Run) -> String {
    let subject = &run.subject;
    format!(
        "run {} of steadfast {}: StatefulSet {}/{} with {} replicas on Kubernetes {}, {}",
        run.run_id, run.steadfast, subject.namespace, subject.set, subject.replicas, run.kubernetes, run.cluster
    )
}

fn step_line(step: &Step) -> String {
    let name = step.words();
    match &step.phase {
        Phase::Begin => format!("step begins: {name}"),
        Phase::End => format!("step ends: {name}"),
        Phase::Failed(reason) => format!("step failed: {name}: {reason}"),
    }
}

fn object_line(event: &ObjectEvent) -> String {
    let object = &event.object;
    let name = text(object, "/metadata/name").unwrap_or("without a name");
    let uid = text(object, "/metadata/uid").map(short).unwrap_or_default();
    let verb = match event.event {
        EventType::Listed => "LISTED",
        EventType::Added => "ADDED",
        EventType::Modified => "MODIFIED",
        EventType::Deleted => "DELETED",
    };
    let mut state = state(&event.object_kind, object);
    if text(object, "/metadata/deletionTimestamp").is_some() && event.event != EventType::Deleted {
        state.push("being deleted".to_owned());
    }
    format!("{} {name} {verb} {uid} {}", event.object_kind, state.join(", "))
}

/// The most important part of an object's state for its kind.
fn state(kind: &str, object: &Value) -> Vec<String> {
    let count = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    match kind {
        "Pod" => {
            let ready = if has_condition(object, "Ready") { "Ready" } else { "not Ready" };
            let waiting =
                items(object, "/status/containerStatuses").find_map(|status| text(status, "/state/waiting/reason"));
            [text(object, "/status/phase"), Some(ready), waiting].into_iter().flatten().map(str::to_owned).collect()
        }
        "StatefulSet" => vec![
            format!("generation {}, observed {}", count("/metadata/generation"), count("/status/observedGeneration")),
            format!("{} of {} Ready", count("/status/readyReplicas"), count("/spec/replicas")),
        ],
        "PersistentVolumeClaim" => {
            let volume = text(object, "/spec/volumeName").map(|volume| format!("volume {volume}"));
            text(object, "/status/phase").map(str::to_owned).into_iter().chain(volume).collect()
        }
        "PersistentVolume" => {
            let claim = text(object, "/spec/claimRef/name").map(|claim| format!("claim {claim}"));
            text(object, "/status/phase").map(str::to_owned).into_iter().chain(claim).collect()
        }
        "EndpointSlice" => {
            let ready =
                |endpoint: &&Value| endpoint.pointer("/conditions/ready").and_then(Value::as_bool) == Some(true);
            let all = items(object, "/endpoints").count();
            vec![format!("{} of {all} endpoints Ready", items(object, "/endpoints").filter(ready).count())]
        }
        _ => Vec::new(),
    }
}

fn wait_line(wait: &Wait) -> String {
    let took = seconds(wait.took_us);
    let seen = format!("last seen: {}", wait.last_seen);
    match &wait.outcome {
        WaitOutcome::Met => format!("awaited {}: met after {took}", wait.what),
        WaitOutcome::Expired => format!("awaited {}: in vain for {took}; {seen}", wait.what),
        WaitOutcome::Impossible(why) => format!("awaited {}: impossible after {took}: {why}; {seen}", wait.what),
        WaitOutcome::CutShort => format!("awaited {}: for {took}, and given up early; {seen}", wait.what),
    }
}

fn dns_line(dns: &Dns) -> String {
    let transport = match dns.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    let took = milliseconds(dns.took_us);
    let answer = match &dns.answer {
        DnsAnswer::Response { rcode, records } => {
            let data: Vec<String> = records.iter().map(|one| format!("{} (TTL {} s)", one.data, one.ttl)).collect();
            let data = if data.is_empty() { "without records".to_owned() } else { data.join(", ") };
            format!("{rcode} {data} in {took}")
        }
        DnsAnswer::Broken { message } => format!("the probe broke after {took}: {message}"),
    };
    let Dns { record_type, name, from, server, .. } = dns;
    let asked = checkpoint(&dns.checkpoint);
    format!("DNS {record_type} {name} asked {asked} from {from} at {server} by {transport}: {answer}")
}

fn sql_line(sql: &Sql) -> String {
    let question = match sql.question {
        Question::Ping => "ping",
        Question::Identity => "identity",
        Question::Configure => "configuration",
        Question::ReplicaStatus => "replica status",
        Question::GtidExecuted => "executed GTIDs",
        Question::Barrier => "GTID barrier",
        Question::Rows => "rows of the ledger",
        Question::Digest => "checksums",
        Question::TryWrite => "trial write",
        Question::Settings => "settings of durability",
        Question::Entries => "entries of the ledger",
        Question::SemiSync => "semi-synchronous replication",
        Question::Uptime => "uptime",
        Question::FaultInjection => "fault injection",
    };
    let answer = match &sql.answer {
        SqlAnswer::Rows(rows) => rows_text(sql.question, rows),
        SqlAnswer::Error { code, message } => format!("error {code}: {message}"),
        SqlAnswer::Unreachable { message } => format!("unreachable: {message}"),
        SqlAnswer::Broken { message } => format!("the probe broke: {message}"),
    };
    format!("SQL {question} on {} {} {}: {answer}", sql.pod, short(&sql.uid), checkpoint(&sql.checkpoint))
}

fn rows_text(question: Question, rows: &[Row]) -> String {
    let columns = |row: &Row| {
        let shown = row.iter().filter(|(name, _)| question != Question::ReplicaStatus || tells_of_replication(name));
        let pairs = shown.map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL")));
        pairs.collect::<Vec<_>>().join(" ")
    };
    match rows {
        [] => "no row".to_owned(),
        [only] => columns(only),
        [first, .., last] => format!("{} rows, from {} to {}", rows.len(), columns(first), columns(last)),
    }
}

/// Selects the columns of a replica's status that a person needs, of about sixty, by their older and newer names.
fn tells_of_replication(column: &str) -> bool {
    const ENDINGS: [&str; 6] =
        ["_Host", "_IO_Running", "_SQL_Running", "Last_IO_Error", "Last_SQL_Error", "Auto_Position"];
    ENDINGS.iter().any(|ending| column.ends_with(ending))
}

fn exec_line(exec: &Exec) -> String {
    let command = exec.argv.join(" ");
    let answer = match &exec.answer {
        ExecAnswer::Exited { code, stdout, stderr } => {
            let output = if stderr.is_empty() { stdout.clone() } else { format!("{stdout} stderr: {stderr}") };
            format!("exited with {code}: {output}")
        }
        ExecAnswer::Broken { message } => format!("the probe broke: {message}"),
    };
    format!("exec `{command}` in {} {} {}: {answer}", exec.pod, short(&exec.uid), checkpoint(&exec.checkpoint))
}

fn write_line(write: &Write) -> String {
    let outcome = match &write.outcome {
        WriteOutcome::Acknowledged => "acknowledged".to_owned(),
        WriteOutcome::Rejected(why) => format!("rejected: {why}"),
        WriteOutcome::Unknown(why) => format!("unknown: {why}"),
    };
    format!("write {} to {} {} {}: {outcome}", write.id, write.pod, short(&write.uid), checkpoint(&write.checkpoint))
}

fn entries_line(entries: &Entries) -> String {
    let Entries { writes, lags, doubtful, lapses, .. } = entries;
    let doubts = doubtful.iter().map(|ids| format!("; nobody knows of writes {} to {}", ids.first, ids.last));
    // The times of a lapse are those of the witness, which nobody reads.
    let lapses = (!lapses.is_empty()).then(|| format!("; LAPSES: {}", lapses.len()));
    let doubts: String = doubts.chain(lapses).collect();
    let (Some(first), Some(last)) = (writes.first(), writes.last()) else {
        return format!("ledger: no write, {} looks at replicas{doubts}", lags.len());
    };
    let count = |wanted: fn(&WriteOutcome) -> bool| writes.iter().filter(|entry| wanted(&entry.outcome)).count();
    let acknowledged = count(|outcome| *outcome == WriteOutcome::Acknowledged);
    let rejected = count(|outcome| matches!(outcome, WriteOutcome::Rejected(_)));
    let unknown = writes.len() - acknowledged - rejected;
    format!(
        "ledger: writes {} to {}: {acknowledged} acknowledged, {rejected} rejected, {unknown} unknown; {} looks at replicas{doubts}",
        first.id,
        last.id,
        lags.len()
    )
}

fn fault_line(fault: &Fault) -> String {
    let details = match &fault.act {
        Act::DeletePod { uid, grace_s: None, .. } => format!(" {}", short(uid)),
        Act::DeletePod { uid, grace_s: Some(grace), .. } => format!(" {} with {grace} s of grace", short(uid)),
        Act::Hold { uid, .. } | Act::Release { uid, .. } | Act::KillServer { uid, .. } => format!(" {}", short(uid)),
        _ => String::new(),
    };
    let act = &fault.act;
    match &fault.proof {
        None => format!("fault asked for: {act}{details}"),
        Some(proof) => {
            let proof: Vec<String> = proof.iter().map(|seq| format!("#{seq}")).collect();
            format!("fault happened: {act}{details} (proved by {})", proof.join(", "))
        }
    }
}

fn checkpoint(checkpoint: &Checkpoint) -> String {
    match checkpoint {
        Checkpoint::Starting { pod, .. } => format!("while {pod} started"),
        Checkpoint::Ready { pod, .. } => format!("once {pod} was Ready"),
        Checkpoint::Deployed => "once all were Ready".to_owned(),
        Checkpoint::Replicating => "once replication was set up".to_owned(),
        Checkpoint::BeforeDeletion { pod } => format!("before {pod} was deleted"),
        Checkpoint::Deletion { pod } => format!("after {pod} was deleted and came back"),
        Checkpoint::BeforeKill { pod } => format!("before {pod} was killed"),
        Checkpoint::Kill { pod } => format!("after {pod} was killed and came back"),
        Checkpoint::Held { pod } => format!("while {pod} was held un-Ready"),
        Checkpoint::Released { pod } => format!("after {pod} was held un-Ready and released"),
        Checkpoint::ScaledDown => "after scaling down".to_owned(),
        Checkpoint::ScaledUp => "after scaling up".to_owned(),
        Checkpoint::Recovered { scenario } => format!("after {scenario}"),
        Checkpoint::PowerCut { cut } => format!("after power cut {cut}"),
        Checkpoint::Joined => "once a new replica had joined".to_owned(),
        Checkpoint::Upgrading { steps: 0 } => "before the upgrade".to_owned(),
        Checkpoint::Upgrading { steps } => format!("after step {steps} of the upgrade"),
        Checkpoint::Settled => "in the end".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_kind_of_record() {
        let lines: Vec<String> = sample::one_of_each().iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(clip(&"ü".repeat(LONGEST)), "ü".repeat(LONGEST));
        assert_eq!(clip(&"ü".repeat(LONGEST + 1)), "ü".repeat(LONGEST) + " …");
    }
}
