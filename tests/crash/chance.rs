//! Chance that can be repeated.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `SplitMix64` <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug)]
pub(crate) struct Chance {
    state: u64,
    /// What `CRASH_SEED` must be to draw the same again.
    seed: u64,
}

impl Chance {
    /// Draws of its own for each test, by `CRASH_SEED` or the time.
    pub(crate) fn of(test: &str) -> Self {
        let seed = variable("CRASH_SEED").unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::try_from(now.as_nanos() % 1_000_000).unwrap()
        });
        let own = test
            .bytes()
            .fold(seed, |state, byte| state.rotate_left(8) ^ u64::from(byte));
        Self { state: own, seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A time before `bound`.
    pub(crate) fn within(&mut self, bound: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(bound.as_micros()).unwrap().max(1)))
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }
}

/// How often `ingest` is killed in all tests together.
pub(crate) fn kills() -> u64 {
    variable("CRASH_KILLS").unwrap_or(50)
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
