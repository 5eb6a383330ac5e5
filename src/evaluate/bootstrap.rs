//! How far a mean over some queries can be trusted, and whether two systems
//! differ by more than the choice of the queries.
//!
//! All randomness is seeded: the same answers give the same report.

use super::metrics::number;

/// Resamples of a confidence interval: the ends of a 95 % interval rest on 50
/// resamples each; Efron and Tibshirani (1993) want 1,000 or more.
pub const RESAMPLES: usize = 2_000;

/// Sign patterns that a p value is drawn from where there are too many to try
/// each: its standard error at 0.05 is 0.002.
pub const PERMUTATIONS: usize = 10_000;

/// Most differences whose sign patterns are all tried: 2^13 is below
/// [`PERMUTATIONS`].
const MOST_EXACT: usize = 13;

const SEED: u64 = 0x6d69_6c76_7573;

/// A mean, and where 95 % of the means of resampled queries lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Two systems over the same queries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Mean of the first less the second, query by query.
    pub difference: Interval,
    /// Probability of a mean difference as large, either way, if it were by
    /// chance for each query which system did better: the two-sided paired
    /// randomisation test (Fisher; Smucker, Allan and Carterette 2007).
    pub p: f64,
}

/// The percentile bootstrap of the mean; `None` of nothing.
pub fn interval(values: &[f64]) -> Option<Interval> {
    if values.is_empty() {
        return None;
    }
    let mean = mean(values);
    let mut random = Random(SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = values.iter().map(|_| values[random.below(values.len())]);
            drawn.sum::<f64>() / number(values.len())
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    Some(Interval {
        mean,
        low: percentile(&means, 0.025),
        high: percentile(&means, 0.975),
    })
}

/// Compares two systems whose values stand in the order of the same queries;
/// `None` where there are none.
pub fn paired(a: &[f64], b: &[f64]) -> Option<Difference> {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    Some(Difference {
        difference: interval(&differences)?,
        p: sign_flips(&differences),
    })
}

/// Holm's correction: the p values, raised so that among all of them the
/// chance of even one false alarm stays what each alone would have.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![1.0; p.len()];
    let mut largest: f64 = 0.0;
    for (place, at) in order.into_iter().enumerate() {
        largest = largest.max(p[at] * number(p.len() - place)).min(1.0);
        corrected[at] = largest;
    }
    corrected
}

/// Share of the sign patterns whose sum is at least as far from 0. All of them
/// where they are few; else drawn ones, among which the pattern that was seen
/// counts as one (Phipson and Smyth 2010: a p value is never 0).
fn sign_flips(differences: &[f64]) -> f64 {
    // A difference of 0 has no sign to flip.
    let moved: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let seen = moved.iter().sum::<f64>().abs();
    // Sums in another order differ in their last bits, and are still equal.
    let scale = moved.iter().map(|d| d.abs()).sum::<f64>();
    let reaches = |sum: f64| sum.abs() >= seen - scale * 1e-12;
    if moved.len() <= MOST_EXACT {
        let patterns = 1usize << moved.len();
        let signed = |pattern: usize| {
            let signs = (0..moved.len()).map(|bit| pattern >> bit & 1 == 1);
            let terms = signs
                .zip(&moved)
                .map(|(flip, d)| if flip { -d } else { *d });
            terms.sum::<f64>()
        };
        let reaching = (0..patterns).filter(|p| reaches(signed(*p))).count();
        return number(reaching) / number(patterns);
    }
    let mut random = Random(SEED);
    let drawn = (0..PERMUTATIONS).filter(|_| {
        let mut bits = 0;
        let terms = moved.iter().enumerate().map(|(place, d)| {
            if place % 64 == 0 {
                bits = random.next();
            }
            let flip = bits >> (place % 64) & 1 == 1;
            if flip { -d } else { *d }
        });
        reaches(terms.sum())
    });
    number(drawn.count() + 1) / number(PERMUTATIONS + 1)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / number(values.len())
}

/// Between the two nearest of `sorted`, as numpy's `percentile` does.
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * number(sorted.len() - 1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place between 0 and the length"
    )]
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let part = place - place.floor();
    sorted[below] + (sorted[above] - sorted[below]) * part
}

/// `SplitMix64` (Steele, Lea and Flood 2014): small, and good enough to pick
/// queries with.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `bound`, which is above 0 and far below 2^64, so that
    /// none is drawn noticeably more often.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next()) * bound as u128;
        usize::try_from(product >> 64).expect("it is below `bound`; this is a bug")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_has_no_interval_and_one_value_is_its_own() {
        assert_eq!(interval(&[]), None);
        assert_eq!(paired(&[], &[]), None);
        let one = interval(&[0.25]).unwrap();
        for number in [one.mean, one.low, one.high] {
            assert!((number - 0.25).abs() < 1e-12);
        }
    }

    #[test]
    fn the_same_values_give_the_same_report() {
        let a: Vec<f64> = (0..40).map(|i| f64::from(i % 7) / 7.0).collect();
        let b: Vec<f64> = (0..40).map(|i| f64::from(i % 5) / 5.0).collect();
        assert_eq!(paired(&a, &b), paired(&a, &b));
        let same = paired(&a, &a).unwrap();
        assert_eq!((same.p, same.difference.mean), (1.0, 0.0));
    }

    #[test]
    fn numbers_are_drawn_evenly() {
        let mut random = Random(1);
        let mut counts = [0u32; 7];
        (0..70_000).for_each(|_| counts[random.below(7)] += 1);
        // Five standard deviations of a count of 10,000.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 470),
            "{counts:?}"
        );
    }

    proptest! {
        #[test]
        fn p_values_are_shares_and_do_not_depend_on_the_side(
            pairs in prop::collection::vec((0u8..9, 0u8..9), 1..30),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) =
                pairs.into_iter().map(|(a, b)| (f64::from(a) / 8.0, f64::from(b) / 8.0)).unzip();
            let (there, back) = (paired(&a, &b).unwrap(), paired(&b, &a).unwrap());
            prop_assert!(there.p > 0.0 && there.p <= 1.0);
            prop_assert!((there.p - back.p).abs() < 1e-12);
            let interval = there.difference;
            prop_assert!(interval.low <= interval.mean + 1e-12 && interval.mean <= interval.high + 1e-12);
        }

        #[test]
        fn the_correction_only_raises(p in prop::collection::vec(0.0f64..1.0, 0..12)) {
            let corrected = holm(&p);
            prop_assert!(p.iter().zip(&corrected).all(|(p, c)| c >= p && *c <= 1.0));
        }
    }
}
