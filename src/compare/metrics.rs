//! What is counted: cosines of pairs, and neighbours that two models agree on.
//!
//! Pure. Neighbours are exact: every vector is compared with every other, in 64
//! bits. Equal cosines are told apart by position, the lower first, so that two
//! models that see the same tie order it alike.

use std::cmp::Ordering;

use crate::embed::{cosine, dot, norm};
use crate::entity::Embedding;

/// Vectors of one model, in the order of the pictures.
#[derive(Debug)]
pub(super) struct Vectors<'a> {
    vectors: &'a [Embedding],
    norms: Vec<f64>,
}

/// Cosines between two models' vectors of the same things.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cosines {
    /// Mean.
    pub mean: f64,
    /// Largest of the lowest hundredth, rounded up to a whole number of pairs.
    pub first_percentile: f64,
    /// Least.
    pub min: f64,
    /// Position of the least; the first where several are.
    pub min_at: usize,
}

/// What two models' answers to some questions have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Agreement {
    /// Questions.
    pub(super) questions: usize,
    /// Neighbours that both name, over all questions.
    pub(super) kept: usize,
    /// Questions whose nearest neighbour is the same.
    pub(super) same_nearest: usize,
}

impl<'a> Vectors<'a> {
    pub(super) fn new(vectors: &'a [Embedding]) -> Self {
        let norms = vectors.iter().map(|vector| norm(vector)).collect();
        Self { vectors, norms }
    }

    pub(super) fn len(&self) -> usize {
        self.vectors.len()
    }

    pub(super) fn get(&self, position: usize) -> &[f32] {
        &self.vectors[position]
    }

    /// Positions of the `limit` vectors nearest to `query`, nearest first.
    /// `itself` is left out.
    pub(super) fn nearest(&self, query: &[f32], itself: Option<usize>, limit: usize) -> Vec<usize> {
        let length = norm(query);
        let mut found: Vec<(f64, usize)> = self
            .vectors
            .iter()
            .zip(&self.norms)
            .enumerate()
            .filter(|(position, _)| Some(*position) != itself)
            .map(|(position, (vector, norm))| {
                (quotient(dot(query, vector), length * norm), position)
            })
            .collect();
        if limit < found.len() {
            found.select_nth_unstable_by(limit, nearer);
            found.truncate(limit);
        }
        found.sort_unstable_by(nearer);
        found.into_iter().map(|(_, position)| position).collect()
    }
}

impl Agreement {
    /// Adds one question, answered by both, nearest first.
    pub(super) fn add(&mut self, a: &[usize], b: &[usize]) {
        self.questions += 1;
        self.kept += a.iter().filter(|position| b.contains(position)).count();
        self.same_nearest += usize::from(a.first() == b.first());
    }

    /// Adds the questions of another part.
    pub(super) fn merge(&mut self, other: Self) {
        self.questions += other.questions;
        self.kept += other.kept;
        self.same_nearest += other.same_nearest;
    }

    /// Mean share of the `limit` nearest that both name.
    pub(super) fn recall(self, limit: usize) -> f64 {
        share(self.kept, self.questions * limit)
    }

    /// Share of the questions whose nearest neighbour is the same.
    pub(super) fn top_1(self) -> f64 {
        share(self.same_nearest, self.questions)
    }
}

impl Cosines {
    /// Of the pairs at the same positions; `None` where there are none.
    pub(super) fn of(a: &[Embedding], b: &[Embedding]) -> Option<Self> {
        // The noise of summing names no worst pair: equal ones go by position.
        let pairs = a
            .iter()
            .zip(b)
            .map(|(a, b)| (cosine(a, b) * 1e12).round() / 1e12);
        let mut cosines: Vec<(f64, usize)> = pairs.zip(0..).collect();
        cosines.sort_unstable_by(|(a, at), (b, bt)| a.total_cmp(b).then(at.cmp(bt)));
        let &(min, min_at) = cosines.first()?;
        let sum: f64 = cosines.iter().map(|(cosine, _)| cosine).sum();
        let (first_percentile, _) = cosines[cosines.len().div_ceil(100) - 1];
        Some(Self {
            mean: sum / number(cosines.len()),
            first_percentile,
            min,
            min_at,
        })
    }
}

/// `sample` positions out of `length`, evenly spread from the first on; all
/// of them where there are fewer, or where `sample` is 0.
pub(super) fn spread(length: usize, sample: usize) -> impl Iterator<Item = usize> {
    let taken = if sample == 0 {
        length
    } else {
        sample.min(length)
    };
    (0..taken).map(move |place| {
        // 128 bits: a million pictures times a million places is 2^40.
        let position = place as u128 * length as u128 / taken as u128;
        usize::try_from(position).expect("it is below `length`; this is a bug")
    })
}

fn nearer((a, at): &(f64, usize), (b, bt): &(f64, usize)) -> Ordering {
    b.total_cmp(a).then(at.cmp(bt))
}

/// A cosine, held to what a cosine can be; 0 where there is no direction.
fn quotient(dot: f64, lengths: f64) -> f64 {
    if lengths == 0.0 {
        0.0
    } else {
        (dot / lengths).clamp(-1.0, 1.0)
    }
}

