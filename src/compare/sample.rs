//! Which pictures are compared: found as ingest finds them, sorted, thinned out.

use std::path::{Path, PathBuf};

use super::Observer;
use super::metrics::spread;
use crate::catalog::{Entries, Found, Roots, discover};
use crate::entity::Problem;

/// A picture, or what claims to be one and cannot be looked at.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) problem: Option<Problem>,
}

/// Everything below `paths` that ingest would take up, by path, each once.
/// About 150 bytes a picture are kept.
pub(super) fn find(paths: &[PathBuf], observer: &dyn Observer) -> Vec<Listed> {
    let mut listed = Vec::new();
    for path in paths {
        // One by one: two folders of one name are no matter here, where
        // nothing is stored under it.
        let entries = Entries::new(vec![path.clone()], None);
        for found in discover(entries, Roots::default()) {
            let (path, problem) = match found {
                Found::Image(candidate) => (candidate.path, None),
                Found::Rejected(problem) | Found::Failed(problem) => {
                    (problem.path.clone(), Some(problem))
                }
                Found::Skipped(_) => continue,
            };
            listed.push(Listed { path, problem });
            observer.found(listed.len());
            if observer.is_cancelled() {
                return listed;
            }
        }
    }
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    listed.dedup_by(|a, b| a.path == b.path);
    listed
}

/// `sample` of them, evenly spread; 0 means all.
pub(super) fn take(listed: Vec<Listed>, sample: usize) -> Vec<Listed> {
    let mut wanted = spread(listed.len(), sample).peekable();
    let positions = listed.into_iter().enumerate();
    positions
        .filter(|(position, _)| wanted.next_if_eq(position).is_some())
        .map(|(_, listed)| listed)
        .collect()
}

impl Listed {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_spread_over_the_list() {
        let listed = |name: &str| Listed {
            path: name.into(),
            problem: None,
        };
        let all = || ["a", "b", "c", "d", "e"].map(listed).into_iter().collect();
        let names = |sample| {
            let taken = take(all(), sample).into_iter();
            taken.map(|one| one.path.display().to_string())
        };
        assert_eq!(names(2).collect::<String>(), "ac");
        assert_eq!(names(0).collect::<String>(), "abcde");
        assert_eq!(names(9).collect::<String>(), "abcde");
    }
}
