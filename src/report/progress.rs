//! Shows on standard error what a run is doing: a spinner on a terminal, plain lines elsewhere.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::redaction::Redaction;
use crate::terminal::complain;
use crate::text::{in_line, inert};

/// Build services stop jobs that print nothing for long, and people think that a silent program hangs.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Shows what a run is doing. Clones write to the same place.
#[derive(Clone)]
pub struct Progress {
    mode: Arc<Mode>,
    redaction: Redaction,
}

enum Mode {
    Silent,
    Spinner(Spinner),
    Plain(Plain),
}

impl Progress {
    /// Shows a spinner if standard error is a terminal, and plain lines in continuous integration and in files.
    pub fn new() -> Self {
        let watched = io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        let moving = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let mode = if watched && moving {
            Mode::Spinner(Spinner::new())
        } else {
            Mode::Plain(Plain::new(Box::new(io::stderr()), HEARTBEAT))
        };
        Self::of(mode)
    }

    /// Shows nothing.
    pub fn silent() -> Self {
        Self::of(Mode::Silent)
    }

    fn of(mode: Mode) -> Self {
        Self { mode: Arc::new(mode), redaction: Redaction::default() }
    }

    /// The redaction of the run's secrets, which applies to every text that is shown.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// Begins a step, such as `deploy: apply the manifests`. Steps may be nested.
    pub fn begin(&self, step: &str) {
        let step = &self.redaction.text(step);
        match &*self.mode {
            Mode::Silent => {}
            Mode::Spinner(spinner) => spinner.begin(step),
            Mode::Plain(plain) => plain.begin(step),
        }
    }

    /// Shows the last state that was seen while the innermost step waits for another one.
    pub fn seen(&self, state: &str) {
        let state = &self.redaction.text(state);
        match &*self.mode {
            Mode::Silent => {}
            Mode::Spinner(spinner) => spinner.seen(state),
            Mode::Plain(plain) => plain.lock().steps.seen(state),
        }
    }

    /// Ends the innermost step of this name. An error says why the step failed.
    pub fn end(&self, step: &str, outcome: Result<(), &str>) {
        let step = &self.redaction.text(step);
        let reason = outcome.err().map(|reason| self.redaction.text(reason));
        let outcome = reason.as_deref().map_or(Ok(()), Err);
        match &*self.mode {
            Mode::Silent => {}
            Mode::Spinner(spinner) => spinner.end(step, outcome),
            Mode::Plain(plain) => plain.end(step, outcome),
        }
    }

    /// Prints a permanent line between the lines of the steps.
    pub fn say(&self, text: &str) {
        let text = &self.redaction.text(text);
        match &*self.mode {
            Mode::Silent => {}
            Mode::Spinner(spinner) => spinner.bar.suspend(|| complain(text)),
            Mode::Plain(plain) => plain.lock().print(text),
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match &*self.mode {
            Mode::Silent => "silent",
            Mode::Spinner(_) => "spinner",
            Mode::Plain(_) => "plain",
        };
        f.debug_tuple("Progress").field(&mode).finish()
    }
}

/// The open steps, outermost first.
#[derive(Default)]
struct Steps(Vec<Open>);

struct Open {
    name: String,
    since: Instant,
    seen: Option<String>,
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.seen.as_ref().map_or(Ok(()), |seen| write!(f, " (last seen: {seen})"))
    }
}

impl Steps {
    fn begin(&mut self, name: &str) {
        self.0.push(Open { name: name.to_owned(), since: Instant::now(), seen: None });
    }

    fn seen(&mut self, state: &str) {
        if let Some(step) = self.0.last_mut() {
            step.seen = Some(state.to_owned());
        }
    }

    fn end(&mut self, name: &str) -> Option<Open> {
        let index = self.0.iter().rposition(|step| step.name == name)?;
        Some(self.0.remove(index))
    }
}

struct Spinner {
    bar: ProgressBar,
    steps: Mutex<Steps>,
}

impl Spinner {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4}  {wide_msg}").expect("the template is valid");
        let bar = ProgressBar::new_spinner().with_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        Self { bar, steps: Mutex::default() }
    }
}

impl Spinner {
    fn begin(&self, name: &str) {
        let mut steps = lock(&self.steps);
        if steps.0.is_empty() {
            self.bar.reset();
            self.bar.enable_steady_tick(Duration::from_millis(100));
        }
        steps.begin(name);
        self.show(&steps);
    }

    fn seen(&self, state: &str) {
        let mut steps = lock(&self.steps);
        steps.seen(state);
        self.show(&steps);
    }

    fn end(&self, name: &str, outcome: Result<(), &str>) {
        let mut steps = lock(&self.steps);
        let Some(step) = steps.end(name) else { return };
        let took = step.since.elapsed().as_secs_f64();
        self.bar.println(inert(&match outcome {
            Ok(()) => format!("✔ {took:>6.1}s  {name}"),
            Err(reason) => format!("✘ {took:>6.1}s  {name}: {reason}"),
        }));
        if steps.0.is_empty() {
            self.bar.finish_and_clear();
        } else {
            self.show(&steps);
        }
    }

