//! Every kind of record.

use crate::evidence::Scenario;
use serde_json::json;

use super::{Story, run, set, uid};
use crate::evidence::*;

/// At least one record of each kind.
pub(crate) fn one_of_each() -> Vec<Record> {
    let mut story = Story::default();
    story.at(0, What::Run(Box::new(run())));
    story.step(10, None, "create the cluster", Phase::Begin);
    story.step(20, Scenario::Restart, "delete mysql-1", Phase::Failed("409 Conflict: UID differs".into()));
    story.object(1_000, EventType::Listed, "StatefulSet", set());
    story.pod(1_345, EventType::Added, 1, 1, false, false);
    story.pod(2_000, EventType::Modified, 1, 1, false, true);
    let meta = |name: &str| json!({ "name": name, "uid": "short" });
    for (kind, object) in [
        (
            "PersistentVolumeClaim",
            json!({ "metadata": meta("data-mysql-1"), "spec": { "volumeName": "pvc-1" }, "status": { "phase": "Bound" } }),
        ),
        (
            "PersistentVolume",
            json!({ "metadata": meta("pvc-1"), "spec": { "claimRef": { "name": "data-mysql-1" } }, "status": { "phase": "Released" } }),
        ),
        (
            "EndpointSlice",
            json!({ "metadata": meta("mysql-h-x"), "endpoints": [{ "conditions": { "ready": true } }, { "conditions": { "ready": false } }] }),
        ),
        ("Service", json!({ "metadata": meta("mysql-h") })),
        (
            "Event",
            json!({
                "metadata": meta("mysql-1.18a"), "type": "Warning", "reason": "FailedMount", "count": 3,
                "involvedObject": { "kind": "Pod", "name": "mysql-1" }, "message": "MountVolume.SetUp failed",
            }),
        ),
    ] {
        story.object(3_000, EventType::Modified, kind, object);
    }
    let gap = Gap { object_kind: "Pod".into(), after_version: "4711".into(), reason: "410 Gone".into() };
    story.at(4_000, What::Gap(gap));
    let by_us = 600_000_000;
    for cause in [Cause::Slept, Cause::StoodStill, Cause::WallJumped { by_us }, Cause::WallJumped { by_us: -by_us }] {
        story.at(4_500, What::Lapse(Lapse { from_us: 4_100_000, to_us: 4_400_000, cause }));
    }
    story.wait(5_000, "mysql-1 Ready", WaitOutcome::Met, 900, "Running, Ready");
    story.wait(6_000, "mysql-1 Ready", WaitOutcome::Expired, 300_000, "Pending, not Ready");
    story.wait(7_000, "mysql-1 Ready", WaitOutcome::Impossible("the image is missing".into()), 1_000, "Pending");
    story.wait(7_100, "mysql-1 Ready again", WaitOutcome::CutShort, 5_000, "Pending");
    questions(&mut story);
    writes(&mut story);
    story.at(9_000, What::Fault(Fault { act: Act::Scale { from: 3, to: 1 }, proof: None }));
    let act = Act::DeletePod { pod: "mysql-0".into(), uid: uid(0, 1), grace_s: Some(0) };
    story.at(9_100, What::Fault(Fault { act, proof: Some(vec![5, 6]) }));
    snapshots(&mut story);
    story.at(1_234_567, What::Note(Note { message: "the log of mysql-1 could not be read".into() }));
    story.0
}

fn snapshots(story: &mut Story) {
    let left = json!([{ "kind": "PersistentVolume", "name": "pvc-1", "held_by": "kubernetes.io/pv-protection" }]);
    let corefile = json!(".:53 {\n    errors\n    cache 30\n}\n");
    let paused = json!({ "node": "worker", "state": "paused" });
    let process = json!({ "node": "control-plane", "state": "4711 since Tue Nov 24 18:00:00 2026" });
    let servers = json!([{ "name": "coredns-5d78c9869d-fghij", "uid": uid(9, 1), "address": "10.244.0.7" }]);
    let lines = ["starting", " ", "unknown variable"];
    let last_lines =
        json!({ "pod": "mysql-1", "uid": uid(1, 1), "container": "mysql", "previous": true, "lines": lines });
    let cut = json!({
        "node": "worker", "file_system": "ext4", "kernel": "EXT4-fs (loop0): shut down requested (2)",
        "volumes": ["pvc-1_steadfast_data-mysql-1"], "synced_bytes": 65_536, "unsynced_bytes": 65_536,
    });
    let restored = json!({ "node": "worker", "synced_bytes": 65_536, "unsynced_bytes": 0 });
    for (of, value) in [
        (SnapshotOf::PowerCut, cut),
        (SnapshotOf::PowerRestored, restored),
        (SnapshotOf::Corefile, corefile),
        (SnapshotOf::LeftoverObjects, left),
        (SnapshotOf::LeftoverResources, json!([])),
        (SnapshotOf::Node, paused),
        (SnapshotOf::ApiServer, process),
        (SnapshotOf::DnsServers, servers),
        (SnapshotOf::ContainerLog, last_lines),
    ] {
        story.at(9_200, What::Snapshot(Snapshot { of, value }));
    }
}

