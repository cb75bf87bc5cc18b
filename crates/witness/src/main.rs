//! The main program of a witness pod.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use steadfast_witness::{PASSWORD, VOLUME, serve, stay};

/// The pod's main process runs `stay`; the harness runs `serve` for a session.
const USAGE: &str = "usage: steadfast witness stay | serve";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["--version"] => {
            say(&mut io::stdout(), &format!("steadfast {}", env!("CARGO_PKG_VERSION")));
            return ExitCode::SUCCESS;
        }
        ["witness", "stay"] => run(stay(Path::new(VOLUME), Path::new(PASSWORD))),
        ["witness", "serve"] => run(serve(Path::new(VOLUME), tokio::io::stdin(), tokio::io::stdout())),
        _ => {
            say(&mut io::stderr(), USAGE);
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut io::stderr(), &format!("error: witness: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(role: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(role);
    // A pending read of standard input cannot be cancelled and would delay the end.
    runtime.shutdown_background();
    ended
}

/// Writes a line. Nobody may be there to read it.
fn say(to: &mut impl io::Write, line: &str) {
    let _ = writeln!(to, "{line}");
}
