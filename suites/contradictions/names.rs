//! Wrong DNS answers: to one asker or to all, from one server, at one checkpoint or from some checkpoint on.

use steadfast::evidence::{Checkpoint, Dns, SnapshotOf, Transport, What};

use super::change::{Change, Places, dropped};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{Reply, data, exited, not_seen, replied};
use super::stored::{Part, Stored, told};

const SERVICE: &str = "dns::service_resolves_to_ready_pods";
const POD: &str = "dns::each_pod_has_its_name";

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "names::all_are_told_otherwise",
        why: "A name that leads elsewhere, or nowhere, is wrong whenever it is asked for.",
        part: Part::Answers,
        of: all_are_told_otherwise,
    },
    Class {
        name: "names::one_asker_is_told_otherwise",
        why: "Every server is asked over both transports from two namespaces, and each of these answers counts.",
        part: Part::Answers,
        of: one_asker_is_told_otherwise,
    },
    Class {
        name: "names::one_server_is_not_asked_for_one_name",
        why: "What one of several DNS servers says is not what all of them say.",
        part: Part::Answers,
        of: one_server_is_not_asked,
    },
    Class {
        name: "names::some_are_not_asked_at_a_moment",
        why: "A server, a transport or a namespace from which nothing was asked may know nothing.",
        part: Part::Answers,
        of: some_are_not_asked,
    },
    Class {
        name: "names::nothing_resolves_from_a_moment_on",
        why: "DNS that knows nothing any more after a disruption has not survived it.",
        part: Part::Answers,
        of: nothing_resolves,
    },
    Class {
        name: "names::an_old_address_is_told",
        why: "A name must follow its pod to the new address, whoever made the pod go.",
        part: Part::Answers,
        of: an_old_address,
    },
    Class {
        name: "names::two_pods_have_each_other_s_address",
        why: "A pod's name must lead to that pod and no other.",
        part: Part::Answers,
        of: swapped,
    },
    Class {
        name: "names::a_pod_looks_up_otherwise",
        why: "What the resolver in a pod makes of a name is what the server there is told.",
        part: Part::Answers,
        of: looked_up_otherwise,
    },
];

/// A name that was asked for at one occasion.
struct Named {
    title: String,
    checkpoint: Checkpoint,
    record_type: String,
    name: String,
    /// All questions for the name.
    places: Places,
    /// The data of the last answer, which is right.
    expected: Vec<String>,
    /// The checks that must notice a wrong answer.
    checks: Checks,
}

/// Who asked, which server, and with which transport.
type Asker = (String, String, Transport);

fn dns_at(stored: &Stored, seq: u64) -> &Dns {
    match &stored.at(seq).what {
        What::Dns(dns) => dns,
        _ => unreachable!("a question for a name"),
    }
}

/// All names at all occasions.
fn named(stored: &Stored) -> Vec<Named> {
    let key =
        |dns: &Dns, seq| (stored.scenario_name(seq), dns.checkpoint.clone(), dns.record_type.clone(), dns.name.clone());
    let groups = stored.groups(|record| match &record.what {
        What::Dns(dns) => Some(key(dns, record.seq)),
        _ => None,
    });
    let named = groups.into_iter().map(|((scenario, checkpoint, record_type, name), places)| {
        let title = format!("{scenario}, {}: {record_type} of {name}", told(&checkpoint));
        let expected = data(dns_at(stored, places.last().expect("a question")));
        let checks = concerned(stored, &checkpoint, &record_type, &name);
        Named { title, checkpoint, record_type, name, places, expected, checks }
    });
    named.collect()
}

fn concerned(stored: &Stored, checkpoint: &Checkpoint, record_type: &str, name: &str) -> Checks {
    let service = name == stored.subject.service_fqdn();
    match (checkpoint, record_type) {
        (Checkpoint::Held { .. }, _) => &["dns::unready_pod_leaves_dns"],
        (_, "SRV") => &["dns::srv_lists_every_pod"],
        (_, "PTR") => &["dns::ptr_points_back"],
        _ if service => &[SERVICE],
        (Checkpoint::Deletion { .. } | Checkpoint::Kill { .. }, _) => &["dns::name_follows_the_pod", POD],
        (Checkpoint::ScaledDown, _) => &["dns::absent_pod_is_nxdomain"],
        _ => &[POD, "dns::name_follows_the_pod"],
    }
}

