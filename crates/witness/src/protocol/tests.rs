//! The messages of both sides, as documented, and that no secret is printed.

use super::*;

fn sql() -> Request {
    let ask = SqlAsk {
        address: [10, 0, 0, 7].into(),
        port: 3306,
        user: "root".into(),
        password: "hunter2".into(),
        tls: Tls::Preferred,
        statements: vec!["SELECT ${key}".into()],
        secrets: BTreeMap::from([("key".into(), "swordfish".into())]),
    };
    Request { id: 7, deadline_ms: 500, ask: Ask::Sql(ask) }
}

#[test]
fn a_request_survives_the_way() {
    let line = serde_json::to_string(&sql()).unwrap();
    assert!(line.contains(r#""ask":{"sql":{"address":"10.0.0.7","#), "{line}");
    assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), sql());
}

#[test]
fn a_dns_question_goes_to_port_53_unless_told_otherwise() {
    let ask = r#"{"dns":{"address":"::1","transport":"tcp","name":"a.b","record_type":"SRV"}}"#;
    let Ask::Dns(ask) = serde_json::from_str(ask).unwrap() else { panic!("not a DNS question") };
    assert_eq!((ask.port, ask.transport), (53, Transport::Tcp));
}

#[test]
fn lines_look_as_documented() {
    let line = |line| serde_json::to_string(&line).unwrap();
    let hello = Line::Hello(Hello { protocol: PROTOCOL, version: "0.1.0".into() });
    assert_eq!(line(hello), r#"{"hello":{"protocol":5,"version":"0.1.0"}}"#);
    let trouble = Line::Trouble(InvalidRequest { message: "no".into() });
    assert_eq!(line(trouble), r#"{"trouble":{"message":"no"}}"#);
    let reply = Line::Reply(Reply { id: 1, took_us: 2, answer: Answer::Sql(SqlAnswer::Rows(Vec::new())) });
    assert_eq!(line(reply), r#"{"reply":{"id":1,"took_us":2,"answer":{"sql":{"rows":[]}}}}"#);
}

fn start() -> Request {
    let plan = Plan {
        host: "mysql-0.mysql-h".into(),
        port: 3306,
        user: "writer".into(),
        tls: Tls::Preferred,
        table: "steadfast.entries".into(),
        writers: 2,
        per_second: 5,
        write_timeout_ms: 2_000,
        replicas: vec![Replica { pod: "mysql-1".into(), host: "mysql-1.mysql-h".into() }],
        look_every_ms: 100,
        semi_sync: None,
    };
    Request { id: 8, deadline_ms: 500, ask: Ask::Ledger(LedgerAsk::Start(plan)) }
}

#[test]
fn what_the_ledger_is_told_looks_as_documented() {
    let line = |request: &Request| serde_json::to_string(request).unwrap();
    let start = start();
    assert_eq!(serde_json::from_str::<Request>(&line(&start)).unwrap(), start);
    let asked = |ask| line(&Request { id: 1, deadline_ms: 2, ask: Ask::Ledger(ask) });
    assert_eq!(asked(LedgerAsk::Pause), r#"{"id":1,"deadline_ms":2,"ask":{"ledger":"pause"}}"#);
    let read = r#"{"id":1,"deadline_ms":2,"ask":{"ledger":{"read":{"after":3,"limit":4}}}}"#;
    assert_eq!(asked(LedgerAsk::Read { after: 3, limit: 4 }), read);
}

#[test]
fn what_the_ledger_says_looks_as_documented() {
    let line = |answer| serde_json::to_string(&Answer::Ledger(answer)).unwrap();
    assert_eq!(line(LedgerAnswer::Done), r#"{"ledger":"done"}"#);
    let entries = Entries { now_us: 9, ..Entries::default() };
    let read = LedgerAnswer::Read { next: 3, activity: Activity::Paused, entries };
    let text = r#"{"ledger":{"read":{"next":3,"activity":"paused","entries":{"now_us":9,"writes":[],"lags":[]}}}}"#;
    assert_eq!(line(read), text);
}

#[test]
fn debugging_shows_no_secret() {
    let shown = format!("{:?}", sql());
    assert!(shown.contains("[redacted]") && !shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
}
