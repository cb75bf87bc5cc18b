//! Gives the harness access to servers where root may log in only locally: over the server's socket, in its container,
//! it creates an account with root's privileges.

use super::context::Context;
use crate::evidence::{Checkpoint, Exec, ExecAnswer, SqlAnswer, Stopwatch, What};
use crate::mysql::statements::{ADMIN_USER, PING, admit};
use crate::probe::exec_with;
use crate::witness::protocol::{Ask, Secret};
use std::sync::atomic::Ordering;

/// The client programs. Each image has one of them.
const CLIENTS: [&str; 2] = ["mysql", "mariadb"];

impl Context {
    /// The account and password that the harness logs in with.
    pub(crate) fn login(&self) -> (&str, Secret) {
        if self.root_is_local.load(Ordering::Relaxed) {
            return (ADMIN_USER, self.accounts.admin_password.clone());
        }
        (self.workload.hints.user(), self.accounts.root_password.clone())
    }

    /// Creates the account in the server of a pod, and returns whether it exists. Adopted servers get none.
    pub(crate) async fn admit(&self, checkpoint: &Checkpoint, pod: &str) -> bool {
        if self.workload.adopted {
            return false;
        }
        // On a replica the statements must not become a transaction of its own.
        let statements = admit(self.accounts.admin_password.expose(), pod == self.workload.subject.primary());
        let options = options(self.workload.hints.user(), self.accounts.root_password.expose(), &statements);
        for client in CLIENTS {
            let argv = [client, "--defaults-extra-file=/dev/stdin", "--protocol=socket", "--execute=SELECT 1"];
            let (uid, begun) = (self.uid(pod).unwrap_or_default(), Stopwatch::start());
            let answer =
                exec_with(&self.pods(), pod, &self.workload.subject.container, &argv, &options, self.timeouts.exec)
                    .await;
            let took_us = begun.us();
            let lacks = answer.lacks_program();
            let answer = without_words(answer);
            let made = match answer {
                ExecAnswer::Exited { code, .. } => code == 0,
                // Before 1.30 an API server closes the connection when the input ends, so the client's exit code is
                // lost.
                ExecAnswer::Broken { .. } => self.lets_admin_in(pod).await,
            };
            let argv = argv.map(str::to_owned).to_vec();
            let (checkpoint, of) = (checkpoint.clone(), pod.to_owned());
            self.journal.log.record(What::Exec(Exec { checkpoint, pod: of, uid, argv, took_us, answer }));
            if made {
                self.root_is_local.store(true, Ordering::Relaxed);
                return true;
            }
            if !lacks {
                return false;
            }
        }
        false
    }
}

impl Context {
    async fn lets_admin_in(&self, pod: &str) -> bool {
        let login = (ADMIN_USER, self.accounts.admin_password.clone());
        let (_, answer) = self.put_as(Ask::Sql, login, pod, &[PING.to_owned()], self.timeouts.sql).await;
        matches!(answer, SqlAnswer::Rows(_))
    }
}

/// A client's result without its output, which may quote its input: only error numbers are kept.
fn without_words(answer: ExecAnswer) -> ExecAnswer {
    let numbers = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let errors =
            words.windows(2).filter(|pair| pair[0] == "ERROR" && pair[1].bytes().all(|it| it.is_ascii_digit()));
        errors.map(|pair| pair.join(" ")).collect::<Vec<_>>().join(", ")
    };
    match answer {
        ExecAnswer::Exited { code, stderr, .. } => {
            ExecAnswer::Exited { code, stdout: String::new(), stderr: numbers(&stderr) }
        }
        ExecAnswer::Broken { .. } => ExecAnswer::Broken { message: "nobody heard how it ended".to_owned() },
    }
}

/// An option file that a client reads from its standard input, because everybody can see its arguments
/// (<https://dev.mysql.com/doc/refman/8.4/en/option-files.html>).
fn options(user: &str, password: &str, statements: &str) -> String {
    let escapes = [('\\', "\\\\"), ('"', "\\\""), ('\n', "\\n"), ('\r', "\\r"), ('\t', "\\t")];
    let quoted = |text: &str| {
        let escaped = escapes.iter().fold(text.to_owned(), |text, (it, escape)| text.replace(*it, escape));
        format!("\"{escaped}\"")
    };
    format!(
        "[client]\nuser={}\npassword={}\n[mysql]\ninit-command={}\n",
        quoted(user),
        quoted(password),
        quoted(statements)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_file_holds_what_no_argument_may() {
        insta::assert_snapshot!(options("root", "a\"b\\c#d\n", "SELECT 'x'"), @r#"
        [client]
        user="root"
        password="a\"b\\c#d\n"
        [mysql]
        init-command="SELECT 'x'"
        "#);
    }

    #[test]
    fn what_the_client_quotes_is_not_kept() {
        let said =
            "mysql: [Warning] x\nERROR 1064 (42000) at line 1: near 'IDENTIFIED BY 'secret'\nunknown option '--secret'";
        let answer = ExecAnswer::Exited { code: 1, stdout: "secret".into(), stderr: said.into() };
        let kept = ExecAnswer::Exited { code: 1, stdout: String::new(), stderr: "ERROR 1064".into() };
        assert_eq!(without_words(answer), kept);
    }
}
