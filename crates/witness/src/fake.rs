//! A MySQL server for tests: it accepts every login and answers what the test wants.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The initial handshake packet of a server: protocol 10, version, connection id, nonce, capabilities (protocol 4.1,
/// secure connection, plugin auth), collation, status, plugin.
const GREETING: &[u8] = b"\x0a5.7.22\0\x01\0\0\0abcdefgh\0\0\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0\
    ijklmnopqrst\0mysql_native_password\0";

/// The packet of a statement that succeeded.
pub(crate) const OK: &[u8] = b"\0\0\0\x02\0\0\0";

/// The server's answer to a statement.
pub(crate) enum Says {
    /// These packets.
    Packets(Vec<Vec<u8>>),
    /// Nothing; the connection stays open.
    Nothing,
    /// Nothing; the connection is closed.
    Goodbye,
}

impl Says {
    /// Success.
    pub(crate) fn ok() -> Self {
        Self::Packets(vec![OK.to_vec()])
    }

    /// An error with this code.
    pub(crate) fn error(code: u16) -> Self {
        Self::Packets(vec![[&[0xff][..], &code.to_le_bytes(), b"#HY000no"].concat()])
    }

    /// Rows with one column `id`.
    pub(crate) fn ids(ids: impl IntoIterator<Item = u64>) -> Self {
        let end = b"\xfe\0\0\x02\0".to_vec();
        let column = b"\x03def\0\0\0\x02id\0\x0c\x21\0\xff\0\0\0\xfd\0\0\0\0\0".to_vec();
        let row = |id: u64| {
            let text = id.to_string();
            [&[text.len() as u8], text.as_bytes()].concat()
        };
        let mut packets = vec![vec![1], column, end.clone()];
        packets.extend(ids.into_iter().map(row));
        packets.push(end);
        Self::Packets(packets)
    }
}

/// Listens on a free port of this machine.
pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Sends one packet.
pub(crate) async fn send(stream: &mut TcpStream, sequence: u8, packet: &[u8]) -> io::Result<()> {
    let mut bytes = vec![packet.len() as u8, 0, 0, sequence];
    bytes.extend_from_slice(packet);
    stream.write_all(&bytes).await
}

/// Receives one packet.
pub(crate) async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await?;
    let mut packet = vec![0; usize::from(header[0]) + 256 * usize::from(header[1])];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}

/// Waits for a client and logs it in. A client that finds no TLS closes the connection and connects again.
pub(crate) async fn admit(listener: &TcpListener) -> io::Result<TcpStream> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        match let_in(&mut stream).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            admitted => return admitted.map(|()| stream),
        }
    }
}

/// Logs a client in, whatever its credentials.
async fn let_in(stream: &mut TcpStream) -> io::Result<()> {
    send(stream, 0, GREETING).await?;
    receive(stream).await?;
    send(stream, 2, OK).await
}

/// Serves any number of clients, until dropped.
pub(crate) async fn serve(listener: TcpListener, says: impl Fn(&str) -> Says + Send + Sync + 'static) {
    let (says, mut clients) = (Arc::new(says), JoinSet::new());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let says = says.clone();
        clients.spawn(async move { client(stream, &*says).await });
    }
}

async fn client(mut stream: TcpStream, says: &(impl Fn(&str) -> Says + Sync)) -> io::Result<()> {
    let_in(&mut stream).await?;
    loop {
        let command = receive(&mut stream).await?;
        let Some((3, statement)) = command.split_first() else { return Ok(()) };
        match says(std::str::from_utf8(statement).unwrap()) {
            Says::Packets(packets) => {
                for (index, packet) in packets.iter().enumerate() {
                    send(&mut stream, index as u8 + 1, packet).await?;
                }
            }
            Says::Nothing => {}
            Says::Goodbye => return Ok(()),
        }
    }
}
