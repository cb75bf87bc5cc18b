//! A fake witness. It speaks the witness's protocol over the API server's exec, as a pod of the small cluster would.
//! The other pods cannot run a program.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};
use steadfast::evidence::{DnsAnswer, DnsRecord, SqlAnswer};
use steadfast::witness::protocol::{Answer, Ask, DnsAsk, Hello, LedgerAnswer, Line, PROTOCOL, Reply, Request};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::store::{Store, is_ending};

/// The channels of an exec. Each message begins with one
/// (<https://kubernetes.io/blog/2024/08/20/websockets-transition/>).
const INPUT: u8 = 0;
const OUTPUT: u8 = 1;
const STATUS: u8 = 3;

/// The suffix of the names of the cluster.
const ZONE: &str = ".svc.cluster.local";

/// Serves the connection of an exec. A witness answers until its connection ends. Other pods cannot run a program.
pub(super) fn serve(mut stream: TcpStream, key: &str, path: &str, store: &Store) -> std::io::Result<()> {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    let head = format!("{head}Sec-WebSocket-Protocol: v5.channel.k8s.io\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    let said = if path.ends_with("/steadfast-witness/exec") {
        converse(&mut socket, store)
    } else {
        let message = "exec: \"hostname\": executable file not found in $PATH";
        let status = json!({"status": "Failure", "message": message}).to_string();
        say(&mut socket, STATUS, status.as_bytes()).and_then(|()| socket.close(None))
    };
    // A session ends when its connection breaks.
    drop(said);
    Ok(())
}

fn say(socket: &mut WebSocket<TcpStream>, channel: u8, text: &[u8]) -> tungstenite::Result<()> {
    socket.send(Message::binary([&[channel], text].concat()))
}

fn tell(socket: &mut WebSocket<TcpStream>, line: &Line) -> tungstenite::Result<()> {
    let text = serde_json::to_string(line).expect("JSON");
    say(socket, OUTPUT, format!("{text}\n").as_bytes())
}

fn converse(socket: &mut WebSocket<TcpStream>, store: &Store) -> tungstenite::Result<()> {
    tell(socket, &Line::Hello(Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() }))?;
    let mut heard = Vec::new();
    loop {
        if let Message::Binary(bytes) = socket.read()?
            && let Some((&INPUT, text)) = bytes.split_first()
        {
            heard.extend_from_slice(text);
        }
        while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = heard.drain(..=end).collect();
            if let Ok(Request { id, ask, .. }) = serde_json::from_slice(&line) {
                tell(socket, &Line::Reply(Reply { id, took_us: 1, answer: answer(&ask, store) }))?;
            }
        }
    }
}

/// DNS has the names of Ready pods. A server has no rows, and there is no ledger.
fn answer(ask: &Ask, store: &Store) -> Answer {
    match ask {
        Ask::Dns(ask) => Answer::Dns(resolve(ask, store)),
        Ask::Sql(_) | Ask::Await(_) => Answer::Sql(SqlAnswer::Rows(Vec::new())),
        Ask::Resolver => Answer::Resolver(Ok([10, 96, 0, 10].into())),
        Ask::Ledger(_) => Answer::Ledger(LedgerAnswer::Refused { message: "there is no ledger here".to_owned() }),
    }
}

fn resolve(ask: &DnsAsk, store: &Store) -> DnsAnswer {
    let state = store.lock();
    let serves = |pod: &&Value| {
        pod["kind"] == "Pod" && !is_ending(pod) && pod.pointer("/status/conditions/0/status") == Some(&json!("True"))
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut data = Vec::new();
    for pod in state.objects.values().filter(serves) {
        // In this cluster the name of a pod is the name of its Service with a number.
        let (pod_name, home, address) =
            (text(&pod["metadata"]["name"]), text(&pod["metadata"]["namespace"]), text(&pod["status"]["podIP"]));
        let service = pod_name.rsplit_once('-').map_or("", |it| it.0);
        let all = format!("{service}.{home}{ZONE}");
        let own = format!("{pod_name}.{all}");
        let reverse: Vec<&str> = address.rsplit('.').collect();
        if ask.record_type == "PTR" && ask.name == format!("{}.in-addr.arpa", reverse.join(".")) {
            data.push(own);
        } else if ask.record_type == "A" && [all, own].contains(&ask.name) {
            data.push(address);
        }
    }
    let rcode = if data.is_empty() { "NXDOMAIN" } else { "NOERROR" }.to_owned();
    DnsAnswer::Response { rcode, records: data.into_iter().map(|data| DnsRecord { ttl: 0, data }).collect() }
}
