//! What a server's answer is worth.

use std::collections::BTreeSet;

use crate::evidence::{Row, Sql, SqlAnswer};

use super::{
    super::{Finding, opinion::Judged, words::topic},
    Seen,
};

impl<'a> Seen<'a, Sql> {
    /// The rows of the answer. A server that refuses or does not answer violates what was asked of it; a probe that
    /// broke says nothing about the server.
    pub fn rows(&self) -> Judged<&'a [Row]> {
        let Self { mark, it } = self;
        let (seq, asked) = (mark.seq, format!("{}, asked for {},", it.pod, topic(it.question)));
        match &it.answer {
            SqlAnswer::Rows(rows) => Ok(rows),
            SqlAnswer::Error { code, message } => {
                Err(Finding::fail(format!("{asked} answered error {code}: {message} (#{seq})"), [seq]))
            }
            SqlAnswer::Unreachable { message } => {
                Err(Finding::fail(format!("{asked} could not be reached: {message} (#{seq})"), [seq]))
            }
            SqlAnswer::Broken { message } => {
                Err(Finding::inconclusive(format!("{asked} gave no usable answer: {message} (#{seq})"), [seq]))
            }
        }
    }

    /// A value of the answer's only row; its absence is a doubt.
    pub fn value(&self, column: &str) -> Judged<&'a str> {
        self.rows()?.first().and_then(|row| row.get(column)).and_then(Option::as_deref).ok_or_else(|| {
            let reason = format!("{} did not tell its {column} (#{})", self.it.pod, self.mark.seq);
            Finding::inconclusive(reason, [self.mark.seq])
        })
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
