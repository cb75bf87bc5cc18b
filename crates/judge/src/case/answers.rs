//! What a server's answer is worth.

use std::collections::BTreeSet;

use super::{Case, Seen};
use crate::Finding;
use crate::assessment::Judged;
use crate::evidence::{Question, Row, Sql, SqlAnswer};
use crate::mysql::flavour::Flavour;
use crate::words::topic;

impl<'a> Seen<'a, Sql> {
    /// The rows of the answer. An error or an unreachable server is a failure of the workload; a broken probe is
    /// inconclusive.
    pub(crate) fn rows(&self) -> Judged<&'a [Row]> {
        let Self { mark, it } = self;
        let trouble = match &it.answer {
            SqlAnswer::Rows(rows) => return Ok(rows),
            answer => answer.trouble().unwrap_or_default(),
        };
        let reason = format!("{}, asked for {}, {trouble} (#{})", it.pod, topic(it.question), mark.seq);
        let found = if matches!(it.answer, SqlAnswer::Broken { .. }) { Finding::inconclusive } else { Finding::fail };
        Err(found(reason, vec![mark.seq]))
    }

    /// The value of a column in the only row; inconclusive if it is missing.
    pub(crate) fn value(&self, column: &str) -> Judged<&'a str> {
        self.rows()?.first().and_then(|row| row.get(column)).and_then(Option::as_deref).ok_or_else(|| {
            let reason = format!("{} did not return its {column} (#{})", self.it.pod, self.mark.seq);
            Finding::inconclusive(reason, [self.mark.seq])
        })
    }

    /// The server's flavour, if this is the answer to [`Question::Identity`].
    pub(crate) fn flavour(&self) -> Option<Flavour> {
        let asked = self.it.question == Question::Identity;
        asked.then(|| self.value("version").ok().map(Flavour::of)).flatten()
    }

    /// The ids of the ledger's rows.
    pub(crate) fn ids(&self) -> Judged<BTreeSet<u64>> {
        let ids = self.rows()?.iter().map(|row| row.get("id")?.as_deref()?.parse().ok());
        ids.collect::<Option<_>>().ok_or_else(|| {
            let reason = format!("a row of {} has no id (#{})", self.it.pod, self.mark.seq);
            Finding::inconclusive(reason, [self.mark.seq])
        })
    }
}

impl Case<'_> {
    /// Whether the servers can refuse writes to ordinary accounts only, judging by the first one that stated its
    /// version.
    pub(crate) fn refuse_ordinary_writes_only(&self) -> bool {
        let mut flavours = self.sql().filter_map(|sql| sql.flavour());
        flavours.next().is_some_and(|flavour| flavour.ordinary_writer().is_some())
    }

    /// Whether the servers have a `server_uuid`: true unless one states a version that has none.
    pub(crate) fn have_server_uuids(&self) -> bool {
        self.sql().filter_map(|sql| sql.flavour()).all(Flavour::has_server_uuid)
    }
}
