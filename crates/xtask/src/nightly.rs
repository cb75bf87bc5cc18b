//! Everything on one machine: each stage within its deadline. A stage that fails does not keep the others from their turn.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::call::Call;
use crate::command::INTERRUPTED;
use crate::group::{End, Group};
use crate::stage::Beside;

/// How many stages go beside each other.
const AT_A_TIME: usize = 2;

/// How many times as long a stage may take for everything where another one is beside it.
const BESIDE_SCALE: &str = "1.5";

/// How many random histories a property is tried on: many more than usual, some minutes of them.
const HISTORIES: &str = "10000";

/// How fast time goes: tests have less of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// A minute of a deadline.
    pub minute: Duration,
    /// How long a stage that is out of time, or interrupted, may clean up.
    pub grace: Duration,
    /// How often the stages are looked at: nobody tells when a group has ended.
    pub poll: Duration,
}

/// What nights use.
pub(crate) const REAL_PACE: Pace =
    Pace { minute: Duration::from_secs(60), grace: Duration::from_secs(300), poll: Duration::from_millis(100) };

/// What came of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It passed.
    Passed,
    /// It failed, with this exit code.
    Failed(u8),
    /// It could not be started.
    NotStarted,
    /// Its deadline was over.
    OutOfTime,
    /// The night was interrupted while it ran.
    Interrupted,
    /// The night was interrupted before.
    NotRun,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(code) => write!(f, "failed ({code})"),
            Self::NotStarted => f.write_str("not started"),
            Self::OutOfTime => f.write_str("out of time"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::NotRun => f.write_str("not run"),
        }
    }
}

/// A stage of a night: its call, and what came of it.
#[derive(Debug)]
pub(crate) struct Row {
    call: Call,
    outcome: Outcome,
    took: Option<Duration>,
}

/// A stage that runs.
struct Running {
    row: usize,
    begun: Instant,
    group: Group,
    /// Its output, where another one runs beside it: two would be hard to tell apart.
    kept: Option<File>,
}

/// Where a night takes place.
pub(crate) struct Host<'a> {
    /// The command that runs a stage.
    pub command: &'a dyn Fn(&Call) -> Command,
    /// How many signals have come since it was asked last.
    pub signals: &'a mut dyn FnMut() -> usize,
    /// The variables of the environment.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
    /// How fast time goes.
    pub pace: Pace,
    /// Where it prints.
    pub out: &'a mut dyn Write,
}

impl Host<'_> {
    /// Sets a variable that the environment does not.
    fn default(&self, command: &mut Command, name: &str, value: &str) {
        if (self.variables)(name).is_none_or(|value| value.is_empty()) {
            command.env(name, value);
        }
    }
}

/// A night.
pub(crate) struct Night<'a> {
    /// The stages in their order.
    rows: Vec<Row>,
    host: Host<'a>,
    /// Whether stages go beside each other at all.
    has_beside: bool,
    running: Vec<Running>,
    is_interrupted: bool,
}

impl<'a> Night<'a> {
    /// A night of these stages.
    pub(crate) fn new(calls: Vec<Call>, host: Host<'a>) -> Self {
        let has_beside = calls.iter().filter(|call| call.stage.beside.is_some()).count() > 1;
        let row = |call| Row { call, outcome: Outcome::NotRun, took: None };
        let rows = calls.into_iter().map(row).collect();
        Self { rows, host, has_beside, running: Vec::new(), is_interrupted: false }
    }

    /// Runs all stages and returns what came of each.
    ///
    /// # Errors
    /// When a stage cannot be waited for, or its output not be kept.
    pub(crate) fn run(mut self) -> anyhow::Result<Vec<Row>> {
        for row in 0..self.rows.len() {
            let others = if self.beside(row).is_some() { AT_A_TIME - 1 } else { 0 };
            self.wait_until_running(others)?;
            self.look_for_signals();
            if self.is_interrupted {
                continue;
            }
            self.begin(row)?;
            if self.beside(row).is_none() {
                self.wait_until_running(0)?;
            }
        }
        self.wait_until_running(0)?;
        Ok(self.rows)
    }

    /// What a stage does, where it goes beside others.
    fn beside(&self, row: usize) -> Option<Beside> {
        self.rows[row].call.stage.beside.filter(|_| self.has_beside)
    }

