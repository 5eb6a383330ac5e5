//! What a comparison found out.

use std::path::PathBuf;

use super::metrics::Agreement;
use super::{Cosines, Pace, Subject};
use crate::entity::Problem;

/// What was found out.
#[derive(Debug)]
pub struct Report {
    /// The two models.
    pub sides: [Side; 2],
    /// Pictures found.
    pub found: usize,
    /// Pictures in the sample.
    pub sampled: usize,
    /// Pictures that both models embedded.
    pub compared: usize,
    /// Why others are not among them.
    pub rejected: Vec<Problem>,
    /// Workers that were busy, their threads, and the size of batches.
    pub pace: Pace,
    /// Pictures read and decoded in a second, by all workers.
    pub decoded_per_second: f64,
    /// Cosines between the two vectors of each picture.
    pub cosines: Result<PictureCosines, Incomparable>,
    /// Neighbours of each picture among the others.
    pub pictures: Kept,
    /// Pictures nearest to each text, where texts were given.
    pub texts: Option<TextsKept>,
}

/// One model in the report.
#[derive(Debug)]
pub struct Side {
    /// The model.
    pub subject: Subject,
    /// Bytes of all its files.
    pub file_bytes: u64,
    /// Pictures in a second by all workers, inference alone.
    pub inferred_per_second: f64,
    /// Pictures in a second by all workers, with preprocessing.
    pub embedded_per_second: f64,
    /// Least cosine between a picture's vectors alone and in a batch.
    pub least_in_company: Option<f64>,
}

/// Cosines between the two models' vectors of each picture.
#[derive(Debug)]
pub struct PictureCosines {
    /// Their distribution.
    pub cosines: Cosines,
    /// Picture of the least.
    pub min_path: PathBuf,
}

/// Why vectors of the two models have no cosine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// Vectors of different length.
    #[error("the models' dimensions differ")]
    Dimension,
    /// One normalises, the other does not.
    #[error("the models normalise differently")]
    Normalisation,
}

/// Neighbours that both models name.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Questions asked.
    pub queries: usize,
    /// Neighbours that count.
    pub limit: usize,
    /// Mean share of the nearest that both name.
    pub recall: f64,
    /// Share of the questions whose nearest is the same.
    pub top_1: f64,
}

/// The same for texts.
#[derive(Debug, Clone, Copy)]
pub struct TextsKept {
    /// Neighbours that both models name.
    pub kept: Kept,
    /// Cosines between the two vectors of each text, where there are any.
    pub cosines: Option<Cosines>,
    /// Texts that were longer than one of the models reads, and were cut.
    pub cut: usize,
}

impl Kept {
    pub(super) fn new(agreement: Agreement, limit: usize) -> Self {
        Self {
            queries: agreement.questions,
            limit,
            recall: agreement.recall(limit),
            top_1: agreement.top_1(),
        }
    }
}
