//! The folders that were named, and which of them hold anything.
//!
//! Where a disk is not mounted its folder is there, and empty: beside others
//! that hold pictures, it would look as if all of its own were deleted.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::catalog::{Entries, Found};

/// Folders, and whether a picture was met in each.
#[derive(Debug, Default)]
pub(super) struct Folders(Vec<(PathBuf, AtomicBool)>);

impl Folders {
    pub(super) fn of(entries: &Entries) -> Self {
        let folder = |path: PathBuf| (path, AtomicBool::new(false));
        Self(entries.folders().map(folder).collect())
    }

    /// A picture, or what claims to be one, lies in its folder.
    pub(super) fn meet(&self, found: &Found) {
        let path = match found {
            Found::Image(candidate) => &candidate.path,
            Found::Rejected(problem) | Found::Failed(problem) => &problem.path,
            Found::Skipped(_) => return,
        };
        for (folder, met) in &self.0 {
            if !met.load(Ordering::Relaxed) && path.starts_with(folder) {
                met.store(true, Ordering::Relaxed);
            }
        }
    }

    /// The first in which nothing was met.
    pub(super) fn empty(&self) -> Option<&Path> {
        let unmet = |(_, met): &&(PathBuf, AtomicBool)| !met.load(Ordering::Relaxed);
        self.0
            .iter()
            .find(unmet)
            .map(|(folder, _)| folder.as_path())
    }
}
