//! Connections by stable name. Each connection resolves the name again, as a client that follows a pod must. It asks
//! the server of the pod's own resolver directly, because the C library of a static program is not reliable at that.

use std::net::IpAddr;
use std::time::Duration;

use mysql_async::Conn;

use crate::dns;
use crate::evidence::{DnsAnswer, Transport};
use crate::login::Login;
use crate::protocol::{DnsAsk, Plan, Secret, Tls};
use crate::sql::reason;

const RESOLVER: &str = "/etc/resolv.conf";

const RESOLVE_WITHIN: Duration = Duration::from_secs(1);

/// How to reach a server.
pub(super) struct Server {
    host: String,
    port: u16,
    user: String,
    password: Secret,
    tls: Tls,
}

impl Server {
    /// The server with this stable name, by a plan.
    pub(super) fn of(plan: &Plan, password: &Secret, host: &str) -> Self {
        let (user, password) = (plan.user.clone(), password.clone());
        Self { host: host.to_owned(), port: plan.port, user, password, tls: plan.tls }
    }

    /// Opens a new connection. The error is a text: no statement was sent yet.
    pub(super) async fn connect(&self) -> Result<Conn, String> {
        let address = resolve(&self.host).await?;
        let Self { port, user, password, tls, .. } = self;
        match (Login { address, port: *port, user, password, tls: *tls }).connect().await {
            Ok(conn) => Ok(conn),
            Err(error) => Err(format!("no connection to {address}: {}", reason(&error))),
        }
    }
}

async fn resolve(host: &str) -> Result<IpAddr, String> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let server = nameserver().await?;
    let mut seen = String::new();
    for record_type in ["A", "AAAA"] {
        let (name, record_type) = (host.to_owned(), record_type.to_owned());
        let ask = DnsAsk { address: server, port: 53, transport: Transport::Udp, name, record_type };
        match dns::ask(&ask, RESOLVE_WITHIN).await {
            DnsAnswer::Response { rcode, records } => {
                let address = records.iter().find_map(|record| record.data.parse().ok());
                match address {
                    Some(address) => return Ok(address),
                    None => seen = rcode,
                }
            }
            DnsAnswer::Broken { message } => return Err(message),
        }
    }
    Err(format!("{host} has no address: {server} says {seen}"))
}

/// The DNS server of this pod's resolver.
pub(crate) async fn nameserver() -> Result<IpAddr, String> {
    let text = tokio::fs::read_to_string(RESOLVER).await.map_err(|error| format!("{RESOLVER}: {error}"))?;
    first_nameserver(&text).ok_or_else(|| format!("{RESOLVER} names no server"))
}

/// The first server in a resolver configuration (<https://man7.org/linux/man-pages/man5/resolv.conf.5.html>).
fn first_nameserver(text: &str) -> Option<IpAddr> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_server_is_asked() {
        let text = "search db.svc.cluster.local\nnameserver\t10.96.0.10\nnameserver fd00::a\noptions ndots:5\n";
        assert_eq!(first_nameserver(text), Some([10, 96, 0, 10].into()));
        assert_eq!(first_nameserver("# nameserver 10.0.0.1\nnameserver fd00::a # ours\n"), "fd00::a".parse().ok());
        assert_eq!(first_nameserver("search nameserver\n"), None);
    }

    #[tokio::test]
    async fn an_address_is_not_asked_for() {
        assert_eq!(resolve("127.0.0.1").await, Ok([127, 0, 0, 1].into()));
    }
}
