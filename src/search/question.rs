//! What is looked for, and how its parts become one vector.

use crate::embed::{BadVector, norm};
use crate::entity::{Embedding, ImageId};

/// What is looked for: at least one part with a weight above zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// Its parts.
    pub parts: Vec<Part>,
}

/// A part of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// Its share; below zero for what is not looked for.
    pub weight: f64,
}

/// What a part of a question is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Words.
    Text(String),
    /// Bytes of a picture.
    Image(Vec<u8>),
    /// A picture that the collection holds.
    Stored(ImageId),
}

impl Question {
    /// Whether any part is words.
    pub fn has_text(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part.content, Content::Text(_)))
    }

    /// Whether any part is a picture's bytes.
    pub fn has_image(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part.content, Content::Image(_)))
    }

    /// Stored pictures that it looks for.
    pub fn stored(&self) -> impl Iterator<Item = &ImageId> {
        self.parts.iter().filter_map(|part| match &part.content {
            Content::Stored(id) => Some(id),
            _ => None,
        })
    }
}

/// One vector for a question: a single part as it is; of several the sum of
/// their unit vectors, each times its weight, as long as the parts above zero
/// are on average. So no part outweighs another by its length, and the sum
/// stands among the stored vectors whatever the metric.
///
/// # Errors
/// The parts cancel each other out, or one has no direction.
pub(super) fn combine(parts: &[(Embedding, f64)]) -> Result<Embedding, BadVector> {
    if let [(only, weight)] = parts
        && *weight > 0.0
    {
        return Ok(only.clone());
    }
    let mut sum = vec![0.0f64; parts.first().map_or(0, |(vector, _)| vector.len())];
    let (mut lengths, mut weights) = (0.0, 0.0);
    for (vector, weight) in parts {
        let length = norm(vector);
        if length == 0.0 {
            return Err(BadVector::Zero);
        }
        if *weight > 0.0 {
            lengths += length * weight;
            weights += weight;
        }
        for (sum, number) in sum.iter_mut().zip(vector) {
            *sum += f64::from(*number) * weight / length;
        }
    }
    let length = sum.iter().map(|number| number * number).sum::<f64>().sqrt();
    // Below the rounding of 32 bits nothing is left but noise.
    if length < 1e-6 || weights == 0.0 {
        return Err(BadVector::Zero);
    }
    let scale = lengths / weights / length;
    #[expect(clippy::cast_possible_truncation, reason = "back to the stored width")]
    let combined = sum.iter().map(|number| (number * scale) as f32).collect();
    Ok(combined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_count_by_weight_whatever_their_length() {
        let combined = combine(&[(vec![3.0, 0.0], 1.0), (vec![0.0, 0.5], 1.0)]).unwrap();
        assert!((combined[0] - combined[1]).abs() < 1e-6);
        assert!((norm(&combined) - 1.75).abs() < 1e-6, "{combined:?}");
        let heavier = combine(&[(vec![1.0, 0.0], 1.0), (vec![0.0, 1.0], 3.0)]).unwrap();
        assert!((heavier[1] / heavier[0] - 3.0).abs() < 1e-5);
        let without = combine(&[(vec![1.0, 1.0], 1.0), (vec![0.0, 1.0], -0.5)]).unwrap();
        assert!(without[0] > without[1], "{without:?}");
    }

    #[test]
    fn one_part_is_taken_as_it_is() {
        assert_eq!(combine(&[(vec![3.0, 0.0], 2.0)]).unwrap(), [3.0, 0.0]);
    }

    #[test]
    fn what_cancels_out_is_no_vector() {
        assert!(combine(&[(vec![1.0], 1.0), (vec![2.0], -1.0)]).is_err());
        assert!(combine(&[(vec![0.0], 1.0), (vec![2.0], 1.0)]).is_err());
        assert!(combine(&[(vec![1.0], -1.0)]).is_err());
    }

    proptest! {
        #[test]
        fn unit_vectors_give_a_unit_vector(
            angles in prop::collection::vec((0.0f64..1.5, 0.1f64..5.0), 2..6),
        ) {
            #[expect(clippy::cast_possible_truncation, reason = "a test's vectors")]
            let parts: Vec<(Embedding, f64)> = angles
                .into_iter()
                .map(|(angle, weight)| (vec![angle.cos() as f32, angle.sin() as f32], weight))
                .collect();
            prop_assert!((norm(&combine(&parts).unwrap()) - 1.0).abs() < 1e-5);
        }
    }
}
