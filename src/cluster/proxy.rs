//! Chooses the proxy for an API server, as kubectl does.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// The proxy settings of the environment (<https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config>).
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// The proxy for API servers that use HTTPS.
    pub https: String,
    /// The proxy for those that use HTTP.
    pub http: String,
    /// The hosts to reach without a proxy.
    pub no: String,
}

/// A proxy, and the setting that names it.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub to: Intercept,
    pub source: &'static str,
}

impl Environment {
    /// Reads the environment. An empty variable counts as unset.
    pub(super) fn read() -> Self {
        let first = |names: [&str; 2]| {
            names.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        Self {
            https: first(["HTTPS_PROXY", "https_proxy"]).unwrap_or_default(),
            http: first(["HTTP_PROXY", "http_proxy"]).unwrap_or_default(),
            no: first(["NO_PROXY", "no_proxy"]).unwrap_or_default(),
        }
    }

    /// The proxy for an API server: the kubeconfig's, else the environment's. The environment's is not used for
    /// loopback addresses and for hosts in NO_PROXY.
    ///
    /// # Errors
    /// When it cannot be used, with the variable or field that names it.
    pub(super) fn proxy(&self, server: &Uri, of_kubeconfig: Option<&str>) -> Result<Option<Proxy>, String> {
        if let Some(named) = of_kubeconfig {
            return usable("proxy-url", named, server).map(Some);
        }
        let (variable, named) =
            if server.scheme_str() == Some("http") { ("HTTP_PROXY", &self.http) } else { ("HTTPS_PROXY", &self.https) };
        if named.is_empty() || is_loopback(server.host().unwrap_or_default()) || self.exempts(server) {
            return Ok(None);
        }
        usable(variable, named, server).map(Some)
    }

    /// Whether NO_PROXY exempts a server. Entries are addresses, ranges, domains including their subdomains, `.DOMAIN`
    /// or `*.DOMAIN` for subdomains only, each with an optional port, or `*`.
    fn exempts(&self, server: &Uri) -> bool {
        let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
        let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        self.no.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
            let entry = match entry.rsplit_once(':') {
                // An IPv6 address has more than one colon, unless it is in brackets.
                Some((named, of)) if !named.contains(':') || named.ends_with(']') => {
                    if !of.is_empty() && of.parse() != Ok(port) {
                        return false;
                    }
                    named.to_owned()
                }
                _ => entry,
            };
            let entry = entry.trim_matches(['[', ']']);
            match (host.parse::<IpAddr>(), entry.trim_start_matches('*')) {
                _ if entry == "*" => true,
                (_, "") => false,
                (Ok(_), _) => {
                    Matcher::builder().all("http://proxy").no(entry.to_owned()).build().intercept(server).is_none()
                }
                (Err(_), below) if below.starts_with('.') => host.ends_with(below),
                (Err(_), domain) => host == domain || host.ends_with(&format!(".{domain}")),
            }
        })
    }
}

impl Proxy {
    /// Its address, without credentials.
    pub(super) fn place(&self) -> String {
        let uri = self.to.uri();
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default())
    }
}

