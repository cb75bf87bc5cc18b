//! Asks one MySQL server over a new connection: a pool would hide when a server stops answering.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use mysql_async::consts::StatusFlags;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, IoError, Value};
use tokio::time::{Instant, sleep_until, timeout};

use super::login::{Login, lacks_tls};
use super::protocol::SqlAsk;
use super::template::Template;
use crate::evidence::{Row, SqlAnswer};

/// What the witness waits for first.
const CONNECTION: &str = "a connection and its handshake";

/// The time between the beginnings of two attempts to reach a server: a refused connection costs next to nothing.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Asks repeatedly until the server answers with rows or denies the login, or until the deadline passes. Returns when
/// the last attempt began, and its answer.
pub async fn until_answered(question: &SqlAsk, deadline: Duration) -> (Instant, SqlAnswer) {
    let end = Instant::now() + deadline;
    loop {
        let began = Instant::now();
        let answer = ask(question, end.saturating_duration_since(began)).await;
        let next = began + AGAIN_AFTER;
        if matches!(answer, SqlAnswer::Rows(_)) || answer.is_denied() || next >= end {
            return (began, answer);
        }
        sleep_until(next).await;
    }
}

/// Connects, runs the statements in order until one fails, and answers within the deadline.
pub async fn ask(ask: &SqlAsk, deadline: Duration) -> SqlAnswer {
    let templates = ask.statements.iter().map(|statement| Template::parse(statement, &ask.secrets));
    let templates: Vec<_> = match templates.collect() {
        Ok(templates) => templates,
        Err(message) => return SqlAnswer::Broken { message },
    };
    let began = Instant::now();
    let mut awaited = CONNECTION.to_owned();
    let outcome = timeout(deadline, converse(ask, &templates, &mut awaited)).await;
    let server = SocketAddr::new(ask.address, ask.port);
    let message = format!("awaited {awaited} from {server} for {} ms", began.elapsed().as_millis());
    match outcome {
        Ok(Ok(rows)) => SqlAnswer::Rows(rows),
        Ok(Err(Error::Server(error))) => SqlAnswer::Error { code: error.code, message: error.message },
        Ok(Err(error)) if is_gone(&error) || (awaited == CONNECTION && lacks_tls(&error)) => {
            SqlAnswer::Unreachable { message: format!("{message}: {}", reason(&error)) }
        }
        Ok(Err(error)) => SqlAnswer::Broken { message: format!("{message}: {}", reason(&error)) },
        Err(_) => SqlAnswer::Unreachable { message },
    }
}

/// Everything that waits; `awaited` says for what.
async fn converse(ask: &SqlAsk, templates: &[Template<'_>], awaited: &mut String) -> Result<Vec<Row>, Error> {
    let SqlAsk { address, port, user, password, tls, .. } = ask;
    let login = Login { address: *address, port: *port, user, password, tls: *tls };
    let mut conn = login.connect().await?;
    let mut rows = Vec::new();
    for (index, template) in templates.iter().enumerate() {
        *awaited = format!("the answer to statement {} of {}", index + 1, templates.len());
        let statement = template.render(backslash_escapes(&conn));
        let answer = run(&mut conn, statement).await.map_err(|error| template.redact(error))?;
        rows = answer.unwrap_or(rows);
    }
    // The answer is complete, whether or not the disconnect succeeds.
    let _ = conn.disconnect().await;
    Ok(rows)
}

/// Whether the session takes a backslash for an escape; the server reports that with each answer.
fn backslash_escapes(conn: &Conn) -> bool {
    let status = conn.last_ok_packet().map(|ok| ok.status_flags()).unwrap_or_default();
    !status.contains(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES)
}

/// Runs a statement and reads its answer to the end: the rows of the last result set, `None` if there was none.
pub(super) async fn run(conn: &mut Conn, statement: String) -> Result<Option<Vec<Row>>, Error> {
    let mut result = conn.query_iter(statement).await?;
    let mut rows = None;
    while let Some(columns) = result.columns() {
        let set: Vec<mysql_async::Row> = result.collect().await?;
        if !columns.is_empty() {
            rows = Some(set.into_iter().map(row).collect());
        }
    }
    result.drop_result().await?;
    Ok(rows)
}

fn row(row: mysql_async::Row) -> Row {
    let columns = row.columns();
    columns.iter().map(|column| column.name_str().into_owned()).zip(row.unwrap().into_iter().map(text)).collect()
}

/// The text of a value, as `mysql` shows it. The text protocol only brings texts.
fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}

