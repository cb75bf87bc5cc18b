//! Rules about the Service that gives each pod its name.

use serde_json::Value;

use super::{Level, Rule};
use crate::manifest;
use crate::object::{items, strings, text};
use crate::object_places::Object;
use crate::set::{Container, Hit, Set};

pub(super) const NO_GOVERNING_SERVICE: Rule = Rule {
    id: "no-governing-service",
    level: Level::Error,
    summary: "serviceName names no Service of the manifests.",
    why: "Without its Service no pod has a DNS name, so replicas cannot find their source by a name that survives \
          it. Nothing in the cluster reports this.",
    fix: "add a Service of that name with clusterIP: None and the pods' labels as its selector, or correct \
          serviceName",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    find: no_governing_service,
};

pub(super) const SERVICE_NOT_HEADLESS: Rule = Rule {
    id: "service-not-headless",
    level: Level::Error,
    summary: "The governing Service has a ClusterIP.",
    why: "Its name resolves to one virtual IP address for all pods: writes reach replicas, and pods have no DNS \
          names. clusterIP cannot be changed later; the Service has to be recreated.",
    fix: "set clusterIP: None; for clients that need one address, add a second Service",
    source: "https://kubernetes.io/docs/concepts/services-networking/service/#headless-services",
    find: service_not_headless,
};

pub(super) const SELECTOR_MISMATCH: Rule = Rule {
    id: "selector-mismatch",
    level: Level::Error,
    summary: "A selector does not match the labels of the pod template.",
    why: "If the Service selects other pods, these pods get no DNS names and no endpoints. If the StatefulSet selects \
          other pods, the API server rejects it.",
    fix: "repeat the labels of spec.template.metadata.labels in the selector",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-selector",
    find: selector_mismatch,
};

pub(super) const UNNAMED_PORT: Rule = Rule {
    id: "unnamed-port",
    level: Level::Warning,
    summary: "The governing Service has no named port.",
    why: "DNS has SRV records only for named ports: clients that look up _mysql._tcp find nothing. The names and \
          addresses of the pods still work.",
    fix: "give the port a name, such as name: mysql",
    source: "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#srv-records",
    find: unnamed_port,
};

pub(super) const PORT_NOBODY_LISTENS: Rule = Rule {
    id: "port-nobody-listens",
    level: Level::Error,
    summary: "A Service targets a port on which no container listens.",
    why: "Every connection through it is refused.",
    fix: "set targetPort to the server's port (3306 unless --port sets another), or to the name of a container port",
    source: "https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports",
    find: port_nobody_listens,
};

pub(super) const NOT_READY_PUBLISHED: Rule = Rule {
    id: "not-ready-published",
    level: Level::Note,
    summary: "The only Service also publishes pods that are not Ready.",
    why: "Members that must find each other before they are Ready need publishNotReadyAddresses, but then the \
          Service's own name also sends clients to servers that are not up.",
    fix: "keep it if members need it, and give clients a second Service without it",
    source: "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/",
    find: not_ready_published,
};

fn no_governing_service<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let name = set.name();
    if set.service().is_some() {
        return Vec::new();
    }
    let hit = match text(&set.object.value, "/spec/serviceName") {
        None | Some("") => {
            set.hit("/metadata/name", "has no serviceName", format!("StatefulSet {name} names no Service"))
        }
        Some(service) => {
            let message = format!("StatefulSet {name} names the Service `{service}`, which is not in the manifests");
            set.hit("/spec/serviceName", "no such Service", message)
        }
    };
    vec![hit]
}

fn service_not_headless<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let Some(service) = set.service() else { return Vec::new() };
    let (name, address) = (service.name(), text(&service.value, "/spec/clusterIP"));
    if address == Some("None") {
        return Vec::new();
    }
    let message = format!("Service {name}, which gives the pods their names, is not headless");
    let hit = match address {
        Some(_) => Hit::new(service, "/spec/clusterIP", "must be None", message),
        None => Hit::new(service, "/metadata/name", "has no clusterIP: None", message),
    };
    // Nobody replicates from a single server by its name.
    vec![if set.replicas() < 2 { hit.at(Level::Warning) } else { hit }]
}

