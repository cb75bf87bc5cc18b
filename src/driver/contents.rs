//! Questions about what servers hold: transactions, rows, checksums.

use futures::future::join_all;

use super::context::Context;
use super::ledger;
use super::servers::{column, in_small_letters};
use crate::evidence::{Checkpoint, Question, Sql, SqlAnswer, What};
use crate::mysql::statements;

impl Context {
    /// Asks these servers for their transactions, rows and checksums.
    pub(crate) async fn contents(&self, checkpoint: &Checkpoint, pods: &[String]) {
        let asks = pods.iter().map(|pod| async move {
            self.ask(checkpoint, pod, Question::GtidExecuted, vec![self.flavour().executed().to_owned()]).await;
            self.rows(checkpoint, pod).await;
            self.digest(checkpoint, pod).await;
        });
        join_all(asks).await;
    }

    /// Asks a server which rows of the table `steadfast.ledger` it has.
    pub(crate) async fn rows(&self, checkpoint: &Checkpoint, pod: &str) {
        self.ask(checkpoint, pod, Question::Rows, vec![statements::ROWS.to_owned()]).await;
    }

    /// Asks a server which entries of the witness's ledger it has.
    pub(crate) async fn entries(&self, checkpoint: &Checkpoint, pod: &str) {
        let statements = vec![statements::ENTRIES.to_owned()];
        self.ask_as(checkpoint, pod, Question::Entries, statements, self.timeouts.sql, ledger::condensed).await;
    }

    /// Asks a server for the checksum of every table. On an adopted server, only of the harness's own tables.
    pub(crate) async fn digest(&self, checkpoint: &Checkpoint, pod: &str) -> SqlAnswer {
        let list = if self.workload.adopted { statements::OWN_TABLES } else { statements::TABLES }.to_owned();
        let (mut took_us, mut answer) = self.put(checkpoint, pod, std::slice::from_ref(&list), self.timeouts.sql).await;
        let mut statements = vec![list];
        if let SqlAnswer::Rows(rows) = &answer
            && !rows.is_empty()
        {
            let tables: Vec<String> = rows.iter().filter_map(|row| column(row, "name")).collect();
            statements = vec![statements::digest(&tables)];
            (took_us, answer) = self.put(checkpoint, pod, &statements, self.timeouts.sql).await;
            answer = in_small_letters(answer);
        }
        let uid = self.uid(pod).unwrap_or_default();
        let (checkpoint, pod, question, copy) = (checkpoint.clone(), pod.to_owned(), Question::Digest, answer.clone());
        self.journal.log.record(What::Sql(Sql { checkpoint, pod, uid, question, statements, took_us, answer }));
        copy
    }
}
