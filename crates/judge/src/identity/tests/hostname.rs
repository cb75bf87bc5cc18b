//! Names of containers that have no program to print them.

use insta::assert_snapshot;

use super::{HOSTNAME, after_deletion, exited};
use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{ExecAnswer, HOSTS, KERNEL_HOSTNAME, Question, What};
use crate::history::History;

const FULL: &str = "mysql-1.mysql-h.steadfast.svc.cluster.local";

/// Whether mysql-1 prints a name in this record.
fn prints(what: &What) -> bool {
    matches!(what, What::Exec(exec) if exec.pod == "mysql-1" && exec.argv[0] == "hostname" && !exec.answer.lacks_program())
}

/// A good run in which mysql-1 has no program `hostname`, so that the run reads its files instead.
fn by_files(kernel: &ExecAnswer, hosts: &ExecAnswer) -> History {
    let mut history = History::good();
    while history.records.iter().any(|record| prints(&record.what)) {
        history = history.told_before(prints, |what| {
            if let What::Exec(exec) = what {
                exec.answer = exited(127, "", "executable file not found");
            }
        });
        let instead = history.records.iter_mut().find(|record| prints(&record.what)).map(|record| &mut record.what);
        if let Some(What::Exec(exec)) = instead {
            let (argv, answer) = if exec.argv.len() == 1 { (KERNEL_HOSTNAME, kernel) } else { (HOSTS, hosts) };
            exec.argv = argv.iter().map(|&word| word.to_owned()).collect();
            exec.answer = answer.clone();
        }
    }
    history
}

fn hosts(names: &str) -> ExecAnswer {
    exited(0, &format!("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n10.0.0.2\t{names}"), "")
}

fn kernel() -> ExecAnswer {
    exited(0, "mysql-1", "")
}

#[test]
fn the_files_tell_what_no_program_prints() {
    let right = by_files(&kernel(), &hosts(&format!("{FULL}\tmysql-1")));
    assert_snapshot!(right.expect(HOSTNAME, Pass), @"cat /etc/hosts, cat /proc/sys/kernel/hostname, hostname, hostname -f, @@hostname and the label are correct on mysql-0, mysql-1, mysql-2");
    by_files(&kernel(), &hosts(&format!("{FULL}. MYSQL-1 # its own"))).expect(HOSTNAME, Pass);
}

#[test]
fn another_name_in_the_files_fails() {
    let reason = by_files(&exited(0, "db", ""), &hosts(&format!("{FULL}\tmysql-1"))).expect(HOSTNAME, Fail);
    assert_snapshot!(reason.split(';').next().unwrap_or_default(), @"`cat /proc/sys/kernel/hostname` in mysql-1 printed `db`, not `mysql-1` (#26)");
    for names in ["mysql-1", "mysql-1.other mysql-1", "db", "# mysql-1"] {
        let reason = by_files(&kernel(), &hosts(names)).expect(HOSTNAME, Fail);
        assert!(reason.starts_with("`cat /etc/hosts` in mysql-1 printed `"), "{reason}");
    }
    // The resolver takes the first line that has the name.
    let twice = format!("localhost mysql-1\n10.0.0.2\t{FULL}\tmysql-1");
    by_files(&kernel(), &hosts(&twice)).expect(HOSTNAME, Fail);
}

#[test]
fn without_any_program_the_server_tells_it() {
    let none = exited(126, "", "no such file or directory");
    let bare = by_files(&none, &none);
    assert_snapshot!(bare.expect(HOSTNAME, Pass), @"hostname, hostname -f, @@hostname and the label are correct on mysql-0, mysql-1, mysql-2");
    bare.clone().telling("mysql-1", after_deletion, "hostname", "db").expect(HOSTNAME, Fail);
    let silent = bare.without(|what| matches!(what, What::Sql(sql) if sql.pod == "mysql-1" && sql.uid == "1.2" && sql.question == Question::Identity));
    silent.expect(HOSTNAME, Inconclusive);
}

#[test]
fn files_that_were_not_read_leave_it_open() {
    let right = || by_files(&kernel(), &hosts(&format!("{FULL}\tmysql-1")));
    for (command, file) in [("hostname", KERNEL_HOSTNAME), ("hostname -f", HOSTS)] {
        let unread = right().without(|what| matches!(what, What::Exec(exec) if exec.argv == file));
        let reason = unread.expect(HOSTNAME, Inconclusive);
        let found = format!("mysql-1 has no program for `{command}` (#");
        assert!(
            reason.starts_with(&found) && reason.contains(&format!("`{}` gave no answer", file.join(" "))),
            "{reason}"
        );
        let elsewhere = right().edit(|what| match what {
            What::Exec(exec) if exec.argv == file => exec.pod = "mysql-2".into(),
            _ => {}
        });
        elsewhere.expect(HOSTNAME, Inconclusive);
    }
    let broken = ExecAnswer::Broken { message: "websocket closed".into() };
    by_files(&broken, &hosts(&format!("{FULL}\tmysql-1"))).expect(HOSTNAME, Inconclusive);
}