    fn begin(&mut self, row: usize) -> anyhow::Result<()> {
        let (call, beside) = (&self.rows[row].call, self.beside(row));
        let later = if beside.is_some() { "; its output follows when it has ended" } else { "" };
        print(self.host.out, &format!("\n==> stage {call}, at most {} min{later}\n", call.minutes));
        let mut command = (self.host.command)(call);
        command.stdin(Stdio::null());
        self.host.default(&mut command, "PROPTEST_CASES", HISTORIES);
        let mut kept = None;
        if beside.is_some() {
            self.host.default(&mut command, "STEADFAST_TIMEOUT_SCALE", BESIDE_SCALE);
            let file = tempfile::tempfile().context("cannot keep the output of a stage")?;
            command.stdout(file.try_clone()?).stderr(file.try_clone()?);
            kept = Some(file);
        }
        let limit = self.host.pace.minute * call.minutes;
        match Group::start(&mut command, limit, self.host.pace.grace) {
            Ok(group) => {
                // To the scheduler of cgroup v1 all clusters together are no more than one process beside it.
                if beside == Some(Beside::Computes) {
                    group.yield_to_others();
                }
                self.running.push(Running { row, begun: Instant::now(), group, kept });
            }
            Err(error) => {
                print(self.host.out, &format!("==> stage {call} cannot be started: {error}\n"));
                self.rows[row].outcome = Outcome::NotStarted;
            }
        }
        Ok(())
    }

    /// Waits until no more than so many stages run.
    fn wait_until_running(&mut self, most: usize) -> anyhow::Result<()> {
        while self.running.len() > most {
            self.look_for_signals();
            let mut ended = None;
            for (index, running) in self.running.iter_mut().enumerate() {
                if let Some(end) = running.group.poll().context("cannot wait for a stage")? {
                    ended = Some((index, end));
                    break;
                }
            }
            match ended {
                Some((index, end)) => self.end(index, end)?,
                None => std::thread::sleep(self.host.pace.poll),
            }
        }
        Ok(())
    }

    fn end(&mut self, index: usize, end: End) -> anyhow::Result<()> {
        let Running { row, begun, kept, .. } = self.running.remove(index);
        let row = &mut self.rows[row];
        row.took = Some(begun.elapsed());
        row.outcome = match end {
            _ if self.is_interrupted => Outcome::Interrupted,
            End::Passed => Outcome::Passed,
            End::Failed(code) => Outcome::Failed(code),
            End::OutOfTime => Outcome::OutOfTime,
        };
        if let Some(mut kept) = kept {
            print(self.host.out, &format!("\n==> stage {} has ended: {}\n", row.call, row.outcome));
            kept.rewind().context("cannot read the output of a stage")?;
            // As for `print`.
            let _ = io::copy(&mut kept, self.host.out).and_then(|_| self.host.out.flush());
        }
        Ok(())
    }

    /// Each signal ends the night, and is handed on as SIGINT, on which all programs of stages clean up.
    fn look_for_signals(&mut self) {
        for _ in 0..(self.host.signals)() {
            self.is_interrupted = true;
            self.running.iter_mut().for_each(|running| running.group.interrupt());
        }
    }
}

/// Prints a text at once: stages print to the same place.
fn print(out: &mut dyn Write, text: &str) {
    // There may be nobody to read it, which is no reason to end.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What came of all stages, for people.
pub(crate) fn table(rows: &[Row], took: Duration) -> String {
    let line = |stage: &str, outcome: &str, time: &str| {
        let line = format!("{stage:<34}  {outcome:<12}  {time:>12}");
        format!("{}\n", line.trim_end())
    };
    let of = |row: &Row| line(&row.call.to_string(), &row.outcome.to_string(), &row.took.map(span).unwrap_or_default());
    let header = line("stage", "outcome", "time");
    let rows: String = rows.iter().map(of).collect();
    format!("\n{header}{rows}{}", line("all in all", "", &span(took)))
}

/// The exit code of a night: 130 when it was interrupted, 1 when a stage did not pass.
pub(crate) fn code(rows: &[Row]) -> u8 {
    if rows.iter().any(|row| matches!(row.outcome, Outcome::Interrupted | Outcome::NotRun)) {
        return INTERRUPTED;
    }
    u8::from(rows.iter().any(|row| row.outcome != Outcome::Passed))
}

fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests;
