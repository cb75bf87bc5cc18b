//! Edits of the content of single records.

use serde_json::{Value, json};
use steadfast::evidence::{
    Dns, DnsAnswer, DnsRecord, EventType, Exec, ExecAnswer, Fault, NodeState, ObjectEvent, Snapshot, SnapshotOf, Sql,
    SqlAnswer, What,
};

use super::change::{Change, Places, said};

/// Changes these answers of servers.
pub(crate) fn sql(places: impl Into<Places>, otherwise: impl Fn(&mut Sql) + Send + Sync + 'static) -> Change {
    said(places, move |what| {
        if let What::Sql(sql) = what {
            otherwise(sql);
        }
    })
}

/// Replaces the answers of servers.
pub(crate) fn answered(places: impl Into<Places>, answer: SqlAnswer) -> Change {
    sql(places, move |sql| sql.answer = answer.clone())
}

/// Sets a column in every row of the answers.
pub(crate) fn valued(places: impl Into<Places>, column: &'static str, value: impl Into<String>) -> Change {
    let value = value.into();
    sql(places, move |sql| {
        if let SqlAnswer::Rows(rows) = &mut sql.answer {
            rows.iter_mut().for_each(|row| drop(row.insert(column.to_owned(), Some(value.clone()))));
        }
    })
}

/// An answer in which a server refuses with an error.
pub(crate) fn error(code: u16) -> SqlAnswer {
    SqlAnswer::Error { code, message: "an error of the server".to_owned() }
}

/// An answer in which no server is reachable.
pub(crate) fn unreachable() -> SqlAnswer {
    SqlAnswer::Unreachable { message: "connection refused".to_owned() }
}

/// An answer in which the probe itself breaks.
pub(crate) fn broken() -> SqlAnswer {
    SqlAnswer::Broken { message: "the witness could not be asked".to_owned() }
}

/// A column of an answer's first row.
pub(crate) fn value<'a>(what: &'a What, column: &str) -> Option<&'a str> {
    let What::Sql(Sql { answer: SqlAnswer::Rows(rows), .. }) = what else { return None };
    rows.first()?.get(column)?.as_deref()
}

/// Changes these DNS records.
pub(crate) fn dns(places: impl Into<Places>, otherwise: impl Fn(&mut Dns) + Send + Sync + 'static) -> Change {
    said(places, move |what| {
        if let What::Dns(dns) = what {
            otherwise(dns);
        }
    })
}

/// A DNS reply that replaces the right one.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A response code, without records.
    Code(&'static str),
    /// Records with this data.
    Data(Vec<String>),
    /// No reply.
    Nothing,
}

/// Replaces the replies for a name.
pub(crate) fn replied(places: impl Into<Places>, reply: Reply) -> Change {
    dns(places, move |dns| dns.answer = reply.answer())
}

impl Reply {
    /// The reply as an answer.
    pub(crate) fn answer(&self) -> DnsAnswer {
        let record = |data: &String| DnsRecord { ttl: 30, data: data.clone() };
        match self {
            Self::Code(rcode) => DnsAnswer::Response { rcode: (*rcode).to_owned(), records: Vec::new() },
            Self::Data(data) => {
                DnsAnswer::Response { rcode: "NOERROR".to_owned(), records: data.iter().map(record).collect() }
            }
            Self::Nothing => DnsAnswer::Broken { message: "nothing came within 2 s".to_owned() },
        }
    }
}

/// The data of an answer, or nothing if there was no answer.
pub(crate) fn data(dns: &Dns) -> Vec<String> {
    match &dns.answer {
        DnsAnswer::Response { records, .. } => records.iter().map(|record| record.data.clone()).collect(),
        DnsAnswer::Broken { .. } => Vec::new(),
    }
}

/// Changes these commands.
pub(crate) fn exec(places: impl Into<Places>, otherwise: impl Fn(&mut Exec) + Send + Sync + 'static) -> Change {
    said(places, move |what| {
        if let What::Exec(exec) = what {
            otherwise(exec);
        }
    })
}

