//! Weights of a resampling kernel, in the fixed-point form of Pillow.

use std::f64::consts::PI;

use wide::i16x8;

use super::geometry::Axis;
use crate::model::Filter;

/// Binary places of a weight. Pillow: 32 bits less 8 of the result and 2 for
/// overshoot.
pub(super) const PRECISION_BITS: u32 = 22;

/// Binary places of a weight's low part; see [`Pair`].
pub(super) const LOW_BITS: u32 = 8;

/// Weights of two neighbouring source pixels, four times over, in the form
/// that one multiply-and-add instruction of 16-bit lanes takes:
/// `weight = high * 2^LOW_BITS + low`.
///
/// The split keeps all bits of Pillow's weights (a 16-bit weight, as in
/// `fast_image_resize`, changes one byte in three hundred by 1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// High parts, signed.
    pub(super) high: i16x8,
    /// Low parts, 0-255.
    pub(super) low: i16x8,
}

impl Pair {
    fn new(first: i32, second: i32) -> Self {
        let spread = |part: fn(i32) -> i32| {
            let half = |weight| {
                i16::try_from(part(weight))
                    .expect("weights are below 2 and above -2; this is a bug")
            };
            let (a, b) = (half(first), half(second));
            i16x8::new([a, b, a, b, a, b, a, b])
        };
        Self {
            high: spread(|weight| weight >> LOW_BITS),
            low: spread(|weight| weight & ((1 << LOW_BITS) - 1)),
        }
    }
}

/// The weights of every kept pixel of an [`Axis`].
#[derive(Debug)]
pub(super) struct Kernel {
    /// First source pixel that has a weight.
    pub(super) first: usize,
    /// Source pixels from `first` on that have weights.
    pub(super) span: usize,
    /// Where each kept pixel's weights start, counted from `first`.
    starts: Vec<usize>,
    /// Pairs of weights for each kept pixel; short ones end in zeros.
    pairs: usize,
    weights: Vec<Pair>,
}

impl Kernel {
    /// Weights of `filter` for `axis`; the arithmetic is Pillow's, step by
    /// step, because the last bit of a weight depends on the order.
    pub(super) fn new(axis: Axis, filter: Filter) -> Self {
        let (function, support): (fn(f64) -> f64, f64) = match filter {
            Filter::Bilinear => (bilinear, 1.0),
            Filter::Bicubic => (bicubic, 2.0),
            Filter::Lanczos => (lanczos, 3.0),
        };
        let scale = f64::from(axis.source) / f64::from(axis.resized);
        let stretch = scale.max(1.0);
        let support = support * stretch;
        let windows: Vec<(usize, Vec<i32>)> = (axis.offset..axis.offset + axis.kept)
            .map(|place| {
                let centre = (f64::from(place) + 0.5) * scale;
                let start = whole(centre - support + 0.5);
                let end = whole(centre + support + 0.5).min(axis.source);
                let weights = (start..end)
                    .map(|x| function((f64::from(x) - centre + 0.5) * (1.0 / stretch)))
                    .collect();
                fixed_point(start as usize, weights)
            })
            .collect();
        Self::pack(&windows)
    }

    fn pack(windows: &[(usize, Vec<i32>)]) -> Self {
        let first = windows.iter().map(|(start, _)| *start).min().unwrap_or(0);
        let ends = windows.iter().map(|(start, weights)| start + weights.len());
        let longest = windows.iter().map(|(_, weights)| weights.len()).max();
        let pairs = longest.unwrap_or(0).div_ceil(2);
        let weight = |weights: &[i32], index| weights.get(index).copied().unwrap_or(0);
        Self {
            first,
            span: ends.max().unwrap_or(0) - first,
            starts: windows.iter().map(|(start, _)| start - first).collect(),
            pairs,
            weights: windows
                .iter()
                .flat_map(|(_, weights)| {
                    (0..pairs).map(move |pair| {
                        Pair::new(weight(weights, 2 * pair), weight(weights, 2 * pair + 1))
                    })
                })
                .collect(),
        }
    }

    /// Kept pixels.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Source pixels that are read for one kept pixel; may pass the end of
    /// `span`, with weights of zero.
    pub(super) fn taps(&self) -> usize {
        self.pairs * 2
    }

