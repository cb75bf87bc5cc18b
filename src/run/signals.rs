//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const INTERRUPTED: i32 = 130;

/// A first signal asks the run to end and clean up; a second one ends the program at once, and what it leaves is
/// removed by the next start.
pub fn cancelled_by_signals() -> CancellationToken {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    tokio::spawn(async move {
        for turn in 1.. {
            if caught().await.is_err() {
                return;
            }
            if turn > 1 {
                eprintln!("\nended at once; the next start removes what is left");
                std::process::exit(INTERRUPTED);
            }
            eprintln!("\ninterrupted: cleaning up; once more ends at once");
            token.cancel();
        }
    });
    cancel
}

async fn caught() -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