fn selector_mismatch<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let name = set.name();
    let labels = strings(&set.object.value, "/spec/template/metadata/labels");
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let labels = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
    let mut hits = Vec::new();
    // The API server itself checks a set that selects only by expressions.
    let own = "/spec/selector/matchLabels";
    if set.object.value.pointer("/spec/selector").is_none_or(Value::is_null) {
        let message = format!("StatefulSet {name} has no spec.selector, which apps/v1 requires");
        hits.push(set.hit("/metadata/name", "selects no pods", message));
    }
    if set.object.value.pointer(own).is_some() && !set.is_selected_by(set.object, own) {
        let message = format!("StatefulSet {name} does not select its own pods, whose labels are {labels}");
        hits.push(set.hit(own, "does not match the template", message));
    }
    if let Some(service) = set.service().filter(|service| !set.is_selected_by(service, "/spec/selector")) {
        let (pointer, label) = match service.value.pointer("/spec/selector") {
            Some(_) => ("/spec/selector", "selects other pods"),
            None => ("/metadata/name", "has no selector"),
        };
        let service_name = service.name();
        let message =
            format!("Service {service_name} does not select the pods of StatefulSet {name}, whose labels are {labels}");
        hits.push(Hit::new(service, pointer, label, message));
    }
    hits
}

fn unnamed_port<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let Some(service) = set.service() else { return Vec::new() };
    let name = service.name();
    let ports = items(&service.value, "/spec/ports").enumerate();
    let mut hits: Vec<Hit<'a>> = ports
        .filter(|(_, port)| text(port, "/name").is_none_or(str::is_empty))
        .map(|(index, port)| {
            let number = port["port"].as_u64().map_or(String::new(), |number| format!(" {number}"));
            let message = format!("port{number} of Service {name} has no name");
            Hit::new(service, format!("/spec/ports/{index}/port"), "has no name", message)
        })
        .collect();
    if items(&service.value, "/spec/ports").next().is_none() {
        hits.push(Hit::new(service, "/metadata/name", "has no ports", format!("Service {name} has no port")));
    }
    hits
}

fn port_nobody_listens<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let servers = set.servers();
    let [server] = servers.as_slice() else { return Vec::new() };
    let containers: Vec<Container<'a>> = set.init_containers().chain(set.containers()).collect();
    // A container that names no port may listen on any.
    let names_its_ports =
        |it: &Container<'_>| it.pointer == server.pointer || items(it.value, "/ports").next().is_some();
    let all_named = set.containers().all(|container| names_its_ports(&container));
    // X Protocol, the administrative port and Galera's ports.
    let own = [manifest::port(server.value, None), 33060, 33061, 33062, 4444, 4567, 4568];
    let listens = |number: u16| {
        let declared = |it: &Container<'_>| items(it.value, "/ports").any(|port| port["containerPort"] == number);
        own.contains(&number) || containers.iter().any(declared) || !all_named
    };
    let of = |service: &'a Object| {
        let ports = items(&service.value, "/spec/ports").enumerate();
        ports
            .filter_map(|(index, port)| {
                let (name, number) = (service.name(), containers_target(set, port));
                let (field, shown) = match (&port["targetPort"], number) {
                    (Value::Null, number) => ("port", number?.to_string()),
                    (Value::String(named), None) => ("targetPort", format!("`{named}`")),
                    (_, number) => ("targetPort", number?.to_string()),
                };
                let message = format!("Service {name} targets port {shown}, where no server listens");
                let dead = number.is_none_or(|number| !listens(number));
                dead.then(|| {
                    Hit::new(service, format!("/spec/ports/{index}/{field}"), "no server listens there", message)
                })
            })
            .collect::<Vec<_>>()
    };
    set.services().flat_map(of).collect()
}

/// The number that a Service's port leads to, in any container.
fn containers_target(set: &Set<'_>, port: &Value) -> Option<u16> {
    set.init_containers().chain(set.containers()).find_map(|container| manifest::target(port, container.value))
}

fn not_ready_published<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let publishes =
        |service: &&Object| service.value.pointer("/spec/publishNotReadyAddresses") == Some(&Value::Bool(true));
    let governing = set.service().filter(publishes).filter(|_| set.services().all(|service| publishes(&service)));
    let hit = |service: &'a Object| {
        let message = format!("the name {} also resolves to pods that are not Ready", service.name());
        Hit::new(service, "/spec/publishNotReadyAddresses", "also for clients", message)
    };
    governing.map(hit).into_iter().collect()
}
