//! The same runs on clusters with IPv6, or with both address families.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::json;
use steadfast::evidence::{Dns, DnsAnswer, DnsRecord, ExecAnswer, What, reverse_name};

use super::change::{Change, Places, added_after};
use super::class::{Class, History, Wanted};
use super::edits::{dns, exec, shown};
use super::stored::{Part, Stored, told};

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "six::pods_have_addresses_of_the_other_family",
        why: "Names lead to addresses by A or by AAAA (DNS specification, section 2.4.1): IPv6 and dual-stack in either \
              order are right.",
        part: Part::Right,
        of: right,
    },
    Class {
        name: "six::a_name_leads_elsewhere_by_aaaa",
        why: "What AAAA says is judged like what A says.",
        part: Part::Right,
        of: wrong,
    },
];

/// The address families of a pod.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    Six,
    SixFirst,
    FourFirst,
}

/// The IPv6 address of a pod, instead of its IPv4 address or in addition.
fn six(four: &str) -> Option<String> {
    let [a, b, c, d] = four.parse::<Ipv4Addr>().ok()?.octets().map(u16::from);
    Some(Ipv6Addr::new(0xfd00, 0, 0, 0, a, b, c, d).to_string())
}

/// The same run on such a cluster.
fn on(stored: &Stored, family: Family) -> Change {
    let pods = shown(stored.events("Pod", |_| true), move |object| {
        let status = &mut object["status"];
        let Some(four) = status["podIP"].as_str().map(str::to_owned) else { return };
        let Some(six) = six(&four) else { return };
        let (first, all) = match family {
            Family::Six => (six.clone(), json!([{ "ip": six }])),
            Family::SixFirst => (six.clone(), json!([{ "ip": six }, { "ip": four }])),
            Family::FourFirst => (four.clone(), json!([{ "ip": four }, { "ip": six }])),
        };
        (status["podIP"], status["podIPs"]) = (first.into(), all);
    });
    let lookups = exec(stored.places(|what| matches!(what, What::Exec(it) if it.argv[0] == "getent")), move |exec| {
        let ExecAnswer::Exited { stdout, .. } = &mut exec.answer else { return };
        let line = |line: &str| {
            let (four, rest) = line.split_once(' ')?;
            let other = format!("{} {rest}", six(four)?);
            Some(if family == Family::Six { other } else { format!("{other}\n{line}") })
        };
        *stdout = stdout.lines().map(|it| line(it).unwrap_or_else(|| it.to_owned())).collect::<Vec<_>>().join("\n");
    });
    let twins = all_by_aaaa(stored, |dns| {
        if let DnsAnswer::Response { records, .. } = &mut dns.answer {
            records.iter_mut().for_each(|record| record.data = six(&record.data).unwrap_or_default());
        }
    });
    let change = pods.then(lookups).then(twins).then(pointers(stored, family));
    if family == Family::Six { change.then(no_address(stored)) } else { change }
}

/// Adds an AAAA question after each A question, with a changed copy of its answer.
fn all_by_aaaa(stored: &Stored, otherwise: impl Fn(&mut Dns)) -> Change {
    let twin = |seq: u64| {
        let What::Dns(four) = &stored.at(seq).what else { return Change::nothing() };
        let mut six = four.clone();
        "AAAA".clone_into(&mut six.record_type);
        otherwise(&mut six);
        added_after(seq, [What::Dns(six)])
    };
    Change::all(by_a(stored).iter().map(twin))
}

fn by_a(stored: &Stored) -> Places {
    stored.places(|what| matches!(what, What::Dns(dns) if dns.record_type == "A"))
}

/// A name without an address of this family still exists.
fn no_address(stored: &Stored) -> Change {
    dns(by_a(stored), |dns| {
        if let DnsAnswer::Response { records, .. } = &mut dns.answer {
            records.clear();
        }
    })
}

/// PTR questions are for the first address.
fn pointers(stored: &Stored, family: Family) -> Change {
    if family == Family::FourFirst {
        return Change::nothing();
    }
    dns(stored.places(|what| matches!(what, What::Dns(dns) if dns.record_type == "PTR")), |dns| {
        let four: Vec<&str> = dns.name.trim_end_matches(".in-addr.arpa").rsplit('.').collect();
        if let Some(address) = six(&four.join(".")).and_then(|six| six.parse().ok()) {
            dns.name = reverse_name(address);
        }
    })
}

fn right(stored: &Stored) -> Vec<History> {
    let families = [
        (Family::Six, "IPv6"),
        (Family::SixFirst, "dual-stack, IPv6 first"),
        (Family::FourFirst, "dual-stack, IPv4 first"),
    ];
    families.into_iter().map(|(family, word)| History::new(word, Wanted::NothingTurnsRed, on(stored, family))).collect()
}

fn wrong(stored: &Stored) -> Vec<History> {
    let groups = stored.groups(|record| match &record.what {
        What::Dns(dns) if dns.record_type == "A" => {
            Some((stored.scenario_name(record.seq), dns.checkpoint.clone(), dns.name.clone()))
        }
        _ => None,
    });
    let mut histories = Vec::new();
    for ((scenario, checkpoint, name), places) in groups {
        // The wrong answer comes last, and the last one counts.
        let last = places.last().expect("a question");
        let What::Dns(four) = &stored.at(last).what else { continue };
        let mut lie = Dns { record_type: "AAAA".into(), ..four.clone() };
        let record = DnsRecord { ttl: 30, data: "fd00::99".into() };
        lie.answer = DnsAnswer::Response { rcode: "NOERROR".into(), records: vec![record] };
        let change = added_after(last, [What::Dns(lie)]).then(on(stored, Family::Six));
        let title = format!("{scenario}, {}: {name}", told(&checkpoint));
        histories.push(History::new(title, Wanted::SomeLeavesGreen(&["dns::each_pod_has_its_name"]), change));
    }
    histories
}
