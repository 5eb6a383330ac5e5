//! Which of a collection's hits are shown: scores that count, no copies.

use crate::embed::cosine;
use crate::entity::{Hit, ImageId, MetricType};

/// Which hits are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cut {
    /// Score that a hit has at least; the largest distance for `L2`.
    pub min_score: Option<f32>,
    /// Share of the best score by which a hit may fall short of it: 0.2 keeps
    /// what has at least 80 % of the best score (for `L2`: at most 120 % of the
    /// least distance).
    pub gap: Option<f32>,
    /// Cosine of two vectors from which on they are one picture; copies to the
    /// byte are one picture in any case.
    pub distinct: Option<f32>,
}

impl Cut {
    /// The hits that are shown, nearest first, without those in `asked`.
    pub(super) fn apply(self, hits: Vec<Hit>, metric: MetricType, asked: &[ImageId]) -> Vec<Hit> {
        let best = hits.iter().find(|hit| !asked.contains(&hit.id));
        let Some(best) = best.map(|hit| hit.score) else {
            return Vec::new();
        };
        let counts = |hit: &Hit| {
            let near = |bound: f32| {
                if metric.larger_is_nearer() {
                    hit.score >= bound
                } else {
                    hit.score <= bound
                }
            };
            let share = |gap: f32| {
                if metric.larger_is_nearer() {
                    best - gap * best.abs()
                } else {
                    best + gap * best
                }
            };
            self.min_score.is_none_or(near) && self.gap.is_none_or(|gap| near(share(gap)))
        };
        let kept = hits
            .into_iter()
            .take_while(counts)
            .filter(|hit| !asked.contains(&hit.id));
        match self.distinct {
            Some(least) => distinct(kept, f64::from(least)),
            None => kept.collect(),
        }
    }
}

/// The first of each group of copies.
fn distinct(hits: impl Iterator<Item = Hit>, least: f64) -> Vec<Hit> {
    let mut kept: Vec<Hit> = Vec::new();
    for hit in hits {
        let copy = kept.iter().any(|other| are_copies(other, &hit, least));
        if !copy {
            kept.push(hit);
        }
    }
    kept
}

fn are_copies(one: &Hit, other: &Hit, least: f64) -> bool {
    if one.content_hash == other.content_hash {
        return true;
    }
    match (&one.embedding, &other.embedding) {
        (Some(one), Some(other)) => cosine(one, other) >= least,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(number: usize, score: f32, hash: &str, embedding: &[f32]) -> Hit {
        Hit {
            rank: number,
            id: ImageId::from_stored(number.to_string()),
            score,
            path: String::new(),
            display_name: String::new(),
            attributes: serde_json::Map::new(),
            content_hash: hash.to_owned(),
            embedding: Some(embedding.to_vec()),
            found_in: Vec::new(),
        }
    }

    fn ids(hits: &[Hit]) -> Vec<&str> {
        hits.iter().map(|hit| hit.id.as_str()).collect()
    }

    fn some() -> Vec<Hit> {
        vec![
            hit(1, 0.9, "a", &[1.0, 0.0]),
            hit(2, 0.8, "b", &[0.0, 1.0]),
            hit(3, 0.7, "a", &[-1.0, 0.0]),
            hit(4, 0.3, "c", &[0.01, 1.0]),
        ]
    }

    #[test]
    fn scores_are_cut_off_flat_and_by_the_best() {
        let cut = Cut {
            min_score: Some(0.75),
            ..Cut::default()
        };
        assert_eq!(ids(&cut.apply(some(), MetricType::Cosine, &[])), ["1", "2"]);
        let cut = Cut {
            gap: Some(0.25),
            ..Cut::default()
        };
        assert_eq!(
            ids(&cut.apply(some(), MetricType::Ip, &[])),
            ["1", "2", "3"]
        );
        assert!(cut.apply(Vec::new(), MetricType::Ip, &[]).is_empty());
    }

    #[test]
    fn distances_are_cut_off_the_other_way() {
        let far: Vec<Hit> = (1u8..5)
            .map(|n| hit(n.into(), f32::from(n), &n.to_string(), &[]))
            .collect();
        let cut = |min_score, gap| Cut {
            min_score,
            gap,
            distinct: None,
        };
        let kept = cut(Some(2.0), None).apply(far.clone(), MetricType::L2, &[]);
        assert_eq!(ids(&kept), ["1", "2"]);
        let kept = cut(None, Some(2.0)).apply(far, MetricType::L2, &[]);
        assert_eq!(ids(&kept), ["1", "2", "3"]);
    }

    #[test]
    fn copies_collapse_to_the_first_by_bytes_and_by_vectors() {
        let cut = |least| Cut {
            distinct: Some(least),
            ..Cut::default()
        };
        assert_eq!(
            ids(&cut(1.0).apply(some(), MetricType::Ip, &[])),
            ["1", "2", "4"]
        );
        assert_eq!(
            ids(&cut(0.99).apply(some(), MetricType::Ip, &[])),
            ["1", "2"]
        );
    }

    #[test]
    fn the_picture_that_was_asked_with_is_no_hit_and_no_measure() {
        let cut = Cut {
            gap: Some(0.15),
            ..Cut::default()
        };
        let asked = [ImageId::from_stored("1".to_owned())];
        assert_eq!(ids(&cut.apply(some(), MetricType::Ip, &asked)), ["2", "3"]);
    }
}