    /// For each kept pixel its first source pixel, counted from `first`, and
    /// the weights from there on.
    pub(super) fn windows(&self) -> impl Iterator<Item = (usize, &[Pair])> {
        self.starts
            .iter()
            .copied()
            .zip(self.weights.chunks_exact(self.pairs))
    }
}

/// Normalises weights to a sum of 1, makes them whole numbers of
/// 2^-[`PRECISION_BITS`], and drops zeros at both ends.
fn fixed_point(start: usize, weights: Vec<f64>) -> (usize, Vec<i32>) {
    let sum: f64 = weights.iter().sum();
    let one = f64::from(1u32 << PRECISION_BITS);
    let fixed: Vec<i32> = weights
        .into_iter()
        .map(|weight| {
            let weight = weight / sum * one;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "truncation makes the rounding of the half added"
            )]
            let rounded = (weight + 0.5f64.copysign(weight)) as i32;
            rounded
        })
        .collect();
    let leading = fixed.iter().take_while(|weight| **weight == 0).count();
    let trailing = fixed
        .iter()
        .rev()
        .take_while(|weight| **weight == 0)
        .count();
    (
        start + leading,
        fixed[leading..fixed.len() - trailing].to_vec(),
    )
}

/// Towards zero, and nothing below it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` cuts off and stops at the bounds, which is what is wanted"
)]
fn whole(value: f64) -> u32 {
    value as u32
}

fn bilinear(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 { 1.0 - x } else { 0.0 }
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn lanczos(x: f64) -> f64 {
    fn sinc(x: f64) -> f64 {
        if x == 0.0 {
            return 1.0;
        }
        let x = x * PI;
        x.sin() / x
    }
    if (-3.0..3.0).contains(&x) {
        sinc(x) * sinc(x / 3.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILTERS: [Filter; 3] = [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];

    fn weights(pairs: &[Pair]) -> Vec<i32> {
        let join = |pair: &Pair, lane: usize| {
            let (high, low) = (pair.high.to_array(), pair.low.to_array());
            (i32::from(high[lane]) << LOW_BITS) + i32::from(low[lane])
        };
        let both = |pair| [join(pair, 0), join(pair, 1)];
        pairs.iter().flat_map(both).collect()
    }

    #[test]
    fn no_change_of_size_is_one_weight_of_one() {
        for filter in FILTERS {
            let axis = Axis {
                source: 9,
                resized: 9,
                offset: 2,
                kept: 5,
            };
            let kernel = Kernel::new(axis, filter);
            assert_eq!((kernel.first, kernel.span), (2, 5));
            for (place, (start, pairs)) in kernel.windows().enumerate() {
                assert_eq!(start, place);
                assert_eq!(weights(pairs), [1 << PRECISION_BITS, 0]);
            }
        }
    }

    #[test]
    fn halving_by_the_bilinear_kernel() {
        let axis = Axis {
            source: 8,
            resized: 4,
            offset: 1,
            kept: 1,
        };
        let kernel = Kernel::new(axis, Filter::Bilinear);
        assert_eq!((kernel.first, kernel.span, kernel.len()), (1, 4, 1));
        let eighth = (1 << PRECISION_BITS) / 8;
        let (_, pairs) = kernel.windows().next().unwrap();
        assert_eq!(weights(pairs), [1, 3, 3, 1].map(|n| n * eighth));
    }

    proptest! {
        #[test]
        fn weights_sum_to_one_and_stay_inside(
            source in 1..5000u32, resized in 1..5000u32, cut: prop::sample::Index, filter in 0..3usize,
        ) {
            let offset = u32::try_from(cut.index(resized as usize)).unwrap();
            let axis = Axis { source, resized, offset, kept: (resized - offset).min(20) };
            let kernel = Kernel::new(axis, FILTERS[filter]);
            prop_assert!(kernel.first + kernel.span <= source as usize);
            for (start, pairs) in kernel.windows() {
                let weights = weights(pairs);
                let used = weights.iter().filter(|weight| **weight != 0).count();
                prop_assert!(start < kernel.span);
                let last = weights.iter().rposition(|weight| *weight != 0).unwrap();
                prop_assert!(start + last < kernel.span);
                let sum: i32 = weights.iter().sum();
                let off = sum.abs_diff(1 << PRECISION_BITS) as usize;
                prop_assert!(off <= used, "{sum} of {used} weights");
            }
        }
    }
}