fn questions(story: &mut Story) {
    let pod = || "mysql-1".to_owned();
    for answer in [
        DnsAnswer::Response {
            rcode: "NOERROR".into(),
            records: vec![DnsRecord { ttl: 30, data: "10.244.1.5".into() }],
        },
        DnsAnswer::Response { rcode: "NXDOMAIN".into(), records: Vec::new() },
        DnsAnswer::Broken { message: "no answer within 5 s".into() },
    ] {
        let dns = Dns {
            checkpoint: Checkpoint::Ready { pod: pod(), uid: uid(1, 1) },
            from: "steadfast-b".into(),
            server: "coredns-5d78c9869d-abcde".into(),
            address: "10.244.0.3:53".into(),
            transport: Transport::Udp,
            name: "mysql-1.mysql-h.steadfast.svc.cluster.local".into(),
            record_type: "A".into(),
            took_us: 1_234,
            answer,
        };
        story.at(8_000, What::Dns(dns));
    }
    let row = |pairs: &[(&str, Option<&str>)]| -> Row {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
    };
    let status = [
        ("Slave_IO_Running", Some("Yes")),
        ("Master_Host", Some("mysql-0")),
        ("Exec_Master_Log_Pos", Some("4")),
        ("Last_IO_Error", None),
    ];
    let read_only = "The MySQL server is running with the --super-read-only option";
    for (question, answer) in [
        (Question::ReplicaStatus, SqlAnswer::Rows(vec![row(&status)])),
        (Question::Rows, SqlAnswer::Rows((1..=3).map(|id: u32| row(&[("id", Some(&id.to_string()))])).collect())),
        (Question::Configure, SqlAnswer::Rows(Vec::new())),
        (Question::TryWrite, SqlAnswer::Error { code: 1290, message: read_only.into() }),
        (Question::Ping, SqlAnswer::Unreachable { message: "connection refused".into() }),
    ] {
        let statements = vec!["SELECT 1".to_owned()];
        let sql = Sql {
            checkpoint: Checkpoint::Replicating,
            pod: pod(),
            uid: uid(1, 1),
            question,
            statements,
            took_us: 900,
            answer,
        };
        story.at(8_500, What::Sql(sql));
    }
    let (argv, checkpoint) = (vec!["hostname".to_owned(), "-f".to_owned()], Checkpoint::BeforeDeletion { pod: pod() });
    let answer = ExecAnswer::Exited { code: 0, stdout: "mysql-1.mysql-h".into(), stderr: String::new() };
    story.at(8_600, What::Exec(Exec { checkpoint, pod: pod(), uid: uid(1, 1), argv, took_us: 70_000, answer }));
}

/// Writes of the harness, and what the witness's ledger handed over.
fn writes(story: &mut Story) {
    let pod = || "mysql-1".to_owned();
    for (id, outcome) in [(16, WriteOutcome::Acknowledged), (17, WriteOutcome::Unknown("connection reset".into()))] {
        let checkpoint = Checkpoint::Deletion { pod: pod() };
        story.at(8_700, What::Write(Write { id, pod: pod(), uid: uid(1, 1), checkpoint, outcome }));
    }
    let refused = "1290: the server runs with --super-read-only";
    let outcomes = [
        WriteOutcome::Acknowledged,
        WriteOutcome::Unknown("connection reset".into()),
        WriteOutcome::Rejected(refused.into()),
    ];
    let entry = |(id, outcome)| Entry { id, sent_us: 5_000 * id, ended_us: 5_000 * id + 900, outcome, semi_sync: None };
    let writes = (1..).zip(outcomes).map(entry).collect();
    let lag = |at_us, behind_us| Lag { pod: pod(), at_us, behind_us };
    let lags = vec![lag(50_000, Some(0)), lag(100_000, None)];
    story.at(8_800, What::Entries(Entries { now_us: 200_000, writes, lags, ..Entries::default() }));
    let (lags, doubtful) = (vec![lag(250_000, Some(900))], vec![Ids { first: 4, last: 9 }]);
    let lapses = vec![Lapse { from_us: 210_000, to_us: 240_000, cause: Cause::StoodStill }];
    story.at(8_900, What::Entries(Entries { now_us: 300_000, lags, doubtful, lapses, ..Entries::default() }));
}
