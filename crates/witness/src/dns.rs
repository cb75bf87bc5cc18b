//! Sends one query to one DNS server, once: no cache, no search list, no retry. The harness wants to see what a pod
//! gets when it asks, and decides itself how often to ask.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

use super::protocol::DnsAsk;
use crate::evidence::{DnsAnswer, DnsRecord, Transport};

/// The largest UDP answer that the server may send in bytes, advertised by EDNS0 (RFC 6891 section 6.2.5).
const UDP_PAYLOAD: u16 = 4096;

/// Why there is no answer.
#[derive(Debug, Error)]
enum DnsError {
    #[error("{0:?} cannot be asked for: {1}")]
    Question(String, String),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the answer is not a DNS message: {0}")]
    Malformed(#[from] hickory_proto::serialize::binary::DecodeError),
    #[error("the answer is to another question")]
    Stray,
    #[error("the answer was truncated: ask by TCP")]
    Truncated,
}

/// Sends the query, and answers within the deadline.
pub(crate) async fn ask(ask: &DnsAsk, deadline: Duration) -> DnsAnswer {
    let began = Instant::now();
    let outcome = timeout(deadline, resolve(ask)).await;
    let awaited = || {
        let DnsAsk { address, port, transport, name, record_type } = ask;
        let server = SocketAddr::new(*address, *port);
        let transport = format!("{transport:?}").to_uppercase();
        let waited = began.elapsed().as_millis();
        format!("awaited the {record_type} records of {name} from {server} by {transport} for {waited} ms")
    };
    match outcome {
        Ok(Ok(answer)) => answer,
        Ok(Err(trouble)) => DnsAnswer::Broken { message: format!("{}: {trouble}", awaited()) },
        Err(_) => DnsAnswer::Broken { message: awaited() },
    }
}

async fn resolve(ask: &DnsAsk) -> Result<DnsAnswer, DnsError> {
    let server = SocketAddr::new(ask.address, ask.port);
    let record_type = ask.record_type.parse().map_err(|error| unaskable(&ask.record_type, error))?;
    let question = question(&ask.name, record_type)?;
    let bytes = question.to_vec().map_err(|error| unaskable(&ask.name, error))?;
    let response = match ask.transport {
        Transport::Udp => by_udp(server, &question, &bytes).await?,
        Transport::Tcp => by_tcp(server, &question, &bytes).await?,
    };
    if response.metadata.truncation {
        return Err(DnsError::Truncated);
    }
    let records = response.answers.iter().filter(|record| record.record_type() == record_type);
    let records = records.map(|record| DnsRecord { ttl: record.ttl, data: text(&record.data) }).collect();
    Ok(DnsAnswer::Response { rcode: rcode(response.metadata.response_code), records })
}

fn unaskable(what: &str, error: impl ToString) -> DnsError {
    DnsError::Question(what.to_owned(), error.to_string())
}

/// Builds a query with a random id, and with recursion desired like a pod's resolver.
fn question(name: &str, record_type: RecordType) -> Result<Message, DnsError> {
    let mut name = Name::from_ascii(name).map_err(|error| unaskable(name, error))?;
    name.set_fqdn(true);
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD);
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, record_type)).set_edns(edns);
    Ok(message)
}

/// Queries over UDP. Ignores datagrams that do not answer the query, because anyone can send one.
async fn by_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> Result<Message, DnsError> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match Message::from_vec(&buffer[..length]) {
            Ok(message) if answers(&message, question) => return Ok(message),
            _ => {}
        }
    }
}

/// Queries over TCP, where the length precedes each message (RFC 1035 section 4.2.2).
async fn by_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> Result<Message, DnsError> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    // One write, because some servers expect length and message in one segment (RFC 7766 section 8).
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    let message = Message::from_vec(&answer)?;
    if answers(&message, question) { Ok(message) } else { Err(DnsError::Stray) }
}

fn answers(message: &Message, question: &Message) -> bool {
    message.metadata.message_type == MessageType::Response
        && message.metadata.id == question.metadata.id
        && message.queries == question.queries
}

/// The name of a response code in the RFCs: the variant's name in upper case.
fn rcode(code: ResponseCode) -> String {
    match code {
        ResponseCode::Unknown(number) => format!("RCODE{number}"),
        known => format!("{known:?}").to_uppercase(),
    }
}

fn text(data: &RData) -> String {
    match data {
        RData::PTR(target) => host(target),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, host(&srv.target)),
        other => other.to_string(),
    }
}

