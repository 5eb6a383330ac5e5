//! The nearest rows by brute force: what an approximate index is held against.
//!
//! Rows come one by one, so that a collection need not fit into memory; only
//! what is near to some query is kept.

use std::collections::HashSet;

use super::metrics::number;
use crate::embed::{dot, norm};
use crate::entity::{Embedding, ImageId, MetricType};

/// Share of the size of its terms by which a server's score, computed in 32
/// bits, may be off: rows nearer together than this stand in no order.
const ROUNDING: f64 = 1e-6;

/// Candidates beyond those of the last look that are gathered before the next.
const SLACK: usize = 64;

/// Finds the exact answers to several queries.
#[derive(Debug)]
pub struct Exact {
    metric: MetricType,
    limit: usize,
    queries: Vec<Query>,
}

/// The exact answer to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Every row as near as the last of the nearest: more than `wanted` where
    /// several are as near as that.
    right: HashSet<ImageId>,
    /// How many of them an answer has at best.
    wanted: usize,
}

#[derive(Debug)]
struct Query {
    vector: Embedding,
    norm: f64,
    /// Its own rows, which are no answers.
    own: Vec<ImageId>,
    candidates: Vec<Candidate>,
    /// Nearness that a row must reach, as far as is known.
    least: f64,
    /// Candidates at which to look again.
    full: usize,
}

#[derive(Debug, Clone)]
struct Candidate {
    id: ImageId,
    /// Larger is nearer, whatever the metric.
    nearness: f64,
    /// By how much a server may see it nearer.
    rounding: f64,
}

impl Exact {
    /// The `limit` nearest by the metric are looked for.
    pub fn new(metric: MetricType, limit: usize) -> Self {
        Self {
            metric,
            limit,
            queries: Vec::new(),
        }
    }

    /// Adds a query; its own rows are left out of the answer.
    pub fn ask(&mut self, vector: Embedding, own: Vec<ImageId>) {
        self.queries.push(Query {
            norm: norm(&vector),
            vector,
            own,
            candidates: Vec::new(),
            least: f64::NEG_INFINITY,
            full: 2 * self.limit + SLACK,
        });
    }

    /// Looks at a row. One that comes up twice counts once.
    pub fn offer(&mut self, id: &ImageId, vector: &[f32]) {
        let length = norm(vector);
        for query in &mut self.queries {
            if query.own.contains(id) {
                continue;
            }
            let (nearness, scale) = nearness(self.metric, query, vector, length);
            let rounding = scale * ROUNDING;
            if nearness + rounding < query.least {
                continue;
            }
            query.candidates.push(Candidate {
                id: id.clone(),
                nearness,
                rounding,
            });
            if query.candidates.len() >= query.full {
                query.look(self.limit);
                query.full = 2 * query.candidates.len() + SLACK;
            }
        }
    }

    /// The answers, in the order of the queries.
    pub fn finish(self) -> Vec<Truth> {
        let limit = self.limit;
        let truths = self.queries.into_iter().map(|mut query| {
            query.look(limit);
            Truth {
                wanted: limit.min(query.candidates.len()),
                right: query.candidates.into_iter().map(|c| c.id).collect(),
            }
        });
        truths.collect()
    }
}

impl Query {
    /// Lets go of what cannot be among the nearest.
    fn look(&mut self, limit: usize) {
        self.candidates.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        self.candidates.dedup_by(|a, b| a.id == b.id);
        if limit == 0 {
            self.candidates.clear();
        }
        if limit == 0 || self.candidates.len() < limit {
            return;
        }
        let mut nearness: Vec<f64> = self.candidates.iter().map(|c| c.nearness).collect();
        let (_, last, _) = nearness.select_nth_unstable_by(limit - 1, |a, b| b.total_cmp(a));
        self.least = *last;
        self.candidates
            .retain(|candidate| candidate.nearness + candidate.rounding >= self.least);
    }
}

impl Truth {
    /// Share of the exact answer that is among the first hits; a hit as near as
    /// the last of the exact answer is right. `None` where nothing could be
    /// found.
    pub fn recall<'a>(&self, hits: impl IntoIterator<Item = &'a ImageId>) -> Option<f64> {
        let first: HashSet<&ImageId> = hits.into_iter().take(self.wanted).collect();
        let right = first.iter().filter(|id| self.right.contains(**id)).count();
        (self.wanted > 0).then(|| number(right) / number(self.wanted))
    }

    /// How many hits the exact answer has.
    pub fn wanted(&self) -> usize {
        self.wanted
    }
}

