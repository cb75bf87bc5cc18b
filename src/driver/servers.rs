//! Questions to the servers of the workload, each with its record.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::context::Context;
use super::error::ScenarioError;
use crate::evidence::{
    Checkpoint, Exec, ExecAnswer, HOSTS, KERNEL_HOSTNAME, Question, Row, Sql, SqlAnswer, Stopwatch, What, Write,
    WriteOutcome,
};
use crate::mysql::statements;
use crate::probe::exec;
use crate::witness::protocol::{Answer, Ask, Secret, SqlAsk};

/// The time limit of a barrier when the scenarios must end soon.
const HASTE: Duration = Duration::from_secs(3);

impl Context {
    /// Asks a pod's server at the pod's present address, and records question and answer.
    pub(crate) async fn ask(
        &self,
        checkpoint: &Checkpoint,
        pod: &str,
        question: Question,
        statements: Vec<String>,
    ) -> SqlAnswer {
        self.ask_within(checkpoint, pod, question, statements, self.timeouts.sql).await
    }

    async fn ask_within(
        &self,
        checkpoint: &Checkpoint,
        pod: &str,
        question: Question,
        statements: Vec<String>,
        limit: Duration,
    ) -> SqlAnswer {
        self.ask_as(checkpoint, pod, question, statements, limit, std::convert::identity).await
    }

    /// Asks, and records the answer after converting it.
    pub(super) async fn ask_as(
        &self,
        checkpoint: &Checkpoint,
        pod: &str,
        question: Question,
        statements: Vec<String>,
        limit: Duration,
        form: fn(SqlAnswer) -> SqlAnswer,
    ) -> SqlAnswer {
        let uid = self.uid(pod).unwrap_or_default();
        // A write that must be rejected needs an account that this server can reject.
        let ordinary = self.flavour().ordinary_writer().filter(|_| question == Question::TryWrite);
        let (took_us, answer) = match ordinary {
            Some(user) => {
                self.put_as(Ask::Sql, (user, self.accounts.writer_password.clone()), pod, &statements, limit).await
            }
            None => self.put(checkpoint, pod, &statements, limit).await,
        };
        let answer = form(answer);
        let (checkpoint, pod, answer_copy) = (checkpoint.clone(), pod.to_owned(), answer.clone());
        self.journal.log.record(What::Sql(Sql { checkpoint, pod, uid, question, statements, took_us, answer }));
        answer_copy
    }

    /// Asks a pod's server repeatedly until it answers a query, for at most `limit`, and returns whether it did. Only
    /// an answer is recorded: no answer yet says nothing.
    pub(crate) async fn ask_until_answered(&self, checkpoint: &Checkpoint, pod: &str, limit: Duration) -> bool {
        let uid = self.uid(pod).unwrap_or_default();
        let statements = vec![statements::PING.to_owned()];
        let (mut took_us, mut answer) = self.put_as(Ask::Await, self.login(), pod, &statements, limit).await;
        if answer.is_denied() {
            (took_us, answer) = self.put(checkpoint, pod, &statements, limit).await;
        }
        let answered = matches!(answer, SqlAnswer::Rows(_));
        if answered {
            let (checkpoint, pod, question) = (checkpoint.clone(), pod.to_owned(), Question::Ping);
            self.journal.log.record(What::Sql(Sql { checkpoint, pod, uid, question, statements, took_us, answer }));
        }
        answered
    }

    /// Sends statements to a pod's server without a record. Creates an account first if root may not log in from here.
    pub(super) async fn put(
        &self,
        checkpoint: &Checkpoint,
        pod: &str,
        statements: &[String],
        limit: Duration,
    ) -> (u64, SqlAnswer) {
        let told = self.put_as(Ask::Sql, self.login(), pod, statements, limit).await;
        if told.1.is_denied() && self.admit(checkpoint, pod).await {
            return self.put_as(Ask::Sql, self.login(), pod, statements, limit).await;
        }
        told
    }

    pub(crate) async fn put_as(
        &self,
        way: fn(SqlAsk) -> Ask,
        (user, password): (&str, Secret),
        pod: &str,
        statements: &[String],
        limit: Duration,
    ) -> (u64, SqlAnswer) {
        let limit = self.vain.brief(limit);
        let Some(address) = self.address(pod).and_then(|address| address.parse().ok()) else {
            return (0, SqlAnswer::Unreachable { message: format!("{pod} has no address") });
        };
        let ask = SqlAsk {
            address,
            port: self.workload.subject.port,
            user: user.to_owned(),
            password,
            tls: self.workload.hints.tls,
            statements: statements.to_vec(),
            secrets: BTreeMap::from([
                (statements::REPLICA_PASSWORD.to_owned(), self.accounts.replica_password.clone()),
                (statements::WRITER_PASSWORD.to_owned(), self.accounts.writer_password.clone()),
            ]),
        };
        match self.witnesses.near.ask(way(ask), limit).await {
            Ok((took_us, Answer::Sql(answer))) => (took_us, answer),
            Ok((took_us, _)) => (took_us, broken("the witness answered a different request")),
            Err(trouble) => (0, broken(trouble)),
        }
    }

