//! Trying again: one policy for every request.

use std::time::{Duration, Instant};

use super::error::StoreError;
use super::verdict::Verdict;
use super::watch::Health;

/// How soon somebody who gave up is noticed.
const GIVE_UP_POLL: Duration = Duration::from_millis(50);

/// How often and how long a request is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    /// Longest wait before the second try; doubles up to `max_wait`.
    pub(super) first_wait: Duration,
    /// Longest wait between two tries.
    pub(super) max_wait: Duration,
    /// No new try starts later than this after the first.
    pub(super) deadline: Duration,
}

impl Retry {
    /// One try.
    pub(super) const NEVER: Self = Self {
        first_wait: Duration::ZERO,
        max_wait: Duration::ZERO,
        deadline: Duration::ZERO,
    };
}

/// The tries of one request. Waits are drawn evenly between zero and a bound
/// that doubles ("full jitter"), so that many clients do not come back at the
/// same moment.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
#[derive(Debug)]
pub(super) struct Tries<'a> {
    retry: Retry,
    health: &'a Health,
    start: Instant,
    bound: Duration,
}

impl<'a> Tries<'a> {
    pub(super) fn new(retry: Retry, health: &'a Health) -> Self {
        Self {
            retry,
            health,
            start: Instant::now(),
            bound: retry.first_wait.min(retry.max_wait),
        }
    }

    /// The server did what it was asked.
    pub(super) fn succeeded(&self) {
        self.health.succeeded();
    }

    /// Waits until the request may be sent again.
    ///
    /// # Errors
    /// The same error: it is final, time is up, or whoever watches gave up.
    pub(super) async fn wait(&mut self, error: StoreError) -> Result<(), StoreError> {
        match error.verdict() {
            Verdict::Retry | Verdict::RetryPart(_) | Verdict::Reload => {}
            Verdict::Pause => self.bound = self.retry.max_wait,
            Verdict::Split | Verdict::Stop => return Err(error),
        }
        let wait = self.bound.mul_f64(random_unit());
        let left = self.retry.deadline.saturating_sub(self.start.elapsed());
        if wait > left || left.is_zero() {
            return Err(error);
        }
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::info!(%error, cause, wait_ms = wait.as_millis(), "trying again");
        self.health.failed(self.start, &error, left);
        self.bound = (self.bound * 2).min(self.retry.max_wait);
        let until = tokio::time::Instant::now() + wait;
        loop {
            if self.health.given_up() {
                return Err(error);
            }
            let now = tokio::time::Instant::now();
            if now >= until {
                return Ok(());
            }
            tokio::time::sleep_until(until.min(now + GIVE_UP_POLL)).await;
        }
    }
}

/// Runs `attempt` until it succeeds, fails for good, or time is up.
pub(super) async fn with_retry<T, F>(
    mut tries: Tries<'_>,
    attempt: impl Fn() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    loop {
        match attempt().await {
            Ok(done) => {
                tries.succeeded();
                return Ok(done);
            }
            Err(error) => tries.wait(error).await?,
        }
    }
}

