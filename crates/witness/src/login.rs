//! Logs in to a MySQL server, over TLS if the server offers it or the harness demands it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use mysql_async::{Conn, DriverError, Error, IoError, Opts, OptsBuilder, SslOpts};

use super::protocol::{Secret, Tls};

/// The largest packet in bytes: the server's default in MySQL 8.0.
const MAX_PACKET: usize = 64 << 20;

/// How long the server may keep an idle connection, in seconds. The connection is never idle, so any value works.
const IDLE_SECONDS: usize = 28_800;

/// The error of a server that refuses connections without TLS
/// (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html#error_er_secure_transport_required>).
const TLS_REQUIRED: u16 = 3159;

/// Servers without TLS, remembered to avoid a failing first connection to them.
static PLAIN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());

/// The server and the credentials of a login.
#[derive(Debug, Clone)]
pub(super) struct Login<'a> {
    pub address: IpAddr,
    pub port: u16,
    pub user: &'a str,
    pub password: &'a Secret,
    pub tls: Tls,
}

impl Login<'_> {
    /// Opens a new connection, over TLS unless the server offers none and none is required.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses the login.
    pub(crate) async fn connect(&self) -> Result<Conn, Error> {
        let server = SocketAddr::new(self.address, self.port);
        let plain = || PLAIN.lock().unwrap_or_else(PoisonError::into_inner);
        if self.tls == Tls::Preferred && plain().contains(&server) {
            let connected = Conn::new(self.options(false)).await;
            let wants_tls = |error: &Error| matches!(error, Error::Server(it) if it.code == TLS_REQUIRED);
            match connected {
                // Another server may have the address by now.
                Err(error) if wants_tls(&error) || !matches!(error, Error::Server(_)) => plain().remove(&server),
                connected => return connected,
            };
        }
        match Conn::new(self.options(true)).await {
            Err(error) if self.tls == Tls::Preferred && lacks_tls(&error) => {
                if matches!(error, Error::Driver(DriverError::NoClientSslFlagFromServer)) {
                    plain().insert(server);
                }
                Conn::new(self.options(false)).await
            }
            connected => connected,
        }
    }

    /// Options without a socket file and without extra queries: the driver would query the server for the two settings
    /// that are given here.
    fn options(&self, tls: bool) -> Opts {
        let unverified = || SslOpts::default().with_danger_accept_invalid_certs(true);
        OptsBuilder::default()
            .ip_or_hostname(self.address.to_string())
            .tcp_port(self.port)
            .user(Some(self.user))
            .pass(Some(self.password.expose()))
            .ssl_opts(tls.then(unverified))
            .prefer_socket(false)
            .max_allowed_packet(Some(MAX_PACKET))
            .wait_timeout(Some(IDLE_SECONDS))
            .into()
    }
}

/// Whether a server has no TLS, or only versions before 1.2, which this program does not speak.
pub(super) fn lacks_tls(error: &Error) -> bool {
    match error {
        Error::Driver(DriverError::NoClientSslFlagFromServer) | Error::Io(IoError::Tls(_)) => true,
        Error::Io(IoError::Io(error)) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{admit, listener};

    #[tokio::test]
    async fn a_server_without_tls_is_asked_without_unless_tls_is_required() {
        let (listener, address) = listener().await;
        let password = Secret::from("hunter2");
        let login = |tls| Login { address: address.ip(), port: address.port(), user: "root", password: &password, tls };
        let (preferred, required) = (login(Tls::Preferred), login(Tls::Required));
        let (connected, admitted) = tokio::join!(preferred.connect(), admit(&listener));
        admitted.unwrap();
        assert!(connected.is_ok() && PLAIN.lock().unwrap().contains(&address));
        let serving = tokio::spawn(async move { admit(&listener).await.map(drop) });
        let error = required.connect().await.unwrap_err();
        assert!(lacks_tls(&error), "{error}");
        serving.abort();
    }
}
