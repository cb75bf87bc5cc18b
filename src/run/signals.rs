//! Ctrl-C, SIGTERM, and the end of the terminal.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::terminal::complain;

const INTERRUPTED: i32 = 130;

/// The first signal asks the run to end and clean up. A second one ends the program at once, and the next start removes
/// what it leaves. If signals cannot be caught, they end the program as usual. A program started by `nohup` outlives
/// its terminal.
pub fn cancelled_by_signals() -> CancellationToken {
    let cancel = CancellationToken::new();
    let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
    let Ok([mut interrupt, mut terminate]) = catch(kinds) else { return cancel };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let hangup = (!ignores_hangup(&status)).then(|| signal(SignalKind::hangup()).ok()).flatten();
    let token = cancel.clone();
    tokio::spawn(async move {
        let mut hangup = hangup;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = end_of_terminal(hangup.as_mut()) => {}
            }
            if token.is_cancelled() {
                complain("\nstopped at once; the next run removes what is left");
                std::process::exit(INTERRUPTED);
            }
            token.cancel();
            complain("\ninterrupted: cleaning up; interrupt again to stop at once");
        }
    });
    cancel
}

fn catch(kinds: [SignalKind; 2]) -> std::io::Result<[Signal; 2]> {
    let [interrupt, terminate] = kinds.map(signal);
    Ok([interrupt?, terminate?])
}

async fn end_of_terminal(hangup: Option<&mut Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this process was started to ignore SIGHUP: the lowest bit of the mask, see proc_pid_status(5).
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_told_from_its_mask() {
        assert!(ignores_hangup("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
        assert!(!ignores_hangup(""));
    }
}
