//! What a ranking is worth, query by query.
//!
//! The definitions are those of NIST's `trec_eval` 9.0 (`recall_k`, `P_k`,
//! `recip_rank`, `map`, `ndcg_cut_k`), which other evaluations print too; the
//! tests hold every one against it. A grade above 0 is relevant; only nDCG looks
//! at how far above.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;

/// How relevant a picture is to a query: 0 not at all, more is better.
pub type Grade = u32;

/// A ranking held against what is relevant to its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Grade of each hit, nearest first.
    grades: Vec<Grade>,
    /// Largest grades of all that is relevant, found or not, as many as hits
    /// were asked for.
    ideal: Vec<Grade>,
    /// How many pictures are relevant, found or not.
    relevant: usize,
}

/// One number about a ranking, from 0 (worthless) to 1 (as good as can be).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Share of the relevant pictures that are among the first k hits.
    Recall(usize),
    /// Share of the first k places that hold relevant pictures; a place that
    /// no hit took counts against it.
    Precision(usize),
    /// Discounted cumulative gain of the first k hits, grade / log2(rank + 1)
    /// each, over the gain of the best order that there could be (Järvelin and
    /// Kekäläinen 2002, gains not raised to powers of 2).
    Ndcg(usize),
    /// 1 / rank of the first relevant hit; 0 where there is none.
    ReciprocalRank,
    /// Mean over the relevant pictures of the precision at their places; those
    /// that were not found count 0.
    AveragePrecision,
}

impl Judged {
    /// Judges a ranking of at most `depth` hits, by which measures look at no
    /// more; `None` where nothing is relevant to the query, since
    /// no ranking could be right or wrong.
    ///
    /// A picture that comes up again is worth nothing at its later places, and
    /// still takes them: whoever looks at k hits has seen one for nothing.
    pub fn new<K: Eq + Hash>(
        ranking: impl IntoIterator<Item = K>,
        relevant: &HashMap<K, Grade>,
        depth: usize,
    ) -> Option<Self> {
        let mut ideal: Vec<Grade> = relevant.values().copied().filter(|&g| g > 0).collect();
        let count = ideal.len();
        if count == 0 {
            return None;
        }
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        // A large class has many pictures, and many queries ask for it.
        ideal.truncate(depth.max(1));
        ideal.shrink_to_fit();
        let mut seen = HashSet::new();
        let grades = ranking
            .into_iter()
            .take(depth)
            .map(|hit| match relevant.get(&hit) {
                Some(grade) if seen.insert(hit) => *grade,
                _ => 0,
            });
        Some(Self {
            grades: grades.collect(),
            ideal,
            relevant: count,
        })
    }

    /// Grade of each hit, nearest first.
    pub fn grades(&self) -> &[Grade] {
        &self.grades
    }

    /// How many pictures are relevant, found or not.
    pub fn relevant(&self) -> usize {
        self.relevant
    }

    /// What the measure gives.
    pub fn measure(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Recall(k) => share(self.found(k), self.relevant()),
            Measure::Precision(k) => share(self.found(k), k),
            Measure::Ndcg(k) => gain(&self.grades, k) / gain(&self.ideal, k),
            Measure::ReciprocalRank => {
                let first = self.grades.iter().position(|grade| *grade > 0);
                first.map_or(0.0, |place| share(1, place + 1))
            }
            Measure::AveragePrecision => self.average_precision(),
        }
    }

    fn found(&self, k: usize) -> usize {
        self.grades.iter().take(k).filter(|g| **g > 0).count()
    }

    fn average_precision(&self) -> f64 {
        let hits = self.grades.iter().enumerate().filter(|(_, g)| **g > 0);
        let precisions = hits
            .zip(1..)
            .map(|((place, _), found)| share(found, place + 1));
        precisions.sum::<f64>() / number(self.relevant())
    }
}

impl Measure {
    /// Recall, precision and nDCG at each k, then the two without one.
    pub fn at(ks: &[usize]) -> Vec<Self> {
        let kinds: [fn(usize) -> Self; 3] = [Self::Recall, Self::Precision, Self::Ndcg];
        let at = kinds.iter().flat_map(|kind| ks.iter().map(|k| kind(*k)));
        at.chain([Self::ReciprocalRank, Self::AveragePrecision])
            .collect()
    }
}

