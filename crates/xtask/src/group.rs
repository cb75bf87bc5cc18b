//! A process group with a deadline.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::{Pid, Signal, kill_process_group, setpriority_process};

use crate::command::code_of;

/// The lowest priority, see nice(2).
const LOWEST: i32 = 19;

/// How a process group ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its leader ended with 0.
    Passed,
    /// Its leader ended with this exit code.
    Failed(u8),
    /// Its deadline was over.
    OutOfTime,
}

/// A command in a process group of its own, which ends as a whole. The terminal tells it of nothing, so a Ctrl-C reaches it
/// once, from here.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    id: Pid,
    deadline: Instant,
    grace: Duration,
    /// When what is left of it is killed.
    kill_at: Option<Instant>,
    status: Option<ExitStatus>,
    is_out_of_time: bool,
}

impl Group {
    /// Starts a command that has to end within a limit. When that is over it gets SIGINT, and has some grace to clean up.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command, limit: Duration, grace: Duration) -> io::Result<Self> {
        let leader = command.process_group(0).spawn()?;
        let id = Pid::from_child(&leader);
        let deadline = Instant::now() + limit;
        Ok(Self { leader, id, deadline, grace, kill_at: None, status: None, is_out_of_time: false })
    }

    /// Leaves the processor to whoever else wants it.
    pub(crate) fn yield_to_others(&self) {
        // Without that it only disturbs others. What it starts inherits it.
        let _ = setpriority_process(Some(self.id), LOWEST);
    }

    /// Asks all of it to clean up and end. A second time means at once, to whoever knows the difference.
    pub(crate) fn interrupt(&mut self) {
        self.signal(Signal::INT);
        self.kill_at.get_or_insert(Instant::now() + self.grace);
    }

    /// Looks whether all of it has ended, and does what is due.
    ///
    /// # Errors
    /// When its leader cannot be waited for.
    pub(crate) fn poll(&mut self) -> io::Result<Option<End>> {
        let now = Instant::now();
        if self.status.is_none() {
            self.status = self.leader.try_wait()?;
            // Whoever cleans up already takes another signal for an end at once.
            if self.status.is_none() && self.kill_at.is_none() && now >= self.deadline {
                self.is_out_of_time = true;
                self.interrupt();
            }
        }
        if let Some(status) = self.status {
            if !lives(self.id) {
                return Ok(Some(self.end(status)));
            }
            // Cargo dies of a signal at once, and leaves the suite that it started to remove its clusters.
            self.kill_at.get_or_insert(now + self.grace);
        }
        if self.kill_at.is_some_and(|due| now >= due) {
            self.signal(Signal::KILL);
        }
        Ok(None)
    }

    fn end(&self, status: ExitStatus) -> End {
        match code_of(status) {
            _ if self.is_out_of_time => End::OutOfTime,
            0 => End::Passed,
            code => End::Failed(code),
        }
    }

    fn signal(&self, signal: Signal) {
        // A group that has ended in between is what is wanted.
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody looks at its deadline any more.
        if self.status.is_none() {
            self.interrupt();
        }
    }
}

/// Whether a process of this group is at work: one that has ended, and that nobody has waited for yet, is not.
fn lives(group: Pid) -> bool {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok()).any(|stat| is_at_work(&stat, group))
}

/// Whether a process of this group is at work, by its line in `/proc`, see proc_pid_stat(5).
fn is_at_work(stat: &str, group: Pid) -> bool {
    // The name, in parentheses, can hold anything; behind it are the state, the parent and the group.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let mut words = behind.split_whitespace();
    words.next().is_some_and(|state| !matches!(state, "Z" | "X")) && words.nth(1) == Some(&group.to_string())
}

#[cfg(test)]
mod tests;
