//! A sample of the pictures, embedded again.

use std::collections::HashMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::findings::{DifferenceKind, Findings};
use super::rows::Rows;
use crate::catalog::SourceName;
use crate::config::ImageLimits;
use crate::embed::cosine;
use crate::entity::{Embedding, ImageId, ImageRecord, Outcome, PathKey, Problem, chain};
use crate::imaging::{Preprocess, decode};
use crate::ingest::job::{read_picture, record_of};
use crate::ingest::{Cancel, Ingest, IngestError};
use crate::store::content_key;

/// Least cosine of a stored vector with the one that its picture has now. Two
/// builds of ONNX Runtime differ by 1e-6; another picture's vector by far more.
const LEAST_COSINE: f64 = 0.9999;

/// Chooses pictures by their keys, others in each run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    mask: u64,
    below: u64,
}

impl Sample {
    /// About `wanted` of `rows`: keys are hashes, so each is chosen with the
    /// same probability.
    pub(super) fn new(wanted: u64, rows: usize) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seed = now.map_or(0, |now| now.as_nanos());
        let seed = blake3::hash(&seed.to_le_bytes());
        let mut mask = [0; 8];
        mask.copy_from_slice(&seed.as_bytes()[..8]);
        let below = if wanted >= rows as u64 {
            u64::MAX
        } else {
            u64::MAX / rows as u64 * wanted
        };
        Self {
            mask: u64::from_le_bytes(mask),
            below,
        }
    }

    pub(super) fn takes(self, key: PathKey) -> bool {
        let mut number = [0; 8];
        number.copy_from_slice(&key[8..]);
        let place = u64::from_le_bytes(number) ^ self.mask;
        place < self.below || self.below == u64::MAX
    }
}

/// What became of the sample.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    pub(super) pictures: u64,
    pub(super) least_cosine: Option<f64>,
}

/// What the sample is held against.
pub(super) struct Stored<'a> {
    pub(super) collection: &'a str,
    pub(super) sources: &'a HashMap<SourceName, Rows>,
    pub(super) limits: &'a ImageLimits,
    pub(super) findings: &'a Findings,
    pub(super) cancel: &'a Cancel,
}

/// A picture and the vector that it has now, or why it has none.
type Made<'a> = (&'a ImageRecord, Result<Embedding, String>);

impl Ingest {
    /// Embeds `chosen` again and compares with what is stored.
    pub(super) async fn embed_again(
        &mut self,
        chosen: &[ImageRecord],
        stored: &Stored<'_>,
    ) -> Result<Sampled, IngestError> {
        let mut sampled = Sampled::default();
        for records in chosen.chunks(self.pace.batch_images) {
            if stored.cancel.is_cancelled() {
                break;
            }
            let ids: Vec<ImageId> = records.iter().map(|record| record.id.clone()).collect();
            let held = self.store.held_vectors(stored.collection, &ids).await?;
            let made = tokio::task::block_in_place(|| self.vectors(records, stored))?;
            for (record, vector) in made {
                // A row that went meanwhile is another run's business.
                let Some(held) = held.get(&record.id) else {
                    continue;
                };
                let cosine = vector
                    .as_ref()
                    .map_or(0.0, |vector| cosine(vector, &held.embedding));
                sampled.pictures += 1;
                let least = sampled.least_cosine.unwrap_or(f64::INFINITY);
                sampled.least_cosine = Some(least.min(cosine));
                // A cosine that is no number is none that is large enough.
                if cosine >= LEAST_COSINE {
                    continue;
                }
                let detail = match vector {
                    Ok(_) => format!("cosine {cosine:.4} with its picture embedded again"),
                    Err(reason) => format!("its picture cannot be embedded again: {reason}"),
                };
                let kind = DifferenceKind::Vector;
                stored
                    .findings
                    .add(kind, Some(&record.id), &record.path, detail);
                // Its copies have the same vector.
                let content = content_key(&record.content_hash);
                for rows in stored.sources.values() {
                    for id in rows.known.with_content(content) {
                        stored.findings.doom(id);
                    }
                }
            }
        }
        Ok(sampled)
    }

    /// The vector of each picture that is still what it was.
    fn vectors<'r>(
        &mut self,
        records: &'r [ImageRecord],
        stored: &Stored<'_>,
    ) -> Result<Vec<Made<'r>>, IngestError> {
        let tower = self
            .towers
            .first_mut()
            .expect("a run gives its towers back");
        let mut preprocess = Preprocess::new(&self.model.manifest.vision);
        let (mut read, mut made) = (Vec::new(), Vec::new());
        let mut tensors = Vec::new();
        for record in records {
            match tensor(record, &mut preprocess, stored.limits) {
                Ok(tensor) => {
                    read.push(record);
                    tensors.extend(tensor);
                }
                Err(Fault::Unread(problem)) => {
                    let kind = DifferenceKind::Unread;
                    stored
                        .findings
                        .add(kind, None, problem.path, problem.reason);
                }
                Err(Fault::Undecodable(reason)) => made.push((record, Err(reason))),
            }
        }
        let vectors = tower.embed(&tensors, read.len())?;
        for (record, vector) in read.into_iter().zip(vectors) {
            made.push((record, vector.map_err(|bad| format!("its vector {bad}"))));
        }
        Ok(made)
    }
}

enum Fault {
    Unread(Problem),
    Undecodable(String),
}

fn tensor(
    record: &ImageRecord,
    preprocess: &mut Preprocess,
    limits: &ImageLimits,
) -> Result<Vec<f32>, Fault> {
    let path = Path::new(&record.path);
    let unread = |reason: String| {
        Fault::Unread(Problem {
            path: path.to_owned(),
            stage: crate::entity::Stage::Read,
            reason,
        })
    };
    let file = match read_picture(path, 0, limits) {
        Ok(file) => file,
        Err(Outcome::Rejected(problem) | Outcome::Failed(problem)) => {
            return Err(Fault::Unread(problem));
        }
        Err(_) => unreachable!("reading rejects or fails; this is a bug"),
    };
    if record_of(&file, record.clone()) != *record {
        return Err(unread("it changed while it was compared".to_owned()));
    }
    let image = decode(&file.bytes, limits).map_err(|error| Fault::Undecodable(chain(&error)))?;
    let mut tensor = vec![0.0; preprocess.tensor_len()];
    preprocess.write_tensor(&image, &mut tensor);
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_are_chosen_as_asked_for() {
        let chosen = |wanted: u64| {
            let sample = Sample::new(wanted, 10_000);
            let keys = (0..10_000u32).map(|number| {
                let mut key = [0; 16];
                key.copy_from_slice(&blake3::hash(&number.to_le_bytes()).as_bytes()[..16]);
                key
            });
            keys.filter(|key| sample.takes(*key)).count()
        };
        assert_eq!(chosen(0), 0);
        assert!((50..200).contains(&chosen(100)), "{}", chosen(100));
        assert_eq!(chosen(10_000), 10_000);
    }
}