/// Sets the exit code and the output of a command.
pub(crate) fn exited(places: impl Into<Places>, code: i32, stdout: impl Into<String>) -> Change {
    let stdout = stdout.into();
    exec(places, move |exec| {
        exec.answer = ExecAnswer::Exited { code, stdout: stdout.clone(), stderr: String::new() };
    })
}

/// The end of a command is not recorded.
pub(crate) fn not_seen(places: impl Into<Places>) -> Change {
    exec(places, |exec| exec.answer = ExecAnswer::Broken { message: "the stream ended".to_owned() })
}

/// Changes the objects in these events.
pub(crate) fn shown(places: impl Into<Places>, otherwise: impl Fn(&mut Value) + Send + Sync + 'static) -> Change {
    said(places, move |what| {
        if let What::Object(event) = what {
            otherwise(&mut event.object);
        }
    })
}

/// Changes the values of these snapshots.
pub(crate) fn snapshot(places: impl Into<Places>, otherwise: impl Fn(&mut Value) + Send + Sync + 'static) -> Change {
    said(places, move |what| {
        if let What::Snapshot(Snapshot { value, .. }) = what {
            otherwise(value);
        }
    })
}

/// A record of an API server's process.
pub(crate) fn api_server(process: NodeState) -> What {
    What::Snapshot(Snapshot { of: SnapshotOf::ApiServer, value: json!(process) })
}

/// Sets the records that a proof names.
pub(crate) fn naming(proof: u64, records: Vec<u64>) -> Change {
    said(proof, move |what| {
        if let What::Fault(Fault { proof: Some(proof), .. }) = what {
            proof.clone_from(&records);
        }
    })
}

/// The statuses of a pod's containers, without init containers.
pub(crate) fn container_statuses(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    object["status"]["containerStatuses"].as_array_mut().into_iter().flatten()
}

/// The statuses of the container with this name.
pub(crate) fn status_of<'a>(object: &'a mut Value, container: &'a str) -> impl Iterator<Item = &'a mut Value> {
    container_statuses(object).filter(move |status| status["name"] == *container)
}

/// Makes a pod Ready or un-Ready.
pub(crate) fn set_ready(object: &mut Value, ready: bool) {
    let word = if ready { "True" } else { "False" };
    if ready && object["status"]["conditions"].as_array().is_none_or(Vec::is_empty) {
        object["status"]["conditions"] = json!([{ "type": "Ready" }]);
    }
    let conditions = object["status"]["conditions"].as_array_mut().into_iter().flatten();
    conditions
        .filter(|it| it["type"] == "Ready" || it["type"] == "ContainersReady")
        .for_each(|it| it["status"] = word.into());
    container_statuses(object).for_each(|status| status["ready"] = ready.into());
}

/// Marks an object as being deleted.
pub(crate) fn tell_to_go(object: &mut Value) {
    object["metadata"]["deletionTimestamp"] = "2026-11-24T20:00:00Z".into();
    object["metadata"]["deletionGracePeriodSeconds"] = 30.into();
}

/// Sets a label of an object, or removes it.
pub(crate) fn set_label(object: &mut Value, label: &str, value: Option<&str>) {
    let Some(labels) = object["metadata"]["labels"].as_object_mut() else { return };
    match value {
        Some(value) => drop(labels.insert(label.to_owned(), value.into())),
        None => drop(labels.remove(label)),
    }
}

/// One more event of an object: its last event with a change.
pub(crate) fn event(of: &ObjectEvent, kind: EventType, otherwise: impl FnOnce(&mut Value)) -> What {
    let mut event = ObjectEvent { event: kind, ..of.clone() };
    otherwise(&mut event.object);
    What::Object(Box::new(event))
}

/// Turns a claim into another one that is bound to a volume.
pub(crate) fn rebind(object: &mut Value, uid: Option<&str>, volume: &str) {
    if let Some(uid) = uid {
        object["metadata"]["uid"] = uid.into();
    }
    object["spec"]["volumeName"] = volume.into();
    object["status"]["phase"] = json!("Bound");
}
