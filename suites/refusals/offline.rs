//! What is refused before anything is made, and what the program says about itself.

use libtest_mimic::{Failed, Trial};
use steadfast::cluster::Lab;

use super::call::{Call, STORED, WORKLOAD, call};
use super::program::{Place, lab};
use super::{lint, outputs, phases, trend, upgrade};

/// An object of a kind that a new cluster does not have.
const MONITOR: &str = "---\napiVersion: monitoring.example.com/v1\nkind: ServiceMonitor\nmetadata: {name: db}\n";

/// The start of the pod's spec, and settings that keep the pods on separate nodes.
const OF_POD: &str = "    spec:\n      containers:\n";
const APART: &str = "    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: db}}}
      containers:
";

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: closed
clusters: [{name: closed, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: nobody, user: {token: none}}]
contexts: [{name: closed, context: {cluster: closed, user: nobody}}]
";

/// A plugin that prints credentials, and one that does not.
const PLUGIN: &str = "exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, 'echo token-canary1; echo no login for canary1 >&2; exit 1'], interactiveMode: Never}";

pub(crate) fn trials() -> Vec<Trial> {
    let others = [outputs::calls(), lint::calls(), trend::calls(), upgrade::calls(), phases::calls()];
    let calls = [manifests(), environment(), command_lines(), stored_runs()].into_iter().chain(others);
    let mut trials: Vec<Trial> = calls.flatten().map(Call::trial).collect();
    trials.push(Trial::test("environment::engine_not_reachable", engine_not_reachable));
    trials.push(Trial::test("trend::stored_runs", trend::of_the_stored_runs));
    trials.extend(lint::trials());
    trials
}

fn manifests() -> Vec<Call> {
    let refused = |name, text: String| call(name, 2, &["run", "--manifests", "@/db.yaml"]).with("db.yaml", text);
    let without = |what: &str| WORKLOAD.replace(what, "");
    let documents: Vec<&str> = WORKLOAD.split("---\n").collect();
    vec![
        refused("manifests::not_yaml", WORKLOAD.replace("selector: {app: db}", "selector: {app: db")),
        refused("manifests::no_kind", without("kind: Service\n")),
        refused("manifests::no_stateful_set", documents[0].to_owned()),
        refused("manifests::two_stateful_sets", format!("{WORKLOAD}---\n{}", documents[1])),
        refused("manifests::no_governing_service", documents[1].to_owned()),
        refused("manifests::no_replicas", WORKLOAD.replace("replicas: 1", "replicas: 0")),
        refused("manifests::no_root_password", without("        env: [{name: MYSQL_ROOT_PASSWORD, value: secret}]\n")),
        refused("manifests::unknown_root_password", WORKLOAD.replace("MYSQL_ROOT", "MYSQL_RANDOM_ROOT")),
        refused(
            "manifests::two_servers",
            format!("{WORKLOAD}      - {{name: another, image: mariadb, ports: [{{containerPort: 3306}}]}}\n"),
        ),
        refused(
            "manifests::more_pods_than_nodes",
            WORKLOAD
                .replace("replicas: 1", "replicas: 3")
                .replace(OF_POD, APART)
                .replace("        env:", "        args: [--gtid-mode=ON]\n        env:"),
        ),
        refused(
            "manifests::two_namespaces",
            WORKLOAD
                .replacen("name: db", "name: db\n  namespace: one", 1)
                .replace("kind: StatefulSet\nmetadata:\n", "kind: StatefulSet\nmetadata:\n  namespace: two\n"),
        ),
        refused(
            "manifests::another_namespace_than_asked",
            WORKLOAD.replacen("name: db", "name: db\n  namespace: one", 1),
        )
        .and_arguments(&["--namespace", "two"]),
        refused("manifests::namespace_of_the_cluster", WORKLOAD.to_owned()).and_arguments(&["--namespace", "default"]),
        refused("manifests::no_such_stateful_set", WORKLOAD.to_owned()).and_arguments(&["--statefulset", "web"]),
        refused("manifests::without_gtids", WORKLOAD.replace("replicas: 1", "replicas: 3")),
        refused("manifests::galera", WORKLOAD.replace("mysql:5.7", "acme/mariadb-galera:11.4")),
        refused(
            "manifests::group_replication",
            WORKLOAD.replace("        env:", "        args: [--group-replication-group-name=a]\n        env:"),
        ),
        refused("manifests::unknown_kind", format!("{WORKLOAD}{MONITOR}")),
        call("manifests::empty_folder", 2, &["run", "--manifests", "@/empty"]).with("empty/README", ""),
        call("manifests::nothing_there", 2, &["run", "--manifests", "@/nothing"]),
    ]
}

