//! Existing clusters that a run must not write to. Each one is an API server that remembers its requests, and all of
//! them must be reads and reviews.

use std::collections::BTreeMap;
use std::sync::Mutex;

use libtest_mimic::{Failed, Trial};
use serde_json::json;

use super::apiserver::{Answer, ApiServer, Odd, Request, UID, namespace, refusal, review};
use super::call::WORKLOAD;
use super::program::{Answer as Said, Place};

/// Options that name the right cluster, and everything else that a run needs.
const MEANT: [&str; 4] = ["--cluster-uid", UID, "--witness-image", "registry.example/witness"];

/// A cluster, and the options of a run on it.
struct Fixture {
    name: &'static str,
    odd: Odd,
    /// A namespace that exists.
    there: Option<&'static str>,
    manifests: String,
    kubeconfig: Option<&'static str>,
    arguments: Vec<&'static str>,
    /// Whether the run read the cluster's version before it was refused. Then it printed context, server and version
    /// first.
    told: bool,
}

fn fixture(name: &'static str, odd: Odd) -> Fixture {
    let (manifests, arguments) = (WORKLOAD.to_owned(), MEANT.to_vec());
    Fixture { name, odd, there: None, manifests, kubeconfig: None, arguments, told: true }
}

/// A kubeconfig with two contexts. `production` is the current one.
const TWO: &str = "\
apiVersion: v1
kind: Config
current-context: production
clusters:
- {name: staging, cluster: {server: 'http://127.0.0.1:1'}}
- {name: production, cluster: {server: SERVER}}
users: [{name: somebody, user: {token: none}}]
contexts:
- {name: staging, context: {cluster: staging, user: somebody}}
- {name: production, context: {cluster: production, user: somebody}}
";

const NONE_CURRENT: &str = "\
apiVersion: v1
kind: Config
clusters: [{name: there, cluster: {server: SERVER}}]
users: [{name: somebody, user: {token: none}}]
contexts: [{name: there, context: {cluster: there, user: somebody}}]
";

const NO_CLUSTER: &str = "\
apiVersion: v1
kind: Config
current-context: there
clusters: [{name: another, cluster: {server: SERVER}}]
users: [{name: somebody, user: {token: none}}]
contexts: [{name: there, context: {cluster: there, user: somebody}}]
";

/// A Secret beside the workload.
const SECRET: &str = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\n";

/// An object of a kind that the cluster does not have.
const MONITOR: &str = "---\napiVersion: monitoring.example.com/v1\nkind: ServiceMonitor\nmetadata: {name: db}\n";

const NOWHERE: &str = "  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {storageClassName: nowhere}\n";

fn as_usual(_: &Request) -> Option<Answer> {
    None
}

fn on(request: &Request, path: &str, answer: Answer) -> Option<Answer> {
    (request.path == path).then_some(answer)
}

fn running(version: &str, request: &Request) -> Option<Answer> {
    on(request, "/version", (200, json!({"major": "1", "minor": "", "gitVersion": version}).to_string()))
}

/// Denies these verbs on a resource.
fn denying(request: &Request, resource: &str, verbs: &[&str]) -> Option<Answer> {
    let asked = request.body.pointer("/spec/resourceAttributes")?;
    let denied = asked["resource"] == resource && verbs.iter().any(|verb| asked["verb"] == *verb);
    denied.then(|| (201, review(&request.body, false)))
}

