//! Which container of a pod runs the MySQL server, and on which port: one rule for `run`, `before` and `lint`.

use serde_json::Value;

use super::shell::{base_name, commands, script};
use crate::image::Image;
use crate::object::{items, text};

/// The programs that are a server or start one.
const PROGRAMS: [&str; 5] = ["mysqld", "mariadbd", "mysqld_safe", "mariadbd-safe", "mysqld_multi"];

/// The names of server products.
const PRODUCTS: [&str; 5] = ["mysql", "mariadb", "percona", "mysqld", "mariadbd"];

/// The words, besides a product and versions, that the name of a server's image may have.
const EDITIONS: [&str; 27] = [
    "server",
    "community",
    "enterprise",
    "galera",
    "xtradb",
    "cluster",
    "node",
    "replication",
    "group",
    "source",
    "primary",
    "master",
    "replica",
    "slave",
    "debian",
    "ubuntu",
    "alpine",
    "ubi",
    "rhel",
    "centos",
    "fedora",
    "oracle",
    "oraclelinux",
    "lts",
    "innovation",
    "amd64",
    "arm64",
];

/// Words in the names of images that talk to a server and are none.
const HELPERS: [&str; 20] = [
    "exporter",
    "client",
    "router",
    "proxy",
    "maxscale",
    "envoy",
    "backup",
    "dump",
    "operator",
    "orchestrator",
    "shell",
    "agent",
    "toolkit",
    "init",
    "monitor",
    "sidecar",
    "healthcheck",
    "tuner",
    "phpmyadmin",
    "adminer",
];

/// The usual names of a server's port.
const PORT_NAMES: [&str; 4] = ["mysql", "mariadb", "mysqld", "mysql-server"];

/// The port of the classic protocol
/// (<https://dev.mysql.com/doc/mysql-port-reference/en/mysql-ports-reference-tables.html>).
pub const MYSQL_PORT: u16 = 3306;

/// Whether a variable of this name sets a root password or allows an empty one, in the official images, MariaDB's and
/// Bitnami's.
pub fn is_root_password(name: &str) -> bool {
    name.contains("ROOT_PASSWORD") || name.ends_with("ALLOW_EMPTY_PASSWORD")
}

/// The indexes of the containers of a pod that run a server: those whose image or command says so, otherwise those with
/// a root password or a server's port.
pub fn servers(pod: &Value) -> Vec<usize> {
    let containers: Vec<&Value> = items(pod, "/containers").collect();
    let places = |wanted: &dyn Fn(&Value) -> bool| -> Vec<usize> {
        (0..containers.len()).filter(|place| wanted(containers[*place])).collect()
    };
    let may_be = |container: &Value| !is_helper(container);
    let ranks: [&dyn Fn(&Value) -> bool; 5] = [
        &|container| is_known(container) && (has_password(container) || declared_port(container).is_some()),
        &is_known,
        &|container| may_be(container) && has_password(container) && declared_port(container).is_some(),
        &|container| may_be(container) && has_password(container),
        &|container| may_be(container) && declared_port(container).is_some(),
    ];
    ranks.into_iter().map(places).find(|found| !found.is_empty()).unwrap_or_default()
}

/// Whether the command runs a server, or the image is named like a server's and the command may run one.
fn is_known(container: &Value) -> bool {
    let image = text(container, "/image").unwrap_or_default();
    runs_server(container) || (is_server_image(image) && !runs_something_else(container))
}

/// Whether the command only runs programs that are known not to be a server. A script in a file may run anything.
fn runs_something_else(container: &Value) -> bool {
    let argv = argv(container);
    let by_entrypoint = items(container, "/command").next().is_none();
    let is_opaque = |program: &str| program.is_empty() || program.ends_with("sh") || program.starts_with('-');
    // The image's own entrypoint prepends its server to options.
    let commands = commands(&argv);
    let none = argv.is_empty() || (by_entrypoint && argv[0].starts_with('-'));
    !none && commands.iter().all(|command| !is_opaque(command.program()))
}

fn is_server_image(reference: &str) -> bool {
    let name = base_name(Image::parse(reference).repository);
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    let unversioned = |part: &str| part.trim_end_matches(|it: char| it.is_ascii_digit()).to_owned();
    let is_product = |part: &&str| PRODUCTS.contains(&unversioned(part).as_str());
    let is_version = |part: &str| part.len() <= 6 && part.contains(|it: char| it.is_ascii_digit());
    let is_edition = |part: &&str| {
        let word = unversioned(part);
        EDITIONS.contains(&word.as_str()) || is_version(part)
    };
    let of_oracle = ["community-server", "enterprise-server"].contains(&name);
    of_oracle || parts.iter().any(is_product) && parts.iter().all(|part| is_product(part) || is_edition(part))
}