    fn show(&self, steps: &Steps) {
        let Some(step) = steps.0.last() else { return };
        self.bar.set_elapsed(step.since.elapsed());
        self.bar.set_message(in_line(&step.to_string()));
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Plain lines, with a thread that prints a line after a long silence. The thread waits on a condition variable, so
/// it blocks no thread of the async runtime. It ends with the last clone.
struct Plain {
    shared: Arc<Shared>,
    heartbeat: Option<JoinHandle<()>>,
}

struct Shared {
    lines: Mutex<Lines>,
    closing: Condvar,
}

struct Lines {
    steps: Steps,
    out: Box<dyn Write + Send>,
    began: Instant,
    last: Instant,
    closed: bool,
}

impl Plain {
    fn new(out: Box<dyn Write + Send>, interval: Duration) -> Self {
        let now = Instant::now();
        let lines = Mutex::new(Lines { steps: Steps::default(), out, began: now, last: now, closed: false });
        let shared = Arc::new(Shared { lines, closing: Condvar::new() });
        let beating = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("heartbeat".to_owned());
        // Without the thread only the heartbeat is missing, so the run does not fail.
        let heartbeat = thread.spawn(move || beating.beat(interval)).ok();
        Self { shared, heartbeat }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        lock(&self.shared.lines)
    }

    fn begin(&self, name: &str) {
        let mut lines = self.lock();
        lines.steps.begin(name);
        lines.print(name);
    }

    fn end(&self, name: &str, outcome: Result<(), &str>) {
        let mut lines = self.lock();
        lines.steps.end(name);
        if let Err(reason) = outcome {
            lines.print(&format!("{name}: failed: {reason}"));
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.lock().closed = true;
        self.shared.closing.notify_all();
        if let Some(heartbeat) = self.heartbeat.take() {
            // The heartbeat prints nothing more, so its panic is ignored.
            let _ = heartbeat.join();
        }
    }
}

impl Shared {
    fn beat(&self, interval: Duration) {
        let mut lines = lock(&self.lines);
        while !lines.closed {
            let silent = lines.last.elapsed();
            if silent < interval {
                let waited = self.closing.wait_timeout(lines, interval - silent);
                lines = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else {
                lines.remind();
            }
        }
    }
}

impl Lines {
    fn print(&mut self, text: &str) {
        // Standard error may be closed. The run does not fail because of that.
        let _ = writeln!(self.out, "{:>7.1}s  {}", self.began.elapsed().as_secs_f64(), inert(text));
        self.last = Instant::now();
    }

    fn remind(&mut self) {
        self.last = Instant::now();
        let Some(step) = self.steps.0.last() else { return };
        let text = format!("… still: {step}, {:.0} s", step.since.elapsed().as_secs_f64());
        self.print(&text);
    }
}

/// Takes the lock even after a panic: the state is still good enough for a line, and progress must not stop a run.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn texts(&self) -> Vec<String> {
            let text = String::from_utf8(lock(&self.0).clone()).unwrap();
            text.lines().map(|line| line.split_once("s  ").unwrap().1.to_owned()).collect()
        }
    }

    fn plain(interval: Duration) -> (Progress, Paper) {
        let paper = Paper::default();
        (Progress::of(Mode::Plain(Plain::new(Box::new(paper.clone()), interval))), paper)
    }

    #[test]
    fn steps_are_told_once_and_failures_with_their_reason() {
        let (progress, paper) = plain(HEARTBEAT);
        progress.begin("deploy");
        progress.begin("deploy: apply the manifests");
        progress.end("deploy: apply the manifests", Ok(()));
        progress.say("the cluster is kept");
        progress.end("deploy", Err("no pod came"));
        progress.end("never begun", Ok(()));
        let expected = ["deploy", "deploy: apply the manifests", "the cluster is kept", "deploy: failed: no pod came"];
        assert_eq!(paper.texts(), expected);
    }

    #[test]
    fn a_long_wait_is_told_with_what_was_seen_and_the_thread_ends() {
        let (progress, paper) = plain(Duration::from_millis(5));
        progress.begin("mysql-1 Ready");
        progress.clone().seen("Pending, not Ready");
        while paper.texts().len() < 3 {
            // The heartbeat is a separate thread and writes at any time.
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(progress);
        assert_eq!(Arc::strong_count(&paper.0), 1, "the heartbeat still holds the paper");
        assert_eq!(paper.texts()[2], "… still: mysql-1 Ready (last seen: Pending, not Ready), 0 s");
    }

    #[test]
    fn it_can_be_shared_between_threads() {
        fn shareable<T: Clone + Send + Sync + 'static>() {}
        shareable::<Progress>();
    }
}
