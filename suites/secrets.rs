//! The secrets suite: a run with a known root password shows the password nowhere: not in the files that it writes, and
//! not in the arguments of any process. The suite looks for it as plain text, in Base64, in hexadecimal digits, and as
//! escaped in JSON, URLs and HTML.
//!
//! `STEADFAST_CLUSTER=none` ignores the trials visibly.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::Failed;
use steadfast_suites::environment::{artifacts, timeout_scale};
use steadfast_suites::settings::BUSY_MACHINE_BUDGET;
use steadfast_suites::trials::{self, TrialFunction};

/// The number of runs at once. Each has its own cluster.
const AT_ONCE: usize = 2;

/// Short, so that short-lived processes are seen too: a probe's client lives some tens of milliseconds.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// The checks of the run: with replication and the ledger, every account is used.
const FILTER: &str = "replication::read_lag_is_bounded";

/// A run ends by itself. This limit is for one that hangs.
const END_WITHIN: Duration = Duration::from_secs(600);

const TRIALS: [(&str, TrialFunction); 4] = [
    ("a_password_of_a_secret_is_shown_nowhere", || is_shown_nowhere("in-a-secret", "canary-in-a-secret", true)),
    ("a_password_in_the_template_is_shown_nowhere", || {
        is_shown_nowhere("in-the-template", "canary-in-the-template", true)
    }),
    // Here the workload itself passes the password to a client as an argument.
    ("a_password_that_is_repeated_is_shown_nowhere", || is_shown_nowhere("repeated", "canary&every<kind>/1", false)),
    ("a_password_that_is_shown_is_found", a_leak_is_found),
];

fn main() -> ExitCode {
    trials::run(trials::arguments(), &TRIALS, AT_ONCE, None)
}

/// Runs with the password of these manifests and looks for it, if wanted also in the arguments of processes.
fn is_shown_nowhere(manifests: &str, password: &str, among_arguments: bool) -> Result<(), Failed> {
    let folder = artifacts().join("secrets").join(manifests);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => std::fs::create_dir_all(&folder)?,
    }
    let output = |name: &str| std::fs::File::create(folder.join(name));
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.args(["run", "--nodes", "1", "--manifests"]).arg(kustomization(manifests));
    command.args(BUSY_MACHINE_BUDGET).arg(FILTER);
    command.args(["--timeout-scale", &timeout_scale().to_string()]).env("ARTIFACTS", &folder);
    command.stdin(Stdio::null()).stdout(output("stdout")?).stderr(output("stderr")?);
    let forms = forms(password);
    let (ended, seen) = watched(&mut command.spawn()?, if among_arguments { &forms } else { &[] })?;
    let said = || {
        let text = |name| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        text("stdout") + &text("stderr")
    };
    if !ended {
        return Err(format!("the run was not green:\n{}", said()).into());
    }
    let shown: Vec<String> = seen.into_iter().chain(in_files(&folder, &forms)?).collect();
    if shown.is_empty() { Ok(()) } else { Err(format!("the password is shown:\n{}", shown.join("\n")).into()) }
}

fn kustomization(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/canary").join(name)
}

/// Watches a process from start to end. Returns whether it succeeded, and which processes had the password in their
/// arguments in the meantime.
fn watched(child: &mut Child, forms: &[String]) -> Result<(bool, BTreeSet<String>), Failed> {
    let (over, begun) = (AtomicBool::new(false), std::time::Instant::now());
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                seen.extend(in_arguments(forms));
                std::thread::sleep(LOOK_AGAIN_AFTER);
            }
            seen
        });
        let ended = loop {
            if let Some(status) = child.try_wait()? {
                break Ok(status.success());
            }
            if begun.elapsed() > END_WITHIN {
                child.kill()?;
                child.wait()?;
                break Err(Failed::from(format!("the run did not end within {END_WITHIN:?}")));
            }
            std::thread::sleep(LOOK_AGAIN_AFTER);
        };
        over.store(true, Ordering::Relaxed);
        let seen = looking.join().map_err(|_| "the look at processes panicked")?;
        Ok((ended?, seen))
    })
}

/// The forms in which a text may be written.
fn forms(text: &str) -> Vec<String> {
    let hexadecimal: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let replaced =
        |pairs: &[(&str, &str)]| pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let json = replaced(&[("&", r"\u0026"), ("<", r"\u003c"), (">", r"\u003e")]);
    let url = replaced(&[("&", "%26"), ("<", "%3C"), (">", "%3E"), ("/", "%2F")]);
    let html = replaced(&[("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")]);
    let behind_a_name = base64(&format!("root:{text}")).split_off(8);
    let codes = [base64(text), behind_a_name, hexadecimal.to_uppercase(), hexadecimal];
    let mut forms = vec![text.to_owned(), json, url.to_lowercase(), url, html];
    forms.extend(codes);
    forms.sort();
    forms.dedup();
    forms
}

/// Base64 as in the data of a Secret (RFC 4648 section 4), without the end, which depends on what follows.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = text.as_bytes().chunks_exact(3);
    let letters = whole.flat_map(|three| {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[bits >> shift & 63]))
    });
    letters.collect()
}

/// The processes with one of these forms in their arguments.
fn in_arguments(forms: &[String]) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let arguments = processes.filter_map(|process| {
        let arguments = std::fs::read(process.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&arguments).replace('\0', " "))
    });
    arguments.filter(|arguments| has(arguments, forms)).map(|arguments| format!("a process: {arguments}")).collect()
}

/// The files in a folder that contain one of these forms.
fn in_files(folder: &Path, forms: &[String]) -> Result<Vec<String>, Failed> {
    let mut shown = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            shown.extend(in_files(&path, forms)?);
        } else if kind.is_file() {
            let text = std::fs::read(&path)?;
            let lines = text.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
            let with = (1..).zip(lines).filter(|(_, line)| has(line, forms));
            shown.extend(with.map(|(number, _)| format!("{}, line {number}", path.display())));
        }
    }
    Ok(shown)
}

fn has(text: &str, forms: &[String]) -> bool {
    forms.iter().any(|form| text.contains(form))
}

/// Leaks a password in every form, and checks that each leak is found.
fn a_leak_is_found() -> Result<(), Failed> {
    let (folder, forms) = (tempfile::tempdir()?, forms("canary-on-purpose"));
    std::fs::create_dir(folder.path().join("logs"))?;
    for (index, form) in forms.iter().enumerate() {
        std::fs::write(folder.path().join(format!("logs/{index}")), format!("first\nroot:{form}!\n"))?;
    }
    let found = in_files(folder.path(), &forms)?;
    if found.len() != forms.len() || !found.iter().all(|place| place.ends_with("line 2")) {
        return Err(format!("found in files: {found:?}").into());
    }
    let mut sleeper = Command::new("sh").args(["-c", "sleep 0.3; :", "canary-on-purpose"]).spawn()?;
    let (_, seen) = watched(&mut sleeper, &forms)?;
    if seen.is_empty() { Err("not found among the arguments of a process".into()) } else { Ok(()) }
}
