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
    /// The leader ended with 0.
    Passed,
    /// The leader ended with this exit code.
    Failed(u8),
    /// The group exceeded its deadline.
    OutOfTime,
}

/// A command in its own process group, which ends as a whole. The group is not in the foreground of the terminal, so
/// a Ctrl-C reaches it only once, through this program.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    id: Pid,
    deadline: Instant,
    grace: Duration,
    /// When the rest of the group is killed.
    kill_at: Option<Instant>,
    status: Option<ExitStatus>,
    is_out_of_time: bool,
}

impl Group {
    /// Starts a command with a time limit. After the limit it gets SIGINT and this much time to clean up.
    ///
    /// # Errors
    /// When the command cannot be started.
    pub(crate) fn start(command: &mut Command, limit: Duration, grace: Duration) -> io::Result<Self> {
        let leader = command.process_group(0).spawn()?;
        let id = Pid::from_child(&leader);
        let deadline = Instant::now() + limit;
        Ok(Self { leader, id, deadline, grace, kill_at: None, status: None, is_out_of_time: false })
    }

    /// Lets other processes use the processor first.
    pub(crate) fn yield_to_others(&self) {
        // A failure only slows other stages down. Children inherit the priority.
        let _ = setpriority_process(Some(self.id), LOWEST);
    }

    /// Asks the group to clean up and end. Some programs end at once on a second signal.
    pub(crate) fn interrupt(&mut self) {
        self.signal(Signal::INT);
        self.kill_at.get_or_insert(Instant::now() + self.grace);
    }

    /// Checks whether the whole group has ended, and sends the signals that are due.
    ///
    /// # Errors
    /// When the leader cannot be waited for.
    pub(crate) fn poll(&mut self) -> io::Result<Option<End>> {
        let now = Instant::now();
        if self.status.is_none() {
            self.status = self.leader.try_wait()?;
            // A program that already cleans up would end at once on another signal.
            if self.status.is_none() && self.kill_at.is_none() && now >= self.deadline {
                self.is_out_of_time = true;
                self.interrupt();
            }
        }
        if let Some(status) = self.status {
            if !lives(self.id) {
                return Ok(Some(self.end(status)));
            }
            // Cargo ends at once on a signal, while the suite that it started still removes its clusters.
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
        // The group may already have ended, which is the purpose.
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The deadline is no longer checked after this.
        if self.status.is_none() {
            self.interrupt();
        }
    }
}

/// Whether the group has a running process. A zombie does not count: it has ended, but nobody has waited for it.
fn lives(group: Pid) -> bool {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok()).any(|stat| is_at_work(&stat, group))
}

/// Whether a line of `/proc/PID/stat` describes a running process of this group, see proc_pid_stat(5).
fn is_at_work(stat: &str, group: Pid) -> bool {
    // The name is in parentheses and may contain anything. After it come the state, the parent and the group.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let mut words = behind.split_whitespace();
    words.next().is_some_and(|state| !matches!(state, "Z" | "X")) && words.nth(1) == Some(&group.to_string())
}

#[cfg(test)]
mod tests;