impl Named {
    /// The askers of the name, each with its questions.
    fn askers(&self, stored: &Stored) -> Vec<(Asker, Places)> {
        stored.groups(|record| match &record.what {
            What::Dns(dns) if self.places.has(record.seq) => {
                Some((dns.from.clone(), dns.server.clone(), dns.transport))
            }
            _ => None,
        })
    }

    /// Wrong answers for the name, each with a description.
    fn lies(&self, stored: &Stored) -> Vec<(&'static str, Reply)> {
        let stranger = "10.99.99.99".to_owned();
        let mut lies = vec![("SERVFAIL", Reply::Code("SERVFAIL")), ("no answer", Reply::Nothing)];
        if self.expected.is_empty() {
            lies.extend([
                ("an address", Reply::Data(vec![stranger])),
                ("NOERROR without records", Reply::Code("NOERROR")),
            ]);
            return lies;
        }
        lies.extend([("NXDOMAIN", Reply::Code("NXDOMAIN")), ("NOERROR without records", Reply::Code("NOERROR"))]);
        let other = |text: &str| match self.record_type.as_str() {
            "A" => "10.99.99.99".to_owned(),
            "SRV" => text.replace("3306", "3307"),
            _ => stored.subject.fqdn(&stored.subject.nth(stored.subject.replicas + 1)),
        };
        let others: Vec<String> = self.expected.iter().map(|text| other(text)).collect();
        lies.push(("others", Reply::Data(others.clone())));
        lies.push(("one too many", Reply::Data(self.expected.iter().chain(others.first()).cloned().collect())));
        if self.expected.len() > 1 {
            lies.push(("one too few", Reply::Data(self.expected[1..].to_vec())));
        }
        lies
    }
}

fn all_are_told_otherwise(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for named in named(stored) {
        let wanted = Wanted::LeavesGreen(named.checks);
        for (word, lie) in named.lies(stored) {
            histories.push(History::new(
                format!("{}: {word}", named.title),
                wanted,
                replied(named.places.clone(), lie),
            ));
        }
    }
    histories
}

/// Every answer, each wrong in one of the ways in turn.
fn one_asker_is_told_otherwise(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for named in named(stored) {
        let lies = named.lies(stored);
        for ((from, server, transport), places) in named.askers(stored) {
            let title = format!("{}, from {from} of {server} by {transport:?}", named.title);
            let turn = histories.len() % (lies.len() + 1);
            let (word, change) = match lies.get(turn) {
                Some((word, lie)) => (*word, replied(places, lie.clone())),
                None => ("not asked", dropped(places)),
            };
            histories.push(History::new(format!("{title}: {word}"), Wanted::LeavesGreen(named.checks), change));
        }
    }
    histories
}

fn one_server_is_not_asked(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for named in named(stored) {
        let servers = stored.groups(|record| match &record.what {
            What::Dns(dns) if named.places.has(record.seq) => Some(dns.server.clone()),
            _ => None,
        });
        for (server, places) in servers {
            let title = format!("{}: {server} is not asked", named.title);
            histories.push(History::new(title, Wanted::LeavesGreen(named.checks), dropped(places)));
        }
    }
    histories
}

fn some_are_not_asked(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let kinds: [fn(&Dns) -> String; 3] =
        [|dns| dns.server.clone(), |dns| format!("{:?}", dns.transport), |dns| dns.from.clone()];
    for of in kinds {
        let groups = stored.groups(|record| match &record.what {
            What::Dns(dns) => {
                Some((stored.scenario_name(record.seq), dns.checkpoint.clone(), dns.record_type.clone(), of(dns)))
            }
            _ => None,
        });
        for ((scenario, checkpoint, record_type, who), places) in groups {
            let title = format!("{scenario}, {}: {record_type}: nothing by way of {who}", told(&checkpoint));
            let first = dns_at(stored, places.first().expect("a question"));
            let wanted = Wanted::LeavesGreen(concerned(stored, &checkpoint, &record_type, &first.name));
            histories.push(History::new(title, wanted, dropped(places)));
        }
        // A server that was never asked is unknown, unless the run has listed it.
        let listed = stored.snapshots(SnapshotOf::DnsServers).len() > 1;
        for (who, places) in
            stored.groups(|record| if let What::Dns(dns) = &record.what { Some(of(dns)) } else { None })
        {
            if !listed && who.starts_with("coredns") {
                continue;
            }
            let wanted = Wanted::SomeLeavesGreen(&[SERVICE, POD]);
            histories.push(History::new(format!("nothing by way of {who}, ever"), wanted, dropped(places)));
        }
    }
    histories
}