/// Of one query the plain name; of many the mean's.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recall(k) => write!(f, "recall@{k}"),
            Self::Precision(k) => write!(f, "precision@{k}"),
            Self::Ndcg(k) => write!(f, "nDCG@{k}"),
            Self::ReciprocalRank => f.write_str("MRR"),
            Self::AveragePrecision => f.write_str("mAP"),
        }
    }
}

/// Orders hits nearest first, equal scores by key, the larger first, as
/// `trec_eval` does: two runs that see the same tie report the same numbers.
pub fn by_score<K: Ord>(a: (&K, f32), b: (&K, f32), larger_is_nearer: bool) -> Ordering {
    let nearer = b.1.total_cmp(&a.1);
    let nearer = if larger_is_nearer {
        nearer
    } else {
        nearer.reverse()
    };
    nearer.then_with(|| b.0.cmp(a.0))
}

/// Discounted cumulative gain of the first k grades.
fn gain(grades: &[Grade], k: usize) -> f64 {
    let gains = grades.iter().take(k).zip(2..);
    gains
        .map(|(grade, discount)| f64::from(*grade) / number(discount).log2())
        .sum()
}

fn share(part: usize, whole: usize) -> f64 {
    number(part) / number(whole)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "places and counts of pictures are far below 2^52"
)]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(grades: &[Grade], missed: &[Grade]) -> Judged {
        let keys = 0..grades.len() + missed.len();
        let relevant = keys.zip(grades.iter().chain(missed).copied()).collect();
        Judged::new(0..grades.len(), &relevant, 100).unwrap()
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn fewer_hits_than_k_leave_their_places_empty() {
        let judged = judged(&[1, 0], &[1, 1]);
        assert!(near(judged.measure(Measure::Recall(10)), 1.0 / 3.0));
        assert!(near(judged.measure(Measure::Precision(10)), 0.1));
        assert!(near(judged.measure(Measure::AveragePrecision), 1.0 / 3.0));
    }

    #[test]
    fn what_is_relevant_to_nothing_cannot_be_judged() {
        assert_eq!(Judged::new([1, 2], &HashMap::new(), 9), None);
        assert_eq!(Judged::new([1, 2], &HashMap::from([(1, 0)]), 9), None);
        let none: [u8; 0] = [];
        let judged = Judged::new(none, &HashMap::from([(1, 2)]), 9).unwrap();
        for measure in Measure::at(&[1, 10]) {
            assert!(near(judged.measure(measure), 0.0), "{measure}");
        }
    }

    #[test]
    fn a_picture_counts_once_and_wastes_its_later_places() {
        let relevant = HashMap::from([("a", 1), ("b", 1)]);
        let judged = Judged::new(["a", "a", "b"], &relevant, 9).unwrap();
        assert_eq!(judged.grades(), [1, 0, 1]);
        assert!(near(judged.measure(Measure::Recall(2)), 0.5));
        assert!(near(judged.measure(Measure::AveragePrecision), 5.0 / 6.0));
    }

    #[test]
    fn a_smaller_distance_is_nearer_and_ties_go_by_key() {
        let mut hits = [("a", 1.0), ("c", 0.5), ("b", 1.0)];
        hits.sort_by(|(a, x), (b, y)| by_score((a, *x), (b, *y), false));
        assert_eq!(hits.map(|(key, _)| key), ["c", "b", "a"]);
        hits.sort_by(|(a, x), (b, y)| by_score((a, *x), (b, *y), true));
        assert_eq!(hits.map(|(key, _)| key), ["b", "a", "c"]);
    }

    proptest! {
        #[test]
        fn measures_are_shares_and_the_ideal_order_is_worth_one(
            grades in prop::collection::vec(0u32..4, 0..40),
            missed in prop::collection::vec(1u32..4, 0..9),
            k in 1usize..50,
        ) {
            prop_assume!(grades.iter().chain(&missed).any(|g| *g > 0));
            let judged = judged(&grades, &missed);
            for measure in Measure::at(&[k]) {
                let value = judged.measure(measure);
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{} {}", measure, value);
            }
            let best = Judged { grades: judged.ideal.clone(), ..judged };
            for measure in [Measure::Ndcg(k), Measure::AveragePrecision, Measure::ReciprocalRank] {
                prop_assert!(near(best.measure(measure), 1.0), "{}", measure);
            }
            prop_assert!(near(best.measure(Measure::Recall(best.relevant())), 1.0));
        }
    }
}
