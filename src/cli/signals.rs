//! Ctrl-C and SIGTERM: the first drains, the second leaves.

use super::terminal::tell;
use crate::ingest::Cancel;

/// Cancels the run at the first signal; leaves the process at the second.
pub(super) fn cancel_on_signal(cancel: Cancel) {
    tokio::spawn(async move {
        signal().await;
        cancel.cancel();
        tell("interrupted: finishing what is under way; again to leave at once");
        signal().await;
        #[expect(clippy::exit, reason = "the user asked twice")]
        std::process::exit(130);
    });
}

/// Waits for a signal.
#[cfg(unix)]
pub(super) async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    // A process that may not listen keeps the system's default: it ends.
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ended = tokio::signal::ctrl_c().await.is_ok();
        }
    }
}

/// Waits for a signal.
#[cfg(not(unix))]
pub(super) async fn signal() {
    let _ended = tokio::signal::ctrl_c().await.is_ok();
}