    /// Asks a server for its identity.
    pub(crate) async fn identity(&self, checkpoint: &Checkpoint, pod: &str) {
        let answer = self.ask(checkpoint, pod, Question::Identity, vec![statements::IDENTITY.to_owned()]).await;
        if let Some(version) = first(&answer, "version") {
            self.learn_flavour(&version);
        }
    }

    /// Asks a server for its durability settings.
    pub(crate) async fn settings(&self, checkpoint: &Checkpoint, pod: &str) {
        self.ask(checkpoint, pod, Question::Settings, vec![statements::SETTINGS.to_owned()]).await;
        let statements = vec![statements::SEMI_SYNC.to_owned()];
        self.ask_as(checkpoint, pod, Question::SemiSync, statements, self.timeouts.sql, in_small_letters).await;
    }

    /// Asks a server how many seconds it has been running.
    pub(crate) async fn uptime(&self, checkpoint: &Checkpoint, pod: &str) -> Option<u64> {
        let statements = vec![statements::UPTIME.to_owned()];
        let answer =
            self.ask_as(checkpoint, pod, Question::Uptime, statements, self.timeouts.sql, in_small_letters).await;
        first(&answer, "value")?.parse().ok()
    }

    /// Whether a server answers this run over TLS.
    pub(crate) async fn is_over_tls(&self, checkpoint: &Checkpoint, pod: &str) -> Result<bool, ScenarioError> {
        let (_, answer) = self.put(checkpoint, pod, &[statements::CIPHER.to_owned()], self.timeouts.sql).await;
        match answer.trouble() {
            Some(trouble) => Err(self.unwilling(pod, "report whether it supports TLS", trouble)),
            None => Ok(first(&in_small_letters(answer), "value").is_some_and(|cipher| !cipher.is_empty())),
        }
    }

    /// Asks the container for its host name, short and full. Without a program for that, reads its files.
    pub(crate) async fn hostname(&self, checkpoint: &Checkpoint, pod: &str) {
        for (argv, instead) in [(&["hostname"][..], KERNEL_HOSTNAME), (&["hostname", "-f"], HOSTS)] {
            if self.run_in(checkpoint, pod, argv, self.timeouts.exec).await.lacks_program() {
                self.run_in(checkpoint, pod, instead, self.timeouts.exec).await;
            }
        }
    }

    /// Runs a command in the server's container, and records the result.
    pub(crate) async fn run_in(
        &self,
        checkpoint: &Checkpoint,
        pod: &str,
        argv: &[&str],
        limit: Duration,
    ) -> ExecAnswer {
        let uid = self.uid(pod).unwrap_or_default();
        let begun = Stopwatch::start();
        let answer = exec(&self.pods(), pod, &self.workload.subject.container, argv, limit).await;
        let took_us = begun.us();
        let (checkpoint, pod, words) =
            (checkpoint.clone(), pod.to_owned(), argv.iter().map(|&word| word.to_owned()).collect());
        self.journal.log.record(What::Exec(Exec {
            checkpoint,
            pod,
            uid,
            argv: words,
            took_us,
            answer: answer.clone(),
        }));
        answer
    }

    /// Writes rows on the primary concurrently, records each result, and returns whether all were acknowledged.
    pub(crate) async fn write(&self, checkpoint: &Checkpoint, rows: usize) -> bool {
        let pod = self.workload.subject.primary();
        let writes = (0..rows).map(|_| async {
            let id = self.next_write();
            let uid = self.uid(&pod).unwrap_or_default();
            let (_, answer) = self.put(checkpoint, &pod, &[statements::write(id)], self.timeouts.sql).await;
            let outcome = match answer {
                SqlAnswer::Rows(_) => WriteOutcome::Acknowledged,
                SqlAnswer::Error { code, message } => WriteOutcome::Rejected(format!("{code}: {message}")),
                SqlAnswer::Unreachable { message } | SqlAnswer::Broken { message } => WriteOutcome::Unknown(message),
            };
            let acknowledged = outcome == WriteOutcome::Acknowledged;
            self.journal.log.record(What::Write(Write {
                id,
                pod: pod.clone(),
                uid,
                checkpoint: checkpoint.clone(),
                outcome,
            }));
            acknowledged
        });
        join_all(writes).await.into_iter().all(|acknowledged| acknowledged)
    }

