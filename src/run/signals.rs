//! Ctrl-C, SIGTERM, and the end of the terminal.

use std::io::Write as _;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

const INTERRUPTED: i32 = 130;

/// A first signal asks the run to end and clean up; a second one ends the program at once, and what it leaves is
/// removed by the next start. Where signals cannot be caught, they end the program as they always do.
pub fn cancelled_by_signals() -> CancellationToken {
    let cancel = CancellationToken::new();
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let Ok([mut interrupt, mut terminate, mut hangup]) = catch(kinds) else { return cancel };
    let token = cancel.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if token.is_cancelled() {
                tell("ended at once; the next start removes what is left");
                std::process::exit(INTERRUPTED);
            }
            token.cancel();
            tell("interrupted: cleaning up; once more ends at once");
        }
    });
    cancel
}

fn catch(kinds: [SignalKind; 3]) -> std::io::Result<[Signal; 3]> {
    let [interrupt, terminate, hangup] = kinds.map(signal);
    Ok([interrupt?, terminate?, hangup?])
}

/// A terminal that is gone is no reason not to clean up.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "\n{text}");
}