/// `part` of `whole`; 0 of nothing.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        number(part) / number(whole)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of pictures and neighbours are far below 2^52"
)]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_are_ordered_by_cosine_and_ties_by_position() {
        // Angles 0, 90, 45, 45 and 180 degrees, of different lengths.
        let vectors = [
            vec![2.0, 0.0],
            vec![0.0, 1.0],
            vec![3.0, 3.0],
            vec![1.0, 1.0],
            vec![-1.0, 0.0],
        ];
        let vectors = Vectors::new(&vectors);
        assert_eq!(vectors.len(), 5);
        assert_eq!(vectors.nearest(&[1.0, 0.0], None, 9), [0, 2, 3, 1, 4]);
        assert_eq!(vectors.nearest(&[1.0, 0.0], Some(0), 2), [2, 3]);
        assert_eq!(vectors.nearest(&[1.0, 0.0], None, 0), [0; 0]);
        // Without a direction all are as far: by position.
        assert_eq!(vectors.nearest(&[0.0, 0.0], None, 2), [0, 1]);
    }

    #[test]
    fn agreement_is_counted() {
        let mut agreement = Agreement::default();
        agreement.add(&[1, 2, 3, 4], &[1, 3, 5, 6]);
        let mut other = Agreement::default();
        other.add(&[7, 8, 9, 0], &[0, 9, 8, 7]);
        agreement.merge(other);
        assert_eq!(
            (agreement.questions, agreement.kept, agreement.same_nearest),
            (2, 6, 1)
        );
        assert!((agreement.recall(4) - 0.75).abs() < 1e-12);
        assert!((agreement.top_1() - 0.5).abs() < 1e-12);
        assert!(Agreement::default().recall(4).abs() < 1e-12);
    }

    #[test]
    fn cosines_are_summed_up() {
        let a = [vec![1.0, 0.0], vec![3.0, 4.0], vec![0.0, 5.0]];
        let b = [vec![2.0, 0.0], vec![4.0, 3.0], vec![0.0, -1.0]];
        // 1, 0.96 and -1.
        let cosines = Cosines::of(&a, &b).unwrap();
        assert!((cosines.mean - 0.32).abs() < 1e-12, "{cosines:?}");
        assert!((cosines.min + 1.0).abs() < 1e-12);
        assert_eq!(cosines.min_at, 2);
        assert!((cosines.first_percentile + 1.0).abs() < 1e-12);
        assert_eq!(Cosines::of(&[], &[]), None);
    }

    #[test]
    fn the_first_percentile_is_one_of_the_cosines() {
        // The angle grows with the position: pair 0 has cosine 1.
        let a = vec![vec![1.0f32, 0.0]; 250];
        let b: Vec<Embedding> = (0u8..250).map(|i| vec![100.0, f32::from(i)]).collect();
        let cosines = Cosines::of(&a, &b).unwrap();
        // Third lowest of 250.
        assert!((cosines.first_percentile - cosine(&a[0], &b[247])).abs() < 1e-12);
        assert_eq!(cosines.min_at, 249);
    }

    #[test]
    fn a_sample_is_spread_evenly() {
        let taken = |length, sample| spread(length, sample).collect::<Vec<_>>();
        assert_eq!(taken(10, 4), [0, 2, 5, 7]);
        assert_eq!(taken(3, 4), [0, 1, 2]);
        assert_eq!(taken(3, 0), [0, 1, 2]);
        assert_eq!(taken(0, 4), [0; 0]);
    }

    /// The definition, word for word.
    fn naive(vectors: &[Embedding], query: &[f32], itself: Option<usize>, k: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..vectors.len()).filter(|i| Some(*i) != itself).collect();
        // A stable sort keeps the order of ties.
        // The same rounding as the one under test, so that ties are ties.
        let closeness = |at: usize| {
            let vector = &vectors[at];
            quotient(dot(query, vector), norm(query) * norm(vector))
        };
        all.sort_by(|i, j| closeness(*j).total_cmp(&closeness(*i)));
        all.truncate(k);
        all
    }

    /// Few different numbers, so that ties and zero vectors come up.
    fn vectors() -> impl Strategy<Value = Vec<Embedding>> {
        let number = prop::sample::select(vec![-1.0f32, 0.0, 0.5, 1.0]);
        let vector = prop::collection::vec(number, 3);
        prop::collection::vec(vector, 1..24)
    }

    proptest! {
        #[test]
        fn neighbours_are_the_naive_ones(vectors in vectors(), at in any::<prop::sample::Index>(), k in 0usize..30) {
            let at = at.index(vectors.len());
            let query = &vectors[at];
            let rows = Vectors::new(&vectors);
            for itself in [None, Some(at)] {
                prop_assert_eq!(rows.nearest(query, itself, k), naive(&vectors, query, itself, k));
            }
        }

        #[test]
        fn a_sample_repeats_nothing(length in 0usize..5000, sample in 0usize..6000) {
            let taken: Vec<usize> = spread(length, sample).collect();
            let wanted = if sample == 0 { length } else { sample.min(length) };
            prop_assert_eq!(taken.len(), wanted);
            prop_assert!(taken.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(taken.iter().all(|position| *position < length));
        }
    }
}
