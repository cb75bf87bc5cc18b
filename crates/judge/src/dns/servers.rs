//! Which DNS servers existed, and since when.

use std::collections::BTreeSet;

use crate::case::Case;
use crate::evidence::{Act, Mark};

/// A stretch of the log in which the DNS servers stayed the same.
struct Era {
    /// Its first record: a list of the servers, or the request to replace them.
    since: Mark,
    /// The servers' pods.
    names: BTreeSet<String>,
}

/// The cluster's DNS servers over time.
pub(super) struct Servers {
    eras: Vec<Era>,
}

impl Servers {
    /// The DNS servers of a run: those of the last list, or those that were asked if no list followed their
    /// replacement.
    pub(super) fn of(case: &Case<'_>) -> Self {
        let listed = case.dns_server_lists().filter_map(|(mark, servers)| {
            let names: BTreeSet<String> = servers.into_iter().map(|server| server.name).collect();
            (!names.is_empty()).then_some((mark, Some(names)))
        });
        let replaced = case.faults().filter(|fault| fault.it.act == Act::RestartDns && fault.it.proof.is_none());
        let mut begun: Vec<(Mark, Option<BTreeSet<String>>)> =
            listed.chain(replaced.map(|fault| (fault.mark, None))).collect();
        begun.sort_by_key(|(mark, _)| *mark);
        begun.insert(0, (Mark { seq: 0, at_us: 0 }, None));
        let ends: Vec<u64> = begun.iter().skip(1).map(|(mark, _)| mark.seq).chain([u64::MAX]).collect();
        let era = |((since, names), end): ((Mark, Option<BTreeSet<String>>), u64)| {
            let asked = || case.dns_servers_asked(since.seq, end - 1).into_iter().map(str::to_owned).collect();
            Era { since, names: names.unwrap_or_else(asked) }
        };
        Self { eras: begun.into_iter().zip(ends).map(era).collect() }
    }

    /// The servers at a record.
    pub(super) fn at(&self, seq: u64) -> impl Iterator<Item = &str> {
        self.eras_until(seq).last().into_iter().flat_map(|era| &era.names).map(String::as_str)
    }

    /// When a server that replaced another one first appeared; `None` for a server that existed from the beginning.
    pub(super) fn new_since(&self, server: &str, seq: u64) -> Option<Mark> {
        let eras = self.eras_until(seq);
        let first = eras.iter().position(|era| era.names.contains(server))?;
        let others = eras[..first].iter().any(|era| !era.names.is_empty());
        others.then_some(eras[first].since)
    }

    fn eras_until(&self, seq: u64) -> &[Era] {
        &self.eras[..self.eras.partition_point(|era| era.since.seq <= seq)]
    }
}