fn nothing_resolves(stored: &Stored) -> Vec<History> {
    let names = named(stored);
    let asked = stored.places(|what| matches!(what, What::Dns(_)));
    let mut histories: Vec<History> = Vec::new();
    let mut known: Vec<&Checkpoint> = Vec::new();
    for named in names.iter().filter(|named| !named.expected.is_empty()) {
        if known.last() == Some(&&named.checkpoint) {
            continue;
        }
        known.push(&named.checkpoint);
        let from = named.places.first().expect("a question");
        for (word, reply) in [("NXDOMAIN", Reply::Code("NXDOMAIN")), ("no answer", Reply::Nothing)] {
            let title = format!("{word} to everything from `{}` on", told(&named.checkpoint));
            let wanted = Wanted::SomeLeavesGreen(named.checks);
            histories.push(History::new(title, wanted, replied(asked.since(from), reply)));
        }
    }
    histories
}

fn an_old_address(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for pod in stored.subject.pods() {
        let names: Vec<Named> =
            named(stored).into_iter().filter(|named| named.name == stored.subject.fqdn(&pod)).collect();
        for (index, named) in names.iter().enumerate().filter(|(_, named)| !named.expected.is_empty()) {
            let at = named.places.first().expect("a question");
            let addresses = stored.timeline.lives(&pod).filter(|life| life.added.seq < at);
            let addresses: Vec<&str> = addresses.filter_map(|life| life.address_at(at)).collect();
            let Some(old) = addresses.iter().rev().find(|old| !named.expected.iter().any(|now| now == *old)) else {
                continue;
            };
            let told = |of: &Named| replied(of.places.clone(), Reply::Data(vec![(*old).to_owned()]));
            let wanted = Wanted::LeavesGreen(named.checks);
            histories.push(History::new(format!("{}: {old}", named.title), wanted, told(named)));
            let later = names[index..].iter().filter(|named| !named.expected.is_empty()).map(told);
            histories.push(History::new(format!("{}: {old} for good", named.title), wanted, Change::all(later)));
        }
    }
    histories
}

fn swapped(stored: &Stored) -> Vec<History> {
    let names = named(stored);
    let of = |checkpoint: &Checkpoint, pod: &str| {
        let name = stored.subject.fqdn(pod);
        names.iter().find(|named| named.checkpoint == *checkpoint && named.name == name && named.expected.len() == 1)
    };
    let mut histories = Vec::new();
    for one in names.iter().filter(|named| named.record_type == "A" && named.expected.len() == 1) {
        for other in
            stored.subject.pods().filter_map(|pod| of(&one.checkpoint, &pod)).filter(|other| other.name > one.name)
        {
            let change = replied(one.places.clone(), Reply::Data(other.expected.clone()))
                .then(replied(other.places.clone(), Reply::Data(one.expected.clone())));
            let title = format!("{} and {}", one.title, other.name);
            histories.push(History::new(title, Wanted::LeavesGreen(one.checks), change));
        }
    }
    histories
}

fn looked_up_otherwise(stored: &Stored) -> Vec<History> {
    let lookups = stored.places(|what| matches!(what, What::Exec(exec) if exec.argv[0] == "getent"));
    let mut histories = Vec::new();
    for seq in lookups.iter() {
        let What::Exec(exec) = &stored.at(seq).what else { continue };
        let name = exec.argv.last().expect("a name");
        let full = name.ends_with(&stored.subject.domain);
        let wanted = Wanted::LeavesGreen(if full { &[POD] } else { &["dns::short_names_resolve"] });
        let title = format!("{}: {name} in {}", told(&exec.checkpoint), exec.pod);
        let changes = [
            ("another address", exited(seq, 0, "10.99.99.99     STREAM x\n10.99.99.99     DGRAM")),
            ("nothing", exited(seq, 0, "")),
            ("no such name", exited(seq, 2, "")),
            ("no such program", exited(seq, 127, "")),
            ("not seen", not_seen(seq)),
            ("not looked up", dropped(seq)),
        ];
        histories.extend(changes.map(|(word, change)| History::new(format!("{title}: {word}"), wanted, change)));
    }
    histories
}
