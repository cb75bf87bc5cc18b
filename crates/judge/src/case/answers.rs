//! What a server's answer is worth.

use std::collections::BTreeSet;

use crate::{
    evidence::{Question, Row, Sql, SqlAnswer},
    mysql::flavour::Flavour,
};

use super::{
    super::{Finding, assessment::Judged, words::topic},
    Case, Seen,
};

impl<'a> Seen<'a, Sql> {
    /// The rows of the answer. A server that refuses or does not answer violates what was asked of it; a probe that
    /// broke says nothing about the server.
    pub fn rows(&self) -> Judged<&'a [Row]> {
        let Self { mark, it } = self;
        let trouble = match &it.answer {
            SqlAnswer::Rows(rows) => return Ok(rows),
            answer => answer.trouble().unwrap_or_default(),
        };
        let reason = format!("{}, asked for {}, {trouble} (#{})", it.pod, topic(it.question), mark.seq);
        let found = if matches!(it.answer, SqlAnswer::Broken { .. }) { Finding::inconclusive } else { Finding::fail };
        Err(found(reason, vec![mark.seq]))
    }

    /// A value of the answer's only row; its absence is a doubt.
    pub fn value(&self, column: &str) -> Judged<&'a str> {
        self.rows()?.first().and_then(|row| row.get(column)).and_then(Option::as_deref).ok_or_else(|| {
            let reason = format!("{} did not tell its {column} (#{})", self.it.pod, self.mark.seq);
            Finding::inconclusive(reason, [self.mark.seq])
        })
    }

    /// What the server is, where this is the answer to who it is.
    pub fn flavour(&self) -> Option<Flavour> {
        let asked = self.it.question == Question::Identity;
        asked.then(|| self.value("version").ok().map(Flavour::of)).flatten()
    }

    /// The ids of the ledger's rows.
    pub fn ids(&self) -> Judged<BTreeSet<u64>> {
        let ids = self.rows()?.iter().map(|row| row.get("id")?.as_deref()?.parse().ok());
        ids.collect::<Option<_>>().ok_or_else(|| {
            let reason = format!("a row of {} has no id (#{})", self.it.pod, self.mark.seq);
            Finding::inconclusive(reason, [self.mark.seq])
        })
    }
}

impl Case<'_> {
    /// Whether the servers are, as far as they said what they are, such as refuse writes to an ordinary account only.
    pub fn refuse_ordinary_writes_only(&self) -> bool {
        let mut flavours = self.sql().filter_map(|sql| sql.flavour());
        flavours.next().is_some_and(|flavour| flavour.ordinary_writer().is_some())
    }

    /// Whether the servers have a `server_uuid`, which they have unless they said what they are and it has none.
    pub fn have_server_uuids(&self) -> bool {
        self.sql().filter_map(|sql| sql.flavour()).all(Flavour::has_server_uuid)
    }
}
