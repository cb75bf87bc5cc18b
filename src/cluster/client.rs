//! The client of an API server. It uses a proxy if one is needed, and retries when the API server is busy.

use std::time::Duration;

use super::kubeconfig::of_credentials;
use http::{Method, Request, Response, StatusCode, Uri, header};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioExecutor;
use kube::client::middleware::AuthLayer;
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use tower::retry::{Policy, RetryLayer};
use tower::timeout::error::Elapsed;
use tower::{BoxError, Service, ServiceBuilder};

/// The maximum number of attempts for a request.
const ATTEMPTS: u32 = 5;

/// The pause before the second attempt. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The API server itself ends a request after a minute (`--request-timeout`). After a little longer nothing will come
/// any more, and what was not done by then will not be done later. Watches are not affected: they open and answer at
/// once (<https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/>).
const ANSWERED_WITHIN: Duration = Duration::from_secs(65);

/// The longest pause that an API server can request: callers have their own deadlines.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// A client for this API server, optionally through a proxy.
///
/// # Errors
/// When the certificates or the credentials cannot be used.
pub(super) fn client(mut config: Config, proxy: Option<&Intercept>) -> kube::Result<Client> {
    // Call a credential plugin only once: the connector would call it again for a certificate.
    let auth = config.auth_layer()?;
    if auth.is_some() {
        config.auth_info.exec = None;
    }
    let mut direct = HttpConnector::new();
    direct.enforce_http(false);
    let Some(proxy) = proxy else { return through(direct, config, auth) };
    let address = proxy.uri().clone();
    match proxy.uri().scheme_str() {
        Some("socks5" | "socks5h") => {
            let socks = SocksV5::new(address, direct);
            let socks = match proxy.raw_auth() {
                Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                None => socks,
            };
            through(socks, config, auth)
        }
        Some("https") => {
            let secure = config.rustls_https_connector_with_connector(direct)?;
            through(tunnel(proxy, Tunnel::new(address, secure)), config, auth)
        }
        _ => through(tunnel(proxy, Tunnel::new(address, direct)), config, auth),
    }
}

fn tunnel<C>(proxy: &Intercept, tunnel: Tunnel<C>) -> Tunnel<C> {
    match proxy.basic_auth() {
        Some(login) => tunnel.with_auth(login.clone()),
        None => tunnel,
    }
}

/// A client that connects with this connector.
fn through<C>(connector: C, config: Config, auth: Option<AuthLayer>) -> kube::Result<Client>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin,
    C::Future: Send,
    C::Error: std::error::Error + Send + Sync,
{
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(connector)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(Patience { attempts: 1 }))
        // The plugin's arguments and output may be secret.
        .map_err(|error: BoxError| of_credentials(&*error).map_or_else(|| in_words(error), BoxError::from))
        .option_layer(auth)
        .layer(config.extra_headers_layer()?)
        // A plugin has its own time limit.
        .timeout(ANSWERED_WITHIN)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

/// Adds how long the client waited to a timeout error.
fn in_words(error: BoxError) -> BoxError {
    if error.is::<Elapsed>() { format!("no answer within {ANSWERED_WITHIN:?}").into() } else { error }
}

/// Retries when the API server reports that it is too busy, or fails.
#[derive(Debug, Clone)]
struct Patience {
    /// The attempts so far.
    attempts: u32,
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Patience {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Self::Future> {
        let response = result.as_ref().ok()?;
        let asked_for = response.headers().get(header::RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
        let passes = is_passing(request.method(), request.uri().path(), response.status(), asked_for.is_some());
        if self.attempts >= ATTEMPTS || !passes {
            return None;
        }
        let pause = pause(self.attempts, asked_for.map(Duration::from_secs));
        self.attempts += 1;
        Some(tokio::time::sleep(pause))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(request.body().try_clone()?);
        copy.method_mut().clone_from(request.method());
        copy.uri_mut().clone_from(request.uri());
        copy.headers_mut().clone_from(request.headers());
        copy.extensions_mut().clone_from(request.extensions());
        Some(copy)
    }
}

/// The pause after so many attempts: twice the last one or what the API server requests, whichever is longer.
fn pause(attempts: u32, asked_for: Option<Duration>) -> Duration {
    let own = FIRST_PAUSE * 2_u32.saturating_pow(attempts.saturating_sub(1));
    asked_for.map_or(own, |asked_for| asked_for.max(own)).min(LONGEST_PAUSE)
}

/// Whether a retry may help and cannot do harm. If the API server says when to retry, it has not processed the request
/// (<https://kubernetes.io/docs/concepts/cluster-administration/flow-control/>). After any other error, of the API
/// server or of a proxy, a request that creates an object or runs a command may have taken effect. A 429 response to an
/// eviction comes from a PodDisruptionBudget.
fn is_passing(method: &Method, path: &str, status: StatusCode, says_when: bool) -> bool {
    let unserved = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
    let acts = *method == Method::POST || path.ends_with("/exec");
    let failed = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    !path.ends_with("/eviction") && if acts { unserved && says_when } else { unserved || failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_served_is_asked_again_and_a_create_is_not_repeated() {
        let status = |code| StatusCode::from_u16(code).expect("a status");
        let passing = |method: &Method, path, code| is_passing(method, path, status(code), true);
        for code in [429, 503] {
            assert!(passing(&Method::POST, "/api/v1/namespaces", code) && passing(&Method::GET, "/version", code));
        }
        assert!(!is_passing(&Method::POST, "/api/v1/namespaces", status(503), false), "a load balancer's word");
        assert!(is_passing(&Method::GET, "/version", status(503), false));
        for code in [500, 502, 504] {
            assert!(passing(&Method::GET, "/version", code) && passing(&Method::PATCH, "/version", code));
            assert!(!passing(&Method::POST, "/api/v1/namespaces", code));
        }
        for code in [200, 401, 403, 404, 409, 501] {
            assert!(!passing(&Method::GET, "/version", code), "{code}");
        }
        assert!(!passing(&Method::POST, "/api/v1/namespaces/a/pods/b/eviction", 429));
        let exec = |code| passing(&Method::GET, "/api/v1/namespaces/a/pods/b/exec", code);
        assert!(exec(503) && !exec(500));
    }

    #[test]
    fn a_silence_tells_how_long_it_was() {
        let told = |error: BoxError| in_words(error).to_string();
        assert_eq!(told(Elapsed::new().into()), "no answer within 65s");
        assert_eq!(told("connection refused".into()), "connection refused");
    }

    #[test]
    fn pauses_double_and_the_server_may_ask_for_longer_ones() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!([1, 2, 4].map(|attempts| pause(attempts, None).as_millis()), [250, 500, 2_000]);
        assert_eq!([seconds(0), seconds(3), seconds(900)].map(|it| pause(1, it).as_millis()), [250, 3_000, 4_000]);
    }
}
