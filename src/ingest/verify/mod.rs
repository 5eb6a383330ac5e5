//! Use-case: does the collection hold what the disk does, and nothing else?
//!
//! All rows of the sources are read, whole, at Strong consistency; then every
//! file is read and hashed, whatever its time says; then a sample of the
//! pictures is embedded again. Nothing is written.

mod disk;
mod findings;
mod rows;
mod sample;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use findings::{Difference, DifferenceKind};

use super::folders::Folders;
use super::prune::{Prune, PruneRefusal, ROWS_AT_ONCE};
use super::{Cancel, Ingest, IngestError, Observer, Pictures};
use crate::catalog::{Source, SourceName};
use crate::entity::{ImageId, MetricType};
use disk::Disk;
use findings::Findings;
use rows::Rows;
use sample::{Sample, Stored};

/// The rows, by source.
type Sources = HashMap<SourceName, Rows>;

/// What is compared.
#[derive(Debug)]
pub struct VerifyTarget {
    /// The collection.
    pub collection: String,
    /// The folders, each of which is all of a source.
    pub sources: Vec<Source>,
    /// About how many pictures are embedded again.
    pub sample: u64,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Verification {
    /// Pictures on disk.
    pub pictures: u64,
    /// Rows of their sources, those that share a key counted each.
    pub rows: u64,
    /// Pictures that no row is expected of: they cannot be embedded.
    pub rejected: u64,
    /// Rows of files that exist outside the folders, or that the walk passes
    /// over.
    pub elsewhere: u64,
    /// Number of differences of each kind; every kind is there.
    pub counts: BTreeMap<DifferenceKind, u64>,
    /// The differences, sorted by kind and path; of each kind at most 10,000.
    pub differences: Vec<Difference>,
    /// Pictures that were embedded again.
    pub sampled: u64,
    /// Least cosine of their vectors with the stored ones.
    pub least_cosine: Option<f64>,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether somebody asked it to stop, so that it has not seen everything.
    pub interrupted: bool,
    /// A folder in which nothing was found.
    empty: Option<PathBuf>,
    /// Rows that an ordinary run would leave as they are.
    doomed: Vec<ImageId>,
    /// Rows that would go for good, by source.
    lost: HashMap<SourceName, u64>,
    /// All rows, by source.
    held: HashMap<SourceName, usize>,
}

impl Verification {
    /// Nothing was compared.
    fn interrupted() -> Self {
        Self {
            interrupted: true,
            ..Self::default()
        }
    }

    /// Whether the collection is as it should be.
    pub fn is_clean(&self) -> bool {
        self.counts.values().all(|count| *count == 0) && !self.interrupted
    }

