//! Who ended how: every discovered picture has exactly one outcome.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::IngestError;
use crate::catalog::Skip;
use crate::entity::Outcome;

/// Watches a run: a progress bar, a file of rejects.
pub trait Observer: Send + Sync {
    /// Another picture was found.
    fn discovered(&self);
    /// Discovery has ended; the number of pictures is final.
    fn discovery_ended(&self);
    /// A picture reached its outcome.
    fn ended(&self, outcome: &Outcome);
    /// Something that a person should know, and that is no error.
    fn note(&self, message: &str);
}

/// Counts of a run so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    discovered: AtomicU64,
    upserted: AtomicU64,
    moved: AtomicU64,
    updated: AtomicU64,
    unchanged: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    hidden: AtomicU64,
    not_images: AtomicU64,
    unseen: AtomicU64,
    all_found: AtomicBool,
}

/// Counts of a finished run. `discovered` is the sum of the seven after it; what
/// was passed over because it is no picture was never discovered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pictures found.
    pub discovered: u64,
    /// Embedded and written; in a dry run, those that would be.
    pub upserted: u64,
    /// Written with a vector that the collection held under another id.
    pub moved: u64,
    /// Written with another name, attributes, path or time, and the vector
    /// that it had.
    pub updated: u64,
    /// In the collection already, with the same content, name and attributes.
    pub unchanged: u64,
    /// At fault themselves.
    pub rejected: u64,
    /// Fine, but the system around them was not.
    pub failed: u64,
    /// Not done because the run was interrupted.
    pub cancelled: u64,
    /// Rows deleted because their pictures are gone; in a dry run, those that
    /// would be. They were not discovered.
    pub pruned: u64,
    /// Passed over: hidden entries.
    pub skipped_hidden: u64,
    /// Passed over: entries that are no pictures.
    pub skipped_not_images: u64,
}

/// What a run did.
#[derive(Debug)]
pub struct Report {
    /// The ledger.
    pub counts: Counts,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether somebody asked it to stop.
    pub interrupted: bool,
    /// Whether every picture was discovered: an interrupted run stops looking.
    pub complete: bool,
    /// What ended the run before its end, if anything did.
    pub fatal: Option<IngestError>,
    /// Rows of the names table that no picture was found for.
    pub unused_names: usize,
}

impl Report {
    /// Nothing was begun.
    pub(super) fn interrupted(elapsed: Duration) -> Self {
        Self {
            counts: Counts::default(),
            elapsed,
            interrupted: true,
            complete: false,
            fatal: None,
            unused_names: 0,
        }
    }
}

impl Counts {
    /// Whether every discovered picture is accounted for.
    pub fn balances(&self) -> bool {
        self.ended() == self.discovered
    }

    fn ended(&self) -> u64 {
        let written = self.upserted + self.moved + self.updated;
        written + self.unchanged + self.rejected + self.failed + self.cancelled
    }
}

impl Ledger {
    pub(super) fn discovered(&self, observer: &dyn Observer) {
        self.discovered.fetch_add(1, Ordering::Relaxed);
        observer.discovered();
    }

    pub(super) fn skipped(&self, skip: Skip) {
        let count = match skip {
            Skip::Hidden => &self.hidden,
            Skip::NotAnImage => &self.not_images,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// An entry, or a folder of entries, could not be looked at.
    pub(super) fn not_seen(&self) {
        self.unseen.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unseen(&self) -> u64 {
        self.unseen.load(Ordering::Relaxed)
    }

    /// Discovery came to its end.
    pub(super) fn all_found(&self) {
        self.all_found.store(true, Ordering::Relaxed);
    }

    /// Whether every picture was discovered.
    pub(super) fn is_complete(&self) -> bool {
        self.all_found.load(Ordering::Relaxed)
    }

    pub(super) fn ended(&self, outcome: &Outcome, observer: &dyn Observer) {
        let count = match outcome {
            Outcome::Upserted => &self.upserted,
            Outcome::Moved => &self.moved,
            Outcome::Updated => &self.updated,
            Outcome::Unchanged => &self.unchanged,
            Outcome::Rejected(_) => &self.rejected,
            Outcome::Failed(_) => &self.failed,
            Outcome::Cancelled => &self.cancelled,
        };
        count.fetch_add(1, Ordering::Relaxed);
        observer.ended(outcome);
    }

    /// Final counts. What a cancelled run found and never took up is
    /// cancelled too.
    pub(super) fn close(&self) -> Counts {
        let mut counts = self.counts();
        let ended = counts.ended();
        counts.cancelled += counts.discovered.saturating_sub(ended);
        counts
    }

    fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            discovered: read(&self.discovered),
            upserted: read(&self.upserted),
            moved: read(&self.moved),
            updated: read(&self.updated),
            unchanged: read(&self.unchanged),
            rejected: read(&self.rejected),
            failed: read(&self.failed),
            cancelled: read(&self.cancelled),
            pruned: 0,
            skipped_hidden: read(&self.hidden),
            skipped_not_images: read(&self.not_images),
        }
    }
}