fn is_helper(container: &Value) -> bool {
    let name = base_name(Image::parse(text(container, "/image").unwrap_or_default()).repository);
    HELPERS.iter().any(|helper| name.contains(helper))
}

/// The words of command and arguments, as the program gets them.
fn argv(container: &Value) -> Vec<&str> {
    let words = ["/command", "/args"].into_iter().flat_map(|list| items(container, list));
    words.filter_map(Value::as_str).collect()
}

/// Whether the command starts a server, rather than only mentioning one.
fn runs_server(container: &Value) -> bool {
    commands(&argv(container)).iter().any(|command| PROGRAMS.contains(&command.program()))
}

fn has_password(container: &Value) -> bool {
    items(container, "/env").filter_map(|variable| text(variable, "/name")).any(is_root_password)
}

/// The container port of a server: the one with a usual name, or 3306.
fn declared_port(container: &Value) -> Option<u64> {
    let ports = || items(container, "/ports");
    let named = ports().find(|port| text(port, "/name").is_some_and(|name| PORT_NAMES.contains(&name)));
    let usual = || ports().find(|port| port["containerPort"] == MYSQL_PORT);
    named.or_else(usual)?["containerPort"].as_u64()
}

/// The container port that a Service's port leads to. `targetPort` is a number, the name of a container port, or
/// absent: then it is the Service's own number
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports>).
pub fn target(service_port: &Value, container: &Value) -> Option<u16> {
    let target = Some(&service_port["targetPort"]).filter(|target| !target.is_null());
    let number = match target.unwrap_or(&service_port["port"]) {
        Value::String(name) => {
            items(container, "/ports").find(|port| port["name"] == *name.as_str())?["containerPort"].as_u64()
        }
        number => number.as_u64(),
    };
    u16::try_from(number?).ok()
}

/// The port on which a container's server listens. In this order: the option of its command; the container port with a
/// usual name or 3306; the target of the governing Service's port with a usual name, 3306, or the only one; the only
/// container port; 3306.
pub fn port(container: &Value, service: Option<&Value>) -> u16 {
    let to_port = |number: u64| u16::try_from(number).ok();
    let of_service = || {
        let ports: Vec<&Value> = service.into_iter().flat_map(|service| items(service, "/spec/ports")).collect();
        let named = ports.iter().find(|port| text(port, "/name").is_some_and(|name| PORT_NAMES.contains(&name)));
        let usual = || ports.iter().find(|port| port["port"] == MYSQL_PORT);
        let only = || ports.first().filter(|_| ports.len() == 1);
        target(named.or_else(usual).or_else(only)?, container)
    };
    let only = || {
        let mut ports = items(container, "/ports").filter_map(|port| port["containerPort"].as_u64());
        ports.next().filter(|_| ports.next().is_none()).and_then(to_port)
    };
    option(container, "port")
        .and_then(|value| value.parse().ok())
        .or_else(|| declared_port(container).and_then(to_port))
        .or_else(of_service)
        .or_else(only)
        .unwrap_or(MYSQL_PORT)
}

