//! What is found, from several threads.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::Verification;
use crate::entity::ImageId;

/// Differences of a kind that are kept; all are counted.
const MOST_KEPT: u64 = 10_000;

/// What can be wrong between a file and its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DifferenceKind {
    /// A picture without a row.
    Missing,
    /// A row without a picture.
    Extra,
    /// A row that does not say what its file does.
    Stale,
    /// A key that several rows have.
    Duplicate,
    /// A vector that is not its picture's.
    Vector,
    /// A file or folder that could not be looked at.
    Unread,
}

const ALL_KINDS: [DifferenceKind; 6] = [
    DifferenceKind::Missing,
    DifferenceKind::Extra,
    DifferenceKind::Stale,
    DifferenceKind::Duplicate,
    DifferenceKind::Vector,
    DifferenceKind::Unread,
];

/// One difference between disk and collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// What is wrong.
    pub kind: DifferenceKind,
    /// The file, or where the row says that it was.
    pub path: PathBuf,
    /// Primary key; none of a file that could not be looked at.
    pub id: Option<String>,
    /// More of it, for people.
    pub detail: String,
}

#[derive(Debug, Default)]
pub(super) struct Findings(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counts: BTreeMap<DifferenceKind, u64>,
    kept: Vec<Difference>,
    doomed: HashSet<ImageId>,
}

impl Findings {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(
        &self,
        kind: DifferenceKind,
        id: Option<&ImageId>,
        path: impl Into<PathBuf>,
        detail: impl Into<String>,
    ) {
        let mut inner = self.lock();
        let count = inner.counts.entry(kind).or_default();
        *count += 1;
        if *count <= MOST_KEPT {
            inner.kept.push(Difference {
                kind,
                path: path.into(),
                id: id.map(|id| id.as_str().to_owned()),
                detail: detail.into(),
            });
        }
    }

    /// The row must go before an ordinary run can put things right.
    pub(super) fn doom(&self, id: ImageId) {
        self.lock().doomed.insert(id);
    }

    /// Puts all of it into the report.
    pub(super) fn tell(self, verification: &mut Verification) {
        let inner = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let count = |kind| (kind, inner.counts.get(&kind).copied().unwrap_or(0));
        verification.counts = ALL_KINDS.map(count).into();
        verification.differences = inner.kept;
        verification.differences.sort();
        verification.doomed = inner.doomed.into_iter().collect();
    }
}