fn fixtures() -> Vec<Fixture> {
    let first = |fixture: Fixture| Fixture { told: false, ..fixture };
    let file = |kubeconfig, fixture: Fixture| Fixture { kubeconfig: Some(kubeconfig), ..first(fixture) };
    let with = |fixture: Fixture, arguments: &[&'static str]| Fixture { arguments: arguments.to_vec(), ..fixture };
    let another = ["--cluster-uid", "00000000-0000-4000-8000-000000000000"];
    vec![
        with(fixture("wrong_cluster::not_confirmed", as_usual), &[]),
        with(fixture("wrong_cluster::another_uid", as_usual), &another),
        Fixture {
            // The user who typed the UID meant the other context of the file.
            kubeconfig: Some(TWO),
            ..with(fixture("wrong_cluster::current_context_is_another", as_usual), &another)
        },
        with(file(TWO, fixture("wrong_cluster::no_such_context", as_usual)), &["--context", "prod"]),
        file(NONE_CURRENT, fixture("wrong_cluster::no_current_context", as_usual)),
        file(NO_CLUSTER, fixture("wrong_cluster::context_without_cluster", as_usual)),
        file("", fixture("wrong_cluster::empty_kubeconfig", as_usual)),
        first(fixture("wrong_cluster::credentials_expired", |_| Some(refusal(401, "Unauthorized")))),
        fixture("wrong_cluster::identity_forbidden", |it| {
            on(it, "/api/v1/namespaces/kube-system", refusal(403, "namespaces \"kube-system\" is forbidden"))
        }),
        first(fixture("wrong_cluster::no_api_server", |it| {
            on(it, "/version", (200, "<html>Welcome</html>".to_owned()))
        })),
        first(fixture("wrong_cluster::no_api_server_there", |_| Some((404, "404 page not found".to_owned())))),
        fixture("wrong_cluster::too_old", |it| running("v1.26.15", it)),
        fixture("wrong_cluster::unknown_version", |it| running("master", it)),
        fixture("wrong_cluster::may_not_make_namespaces", |it| denying(it, "namespaces", &["create", "delete"])),
        fixture("wrong_cluster::may_only_look", only_reads),
        Fixture {
            manifests: format!("{WORKLOAD}{SECRET}"),
            ..fixture("wrong_cluster::may_not_apply_a_manifest", |it| denying(it, "secrets", &["create", "patch"]))
        },
        fixture("wrong_cluster::rights_not_told", |it| {
            on(it, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", refusal(403, "no reviews"))
        }),
        Fixture {
            there: Some("shop"),
            ..with(fixture("wrong_cluster::namespace_exists", as_usual), &with_namespace("shop"))
        },
        Fixture {
            there: Some("shop-witness"),
            ..with(fixture("wrong_cluster::namespace_of_the_witness_exists", as_usual), &with_namespace("shop"))
        },
        Fixture { manifests: format!("{WORKLOAD}{NOWHERE}"), ..fixture("wrong_cluster::no_storage_class", as_usual) },
        with(fixture("wrong_cluster::no_witness_image", as_usual), &MEANT[..2]),
        Fixture { manifests: format!("{WORKLOAD}{MONITOR}"), ..fixture("wrong_cluster::unknown_kind", as_usual) },
    ]
}

fn with_namespace(name: &'static str) -> Vec<&'static str> {
    [&MEANT[..], &["--namespace", name]].concat()
}

/// An account that may read everything and nothing else.
fn only_reads(request: &Request) -> Option<Answer> {
    let verb = request.body.pointer("/spec/resourceAttributes/verb")?.as_str()?;
    (!["get", "list", "watch"].contains(&verb)).then(|| (201, review(&request.body, false)))
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> =
        fixtures().into_iter().map(|fixture| Trial::test(fixture.name, move || fixture.act())).collect();
    trials.push(Trial::test("wrong_cluster::ambient_kubeconfig", ambient_kubeconfig));
    trials.push(Trial::test("wrong_cluster::the_right_one_is_written_to", || is_written_to(closed, &[])));
    trials.push(Trial::test("wrong_cluster::a_busy_one_is_asked_again", || is_written_to(busy, &[])));
    trials.push(Trial::test("wrong_cluster::no_proxy_leads_to_this_machine", || is_written_to(closed, &DEAD_PROXY)));
    trials
}

impl Fixture {
    fn act(&self) -> Result<(), Failed> {
        let objects = self.there.map(|name| (format!("/api/v1/namespaces/{name}"), namespace(name, "1-2")));
        let server = ApiServer::start(self.odd, objects);
        let place = self.place(&server);
        let said = call(&place, &self.arguments);
        let writes = server.writes();
        if !writes.is_empty() {
            return Err(format!("it was written to the cluster: {writes:?}\n{}", said.error).into());
        }
        said.is(self.name, 2)?;
        if self.told && !said.progress.contains(", server [SERVER]/, Kubernetes ") {
            return Err(format!("the cluster was not told first:\n{}", said.progress).into());
        }
        place.is_refused(&said)
    }

    fn place(&self, server: &ApiServer) -> Place {
        let mut place = Place::of(server);
        // The server has another port each time.
        place.replace(&server.address, "[SERVER]");
        place.write("db.yaml", &self.manifests);
        if let Some(own) = self.kubeconfig {
            place.write("config", &own.replace("SERVER", &server.address));
        }
        place
    }
}

/// Runs on the cluster of the place's kubeconfig.
fn call(place: &Place, more: &[&str]) -> Said {
    call_under(place, more, &[])
}

fn call_under(place: &Place, more: &[&str], environment: &[(&str, &str)]) -> Said {
    let arguments = [&["run", "--manifests", "@/db.yaml", "--kubeconfig", "@/config"], more].concat();
    place.call(&arguments, &[&[("STEADFAST_LAB", "@/lab.json")], environment].concat())
}

/// The kubeconfig in the environment is not a choice by the user: a run that names no cluster creates one.
fn ambient_kubeconfig() -> Result<(), Failed> {
    let fixture = fixture("ambient", as_usual);
    let server = ApiServer::start(fixture.odd, []);
    let place = fixture.place(&server);
    let environment = [("STEADFAST_LAB", "@/lab.json"), ("KUBECONFIG", "@/config")];
    let said = place.call(&["run", "--manifests", "@/db.yaml"], &environment);
    let requests = server.requests();
    if said.code == 3 && requests.is_empty() {
        return Ok(());
    }
    Err(format!("exit code {}, and it was asked: {requests:?}\n{}", said.code, said.error).into())
}

/// The addresses of a proxy where no server listens.
const DEAD_PROXY: [(&str, &str); 2] = [("HTTPS_PROXY", "http://127.0.0.1:1"), ("HTTP_PROXY", "http://127.0.0.1:1")];

/// Refuses each request twice, and then serves it.
fn busy(request: &Request) -> Option<Answer> {
    static ASKED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());
    let mut asked = ASKED.lock().expect("requests");
    let times = asked.entry(format!("{} {} {}", request.method, request.path, request.body)).or_default();
    *times += 1;
    match *times {
        1 => Some(refusal(429, "too many requests")),
        2 => Some(refusal(503, "the server is shutting down")),
        _ => closed(request),
    }
}

/// Refuses to store anything.
fn closed(request: &Request) -> Option<Answer> {
    request.is_write().then(|| refusal(403, "nothing is written here"))
}

/// Checks that the fixtures prove something: without a fault, the first write comes, and it creates the run's own
/// namespace.
fn is_written_to(odd: Odd, environment: &[(&str, &str)]) -> Result<(), Failed> {
    let fixture = fixture("right", odd);
    let server = ApiServer::start(fixture.odd, []);
    let said = call_under(&fixture.place(&server), &fixture.arguments, environment);
    let mut writes = server.writes();
    // A request that was not served is repeated.
    writes.dedup();
    if said.code == 3 && writes == ["POST /api/v1/namespaces"] && said.error.contains("nothing is written here") {
        return Ok(());
    }
    Err(format!("exit code {}, written: {writes:?}\n{}", said.code, said.error).into())
}
