//! Runs all stages on one machine, each with a deadline. The other stages run even if one fails.

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

/// The maximum number of stages that run at the same time.
const AT_A_TIME: usize = 2;

/// The timeout scale of a stage that may run beside another one.
const BESIDE_SCALE: &str = "1.5";

/// The number of random histories for each property: many more than usual, which takes some minutes.
const HISTORIES: &str = "10000";

/// The speed of time. Tests use a faster one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The length of a minute of a deadline.
    pub minute: Duration,
    /// How long a stage may clean up after its deadline or an interrupt.
    pub grace: Duration,
    /// The pause between two polls of the stages: nothing announces the end of a process group.
    pub poll: Duration,
}

/// The pace of a real nightly run.
pub(crate) const REAL_PACE: Pace =
    Pace { minute: Duration::from_secs(60), grace: Duration::from_secs(300), poll: Duration::from_millis(100) };

/// The outcome of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The stage passed.
    Passed,
    /// The stage failed with this exit code.
    Failed(u8),
    /// The stage could not be started.
    NotStarted,
    /// The stage exceeded its deadline.
    OutOfTime,
    /// The nightly run was interrupted while the stage ran.
    Interrupted,
    /// The nightly run was interrupted before the stage began.
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

/// A stage of a nightly run: its call and its outcome.
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
    /// The output of the stage, if it may run beside another one: mixed output of two stages is hard to read.
    kept: Option<File>,
}

/// The environment of a nightly run.
pub(crate) struct Host<'a> {
    /// The command that runs a stage.
    pub command: &'a dyn Fn(&Call) -> Command,
    /// The number of signals since the last call.
    pub signals: &'a mut dyn FnMut() -> usize,
    /// The variables of the environment.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
    /// The speed of time.
    pub pace: Pace,
    /// The output.
    pub out: &'a mut dyn Write,
}

impl Host<'_> {
    /// Sets a variable that the environment does not set.
    fn default(&self, command: &mut Command, name: &str, value: &str) {
        if (self.variables)(name).is_none_or(|value| value.is_empty()) {
            command.env(name, value);
        }
    }
}

/// A nightly run.
pub(crate) struct Night<'a> {
    /// The stages in order.
    rows: Vec<Row>,
    host: Host<'a>,
    /// Whether any two stages may run at the same time.
    has_beside: bool,
    running: Vec<Running>,
    is_interrupted: bool,
}

impl<'a> Night<'a> {
    /// A nightly run of these stages.
    pub(crate) fn new(calls: Vec<Call>, host: Host<'a>) -> Self {
        let has_beside = calls.iter().filter(|call| call.stage.beside.is_some()).count() > 1;
        let row = |call| Row { call, outcome: Outcome::NotRun, took: None };
        let rows = calls.into_iter().map(row).collect();
        Self { rows, host, has_beside, running: Vec::new(), is_interrupted: false }
    }

    /// Runs all stages and returns their outcomes.
    ///
    /// # Errors
    /// When a stage cannot be waited for, or its output cannot be kept.
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

    /// What the stage mostly does, if it may run beside others.
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
                // The scheduler of cgroup v1 gives all clusters together only as much time as one process outside of
                // them.
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

    /// Waits until at most this many stages run.
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
            // Errors are ignored for the same reason as in `print`.
            let _ = io::copy(&mut kept, self.host.out).and_then(|_| self.host.out.flush());
        }
        Ok(())
    }

    /// Every signal ends the nightly run. It reaches the stages as SIGINT, on which all their programs clean up.
    fn look_for_signals(&mut self) {
        for _ in 0..(self.host.signals)() {
            self.is_interrupted = true;
            self.running.iter_mut().for_each(|running| running.group.interrupt());
        }
    }
}

/// Prints a text immediately, because stages print to the same place.
fn print(out: &mut dyn Write, text: &str) {
    // The output may be closed. The nightly run continues in that case.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The outcomes of all stages, as a table for people.
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

/// The exit code of a nightly run: 130 if it was interrupted, 1 if a stage did not pass.
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