    /// Makes these replicas wait until they have executed what the primary has now, and returns whether all did.
    pub(crate) async fn barrier(&self, checkpoint: &Checkpoint, replicas: &[String], limit: Duration) -> bool {
        let primary = self.workload.subject.primary();
        let question = vec![self.flavour().executed().to_owned()];
        let answer = self.ask(checkpoint, &primary, Question::GtidExecuted, question).await;
        let Some(set) = first(&answer, "barrier") else { return replicas.is_empty() };
        let waits = replicas.iter().map(|pod| {
            let statements = vec![self.flavour().barrier(&set, limit.as_secs().max(1))];
            self.ask_within(checkpoint, pod, Question::Barrier, statements, limit + self.timeouts.sql)
        });
        join_all(waits).await.iter().all(|answer| first(answer, "reached").as_deref() == Some("1"))
    }

    /// Like [`Context::barrier`] with little time. A replica that does not get there has no record: it had less time
    /// than the budget, so nothing follows from it.
    pub(crate) async fn barrier_in_haste(&self, checkpoint: &Checkpoint, replicas: &[String]) {
        let primary = self.workload.subject.primary();
        let question = vec![self.flavour().executed().to_owned()];
        let answer = self.ask(checkpoint, &primary, Question::GtidExecuted, question).await;
        let Some(set) = first(&answer, "barrier") else { return };
        let statements = vec![self.flavour().barrier(&set, HASTE.as_secs())];
        let waits = replicas.iter().map(async |pod| {
            let uid = self.uid(pod).unwrap_or_default();
            let (took_us, answer) = self.put(checkpoint, pod, &statements, self.timeouts.sql).await;
            if first(&answer, "reached").as_deref() == Some("1") {
                let (checkpoint, pod, statements) = (checkpoint.clone(), pod.clone(), statements.clone());
                let question = Question::Barrier;
                self.journal.log.record(What::Sql(Sql { checkpoint, pod, uid, question, statements, took_us, answer }));
            }
        });
        join_all(waits).await;
    }

    /// Asks these replicas for their replication status.
    pub(crate) async fn replica_status(&self, checkpoint: &Checkpoint, replicas: &[String]) {
        let statement = self.flavour().status().to_owned();
        let asks =
            replicas.iter().map(|pod| self.ask(checkpoint, pod, Question::ReplicaStatus, vec![statement.clone()]));
        join_all(asks).await;
    }

    /// Tries to write on these replicas.
    pub(crate) async fn try_writes(&self, checkpoint: &Checkpoint, replicas: &[String]) {
        let statements = statements::TRY_WRITE.map(str::to_owned).to_vec();
        let tries = replicas.iter().map(|pod| self.ask(checkpoint, pod, Question::TryWrite, statements.clone()));
        join_all(tries).await;
    }

    /// Sends statements that the scenario cannot go on without.
    pub(crate) async fn demand(
        &self,
        checkpoint: &Checkpoint,
        pod: &str,
        what: &str,
        statements: Vec<String>,
    ) -> Result<(), ScenarioError> {
        match self.ask(checkpoint, pod, Question::Configure, statements).await {
            SqlAnswer::Rows(_) => Ok(()),
            SqlAnswer::Error { code, message } => Err(self.unwilling(pod, what, format!("error {code}: {message}"))),
            SqlAnswer::Unreachable { message } | SqlAnswer::Broken { message } => {
                Err(self.unwilling(pod, what, message))
            }
        }
    }

    fn unwilling(&self, pod: &str, what: &str, answer: String) -> ScenarioError {
        ScenarioError::Server { pod: pod.to_owned(), what: what.to_owned(), answer }
    }
}

fn broken(message: impl ToString) -> SqlAnswer {
    SqlAnswer::Broken { message: message.to_string() }
}

pub(crate) fn column(row: &Row, name: &str) -> Option<String> {
    row.get(name).cloned().flatten()
}

pub(crate) fn first(answer: &SqlAnswer, name: &str) -> Option<String> {
    match answer {
        SqlAnswer::Rows(rows) => column(rows.first()?, name),
        _ => None,
    }
}

/// `CHECKSUM TABLE` and `SHOW` capitalise their column names; records have them in lower case.
pub(super) fn in_small_letters(answer: SqlAnswer) -> SqlAnswer {
    let SqlAnswer::Rows(rows) = answer else { return answer };
    let rows = rows.into_iter().map(|row| row.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect());
    SqlAnswer::Rows(rows.collect())
}
