//! From coefficients to samples (ITU T.81, annex A.3.3).
//!
//! The inverse cosine transform of Loeffler, Ligtenberg and Moschytz (ICASSP
//! 1989) with integers, rounded where libjpeg rounds (`jidctint.c`,
//! `jpeg_idct_islow`). Coefficients of damaged or hostile files go beyond what
//! its numbers hold: such are wrapped and cut as libjpeg-turbo does on x86-64
//! (`simd/x86_64/jidctint-avx2.asm`), in 16 bits, which the C code does not.

use wide::{i16x8, i32x8, u8x16};

/// Bits behind the point of the constants below.
const CONST_BITS: i32 = 13;

/// Bits behind the point of what the first pass leaves to the second.
const PASS1_BITS: i32 = 2;

/// Cosines and their sums, times 2^13.
const F_0_298: i16 = 2446;
const F_0_390: i16 = 3196;
const F_0_541: i16 = 4433;
const F_0_765: i16 = 6270;
const F_0_899: i16 = 7373;
const F_1_175: i16 = 9633;
const F_1_501: i16 = 12_299;
const F_1_847: i16 = 15_137;
const F_1_961: i16 = 16_069;
const F_2_053: i16 = 16_819;
const F_2_562: i16 = 20_995;
const F_3_072: i16 = 25_172;

/// Turns a block of coefficients, row by row, into samples: eight bytes in each
/// of eight rows of `out`, which lie `stride` apart.
pub(super) fn samples(
    coefficients: &[i16; 64],
    quantisation: &[i16; 64],
    out: &mut [u8],
    stride: usize,
) {
    let coefficients = rows(coefficients);
    let factors = rows(quantisation);
    let mut input = coefficients;
    for (value, factor) in input.iter_mut().zip(factors) {
        *value *= factor;
    }
    let [_, below @ ..] = coefficients;
    let any_below = below.into_iter().fold(i16x8::ZERO, |all, row| all | row);
    let by_column = if any_below.to_array() == [0; 8] {
        let values = (input[0] << PASS1_BITS).to_array();
        values.map(i16x8::splat)
    } else {
        i16x8::transpose(pass::<{ CONST_BITS - PASS1_BITS }>(input))
    };
    let by_row = i16x8::transpose(pass::<{ CONST_BITS + PASS1_BITS + 3 }>(by_column));
    let centre = i16x8::splat(128);
    for (row, out) in by_row.into_iter().zip(out.chunks_mut(stride)) {
        let row = row.saturating_add(centre);
        let bytes = u8x16::narrow_i16x8(row, row).to_array();
        out[..8].copy_from_slice(&bytes[..8]);
    }
}

/// The sample that all 64 are if only the first coefficient is not zero.
pub(super) fn flat_sample(coefficient: i16, factor: i16) -> u8 {
    let value = coefficient.wrapping_mul(factor) << PASS1_BITS;
    let rounded = (i32::from(value) + 16) >> 5;
    u8::try_from((rounded + 128).clamp(0, 255)).expect("it is clamped; this is a bug")
}

fn rows(block: &[i16; 64]) -> [i16x8; 8] {
    let mut rows = [i16x8::ZERO; 8];
    for (row, values) in rows.iter_mut().zip(block.as_chunks().0) {
        *row = i16x8::new(*values);
    }
    rows
}

