//! Use-case: how good a search is, by queries whose right answers are known.
//!
//! [`metrics`] says what one ranking is worth, [`bootstrap`] how far a mean can
//! be trusted, [`summary`] which of several systems are better; [`report`] and
//! [`page`] write that down. [`relevance`] finds the right answers among the
//! rows, [`asking`] puts the queries to a collection. [`exact`] and [`sweep`]
//! hold an approximate index against brute force; [`sweep_report`] writes that
//! down.

pub mod asking;
pub mod bootstrap;
pub mod exact;
pub mod metrics;
pub mod page;
pub mod relevance;
pub mod report;
pub mod summary;
pub mod sweep;
pub mod sweep_report;

#[cfg(test)]
mod tests;

use crate::entity::ImageId;
use metrics::{Grade, Judged, Measure};
use summary::Summary;

/// Hits of an answer that reports show.
pub const SHOWN: usize = 10;

/// What was asked, what the systems answered, and what that is worth.
#[derive(Debug)]
pub struct Evaluation {
    /// In the order of the file.
    pub queries: Vec<Asked>,
    /// In the order of the command line.
    pub systems: Vec<System>,
    /// Hits that each query asked for: mAP and MRR look no further.
    pub depth: usize,
    /// What the queries say together.
    pub summary: Summary,
}

/// A query, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its words, its picture's path or its id.
    pub name: String,
    /// The picture, where it has one that can be shown.
    pub picture: Option<String>,
}

/// A collection and its answers.
#[derive(Debug)]
pub struct System {
    /// The collection.
    pub collection: String,
    /// The model that filled it.
    pub model: String,
    /// One a query, in their order.
    pub answers: Vec<Answer>,
}

/// The answer to one query.
#[derive(Debug)]
pub struct Answer {
    /// What it is worth; `None` where nothing is relevant to the query, or the
    /// collection cannot be asked.
    pub judged: Option<Judged>,
    /// Why the collection cannot be asked.
    pub problem: Option<String>,
    /// Its first hits, at most [`SHOWN`].
    pub shown: Vec<Shown>,
}

/// A hit as reports show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its key.
    pub id: ImageId,
    /// Path at the time of ingest.
    pub path: String,
    /// Its score by the collection's metric.
    pub score: f32,
    /// How relevant it is.
    pub grade: Grade,
}

impl Evaluation {
    /// Sums up what the systems answered.
    pub fn new(
        queries: Vec<Asked>,
        systems: Vec<System>,
        measures: Vec<Measure>,
        depth: usize,
    ) -> Self {
        let judged: Vec<Vec<Option<&Judged>>> = systems
            .iter()
            .map(|system| system.answers.iter().map(|a| a.judged.as_ref()).collect())
            .collect();
        let summary = Summary::new(measures, &judged);
        Self {
            queries,
            systems,
            depth,
            summary,
        }
    }

    /// Queries that some system could not be judged by.
    pub fn left_out(&self) -> usize {
        self.queries.len() - self.summary.counted
    }

    /// Of those, the ones that some system could not be asked.
    pub fn not_asked(&self) -> usize {
        let failed = |query: &usize| {
            let mut answers = self.systems.iter().map(|system| &system.answers[*query]);
            answers.any(|answer| answer.problem.is_some())
        };
        (0..self.queries.len()).filter(failed).count()
    }
}

impl System {
    /// Collection and model: two collections may be of one model.
    pub fn name(&self) -> String {
        format!("{} ({})", self.collection, self.model)
    }
}