/// A number in [0, 1), from the standard library's own source of randomness:
/// good enough to spread clients, not for secrets.
fn random_unit() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(Instant::now()) >> 40;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(1u32 << 24)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::error::Reason;
    use crate::store::watch::Watch;
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    fn passing() -> StoreError {
        StoreError::Transport {
            operation: "test",
            code: tonic::Code::Unavailable,
            source: Reason::new("away"),
        }
    }

    fn for_a(deadline: Duration) -> Retry {
        Retry {
            first_wait: Duration::from_millis(100),
            max_wait: Duration::from_secs(10),
            deadline,
        }
    }

    /// Gives up after `patience` looks; remembers what it was told.
    struct Witness {
        patience: AtomicUsize,
        told: Mutex<Vec<String>>,
    }

    impl Watch for Witness {
        fn gives_up(&self) -> bool {
            let left = self.patience.load(Ordering::Relaxed);
            self.patience
                .store(left.saturating_sub(1), Ordering::Relaxed);
            left == 0
        }
        fn paused(&self, message: &str) {
            self.told.lock().unwrap().push(message.to_owned());
        }
        fn resumed(&self, message: &str) {
            self.paused(message);
        }
    }

    fn witness(patience: usize) -> Arc<Witness> {
        Arc::new(Witness {
            patience: AtomicUsize::new(patience),
            told: Mutex::new(Vec::new()),
        })
    }

    fn over_quota() -> StoreError {
        StoreError::Server {
            operation: "test",
            code: 9,
            retriable: false,
            source: Reason::new("quota exceeded"),
        }
    }

    #[tokio::test]
    async fn whoever_gives_up_does_not_wait() {
        let watch = witness(2);
        let health = Health::new("http://a").watched_by(Arc::<Witness>::clone(&watch));
        let retry = Retry {
            first_wait: Duration::from_secs(3000),
            max_wait: Duration::from_secs(3000),
            deadline: Duration::from_secs(3600),
        };
        let begun = Instant::now();
        let result: Result<(), _> =
            with_retry(Tries::new(retry, &health), || async { Err(passing()) }).await;
        assert!(result.is_err());
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(watch.told.lock().unwrap().len(), 0);
    }

    #[tokio::test]
    async fn a_pause_is_said_once_and_so_is_its_end() {
        let watch = witness(1000);
        let health = Health::new("http://a").watched_by(Arc::<Witness>::clone(&watch));
        let retry = Retry {
            first_wait: Duration::from_millis(1),
            max_wait: Duration::from_millis(5),
            deadline: Duration::from_secs(3600),
        };
        let tried = Cell::new(0);
        let result = with_retry(Tries::new(retry, &health), || async {
            tried.set(tried.get() + 1);
            if tried.get() < 4 {
                Err(over_quota())
            } else {
                Ok(())
            }
        })
        .await;
        assert!(result.is_ok());
        assert_eq!(
            *watch.told.lock().unwrap(),
            [
                "Milvus at http://a takes nothing now (quota exceeded): waiting, up to 60 minutes; Ctrl-C stops",
                "Milvus at http://a answers again: going on",
            ]
        );
    }

    async fn attempts(deadline: Duration, failures: usize) -> (usize, bool) {
        let tried = Cell::new(0);
        let health = Health::new("http://localhost");
        let result = with_retry(Tries::new(for_a(deadline), &health), || async {
            tried.set(tried.get() + 1);
            if tried.get() <= failures {
                Err(passing())
            } else {
                Ok(())
            }
        })
        .await;
        (tried.get(), result.is_ok())
    }

    #[tokio::test]
    async fn tries_until_it_works_or_time_is_up() {
        assert_eq!(attempts(Duration::from_secs(60), 2).await, (3, true));
        let (tried, worked) = attempts(Duration::ZERO, 2).await;
        assert!(tried <= 2 && !worked);
    }

    #[tokio::test]
    async fn a_final_error_is_not_tried_again() {
        let tried = Cell::new(0);
        let health = Health::new("http://localhost");
        let patient = Tries::new(for_a(Duration::from_secs(60)), &health);
        let result: Result<(), _> = with_retry(patient, || async {
            tried.set(tried.get() + 1);
            Err(StoreError::InvalidToken)
        })
        .await;
        assert!(result.is_err());
        assert_eq!(tried.get(), 1);
    }

    #[test]
    fn waits_are_spread() {
        let drawn: Vec<f64> = (0..64).map(|_| random_unit()).collect();
        assert!(drawn.iter().all(|unit| (0.0..1.0).contains(unit)));
        assert!(drawn.iter().any(|unit| *unit < 0.5) && drawn.iter().any(|unit| *unit >= 0.5));
    }
}
