//! The rows, by themselves: whole, once each, with vectors that are some.

use std::collections::HashSet;
use std::path::Path;

use super::findings::{DifferenceKind, Findings};
use crate::catalog::{Source, is_picture};
use crate::embed::norm;
use crate::entity::{ImageId, MetricType, PathKey};
use crate::ingest::IngestError;
use crate::ingest::known::Known;
use crate::ingest::prune::ROWS_AT_ONCE;
use crate::model::Normalise;
use crate::store::{HeldRow, Store, WholeRow, content_key};

/// How far the length of a normalised vector may be from 1: 32-bit numbers
/// leave 1e-6, a vector that was not normalised is far off.
const LENGTH_TOLERANCE: f64 = 1e-3;

/// What a vector of the collection must be.
pub(super) struct Rules {
    pub(super) metric: MetricType,
    pub(super) normalise: Normalise,
    pub(super) dimension: usize,
}

impl Rules {
    fn fault(&self, vector: &[f32]) -> Option<String> {
        if !vector.iter().all(|number| number.is_finite()) {
            return Some("its vector is not finite".to_owned());
        }
        let length = norm(vector);
        if self.normalise == Normalise::L2 && (length - 1.0).abs() > LENGTH_TOLERANCE {
            return Some(format!("its vector has length {length:.4} instead of 1"));
        }
        let directed = length > 0.0 || self.metric != MetricType::Cosine;
        (!directed).then(|| "its vector is zero".to_owned())
    }
}

/// The rows of a source.
pub(super) struct Rows {
    pub(super) known: Known,
    /// Number of rows, those that share a key counted each.
    pub(super) counted: u64,
    /// Rows at fault by themselves.
    pub(super) faulty: HashSet<PathKey>,
}

/// Reads the rows of `source`, and looks at each by itself.
pub(super) async fn read(
    store: &Store,
    collection: &str,
    source: &Source,
    rules: &Rules,
    findings: &Findings,
) -> Result<Rows, IngestError> {
    let prefix = ImageId::prefix(&source.name.name);
    let (mut rows, mut faulty) = (Vec::new(), HashSet::new());
    let take = |row: WholeRow| match row.entity.record.id.key() {
        Some(key) => {
            if let Some((kind, detail)) = fault(&row, rules)
                && faulty.insert(key)
            {
                let record = &row.entity.record;
                findings.add(kind, Some(&record.id), &record.path, detail);
                findings.doom(record.id.clone());
            }
            rows.push(held(key, &row));
        }
        None => stranger(&row, findings),
    };
    let reading = store.whole_rows(collection, &prefix, rules.dimension, take);
    reading.await?;
    rows.sort_unstable_by_key(|row| row.key);
    rows.dedup_by_key(|row| row.key);
    let known = Known::new(prefix.clone(), rows);
    let counted = store.count_rows(collection, &prefix).await?;
    if counted > known.len() as u64 {
        let keys = known.keys();
        let twice = store.keys_held_twice(collection, &prefix, &keys).await?;
        let twice: Vec<ImageId> = twice
            .into_iter()
            .map(|key| ImageId::from_key(&prefix, key))
            .collect();
        for ids in twice.chunks(ROWS_AT_ONCE) {
            for (id, path) in store.held_paths(collection, ids).await? {
                let detail = "several rows have its key";
                findings.add(DifferenceKind::Duplicate, Some(&id), path, detail);
                findings.doom(id);
            }
        }
    }
    Ok(Rows {
        known,
        counted,
        faulty,
    })
}

fn held(key: PathKey, row: &WholeRow) -> HeldRow {
    let record = &row.entity.record;
    HeldRow {
        key,
        content: content_key(&record.content_hash),
        bytes: record.bytes,
        modified: record.modified,
        details: row.details,
    }
}

fn fault(row: &WholeRow, rules: &Rules) -> Option<(DifferenceKind, String)> {
    if let Some(fault) = rules.fault(&row.entity.embedding) {
        return Some((DifferenceKind::Vector, fault));
    }
    (row.entity.record.details() != row.details).then(|| {
        let detail = "its path, name or attributes are not those that were written";
        (DifferenceKind::Stale, detail.to_owned())
    })
}

/// A row among ours whose id we never made.
fn stranger(row: &WholeRow, findings: &Findings) {
    let record = &row.entity.record;
    let detail = "its id is none of this program's";
    findings.add(
        DifferenceKind::Extra,
        Some(&record.id),
        &record.path,
        detail,
    );
    findings.doom(record.id.clone());
}

/// Rows whose pictures were not met.
#[derive(Default)]
pub(super) struct Extra {
    /// Their files are gone.
    pub(super) gone: u64,
    /// Their files are somewhere else, or passed over.
    pub(super) elsewhere: u64,
}

/// Tells what became of the files of rows that the disk has no picture of.
pub(super) async fn extra(
    store: &Store,
    collection: &str,
    rows: &Rows,
    roots: &[&Path],
    findings: &Findings,
) -> Result<Extra, IngestError> {
    let mut extra = Extra::default();
    let missing: Vec<ImageId> = rows.known.missing().collect();
    for ids in missing.chunks(ROWS_AT_ONCE) {
        for (id, path) in store.held_paths(collection, ids).await? {
            let below = roots.iter().any(|root| Path::new(&path).starts_with(root));
            match Path::new(&path).try_exists() {
                Ok(false) => {
                    extra.gone += 1;
                    let detail = "its file is gone";
                    findings.add(DifferenceKind::Extra, Some(&id), path, detail);
                    findings.doom(id);
                }
                // One that only the walk passes over, since it is hidden or
                // belongs to another folder that was named, is a picture.
                Ok(true) if below && !is_picture(Path::new(&path)) => {
                    extra.gone += 1;
                    let detail = "its file is no picture any more";
                    findings.add(DifferenceKind::Stale, Some(&id), path, detail);
                    findings.doom(id);
                }
                Ok(true) => extra.elsewhere += 1,
                // The walk could not look at it either, and said so.
                Err(_) => {}
            }
        }
    }
    Ok(extra)
}