fn host(name: &Name) -> String {
    let name = name.to_lowercase().to_ascii();
    name.strip_suffix('.').unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::OpCode;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{A, CNAME, PTR, SRV};
    use tokio::net::TcpListener;

    use super::*;

    const NAME: &str = "Mysql-h.db.svc.cluster.local";
    const DEADLINE: Duration = Duration::from_secs(5);

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn a(last: u8) -> RData {
        RData::A(A::new(10, 0, 0, last))
    }

    fn response(question: &Message, code: ResponseCode, answers: Vec<RData>) -> Message {
        let mut message = Message::response(question.metadata.id, OpCode::Query);
        message.metadata.response_code = code;
        message.add_queries(question.queries.clone());
        let owner = &question.queries[0].name;
        message.add_answers(answers.into_iter().map(|data| Record::from_rdata(owner.clone(), 30, data)));
        message
    }

    /// Queries a UDP server that answers with the messages that `answer` makes of the query.
    async fn by_udp(name: &str, record_type: &str, answer: impl Fn(&Message) -> Vec<Message>) -> DnsAnswer {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let question = ask_of(server.local_addr().unwrap(), Transport::Udp, name, record_type);
        let serve = async {
            let mut buffer = [0; 512];
            let (length, client) = server.recv_from(&mut buffer).await.unwrap();
            for message in answer(&Message::from_vec(&buffer[..length]).unwrap()) {
                server.send_to(&message.to_vec().unwrap(), client).await.unwrap();
            }
        };
        tokio::join!(ask(&question, DEADLINE), serve).0
    }

    /// As [`by_udp`], over TCP.
    async fn by_tcp(name: &str, record_type: &str, answer: impl Fn(&Message) -> Message) -> DnsAnswer {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let question = ask_of(server.local_addr().unwrap(), Transport::Tcp, name, record_type);
        let serve = async {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut bytes = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut bytes).await.unwrap();
            let bytes = answer(&Message::from_vec(&bytes).unwrap()).to_vec().unwrap();
            stream.write_u16(bytes.len() as u16).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        };
        tokio::join!(ask(&question, DEADLINE), serve).0
    }

    fn ask_of(server: SocketAddr, transport: Transport, name: &str, record_type: &str) -> DnsAsk {
        let (address, port) = (server.ip(), server.port());
        DnsAsk { address, port, transport, name: name.into(), record_type: record_type.into() }
    }

    fn answered(rcode: &str, data: &[&str]) -> DnsAnswer {
        let records = data.iter().map(|&data| DnsRecord { ttl: 30, data: data.into() }).collect();
        DnsAnswer::Response { rcode: rcode.into(), records }
    }

    fn broken(answer: DnsAnswer) -> String {
        match answer {
            DnsAnswer::Broken { message } => message,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn the_question_is_absolute_and_only_records_of_its_type_count() {
        let answer = by_udp(NAME, "A", |question| {
            assert!(question.queries[0].name.is_fqdn() && question.metadata.recursion_desired);
            assert_eq!(question.max_payload(), UDP_PAYLOAD);
            vec![response(question, ResponseCode::NoError, vec![RData::CNAME(CNAME(name("b."))), a(1), a(2)])]
        });
        assert_eq!(answer.await, answered("NOERROR", &["10.0.0.1", "10.0.0.2"]));
    }

    #[tokio::test]
    async fn names_in_answers_are_lower_case_without_the_dot() {
        let srv = RData::SRV(SRV::new(0, 50, 3306, name("MySQL-0.h.")));
        let answer =
            by_tcp("_mysql._tcp.h.", "SRV", |question| response(question, ResponseCode::NoError, vec![srv.clone()]));
        assert_eq!(answer.await, answered("NOERROR", &["0 50 3306 mysql-0.h"]));
        let ptr = RData::PTR(PTR(name("MySQL-0.h.")));
        let answer = by_tcp("1.0.0.10.in-addr.arpa", "PTR", |question| {
            response(question, ResponseCode::NoError, vec![ptr.clone()])
        });
        assert_eq!(answer.await, answered("NOERROR", &["mysql-0.h"]));
    }

    #[tokio::test]
    async fn codes_bear_their_names() {
        for (code, text) in [
            (ResponseCode::NXDomain, "NXDOMAIN"),
            (ResponseCode::ServFail, "SERVFAIL"),
            (ResponseCode::Refused, "REFUSED"),
            (ResponseCode::NotImp, "NOTIMP"),
            (ResponseCode::FormErr, "FORMERR"),
        ] {
            let answer = by_udp(NAME, "A", |question| vec![response(question, code, Vec::new())]).await;
            assert_eq!(answer, answered(text, &[]));
        }
    }

    #[tokio::test]
    async fn datagrams_that_do_not_answer_the_question_are_passed_over() {
        let answer = by_udp(NAME, "A", |question| {
            let right = response(question, ResponseCode::NoError, vec![a(1)]);
            let mut wrong_id = response(question, ResponseCode::NXDomain, Vec::new());
            wrong_id.metadata.id = question.metadata.id.wrapping_add(1);
            let mut wrong_name = response(question, ResponseCode::NXDomain, Vec::new());
            wrong_name.queries[0].name = name("other.");
            vec![wrong_id, wrong_name, question.clone(), right]
        });
        assert_eq!(answer.await, answered("NOERROR", &["10.0.0.1"]));
    }

    #[tokio::test]
    async fn a_truncated_answer_is_none() {
        let answer =
            by_udp(NAME, "A", |question| vec![response(question, ResponseCode::NoError, vec![a(1)]).truncate()]);
        assert!(broken(answer.await).ends_with("the answer was truncated: ask by TCP"));
    }

    #[tokio::test]
    async fn an_answer_to_another_question_by_tcp_is_none() {
        let answer = by_tcp(NAME, "A", |question| {
            let mut response = response(question, ResponseCode::NoError, vec![a(1)]);
            response.metadata.id = question.metadata.id.wrapping_add(1);
            response
        });
        assert!(broken(answer.await).ends_with("the answer is to another question"));
    }

    #[tokio::test]
    async fn silence_ends_with_the_deadline() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let message = broken(ask(&ask_of(address, Transport::Udp, "a.b", "A"), Duration::from_millis(30)).await);
        let awaited = format!("awaited the A records of a.b from {address} by UDP for ");
        assert!(message.starts_with(&awaited) && message.ends_with(" ms"), "{message}");
    }

    #[tokio::test]
    async fn a_closed_port_is_told() {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let message = broken(ask(&ask_of(address, Transport::Tcp, NAME, "A"), DEADLINE).await);
        assert!(message.contains(" ms: Connection refused"), "{message}");
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_told() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let message = broken(ask(&ask_of(address, Transport::Udp, "a b", "A"), DEADLINE).await);
        assert!(message.contains(r#""a b" cannot be asked for"#), "{message}");
        let message = broken(ask(&ask_of(address, Transport::Udp, "a.b", "X"), DEADLINE).await);
        assert!(message.contains(r#""X" cannot be asked for"#), "{message}");
    }
}