fn environment() -> Vec<Call> {
    let run = |name, code, more: &[&'static str]| {
        call(name, code, &["run", "--manifests", "@/db.yaml"]).with("db.yaml", WORKLOAD).and_arguments(more)
    };
    let context = ["--kubeconfig", "@/config", "--allow-disruption"];
    vec![
        run("environment::no_lab", 3, &[]).under("STEADFAST_LAB", "@/nothing.json"),
        run("environment::broken_lab", 3, &[]).with("lab.json", "{\"schema\": 1,\n"),
        run("environment::lab_of_another_format", 3, &[])
            .with("lab.json", lab("kind", "docker").to_string().replace("\"schema\":1", "\"schema\":2")),
        run("environment::no_kind", 3, &[]),
        run("environment::unknown_kubernetes", 2, &["--kubernetes", "1.10"]),
        run("environment::no_kubeconfig", 2, &context),
        run("environment::kubeconfig_is_not_one", 2, &context).with("config", "- nothing\n"),
        run("environment::unknown_context", 2, &context)
            .and_arguments(&["--context", "other"])
            .with("config", KUBECONFIG),
        run("environment::closed_server", 3, &context).with("config", KUBECONFIG),
        run("environment::closed_server_and_a_proxy", 3, &context)
            .with("config", KUBECONFIG)
            .under("HTTPS_PROXY", "http://127.0.0.1:2"),
        run("environment::closed_proxy", 3, &context)
            .with("config", KUBECONFIG.replace("127.0.0.1:1", "db.example:6443"))
            .under("HTTPS_PROXY", "http://127.0.0.1:2"),
        run("environment::proxy_is_none", 2, &context)
            .with("config", KUBECONFIG.replace("127.0.0.1:1", "db.example:6443"))
            .under("HTTPS_PROXY", "ftp://127.0.0.1:2"),
        run("environment::nothing_checks_the_certificate", 2, &context)
            .with("config", KUBECONFIG.replace("cluster: {", "cluster: {insecure-skip-tls-verify: true, ")),
        run("environment::nothing_checks_the_certificate_as_agreed", 3, &context)
            .and_arguments(&["--allow-insecure"])
            .with("config", KUBECONFIG.replace("cluster: {", "cluster: {insecure-skip-tls-verify: true, ")),
        run("environment::no_certificate", 2, &context)
            .with("config", KUBECONFIG.replace("https://127.0.0.1:1", "http://db.example:6443")),
        run("environment::plugin_fails", 2, &context).with("config", KUBECONFIG.replace("token: none", PLUGIN)),
        run("environment::another_provider", 2, &[]).under("KIND_EXPERIMENTAL_PROVIDER", "podman"),
        run("environment::engine_of_another_machine", 2, &[]).under("DOCKER_HOST", "ssh://build.example"),
        run("environment::artifacts_is_a_file", 3, &["--artifacts", "@/db.yaml"]).at_once(),
    ]
}

