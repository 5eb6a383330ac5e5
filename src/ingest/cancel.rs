//! How a run is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How soon a cancelled run is noticed by a stage that waits.
pub(super) const CANCEL_POLL: Duration = Duration::from_millis(50);

/// Asks a run to stop: nothing new begins, what is under way is finished.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until somebody asks.
    pub(super) async fn cancelled(&self) {
        while !self.is_cancelled() {
            tokio::time::sleep(CANCEL_POLL).await;
        }
    }

    /// Cancels the run if the stage that holds this panics: the other stages
    /// would work on for nobody.
    pub(super) fn on_panic(&self) -> CancelOnPanic {
        CancelOnPanic(self.clone())
    }
}

pub(super) struct CancelOnPanic(Cancel);

impl Drop for CancelOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.cancel();
        }
    }
}
