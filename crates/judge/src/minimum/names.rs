//! The names that DNS is queried for.

use std::fmt;

use crate::case::Case;
use crate::evidence::{Family, NamedPort, PodLife, reverse_name};

/// The names of the workload that are queried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// The Service.
    Service,
    /// The stable names of pods.
    Pods,
    /// The SRV records of the Service's named ports.
    Ports,
    /// The PTR records of the pods' addresses.
    Addresses,
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "the Service's name",
            Self::Pods => "each pod's stable name",
            Self::Ports => "the SRV records of each named port",
            Self::Addresses => "the PTR records of each pod's address",
        })
    }
}

impl Names {
    /// The names with their alternatives: of a pod that had several addresses, one address must have been queried.
    pub(super) fn of(self, case: &Case<'_>, pod: &str, (from, to): (u64, u64)) -> Vec<Vec<String>> {
        let subject = case.subject;
        match self {
            Self::Service => vec![vec![subject.service_fqdn()]],
            Self::Pods => vec![vec![subject.fqdn(pod)]],
            Self::Ports => subject.named_ports.iter().map(|port: &NamedPort| vec![subject.srv_name(port)]).collect(),
            Self::Addresses => {
                let is_within =
                    |life: &&PodLife| life.added.seq <= to && life.deleted.is_none_or(|gone| gone.seq >= from);
                let lives = case.timeline.lives(pod).filter(is_within);
                let addresses: Vec<_> = lives.flat_map(|life| life.all_addresses()).collect();
                let of = |family: Family| addresses.iter().copied().filter(move |it| Family::of(*it) == family);
                let spellings = |family| of(family).map(reverse_name).collect::<Vec<_>>();
                let named: Vec<_> = case.timeline.families().into_iter().map(spellings).collect();
                // A pod without an address of one family is queried for the other; without any, the name is unknown.
                let known: Vec<_> = named.into_iter().filter(|spellings| !spellings.is_empty()).collect();
                if known.is_empty() { vec![Vec::new()] } else { known }
            }
        }
    }

    pub(super) fn words(self, pod: &str) -> String {
        match self {
            Self::Service => "the Service".to_owned(),
            Self::Pods => pod.to_owned(),
            Self::Ports => "the Service's ports".to_owned(),
            Self::Addresses => format!("the address of {pod}"),
        }
    }
}