/// How near a row is, larger is nearer, and the size of the terms that were
/// summed.
fn nearness(metric: MetricType, query: &Query, vector: &[f32], length: f64) -> (f64, f64) {
    let product = dot(&query.vector, vector);
    let lengths = query.norm * length;
    match metric {
        MetricType::Ip => (product, lengths),
        MetricType::Cosine if lengths == 0.0 => (0.0, 1.0),
        MetricType::Cosine => (product / lengths, 1.0),
        MetricType::L2 => {
            let squares = query.norm * query.norm + length * length;
            (2.0 * product - squares, squares)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(row: usize) -> ImageId {
        ImageId::new("source", &row.to_string())
    }

    fn truth(metric: MetricType, rows: &[Embedding], query: usize, limit: usize) -> Truth {
        let mut exact = Exact::new(metric, limit);
        exact.ask(rows[query].clone(), vec![id(query)]);
        for (row, vector) in rows.iter().enumerate() {
            exact.offer(&id(row), vector);
        }
        exact.finish().remove(0)
    }

    #[test]
    fn a_tie_at_the_last_place_is_right_either_way() {
        // From row 0: row 1 is nearest, rows 2 and 3 are as near as each other.
        let rows = [[1.0, 0.0], [1.0, 0.1], [1.0, 1.0], [2.0, -2.0], [-1.0, 0.0]].map(Vec::from);
        let truth = truth(MetricType::Cosine, &rows, 0, 2);
        assert_eq!((truth.wanted(), truth.right.len()), (2, 3));
        let recall =
            |hits: &[usize]| truth.recall(&hits.iter().map(|row| id(*row)).collect::<Vec<_>>());
        assert_eq!(recall(&[1, 2]), Some(1.0));
        assert_eq!(recall(&[3, 1]), Some(1.0));
        // The third hit is beyond the limit, the fourth row is wrong.
        assert_eq!(recall(&[2, 4, 1]), Some(0.5));
        assert_eq!(recall(&[1, 1]), Some(0.5));
        assert_eq!(recall(&[]), Some(0.0));
    }

    #[test]
    fn where_nothing_could_be_found_there_is_no_recall() {
        let rows = [vec![1.0, 0.0]];
        assert_eq!(truth(MetricType::L2, &rows, 0, 5).recall(&[]), None);
        let two = [vec![1.0, 0.0], vec![0.0, 1.0]];
        assert_eq!(truth(MetricType::L2, &two, 0, 5).wanted(), 1);
        assert_eq!(truth(MetricType::L2, &two, 0, 0).recall(&[id(1)]), None);
    }

    /// By sorting everything.
    fn naive(
        metric: MetricType,
        rows: &[Embedding],
        query: usize,
        limit: usize,
    ) -> HashSet<ImageId> {
        let nearness = |row: &[f32]| -> f64 {
            let pairs = || {
                row.iter()
                    .zip(&rows[query])
                    .map(|(a, b)| (f64::from(*a), f64::from(*b)))
            };
            let product: f64 = pairs().map(|(a, b)| a * b).sum();
            match metric {
                MetricType::Ip => product,
                MetricType::L2 => -pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>(),
                MetricType::Cosine => crate::embed::cosine(row, &rows[query]),
            }
        };
        let mut all: Vec<(f64, usize)> = (0..rows.len())
            .filter(|row| *row != query)
            .map(|row| (nearness(&rows[row]), row))
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let Some(last) = all
            .get(limit.min(all.len()).wrapping_sub(1))
            .map(|(last, _)| *last)
        else {
            return HashSet::new();
        };
        all.into_iter()
            .filter(|(near, _)| *near >= last - 1e-7)
            .map(|(_, row)| id(row))
            .collect()
    }

    proptest! {
        /// Few different numbers, so that there are ties and rows without direction.
        #[test]
        fn the_nearest_are_those_of_sorting_everything(
            rows in prop::collection::vec(prop::collection::vec(prop::sample::select(vec![-1.0f32, 0.0, 0.5, 1.0]), 4), 1..400),
            query in any::<prop::sample::Index>(),
            limit in 1usize..12,
            metric in prop::sample::select(vec![MetricType::Cosine, MetricType::Ip, MetricType::L2]),
        ) {
            let query = query.index(rows.len());
            let truth = truth(metric, &rows, query, limit);
            prop_assert_eq!(truth.wanted(), limit.min(rows.len() - 1));
            prop_assert_eq!(truth.right, naive(metric, &rows, query, limit));
        }
    }
}