/// The literal value of a server's option on its command line. The last one counts.
pub fn option(container: &Value, name: &str) -> Option<String> {
    let argv = argv(container);
    // The words after a script become its "$@".
    let behind = script(&argv).into_iter().flat_map(|(_, behind)| behind).map(|&word| word.to_owned());
    let words: Vec<String> = commands(&argv).into_iter().flat_map(|command| command.words).chain(behind).collect();
    let words = || words.iter();
    let given = words().zip(words().skip(1).map(Some).chain([None])).filter_map(|(word, next)| {
        let rest = word.strip_prefix("--")?;
        let spelled = rest.replace('_', "-");
        match spelled.strip_prefix(name)? {
            "" => next.filter(|next| !next.starts_with('-')).cloned(),
            value if value.starts_with('=') => rest.get(name.len() + 1..).map(str::to_owned),
            _ => None,
        }
    });
    given.last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Value {
        serde_saphyr::from_str(text).expect("YAML")
    }

    fn places(containers: &str) -> Vec<usize> {
        servers(&yaml(&format!("containers: {containers}")))
    }

    #[test]
    fn images_are_known_by_every_part_of_their_name() {
        for server in [
            "mysql",
            "mysql:8.4.6",
            "registry.example:5000/mirror/mariadb@sha256:1",
            "percona/percona-server:8.0",
            "percona/percona-xtradb-cluster:8.0.36",
            "container-registry.example/mysql/community-server",
            "registry.example/rhel9/mysql-84",
            "sclorg/mariadb-105-c9s",
            "acme/mariadb-galera-node:10.11.9",
            "acme/alpine-mariadb",
            "acme/mysql57",
        ] {
            assert!(is_server_image(server), "{server}");
        }
        for other in [
            "prom/mysqld-exporter",
            "mysql/mysql-router",
            "percona/percona-xtrabackup",
            "percona/percona-toolkit",
            "acme/mysql-monitor",
            "acme/mysql-sidecar",
            "acme/mysql-healthcheck",
            "acme/mysql-dump",
            "acme/mysqltuner",
            "acme/mysql-operator",
            "acme/orders",
            "redis:7.4.1",
            "",
        ] {
            assert!(!is_server_image(other), "{other}");
        }
    }

    #[test]
    fn a_servers_image_may_run_something_else() {
        let with = |fields: &str| places(&format!("[{{image: 'mysql:8.4.6', {fields}}}]"));
        for server in ["name: a", "args: [--skip-name-resolve]", "command: [/run.sh]", "command: [bash, -c, ./run.sh]"]
        {
            assert_eq!(with(server), [0], "{server}");
        }
        for other in
            ["command: [bash, -c, 'sleep infinity & wait']", "args: [mysqladmin, ping]", "command: [xtrabackup]"]
        {
            assert_eq!(with(other), [] as [usize; 0], "{other}");
        }
        let two = "[{image: mysql}, {image: mysql, ports: [{containerPort: 3306}]}]";
        assert_eq!(places(two), [1]);
    }

    #[test]
    fn who_only_speaks_of_a_server_is_none() {
        let waits = "{image: a, command: [bash, -c, 'echo waiting for mysqld; sleep 9']}";
        let runs = "{image: a, command: [bash, -c, 'exec docker-entrypoint.sh mysqld --x']}";
        assert_eq!(places(&format!("[{waits}, {runs}]")), [1]);
        assert_eq!(places(&format!("[{waits}]")), [] as [usize; 0]);
        assert_eq!(places("[{image: a, args: [mysqld, --x]}]"), [0]);
        assert_eq!(places("[{image: a, command: [/usr/sbin/mysqld]}]"), [0]);
        assert_eq!(places("[{image: a, args: [--mysqld]}]"), [] as [usize; 0]);
    }

    #[test]
    fn a_password_and_a_port_count_only_where_nothing_better_does() {
        let password = "env: [{name: MYSQL_ROOT_PASSWORD, value: x}]";
        let port = "ports: [{containerPort: 3306}]";
        assert_eq!(places(&format!("[{{image: a, {password}}}, {{image: 'mysql:8.4.6'}}]")), [1]);
        assert_eq!(places(&format!("[{{image: a, {password}}}, {{image: b, {password}, {port}}}]")), [1]);
        assert_eq!(places(&format!("[{{image: a}}, {{image: b, {password}}}]")), [1]);
        assert_eq!(places(&format!("[{{image: a}}, {{image: b, {port}}}]")), [1]);
        assert_eq!(
            places(&format!("[{{image: mysql-backup, {password}}}, {{image: acme/haproxy, {port}}}]")),
            [] as [usize; 0]
        );
    }

    #[test]
    fn the_port_is_the_servers_own() {
        let of = |container: &str, service: &str| port(&yaml(container), Some(&yaml(service)));
        let x_first = "{ports: [{name: x, containerPort: 33060}, {name: mysql, containerPort: 3307}]}";
        assert_eq!(of(x_first, "{}"), 3307);
        assert_eq!(of("{ports: [{containerPort: 33060}, {containerPort: 3306}]}", "{}"), 3306);
        let service = "{spec: {ports: [{name: x, port: 33060}, {name: mysql, port: 3306, targetPort: db}]}}";
        assert_eq!(
            of("{ports: [{name: metrics, containerPort: 9104}, {name: db, containerPort: 3308}]}", service),
            3308
        );
        assert_eq!(of("{}", "{spec: {ports: [{port: 3309}]}}"), 3309);
        assert_eq!(of("{ports: [{containerPort: 3310}]}", "{}"), 3310);
        assert_eq!(of("{}", "{}"), 3306);
        assert_eq!(of("{args: [--port=3311], ports: [{name: mysql, containerPort: 3306}]}", "{}"), 3311);
        assert_eq!(of("{command: [bash, -c, 'exec mysqld --port 3312']}", "{}"), 3312);
        assert_eq!(of("{args: ['--port=$(PORT)']}", "{}"), 3306);
    }

    #[test]
    fn the_last_of_two_equal_options_counts() {
        let container = yaml("{command: [bash, -c, 'exec mysqld --server_id=1 \"$@\"', --], args: [--server-id=2]}");
        assert_eq!(option(&container, "server-id").as_deref(), Some("2"));
        let plain = yaml("{command: [mysqld], args: [--server-id=1, --server_id, '2']}");
        assert_eq!(option(&plain, "server-id").as_deref(), Some("2"));
        assert_eq!(option(&plain, "server").as_deref(), None);
    }
}
