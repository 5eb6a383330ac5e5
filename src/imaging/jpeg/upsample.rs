//! Chroma at full size (ITU T.81 leaves the way open; this is libjpeg's).
//!
//! Triangle filters of weights 3/4 and 1/4, rounded up and down in turn, as
//! `jdsample.c` has them (`h2v1_fancy_upsample`, `h2v2_fancy_upsample`,
//! `h1v2_fancy_upsample`); other ratios, and very narrow pictures, repeat
//! samples (`int_upsample`).

#![expect(
    clippy::cast_possible_truncation,
    reason = "a weighted mean of bytes is a byte"
)]

use super::frame::{Component, Frame};

/// How a component comes to the size of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upsampling {
    /// It has that size.
    None,
    /// Twice as wide, by the triangle.
    Wider,
    /// Twice as high, by the triangle.
    Higher,
    /// Both.
    Both,
    /// Each sample so many times across; and down, by the rows that are asked
    /// for.
    Repeat(usize),
}

impl Upsampling {
    /// Chooses as `jdsample.c`, `jinit_upsampler`.
    pub(super) fn of(component: &Component, frame: &Frame) -> Self {
        let across = frame.h_max / component.h;
        match (across, frame.v_max / component.v) {
            (1, 1) => Self::None,
            (2, 1) if component.width > 2 => Self::Wider,
            (1, 2) => Self::Higher,
            (2, 2) if component.width > 2 => Self::Both,
            _ => Self::Repeat(across),
        }
    }

    /// Whether the rows above and below are needed.
    pub(super) fn needs_context(self) -> bool {
        matches!(self, Self::Higher | Self::Both)
    }
}

/// Twice as many samples as `input` has, at least 3.
pub(super) fn wider(input: &[u8], out: &mut [u8]) {
    let [first, .., last] = input else { return };
    let out = &mut out[..2 * input.len()];
    let inner = out.len() - 1;
    out[0] = *first;
    out[inner] = *last;
    let pairs = input.iter().zip(&input[1..]);
    for (out, (&left, &right)) in out[1..inner].as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
        let (left, right) = (u16::from(left), u16::from(right));
        *out = [
            ((3 * left + right + 2) >> 2) as u8,
            ((3 * right + left + 1) >> 2) as u8,
        ];
    }
}

/// A row between `near`, which it lies closer to, and `far`, which is the row
/// `below` or above it.
pub(super) fn higher(near: &[u8], far: &[u8], below: bool, out: &mut [u8]) {
    let bias = if below { 2 } else { 1 };
    for (out, (&near, &far)) in out.iter_mut().zip(near.iter().zip(far)) {
        *out = ((3 * u16::from(near) + u16::from(far) + bias) >> 2) as u8;
    }
}

/// [`higher`] and [`wider`] at once; `sums` is scratch.
pub(super) fn both(near: &[u8], far: &[u8], sums: &mut [u16], out: &mut [u8]) {
    let sums = &mut sums[..near.len()];
    for (sum, (&near, &far)) in sums.iter_mut().zip(near.iter().zip(far)) {
        *sum = 3 * u16::from(near) + u16::from(far);
    }
    let [first, .., last] = &*sums else { return };
    let out = &mut out[..2 * near.len()];
    let inner = out.len() - 1;
    out[0] = ((4 * first + 8) >> 4) as u8;
    out[inner] = ((4 * last + 7) >> 4) as u8;
    let pairs = sums.iter().zip(&sums[1..]);
    for (out, (&left, &right)) in out[1..inner].as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
        *out = [
            ((3 * left + right + 7) >> 4) as u8,
            ((3 * right + left + 8) >> 4) as u8,
        ];
    }
}

/// Each sample `times` times.
pub(super) fn repeat(input: &[u8], times: usize, out: &mut [u8]) {
    for (out, &sample) in out.chunks_exact_mut(times).zip(input) {
        out.fill(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_triangle_rounds_up_and_down_in_turn() {
        let mut out = [9; 7];
        wider(&[10, 20, 41], &mut out);
        // (3 * 10 + 20 + 2) / 4, (3 * 20 + 10 + 1) / 4, ...
        assert_eq!(out, [10, 13, 17, 25, 36, 41, 9]);
        let mut out = [9; 3];
        higher(&[10, 20], &[20, 41], false, &mut out);
        assert_eq!(out, [12, 25, 9]);
        higher(&[10, 20], &[20, 41], true, &mut out);
        assert_eq!(out, [13, 25, 9]);
    }

    #[test]
    fn both_ways_are_rounded_once() {
        let mut out = [0; 6];
        both(&[10, 20, 41], &[20, 41, 7], &mut [0; 8], &mut out);
        // Sums 50, 101, 130: (4 * 50 + 8) / 16, (3 * 50 + 101 + 7) / 16, ...
        assert_eq!(out, [13, 16, 22, 27, 31, 32]);
    }

    #[test]
    fn even_areas_stay_even() {
        for value in [0, 1, 127, 254, 255] {
            let row = [value; 5];
            let mut out = [0; 10];
            wider(&row, &mut out);
            assert_eq!(out, [value; 10]);
            both(&row, &row, &mut [0; 5], &mut out);
            assert_eq!(out, [value; 10]);
            higher(&row, &row, true, &mut out);
            assert_eq!(out, [value; 10]);
            repeat(&row, 2, &mut out);
            assert_eq!(out, [value; 10]);
        }
    }
}
