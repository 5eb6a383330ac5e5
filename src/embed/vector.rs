//! The last step of every embedding: a finite vector of the stated length.

use super::error::BadVector;
use crate::entity::Embedding;
use crate::model::Normalise;

/// Normalises a pooled vector as the manifest says.
///
/// # Errors
/// It is not finite, or has no direction where one is needed.
pub(super) fn finish(mut vector: Vec<f32>, normalise: Normalise) -> Result<Embedding, BadVector> {
    if !vector.iter().all(|number| number.is_finite()) {
        return Err(BadVector::NotFinite);
    }
    if normalise == Normalise::L2 {
        let norm = norm(&vector);
        if norm == 0.0 {
            return Err(BadVector::Zero);
        }
        for number in &mut vector {
            #[expect(clippy::cast_possible_truncation, reason = "back to the stored width")]
            let unit = (f64::from(*number) / norm) as f32;
            *number = unit;
        }
    }
    Ok(vector)
}

/// Cosine of the angle between two vectors of one length, summed in 64 bits; 0
/// where one has no direction.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let lengths = norm(a) * norm(b);
    if lengths > 0.0 {
        dot(a, b) / lengths
    } else {
        0.0
    }
}

/// Sum of the products of two vectors of one length, in 64 bits, on eight sums
/// that the compiler can keep in vector registers.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0f64; LANES];
    let (a_blocks, b_blocks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_blocks.remainder().iter().zip(b_blocks.remainder());
    let rest: f64 = rest.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    for (a, b) in a_blocks.zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Euclidean length, summed in 64 bits.
pub fn norm(vector: &[f32]) -> f64 {
    vector
        .iter()
        .map(|number| f64::from(*number) * f64::from(*number))
        .sum::<f64>()
        .sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unit_vectors_have_length_one(vector in prop::collection::vec(-1e3f32..1e3, 1..600)) {
            match finish(vector.clone(), Normalise::L2) {
                Ok(unit) => prop_assert!((norm(&unit) - 1.0).abs() < 1e-5),
                Err(bad) => prop_assert!(bad == BadVector::Zero && norm(&vector) == 0.0),
            }
            prop_assert_eq!(finish(vector.clone(), Normalise::None).unwrap(), vector);
        }

        #[test]
        fn a_product_is_the_plain_sum(pairs in prop::collection::vec((-1e3f32..1e3, -1e3f32..1e3), 0..700)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let scale = norm(&a) * norm(&b);
            prop_assert!((dot(&a, &b) - plain_dot(&a, &b)).abs() <= 1e-12 * scale.max(1.0));
            prop_assert!(cosine(&a, &a) > 1.0 - 1e-12 || norm(&a) == 0.0);
        }
    }

    fn plain_dot(a: &[f32], b: &[f32]) -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    }

    #[test]
    fn cosines_follow_their_definition() {
        assert!((cosine(&[3.0, 0.0], &[5.0, 5.0]) - 0.5f64.sqrt()).abs() < 1e-12);
        assert!((cosine(&[1.0, 2.0], &[-2.0, -4.0]) + 1.0).abs() < 1e-12);
        assert!(cosine(&[0.0], &[1.0]).abs() < 1e-12);
    }

    #[test]
    fn nan_and_infinity_are_refused() {
        for bad in [f32::NAN, f32::INFINITY] {
            assert_eq!(
                finish(vec![1.0, bad], Normalise::None),
                Err(BadVector::NotFinite)
            );
        }
    }
}
