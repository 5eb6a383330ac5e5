//! After the last stage: rows whose pictures are gone.
//!
//! Only rows of sources that were walked whole, and only what is surely gone:
//! an offline disk, an unreadable folder or a wrong path must not empty a
//! collection.

use std::path::{Path, PathBuf};

use super::known::Known;
use super::plan::Sources;
use super::{IngestError, Run, target};
use crate::catalog::SourceName;
use crate::entity::ImageId;

/// Rows in one delete: 1,000 ids are a filter of 48 KB.
pub(super) const ROWS_AT_ONCE: usize = 1000;

/// How much may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prune {
    /// Most rows of a source that are deleted, in percent.
    pub limit_percent: f64,
}

impl Prune {
    /// Whether `gone` of a source's `rows` may go.
    pub(super) fn allows(
        self,
        source: &SourceName,
        gone: usize,
        rows: usize,
    ) -> Result<(), PruneRefusal> {
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let too_many = gone as f64 * 100.0 > self.limit_percent * rows as f64;
        if !too_many {
            return Ok(());
        }
        Err(PruneRefusal::TooMany {
            source_name: source.name.to_string(),
            gone,
            rows,
            limit_percent: self.limit_percent,
        })
    }
}

/// Why nothing was deleted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PruneRefusal {
    /// What could not be looked at may well be there.
    #[error("no row was deleted: {0} of the entries could not be looked at")]
    Unseen(u64),
    /// Nothing at all was found in a folder.
    #[error("no row was deleted: no picture was found in {}", .0.display())]
    Empty(PathBuf),
    /// More would go than was allowed.
    #[error(
        "no row was deleted: {gone} of {rows} rows of the source `{source_name}` would go, more than {limit_percent} %"
    )]
    TooMany {
        /// The source.
        source_name: String,
        /// Rows whose pictures are gone.
        gone: usize,
        /// Rows of the source.
        rows: usize,
        /// Most that may go.
        limit_percent: f64,
    },
}

impl crate::entity::Hint for PruneRefusal {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unseen(_) => "see what failed above, and run the same command again".to_owned(),
            Self::Empty(_) => {
                "check that the folder is the right one, and that its disk is mounted; leave it out where it is to be empty".to_owned()
            }
            Self::TooMany { gone, rows, .. } => {
                #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
                let percent = (*gone as f64 * 100.0 / *rows as f64).ceil();
                format!(
                    "look at what would go with --prune --dry-run; if all of it is to go, pass --prune-limit {percent}"
                )
            }
        })
    }
}

/// What is left to do once every picture has its outcome: prunes where that was
/// asked for, counting in `pruned`, and leaves a collection that can be searched,
/// also where its server was started anew.
pub(super) async fn conclude(
    run: &Run,
    prune: Option<Prune>,
    sources: &Sources,
    pruned: &mut u64,
) -> Result<(), IngestError> {
    target::still_there(run).await?;
    if let Some(prune) = prune {
        self::run(run, prune, sources, pruned).await?;
    }
    if !run.write_nothing && !run.store.is_loaded(&run.collection).await? {
        run.store.load(&run.collection).await?;
    }
    Ok(())
}

/// Deletes the rows of `sources` whose pictures are gone, and counts them in
/// `pruned`. All sources are looked at before the first row goes.
async fn run(
    run: &Run,
    prune: Prune,
    sources: &Sources,
    pruned: &mut u64,
) -> Result<(), IngestError> {
    let unseen = run.ledger.unseen();
    if unseen > 0 {
        return Err(PruneRefusal::Unseen(unseen).into());
    }
    if let Some(empty) = run.folders.empty() {
        return Err(PruneRefusal::Empty(empty.to_owned()).into());
    }
    let mut all = Vec::new();
    for (source, known) in sources {
        let gone = gone(run, known).await?;
        if let Err(refusal) = prune.allows(source, gone.len(), known.len()) {
            if !run.write_nothing {
                return Err(refusal.into());
            }
            run.observer.note(&refusal.to_string());
        }
        all.extend(gone);
    }
    for (_, path) in all.iter().filter(|_| run.write_nothing) {
        run.observer.note(&format!("would be pruned: {path}"));
    }
    let ids: Vec<ImageId> = all.into_iter().map(|(id, _)| id).collect();
    for ids in ids.chunks(ROWS_AT_ONCE) {
        if run.cancel.is_cancelled() {
            break;
        }
        if !run.write_nothing {
            run.store.delete_rows(&run.collection, ids).await?;
        }
        *pruned += ids.len() as u64;
    }
    Ok(())
}

/// Rows whose picture this run did not find, and whose file is not where it
/// was. A file that is there and no picture any more keeps its row: it may be
/// half a copy.
async fn gone(run: &Run, known: &Known) -> Result<Vec<(ImageId, String)>, IngestError> {
    let missing: Vec<ImageId> = known.missing().collect();
    let mut gone = Vec::new();
    for ids in missing.chunks(ROWS_AT_ONCE) {
        let paths = run.store.held_paths(&run.collection, ids).await?;
        // What may not be looked at may well be there.
        let lost =
            |(_, path): &(ImageId, String)| matches!(Path::new(path).try_exists(), Ok(false));
        gone.extend(paths.into_iter().filter(lost));
    }
    gone.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
    Ok(gone)
}