    /// Number of differences of one kind.
    pub fn count(&self, kind: DifferenceKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// Whether rows may be deleted on the strength of this comparison.
    ///
    /// # Errors
    /// Something could not be looked at, nothing was found, or more rows than
    /// `prune` allows would go for good.
    pub fn may_repair(&self, prune: Prune) -> Result<(), PruneRefusal> {
        match self.count(DifferenceKind::Unread) {
            0 => {}
            unread => return Err(PruneRefusal::Unseen(unread)),
        }
        if let Some(empty) = &self.empty {
            return Err(PruneRefusal::Empty(empty.clone()));
        }
        self.held.iter().try_for_each(|(source, rows)| {
            let lost = self.lost.get(source).copied().unwrap_or(0);
            prune.allows(source, usize::try_from(lost).unwrap_or(usize::MAX), *rows)
        })
    }
}

impl Ingest {
    /// Compares the collection with the disk. Ingests that run meanwhile show
    /// as differences.
    ///
    /// # Errors
    /// The collection is missing or belongs to another model, or the server or
    /// the graph failed.
    pub async fn verify(
        &mut self,
        target: &VerifyTarget,
        pictures: Pictures,
        observer: Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<Verification, IngestError> {
        match self.compare(target, pictures, observer, cancel).await {
            Err(error) if error.is_impatience(cancel.is_cancelled()) => {
                Ok(Verification::interrupted())
            }
            compared => compared,
        }
    }

    async fn compare(
        &mut self,
        target: &VerifyTarget,
        pictures: Pictures,
        observer: Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<Verification, IngestError> {
        let start = Instant::now();
        let findings = Findings::default();
        let sources = tokio::select! {
            sources = self.rows_of(target, &findings) => sources?,
            () = cancel.cancelled() => return Ok(Verification::interrupted()),
        };
        let Pictures {
            entries,
            roots,
            names,
            limits,
        } = pictures;
        let disk = Disk {
            sources: &sources,
            names: names.as_ref(),
            limits: &limits,
            sample: Sample::new(
                target.sample,
                sources.values().map(|rows| rows.known.len()).sum(),
            ),
            findings: &findings,
            folders: Folders::of(&entries),
            observer,
            cancel: cancel.clone(),
        };
        let seen = tokio::task::block_in_place(|| disk.look(entries, roots, self.pace.workers));
        let mut verification = Verification {
            pictures: seen.pictures,
            rows: sources.values().map(|rows| rows.counted).sum(),
            rejected: seen.rejected,
            empty: disk.folders.empty().map(Path::to_owned),
            ..Verification::default()
        };
        if !cancel.is_cancelled() {
            self.without_pictures(target, &sources, &mut verification, &findings)
                .await?;
            for (source, lost) in seen.lost {
                *verification.lost.entry(source).or_default() += lost;
            }
            let stored = Stored {
                collection: &target.collection,
                sources: &sources,
                limits: &limits,
                findings: &findings,
                cancel,
            };
            let sampled = self.embed_again(&seen.chosen, &stored).await?;
            verification.sampled = sampled.pictures;
            verification.least_cosine = sampled.least_cosine;
        }
        findings.tell(&mut verification);
        verification.interrupted = cancel.is_cancelled();
        verification.elapsed = start.elapsed();
        Ok(verification)
    }

    /// The rows of every source, each looked at by itself.
    async fn rows_of(
        &self,
        target: &VerifyTarget,
        findings: &Findings,
    ) -> Result<Sources, IngestError> {
        let name = &target.collection;
        let found = self.store.require_collection(name).await?;
        found.require_model(&self.mark, self.model.manifest.dimension)?;
        if !self.store.is_loaded(name).await? {
            self.store.load(name).await?;
        }
        let index = self.store.index(name).await?;
        let rules = rows::Rules {
            metric: index.map_or(MetricType::L2, |index| index.metric),
            normalise: self.model.manifest.normalise,
            dimension: self.model.manifest.dimension,
        };
        let mut sources = Sources::new();
        for source in &target.sources {
            if !sources.contains_key(&source.name) {
                let rows = rows::read(&self.store, name, source, &rules, findings).await?;
                sources.insert(source.name.clone(), rows);
            }
        }
        Ok(sources)
    }

    /// Finds the rows that the disk has no picture of.
    async fn without_pictures(
        &self,
        target: &VerifyTarget,
        sources: &Sources,
        verification: &mut Verification,
        findings: &Findings,
    ) -> Result<(), IngestError> {
        let roots = target.sources.iter().map(|source| source.root.as_path());
        let roots: Vec<&Path> = roots.collect();
        for (source, rows) in sources {
            let name = &target.collection;
            let extra = rows::extra(&self.store, name, rows, &roots, findings).await?;
            verification.elsewhere += extra.elsewhere;
            verification.lost.insert(source.clone(), extra.gone);
            let held = rows.known.len();
            verification.held.insert(source.clone(), held);
        }
        Ok(())
    }

    /// Deletes the rows that an ordinary run would leave as they are, until
    /// `cancel`. It writes them anew, where their pictures are there. Returns how
    /// many.
    ///
    /// # Errors
    /// They may not be deleted (see [`Verification::may_repair`]), or the
    /// server failed.
    pub async fn clear(
        &self,
        collection: &str,
        verification: &Verification,
        prune: Prune,
        cancel: &Cancel,
    ) -> Result<u64, IngestError> {
        verification.may_repair(prune)?;
        let mut deleted = 0;
        for ids in verification.doomed.chunks(ROWS_AT_ONCE) {
            if cancel.is_cancelled() {
                break;
            }
            match self.store.delete_rows(collection, ids).await {
                Err(error) if cancel.is_cancelled() && error.is_retryable() => break,
                done => done?,
            }
            deleted += ids.len() as u64;
        }
        Ok(deleted)
    }
}