/// Whether the error says that no suitable server answers there, rather than that the question could not be asked.
fn is_gone(error: &Error) -> bool {
    match error {
        Error::Driver(DriverError::ConnectionClosed) => true,
        Error::Io(IoError::Io(error)) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::NotConnected
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::TimedOut
        ),
        _ => false,
    }
}

/// The reason of an error, without the driver's two redundant prefixes.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Driver(DriverError::NoClientSslFlagFromServer) => "the server offers no TLS".to_owned(),
        error if lacks_tls(error) => format!("no TLS that both speak, which is 1.2 with ECDHE, or 1.3: {error}"),
        Error::Io(IoError::Io(error)) => error.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::net::TcpListener;

    use super::*;
    use crate::fake::{OK, admit, listener, receive, send};
    use crate::protocol::Tls;

    fn question(server: SocketAddr, statements: &[&str]) -> SqlAsk {
        SqlAsk {
            address: server.ip(),
            port: server.port(),
            user: "root".into(),
            password: "hunter2".into(),
            tls: Tls::Preferred,
            statements: statements.iter().map(|&statement| statement.to_owned()).collect(),
            secrets: BTreeMap::from([("key".into(), "swordfish".into())]),
        }
    }

    /// A server that accepts every login and answers the statements with these packets in turn.
    async fn serve(listener: TcpListener, answers: &[&[&[u8]]]) -> Vec<String> {
        let mut stream = admit(&listener).await.unwrap();
        let mut statements = Vec::new();
        for answer in answers {
            statements.push(String::from_utf8(receive(&mut stream).await.unwrap()).unwrap());
            for (index, packet) in answer.iter().enumerate() {
                send(&mut stream, index as u8 + 1, packet).await.unwrap();
            }
        }
        statements
    }

    #[tokio::test]
    async fn rows_of_the_last_statement_that_has_any_come_back() {
        let (listener, address) = listener().await;
        let column = b"\x03def\0\0\0\x04name\0\x0c\x21\0\xff\0\0\0\xfd\0\0\0\0\0";
        let end = b"\xfe\0\0\x02\0";
        let answers: &[&[&[u8]]] = &[&[OK], &[b"\x01", column, end, b"\x02hi", b"\xfb", end], &[OK]];
        let question = question(address, &["SET @a = ${key}", "SELECT name", "DO 1"]);
        let (answer, seen) = tokio::join!(ask(&question, Duration::from_secs(5)), serve(listener, answers));
        assert_eq!(seen, ["\x03SET @a = 'swordfish'", "\x03SELECT name", "\x03DO 1"]);
        let row = |value: Option<&str>| Row::from([("name".to_owned(), value.map(str::to_owned))]);
        assert_eq!(answer, SqlAnswer::Rows(vec![row(Some("hi")), row(None)]));
    }

    #[tokio::test]
    async fn an_error_of_a_statement_is_the_answer_without_secrets() {
        let (listener, address) = listener().await;
        let answers: &[&[&[u8]]] = &[&[b"\xff\x28\x04#42000near 'swordf"]];
        let question = question(address, &["CHANGE ${key}", "SELECT 1"]);
        let (answer, _) = tokio::join!(ask(&question, Duration::from_secs(5)), serve(listener, answers));
        assert_eq!(answer, SqlAnswer::Error { code: 1064, message: "near [redacted]".into() });
    }

    #[tokio::test]
    async fn an_error_at_the_door_is_the_answer() {
        let (listener, address) = listener().await;
        let refuse = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            send(&mut stream, 0, b"\xff\x10\x04Too many connections").await.unwrap();
        };
        let question = question(address, &["SELECT 1"]);
        let (answer, ()) = tokio::join!(ask(&question, Duration::from_secs(5)), refuse);
        assert_eq!(answer, SqlAnswer::Error { code: 1040, message: "Too many connections".into() });
    }

    fn unreachable(answer: SqlAnswer) -> String {
        match answer {
            SqlAnswer::Unreachable { message } => message,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable() {
        let (listener, address) = listener().await;
        drop(listener);
        let message = unreachable(ask(&question(address, &["SELECT 1"]), Duration::from_secs(5)).await);
        assert!(message.contains(&format!("handshake from {address}")), "{message}");
        assert!(message.contains(" ms: Connection refused"), "{message}");
    }

    #[tokio::test]
    async fn a_server_that_starts_is_awaited_and_the_last_try_counts() {
        let (starting, address) = listener().await;
        let answers: &[&[&[u8]]] = &[&[OK]];
        let come_up = async {
            for _ in 0..3 {
                let (mut stream, _) = starting.accept().await.unwrap();
                send(&mut stream, 0, b"\xff\x10\x04Too many connections").await.unwrap();
            }
            serve(starting, answers).await
        };
        let begun = Instant::now();
        let question = question(address, &["DO 1"]);
        let ((last, answer), seen) = tokio::join!(until_answered(&question, Duration::from_secs(5)), come_up);
        assert_eq!((answer, seen), (SqlAnswer::Rows(Vec::new()), vec!["\x03DO 1".to_owned()]));
        assert!(last - begun >= 3 * AGAIN_AFTER, "{:?}", last - begun);
    }

    #[tokio::test]
    async fn a_server_that_never_starts_is_awaited_until_the_deadline() {
        let (listener, address) = listener().await;
        drop(listener);
        let (begun, deadline) = (Instant::now(), 3 * AGAIN_AFTER);
        let (last, answer) = until_answered(&question(address, &["SELECT 1"]), deadline).await;
        assert!(unreachable(answer).contains("Connection refused"));
        assert!(last >= begun + AGAIN_AFTER && begun.elapsed() < deadline, "{:?}", last - begun);
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_is_unreachable() {
        let (listener, address) = listener().await;
        let hang_up = async { drop(listener.accept().await.unwrap()) };
        let question = question(address, &["SELECT 1"]);
        let (answer, ()) = tokio::join!(ask(&question, Duration::from_secs(5)), hang_up);
        unreachable(answer);
    }

    #[tokio::test]
    async fn a_silent_server_is_unreachable_when_the_deadline_comes() {
        let (_listener, address) = listener().await;
        let message = unreachable(ask(&question(address, &["SELECT 1"]), Duration::from_millis(50)).await);
        assert!(message.starts_with("awaited a connection and its handshake from 127.0.0.1:"), "{message}");
        assert!(message.ends_with(" ms"), "{message}");
    }

    #[tokio::test]
    async fn a_server_that_falls_silent_is_unreachable_and_the_statement_named() {
        let (listener, address) = listener().await;
        // It never gets the third statement, and keeps the connection open while it waits for it.
        let answers: &[&[&[u8]]] = &[&[OK], &[], &[]];
        let question = question(address, &["DO 1", "DO 2"]);
        let answer = tokio::select! {
            answer = ask(&question, Duration::from_millis(100)) => answer,
            _ = serve(listener, answers) => panic!("the server had all its statements"),
        };
        let message = unreachable(answer);
        assert!(message.starts_with("awaited the answer to statement 2 of 2 from "), "{message}");
        assert!(message.ends_with(" ms"), "{message}");
    }

    #[tokio::test]
    async fn an_unknown_placeholder_is_our_own_error() {
        let (listener, address) = listener().await;
        drop(listener);
        let answer = ask(&question(address, &["SELECT ${other}"]), Duration::from_secs(5)).await;
        assert!(matches!(answer, SqlAnswer::Broken { .. }), "{answer:?}");
    }
}