fn command_lines() -> Vec<Call> {
    let refused = |name, arguments: &[&'static str]| call(name, 2, arguments).at_once();
    vec![
        refused("usage::upgrade_without_agreement", &["upgrade", "--to", "1.37.2", "--cluster", "ci"]),
        refused("usage::context_without_kubeconfig", &["run", "--context", "ci"]),
        refused("usage::cluster_uid_without_kubeconfig", &["run", "--cluster-uid", "1-2"]),
        refused("usage::cluster_and_nodes", &["run", "--cluster", "ci", "--nodes", "2"]),
        refused("usage::unknown_filter", &["run", "nothing::like_this"]),
        refused("usage::unknown_flag", &["run", "--unknown"]),
        refused("usage::timeout_scale", &["run", "--timeout-scale", "0"]),
        refused("usage::password_from", &["run", "--password-from", "db/root"]),
        refused("usage::user_without_password", &["run", "--user", "admin"]),
        refused("usage::pull_secret", &["run", "--pull-secret", "registry"]),
        refused("usage::budget_unknown", &["run", "--budget", "patience=3s"]),
        refused("usage::budget_without_unit", &["run", "--budget", "outage=30"]),
        refused("usage::explain_unknown", &["explain", "nothing::like_this"]),
        refused("usage::explain_without_property", &["explain", "each_pod_has_its_name"]),
        refused("usage::down_unknown", &["down", "nothing"]),
        refused("usage::schema_unknown", &["schema", "state"]),
        refused("usage::completions_unknown", &["completions", "tcsh"]),
        refused("usage::completions_of_nothing", &["completions"]),
    ]
}

fn stored_runs() -> Vec<Call> {
    let lines: Vec<&str> = STORED.lines().collect();
    let holey = [&lines[..3], &lines[4..]].concat().join("\n");
    let (before, after) = lines[9].split_once("\"at_us\":").expect("a record");
    let earlier = format!("{before}\"at_us\":1{}", &after[after.find(',').expect("a record")..]);
    let backwards = [&lines[..9], &[earlier.as_str()], &lines[10..]].concat().join("\n");
    let cut_short = &STORED[..STORED.len() / 2];
    let torn = STORED.replacen("\"seq\":5,", "\"se\n", 1);
    let judge = |name, text: &str| call(name, 2, &["judge", "@/run"]).with("run/evidence.jsonl", text);
    vec![
        // The last line of a killed run may be incomplete. The lines before it are evidence.
        call("judge::cut_short", 3, &["judge", "@/run"]).holding(" 0 failed, ").with("run/evidence.jsonl", cut_short),
        call("judge::nothing_there", 2, &["judge", "nothing"]),
        call("judge::no_evidence", 2, &["judge", "@/run"]).with("run/results.json", "{}"),
        judge("judge::torn", &torn),
        judge("judge::holey", &holey),
        judge("judge::time_goes_back", &backwards),
        call("judge::a_pipe", 2, &["judge", "@/run"]).with_pipe("run/evidence.jsonl"),
        judge("judge::another_format", &STORED.replacen("\"schema\":1", "\"schema\":9", 1)),
        call("judge::latest", 0, &["judge"])
            .holding("43 passed, 0 failed, 0 inconclusive, 3 skipped")
            .with("artifacts/latest/evidence.jsonl", STORED),
        call("judge::by_id", 1, &["judge", "20260105-1"])
            .holding("42 passed, 1 failed, 0 inconclusive, 3 skipped")
            .with("artifacts/20260105-1/evidence.jsonl", include_str!("../replay/made-parallel.jsonl")),
    ]
}

/// kind reports in many lines what the engine did not answer. Only the text around them is this program's.
fn engine_not_reachable() -> Result<(), Failed> {
    let real = Lab::read()?;
    let place = Place::new();
    place.write("lab.json", &lab(&real.kind, &real.docker).to_string());
    place.write("db.yaml", WORKLOAD);
    let environment = [("STEADFAST_LAB", "@/lab.json"), ("DOCKER_HOST", "unix:///nowhere")];
    let answer = place.call(&["run", "--manifests", "@/db.yaml"], &environment);
    let expected = ["the container engine does not answer", "unix:///nowhere", "ci/setup"];
    if answer.code != 3 || !expected.iter().all(|part| answer.error.contains(part)) {
        return Err(format!("exit code {}\n{}", answer.code, answer.error).into());
    }
    let results = place.results()?;
    let reason = results["checks"][0]["reason"].as_str().unwrap_or_default();
    if reason.contains("unix:///nowhere") { Ok(()) } else { Err(format!("results.json says: {reason}").into()) }
}
