//! Ctrl-C and SIGTERM: the first drains, the second leaves.

use std::sync::mpsc::sync_channel;

use super::terminal::tell;
use crate::ingest::Cancel;

/// Cancels the run at the first signal; leaves the process at the second.
///
/// A thread of its own listens, since all others may be stuck: on a server, on
/// a disk, on a reader of standard error that reads no more.
pub(super) fn cancel_on_signal(cancel: Cancel) {
    let (ready, listening) = sync_channel(1);
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // Without one, the system's default stays: a signal ends the process.
        let Ok(runtime) = runtime else {
            return;
        };
        runtime.block_on(async {
            let mut signals = Signals::listen();
            let _waited_for = ready.send(()).is_ok();
            signals.next().await;
            cancel.cancel();
            std::thread::spawn(|| {
                tell("interrupted: finishing what is under way; again to leave at once");
            });
            signals.next().await;
            #[expect(clippy::exit, reason = "the user asked twice")]
            std::process::exit(130);
        });
    };
    let spawned = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait);
    if spawned.is_ok() {
        // From here on, none is missed.
        let _listens = listening.recv().is_ok();
    }
}

/// Waits for a signal.
pub(super) async fn signal() {
    Signals::listen().next().await;
}

/// What ends a process politely.
#[cfg(unix)]
struct Signals([Option<tokio::signal::unix::Signal>; 2]);

#[cfg(unix)]
impl Signals {
    /// Those that come from now on are remembered.
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // One that may not be listened to keeps the system's default: it ends.
        Self([SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()))
    }

    async fn next(&mut self) {
        async fn heard(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => _ = signal.recv().await,
                None => std::future::pending().await,
            }
        }
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            () = heard(interrupt) => {}
            () = heard(terminate) => {}
        }
    }
}

/// What ends a process politely.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        let _ended = tokio::signal::ctrl_c().await.is_ok();
    }
}
