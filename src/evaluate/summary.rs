//! Several systems over the same queries: their means, and which differ.

use super::bootstrap::{Difference, Interval, holm, interval, paired};
use super::metrics::{Judged, Measure};

/// A p value below which two systems differ.
pub const SIGNIFICANT: f64 = 0.05;

/// What the queries say of the systems together.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// What was measured, in the order of the report.
    pub measures: Vec<Measure>,
    /// Queries that every system could be judged by; the means are over them.
    pub counted: usize,
    /// Mean by system and measure; empty where no query counts.
    pub means: Vec<Vec<Interval>>,
    /// Every two systems, by every measure.
    pub pairs: Vec<Pair>,
}

/// Two systems by one measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Place of the first system.
    pub a: usize,
    /// Place of the second.
    pub b: usize,
    /// Place of the measure.
    pub measure: usize,
    /// The first less the second.
    pub difference: Difference,
    /// Its p value by Holm's correction over all pairs of the measure.
    pub corrected: f64,
}

impl Summary {
    /// Sums up; `judged` holds each system's queries in the same order. A query
    /// that some system cannot be judged by is left out for all, so that the
    /// means are over the same ones.
    pub fn new(measures: Vec<Measure>, judged: &[Vec<Option<&Judged>>]) -> Self {
        let queries = judged.iter().map(Vec::len).min().unwrap_or_default();
        let counted: Vec<usize> = (0..queries)
            .filter(|query| judged.iter().all(|system| system[*query].is_some()))
            .collect();
        let values = |system: &Vec<Option<&Judged>>, measure: Measure| -> Vec<f64> {
            let judged = counted.iter().filter_map(|query| system[*query]);
            judged.map(|judged| judged.measure(measure)).collect()
        };
        // By measure, system, query.
        let values: Vec<Vec<Vec<f64>>> = measures
            .iter()
            .map(|measure| judged.iter().map(|s| values(s, *measure)).collect())
            .collect();
        let mean = |system: usize| {
            let means = values.iter().map(|systems| interval(&systems[system]));
            means.collect::<Option<Vec<_>>>().unwrap_or_default()
        };
        Self {
            counted: counted.len(),
            means: (0..judged.len()).map(mean).collect(),
            pairs: values.iter().zip(0..).flat_map(pairs).collect(),
            measures,
        }
    }

    /// The system with the largest mean; the first of several.
    pub fn best(&self, measure: usize) -> Option<usize> {
        let means = self.means.iter().map(|means| means.get(measure));
        let means: Option<Vec<f64>> = means.map(|mean| mean.map(|m| m.mean)).collect();
        let places = means?.into_iter().enumerate();
        let best = places.reduce(|best, other| if other.1 > best.1 { other } else { best });
        best.map(|(place, _)| place)
    }

    /// The pair of two systems, whichever way round.
    pub fn pair(&self, a: usize, b: usize, measure: usize) -> Option<&Pair> {
        self.pairs.iter().find(|pair| {
            pair.measure == measure && ((pair.a, pair.b) == (a, b) || (pair.a, pair.b) == (b, a))
        })
    }

    /// How a system stands by a measure.
    pub fn standing(&self, system: usize, measure: usize) -> Standing {
        match self.best(measure) {
            _ if self.means.len() < 2 => Standing::Alone,
            None => Standing::Alone,
            Some(best) if best == system => Standing::Best,
            Some(best) => match self.pair(best, system, measure) {
                Some(pair) if pair.corrected < SIGNIFICANT => Standing::Worse,
                _ => Standing::NotToldApart,
            },
        }
    }
}

/// How a system stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is no other.
    Alone,
    /// The largest mean.
    Best,
    /// Less than the best, and it may be by chance.
    NotToldApart,
    /// Less than the best, significantly.
    Worse,
}

/// Every two systems by one measure, corrected for how many there are.
fn pairs((systems, measure): (&Vec<Vec<f64>>, usize)) -> Vec<Pair> {
    let places = (0..systems.len()).flat_map(|a| (a + 1..systems.len()).map(move |b| (a, b)));
    let mut pairs: Vec<Pair> = places
        .filter_map(|(a, b)| {
            Some(Pair {
                a,
                b,
                measure,
                difference: paired(&systems[a], &systems[b])?,
                corrected: 1.0,
            })
        })
        .collect();
    let p: Vec<f64> = pairs.iter().map(|pair| pair.difference.p).collect();
    for (pair, corrected) in pairs.iter_mut().zip(holm(&p)) {
        pair.corrected = corrected;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A query whose one right picture stands at `rank`.
    fn at(rank: usize) -> Judged {
        let relevant = HashMap::from([(0, 1)]);
        let ranking = (1..12).map(|place| if place == rank { 0 } else { place });
        Judged::new(ranking, &relevant, 50).unwrap()
    }

    #[test]
    fn means_are_over_the_queries_that_all_were_judged_by() {
        let (first, third) = (at(1), at(3));
        let judged = [
            vec![Some(&first), None, Some(&first)],
            vec![Some(&third), Some(&first), Some(&third)],
        ];
        let summary = Summary::new(vec![Measure::ReciprocalRank], &judged);
        assert_eq!(summary.counted, 2);
        let means: Vec<f64> = summary.means.iter().map(|m| m[0].mean).collect();
        assert_eq!(means, [1.0, 1.0 / 3.0]);
        assert_eq!(summary.best(0), Some(0));
        // Two queries can show nothing: one in two sign patterns is as far off.
        assert!((summary.pairs[0].difference.p - 0.5).abs() < 1e-12);
        assert_eq!(summary.standing(0, 0), Standing::Best);
        assert_eq!(summary.standing(1, 0), Standing::NotToldApart);
    }

    #[test]
    fn many_queries_tell_systems_apart() {
        let (first, third) = (at(1), at(3));
        let judged = [
            vec![Some(&third); 20],
            vec![Some(&first); 20],
            vec![Some(&first); 20],
        ];
        let measures = Measure::at(&[1, 5]);
        let summary = Summary::new(measures.clone(), &judged);
        assert_eq!(summary.pairs.len(), 3 * measures.len());
        let recall = measures
            .iter()
            .position(|m| *m == Measure::Recall(1))
            .unwrap();
        assert_eq!(summary.best(recall), Some(1));
        let standing = |system| summary.standing(system, recall);
        assert_eq!(
            [0, 1, 2].map(standing),
            [Standing::Worse, Standing::Best, Standing::NotToldApart]
        );
        // All have found it among five.
        let recall = measures
            .iter()
            .position(|m| *m == Measure::Recall(5))
            .unwrap();
        assert!((summary.pair(0, 1, recall).unwrap().difference.p - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_to_judge_by_gives_no_means() {
        let summary = Summary::new(Measure::at(&[1]), &[vec![None, None]]);
        assert_eq!((summary.counted, summary.means), (0, vec![vec![]]));
        assert_eq!(Summary::new(Vec::new(), &[]).best(0), None);
    }
}