/// Whether a host is a loopback name or address. An IPv6 address may be in brackets.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Parses a proxy setting as kubectl does: credentials end at the last `@`, and SOCKS has a default port (RFC 1928).
fn usable(source: &'static str, named: &str, server: &Uri) -> Result<Proxy, String> {
    let (before, place) = named.rsplit_once('@').map_or(("", named), |(before, place)| (before, place));
    let (scheme, login) = before.split_once("://").unwrap_or(("", before));
    let with_login = match (scheme, before) {
        (_, "") => named.to_owned(),
        ("", _) => format!("{}@{place}", login.replace('@', "%40")),
        _ => format!("{scheme}://{}@{place}", login.replace('@', "%40")),
    };
    let host = place.rsplit("://").next().unwrap_or(place).trim_end_matches('/');
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let socks = named.starts_with("socks5");
    let whole = if socks && !has_port { format!("{}:1080", with_login.trim_end_matches('/')) } else { with_login };
    let proxy = Matcher::builder().all(whole).build().intercept(server);
    let known = |proxy: &Intercept| matches!(proxy.uri().scheme_str(), Some("http" | "https" | "socks5" | "socks5h"));
    // The value may hold a password, so it is not repeated.
    proxy.filter(known).map(|to| Proxy { to, source }).ok_or_else(|| {
        format!("{source} is not a usable proxy: give http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(no: &str, server: &str) -> Option<String> {
        let (https, http) = ("http://proxy:3128".to_owned(), String::new());
        let environment = Environment { https, http, no: no.to_owned() };
        let proxy = environment.proxy(&server.parse().expect("an address"), None).expect("usable");
        proxy.map(|proxy| proxy.to.uri().to_string())
    }

    #[test]
    fn a_proxy_is_for_whom_no_proxy_does_not_name() {
        let there = Some("http://proxy:3128/".to_owned());
        assert_eq!(chosen("", "https://10.0.0.1:6443"), there);
        assert_eq!(chosen("10.1.0.0/16, .corp.example,", "https://10.0.0.1:6443"), there);
        for (no, server) in [
            ("*", "https://10.0.0.1:6443"),
            ("10.0.0.0/8", "https://10.0.0.1:6443"),
            ("10.0.0.1", "https://10.0.0.1:6443"),
            ("10.0.0.1:6443", "https://10.0.0.1:6443"),
            ("corp.example", "https://api.corp.example"),
            ("*.corp.example", "https://api.corp.example"),
            (".corp.example", "https://API.corp.example"),
            ("api.corp.example:", "https://api.corp.example"),
            ("api.corp.example:443", "https://api.corp.example"),
            ("fd00::1", "https://[fd00::1]:6443"),
            ("[fd00::1]:6443", "https://[fd00::1]:6443"),
        ] {
            assert_eq!(chosen(no, server), None, "{no} and {server}");
        }
        assert_eq!(chosen("10.0.0.1:443", "https://10.0.0.1:6443"), there);
        assert_eq!(chosen("example", "https://api.counterexample"), there);
        assert_eq!(chosen(".corp.example,*.corp.example", "https://corp.example"), there);
    }

    #[test]
    fn this_machine_needs_none() {
        for server in ["https://127.0.0.1:6443", "https://localhost:6443", "https://[::1]:6443"] {
            assert_eq!(chosen("", server), None, "{server}");
        }
        assert_eq!(chosen("", "http://10.0.0.1"), None, "HTTPS_PROXY is for HTTPS alone");
    }

    #[test]
    fn the_kubeconfig_comes_first_and_what_cannot_be_used_is_named() {
        let environment = Environment { https: "ftp://proxy".to_owned(), no: "*".to_owned(), ..Environment::default() };
        let server: Uri = "https://10.0.0.1".parse().expect("an address");
        let own = environment.proxy(&server, Some("socks5://one:two@proxy:1080")).expect("usable").expect("a proxy");
        assert_eq!((own.to.uri().to_string().as_str(), own.source), ("socks5://proxy:1080/", "proxy-url"));
        assert_eq!(own.to.raw_auth(), Some(("one", "two")));
        let odd = environment.proxy(&server, Some("http://me:pa@ss@proxy:3128")).expect("usable").expect("a proxy");
        assert_eq!(odd.place(), "http://proxy:3128");
        assert!(odd.to.basic_auth().is_some_and(|login| login == "Basic bWU6cGFAc3M="), "me:pa@ss");
        let socks = environment.proxy(&server, Some("socks5://proxy")).expect("usable").expect("a proxy");
        assert_eq!(socks.place(), "socks5://proxy:1080");
        let broken = Environment { no: String::new(), ..environment };
        let error = broken.proxy(&server, None).expect_err("no proxy");
        assert!(error.starts_with("HTTPS_PROXY is not a usable proxy: give http://"), "{error}");
    }
}
