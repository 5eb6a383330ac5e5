//! Trying again: one policy for every request.

use std::time::{Duration, Instant};

use super::error::StoreError;

/// Longest wait before the second try; doubles up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Longest wait between two tries.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// How long a request is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    deadline: Duration,
}

impl Retry {
    /// No new try starts later than `deadline` after the first.
    pub(super) fn until(deadline: Duration) -> Self {
        Self { deadline }
    }
}

/// Runs `attempt` until it succeeds, fails for good, or time is up. Waits are
/// drawn evenly between zero and a bound that doubles ("full jitter"), so that
/// many clients do not come back at the same moment.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
pub(super) async fn with_retry<T, F>(retry: Retry, attempt: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let start = Instant::now();
    let mut bound = FIRST_WAIT;
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let wait = bound.mul_f64(random_unit());
        if !error.is_retryable() || start.elapsed() + wait > retry.deadline {
            return Err(error);
        }
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, cause, wait_ms = wait.as_millis(), "trying again");
        tokio::time::sleep(wait).await;
        bound = (bound * 2).min(MAX_WAIT);
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
    use std::cell::Cell;

    fn passing() -> StoreError {
        StoreError::Transport {
            operation: "test",
            code: tonic::Code::Unavailable,
            source: Reason::new("away"),
        }
    }

    async fn attempts(deadline: Duration, failures: usize) -> (usize, bool) {
        let tried = Cell::new(0);
        let result = with_retry(Retry::until(deadline), || async {
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
        let result: Result<(), _> = with_retry(Retry::until(Duration::from_secs(60)), || async {
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
