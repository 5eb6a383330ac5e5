//! Long outages: whoever runs a long job hears of them, and may give up.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::StoreError;
use super::verdict::Verdict;

/// No success for this long is an outage, which is told.
pub(super) const OUTAGE: Duration = Duration::from_secs(5);

/// Watches requests that have to wait.
pub trait Watch: Send + Sync {
    /// Whether nobody wants the answer any more: a failed request is not sent
    /// again.
    fn gives_up(&self) -> bool;
    /// The server is away. Said once an outage.
    fn paused(&self, message: &str);
    /// It is back.
    fn resumed(&self, message: &str);
}

/// Nobody watches.
struct Nobody;

impl Watch for Nobody {
    fn gives_up(&self) -> bool {
        false
    }
    fn paused(&self, _: &str) {}
    fn resumed(&self, _: &str) {}
}

/// How the server does, as all requests of one store see it.
#[derive(Clone)]
pub(super) struct Health {
    uri: String,
    watch: Arc<dyn Watch>,
    state: Arc<Mutex<State>>,
}

struct State {
    last_success: Instant,
    told: bool,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}

impl Health {
    pub(super) fn new(uri: &str) -> Self {
        Self {
            uri: uri.to_owned(),
            watch: Arc::new(Nobody),
            state: Arc::new(Mutex::new(State {
                last_success: Instant::now(),
                told: false,
            })),
        }
    }

    pub(super) fn watched_by(self, watch: Arc<dyn Watch>) -> Self {
        Self { watch, ..self }
    }

    /// Something beside the server is waited for.
    pub(super) fn waits(&self, message: &str) {
        self.watch.paused(message);
    }

    pub(super) fn given_up(&self) -> bool {
        self.watch.gives_up()
    }

    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        state.last_success = Instant::now();
        if std::mem::take(&mut state.told) {
            self.watch
                .resumed(&format!("Milvus at {} answers again: going on", self.uri));
        }
    }

    /// A request that began at `start` failed and will be sent again, until
    /// `left` has passed.
    pub(super) fn failed(&self, start: Instant, error: &StoreError, left: Duration) {
        let mut state = self.state();
        let long = state.last_success.max(start).elapsed() >= OUTAGE;
        if state.told || !(long || error.verdict() == Verdict::Pause) {
            return;
        }
        state.told = true;
        let does = match error {
            StoreError::Server { .. } => "takes nothing now",
            _ => "does not answer",
        };
        let cause = std::error::Error::source(error);
        let reason = cause.map_or_else(|| error.to_string(), ToString::to_string);
        self.watch.paused(&format!(
            "Milvus at {} {does} ({reason}): waiting, up to {}; Ctrl-C stops",
            self.uri,
            span(left)
        ));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}
