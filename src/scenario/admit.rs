//! Lets the harness in where root may log in from its own machine only: over the server's socket, in its container, an
//! account is made that has what root has.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::context::Context;
use crate::evidence::{Exec, ExecAnswer, Moment, SqlAnswer, What};
use crate::mysql::statements::{ADMIN_USER, admit};
use crate::probe::exec_with;
use crate::witness::protocol::Secret;

/// The client programs, one of which images bring.
const CLIENTS: [&str; 2] = ["mysql", "mariadb"];

/// What a server says to who may not log in from where it comes, or with that password
/// (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>).
const DENIED: [u16; 3] = [1045, 1130, 1698];

/// Whether a server refused a login.
pub(super) fn is_denied(answer: &SqlAnswer) -> bool {
    matches!(answer, SqlAnswer::Error { code, .. } if DENIED.contains(code))
}

impl Context {
    /// The account that the harness logs in as, with its password.
    pub(super) fn login(&self) -> (&str, Secret) {
        if self.root_is_local.load(Ordering::Relaxed) {
            return (ADMIN_USER, self.admin_password.clone());
        }
        (self.hints.user(), self.root_password.clone())
    }

    /// Makes the account in the server of a pod, and tells whether it is there. Servers that somebody else uses get none.
    pub(super) async fn admit(&self, moment: &Moment, pod: &str) -> bool {
        if self.adopted {
            return false;
        }
        // What a replica is given must be no transaction of its own.
        let statements = admit(self.admin_password.expose(), pod == self.subject.primary());
        let options = options(self.hints.user(), self.root_password.expose(), &statements);
        for client in CLIENTS {
            let argv = [client, "--defaults-extra-file=/dev/stdin", "--protocol=socket", "--execute=SELECT 1"];
            let (uid, begun) = (self.uid(pod).unwrap_or_default(), Instant::now());
            let answer = exec_with(&self.pods(), pod, &self.subject.container, &argv, &options, self.limits.exec).await;
            let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            let (moment, pod, argv) = (moment.clone(), pod.to_owned(), argv.map(str::to_owned).to_vec());
            self.journal.log.record(What::Exec(Exec { moment, pod, uid, argv, took_us, answer: answer.clone() }));
            if matches!(answer, ExecAnswer::Exited { code: 0, .. }) {
                self.root_is_local.store(true, Ordering::Relaxed);
                return true;
            }
            if !answer.lacks_program() {
                return false;
            }
        }
        false
    }
}

/// An option file for a client, which it reads from its standard input: arguments are seen by everybody
/// (<https://dev.mysql.com/doc/refman/8.4/en/option-files.html>).
fn options(user: &str, password: &str, statements: &str) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
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
        insta::assert_snapshot!(options("root", r#"a"b\c#d"#, "SELECT 'x'"), @r#"
        [client]
        user="root"
        password="a\"b\\c#d"
        [mysql]
        init-command="SELECT 'x'"
        "#);
    }

    #[test]
    fn who_is_refused_at_the_door_is_told_from_who_may_not_do_something() {
        let error = |code| SqlAnswer::Error { code, message: String::new() };
        assert!(is_denied(&error(1045)) && is_denied(&error(1130)) && !is_denied(&error(1044)));
        assert!(!is_denied(&SqlAnswer::Unreachable { message: "1045".into() }));
    }
}
