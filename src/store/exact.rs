//! Searching without an index: every row is read and compared.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::connect::Store;
use super::error::StoreError;
use super::ranges::WholeRow;
use super::search::{Scope, VectorSearch};
use crate::config::ScoreRange;
use crate::entity::{Hit, MetricType};

impl Store {
    /// The nearest rows to each vector by comparing all of them, best first, at
    /// Strong consistency. Scores are summed in 64 bits; equal ones stand in
    /// the order of their ids. Memory: four pages of rows, and the hits.
    ///
    /// The tuning of `search` does not count.
    ///
    /// # Errors
    /// The collection is missing or not loaded, or the server failed.
    pub async fn search_exactly(
        &self,
        collection: &str,
        metric: MetricType,
        search: &VectorSearch<'_>,
    ) -> Result<Vec<Vec<Hit>>, StoreError> {
        let mut best: Vec<Nearest> = search
            .embeddings
            .iter()
            .map(|embedding| Nearest::new(metric, embedding, search))
            .collect();
        let dimension = search.embeddings.first().map_or(0, Vec::len);
        self.rows_in_scope(collection, search.scope, dimension, |row| {
            for nearest in &mut best {
                nearest.take(&row);
            }
        })
        .await?;
        let hits = best.into_iter().map(Nearest::into_hits);
        Ok(hits
            .map(|mut hits| {
                if !search.with_embeddings {
                    for hit in &mut hits {
                        hit.embedding = None;
                    }
                }
                hits
            })
            .collect())
    }

    /// Hands every row of `scope` to `take`, whole, in no order, at Strong
    /// consistency.
    ///
    /// # Errors
    /// As for [`search_exactly`](Self::search_exactly).
    pub async fn rows_in_scope(
        &self,
        collection: &str,
        scope: &Scope,
        dimension: usize,
        mut take: impl FnMut(WholeRow),
    ) -> Result<(), StoreError> {
        for prefix in self.sources(collection, scope).await? {
            self.whole_rows_of(collection, (&prefix, scope), dimension, &mut take)
                .await?;
        }
        Ok(())
    }
}

/// The nearest rows to one vector so far.
struct Nearest<'a> {
    metric: MetricType,
    embedding: &'a [f32],
    length: f64,
    limit: usize,
    range: Option<ScoreRange>,
    /// The furthest on top.
    heap: BinaryHeap<Kept>,
}

struct Kept {
    /// Larger is nearer, whatever the metric.
    nearness: f64,
    hit: Hit,
}

impl<'a> Nearest<'a> {
    fn new(metric: MetricType, embedding: &'a [f32], search: &VectorSearch<'_>) -> Self {
        Self {
            metric,
            embedding,
            length: length(embedding),
            limit: search.limit,
            range: search.range,
            heap: BinaryHeap::new(),
        }
    }

    fn take(&mut self, row: &WholeRow) {
        let vector = &row.entity.embedding;
        let score = match self.metric {
            MetricType::Ip => dot(self.embedding, vector),
            MetricType::Cosine => {
                let lengths = self.length * length(vector);
                if lengths > 0.0 {
                    dot(self.embedding, vector) / lengths
                } else {
                    0.0
                }
            }
            MetricType::L2 => squares(self.embedding.iter().zip(vector).map(|(a, b)| a - b)),
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the width that Milvus gives"
        )]
        let shown = score as f32;
        if self.range.is_some_and(|range| !range.contains(shown)) {
            return;
        }
        let nearness = if self.metric.larger_is_nearer() {
            score
        } else {
            -score
        };
        let furthest = self.heap.peek();
        if self.heap.len() == self.limit && furthest.is_none_or(|kept| kept.nearness > nearness) {
            return;
        }
        let record = &row.entity.record;
        let hit = Hit {
            rank: 0,
            id: record.id.clone(),
            score: shown,
            path: record.path.clone(),
            display_name: record.display_name.clone(),
            attributes: record.attributes.clone(),
            content_hash: record.content_hash.clone(),
            embedding: Some(vector.clone()),
            found_in: Vec::new(),
        };
        self.heap.push(Kept { nearness, hit });
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }

    fn into_hits(self) -> Vec<Hit> {
        let kept = self.heap.into_sorted_vec().into_iter();
        kept.zip(1..)
            .map(|(kept, rank)| Hit { rank, ..kept.hit })
            .collect()
    }
}

impl Ord for Kept {
    /// The further, the larger.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = other.nearness.total_cmp(&self.nearness);
        by_score.then_with(|| self.hit.id.cmp(&other.hit.id))
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Kept {}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

fn squares(numbers: impl Iterator<Item = f32>) -> f64 {
    numbers.map(|n| f64::from(n) * f64::from(n)).sum()
}

fn length(vector: &[f32]) -> f64 {
    squares(vector.iter().copied()).sqrt()
}
