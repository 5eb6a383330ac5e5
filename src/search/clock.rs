//! Where the time of a search went.

use std::time::{Duration, Instant};

/// Times of steps, in the order in which each began first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clock {
    steps: Vec<(&'static str, Duration)>,
}

impl Clock {
    /// Adds to a step.
    pub fn add(&mut self, step: &'static str, spent: Duration) {
        match self.steps.iter_mut().find(|(name, _)| *name == step) {
            Some((_, so_far)) => *so_far += spent,
            None => self.steps.push((step, spent)),
        }
    }

    /// Does something, and adds the time that it takes.
    pub fn time<T>(&mut self, step: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.add(step, start.elapsed());
        done
    }

    /// Adds all of another's steps.
    pub fn merge(&mut self, other: &Self) {
        for (step, spent) in &other.steps {
            self.add(step, *spent);
        }
    }

    /// The steps so far.
    pub fn steps(&self) -> &[(&'static str, Duration)] {
        &self.steps
    }
}