/// One dimension: eight transforms side by side, the n-th number of each in
/// `input[n]`; `SHIFT` bits are rounded off.
#[inline]
fn pass<const SHIFT: i32>(input: [i16x8; 8]) -> [i16x8; 8] {
    let [in0, in1, in2, in3, in4, in5, in6, in7] = input;
    // Even part. Half a unit of the rounding goes into every output by it.
    let half = i32x8::splat(1 << (SHIFT - 1));
    let unit = i16x8::splat(1 << CONST_BITS);
    let sum = (in0 + in4).mul_widen(unit) + half;
    let difference = (in0 - in4).mul_widen(unit) + half;
    let tmp2 = dot(in2, F_0_541, in6, F_0_541 - F_1_847);
    let tmp3 = dot(in2, F_0_541 + F_0_765, in6, F_0_541);
    let even = [sum + tmp3, difference + tmp2, difference - tmp2, sum - tmp3];
    // Odd part.
    let (z3, z4) = (in7 + in3, in5 + in1);
    let by3 = dot(z3, F_1_175 - F_1_961, z4, F_1_175);
    let by4 = dot(z3, F_1_175, z4, F_1_175 - F_0_390);
    let odd = [
        dot(in7, -F_0_899, in1, F_1_501 - F_0_899) + by4,
        dot(in5, -F_2_562, in3, F_3_072 - F_2_562) + by3,
        dot(in5, F_2_053 - F_2_562, in3, -F_2_562) + by4,
        dot(in7, F_0_298 - F_0_899, in1, -F_0_899) + by3,
    ];
    let mut output = [i16x8::ZERO; 8];
    for (index, (even, odd)) in even.into_iter().zip(odd).enumerate() {
        output[index] = i16x8::from_i32x8_saturate((even + odd) >> SHIFT);
        output[7 - index] = i16x8::from_i32x8_saturate((even - odd) >> SHIFT);
    }
    output
}

/// `a * by_a + b * by_b`.
#[inline]
fn dot(a: i16x8, by_a: i16, b: i16x8, by_b: i16) -> i32x8 {
    a.mul_widen(i16x8::splat(by_a)) + b.mul_widen(i16x8::splat(by_b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block_of(coefficients: &[i16; 64]) -> [u8; 64] {
        let mut out = [0; 64];
        samples(coefficients, &[1; 64], &mut out, 8);
        out
    }

    /// Annex A.3.3, as it is written.
    fn exact(coefficients: &[i16; 64], x: usize, y: usize) -> f64 {
        let basis = |frequency: usize, at: usize| {
            let scale = if frequency == 0 { 0.5f64.sqrt() } else { 1.0 };
            let step = std::f64::consts::PI / 16.0;
            scale * (f64::from(u32::try_from((2 * at + 1) * frequency).unwrap()) * step).cos()
        };
        let terms = coefficients.iter().enumerate();
        let sum: f64 = terms
            .map(|(n, &value)| f64::from(value) * basis(n % 8, x) * basis(n / 8, y))
            .sum();
        (sum / 4.0 + 128.0).clamp(0.0, 255.0)
    }

    #[test]
    fn one_coefficient_alone_is_one_sample_everywhere() {
        for value in -1100..1100 {
            let mut block = [0; 64];
            block[0] = value;
            assert_eq!(block_of(&block), [flat_sample(value, 1); 64], "{value}");
        }
        assert_eq!(flat_sample(0, 9), 128);
        assert_eq!(flat_sample(16, 16), 160);
    }

    proptest! {
        #[test]
        fn samples_are_within_rounding_of_the_cosines(
            values in prop::collection::vec((0..64usize, -400..400i16), 1..20),
        ) {
            let mut block = [0; 64];
            for (at, value) in values {
                block[at] = value;
            }
            for (index, &sample) in block_of(&block).iter().enumerate() {
                let off = (exact(&block, index % 8, index / 8) - f64::from(sample)).abs();
                prop_assert!(off < 0.6, "{index}: {off}");
            }
        }

        #[test]
        fn no_coefficients_whatever_make_it_panic(
            coefficients in prop::array::uniform32(any::<[i16; 2]>()),
            factors in prop::array::uniform32(any::<[i16; 2]>()),
        ) {
            let pair = |of: &[[i16; 2]; 32]| *of.as_flattened().first_chunk::<64>().unwrap();
            let mut out = [0; 57 + 7 * 9];
            samples(&pair(&coefficients), &pair(&factors), &mut out, 9);
            flat_sample(coefficients[0][0], factors[0][0]);
        }
    }
}
