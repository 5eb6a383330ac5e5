//! Which part of a picture becomes the tensor, in whole numbers.
//!
//! All sizes follow from the ORIGINAL size of the picture, as in the pipelines
//! that the models were trained with: resizing in steps, or cropping first,
//! gives other sizes and so other pixels.

use crate::model::{Filter, Resize, Rounding, Vision};

/// One direction of a resize, of whose result only a part is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    /// Pixels before the resize.
    pub(super) source: u32,
    /// Pixels after the resize.
    pub(super) resized: u32,
    /// First pixel of the result that is kept.
    pub(super) offset: u32,
    /// Pixels of the result that are kept.
    pub(super) kept: u32,
}

impl Axis {
    /// Pixels that the resize takes away; negative where it adds.
    fn shrinks_by(self) -> i64 {
        i64::from(self.source) - i64::from(self.resized)
    }
}

/// A resize and a crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Left to right.
    pub(super) x: Axis,
    /// Top to bottom.
    pub(super) y: Axis,
    /// Resampling kernel of both directions.
    pub(super) filter: Filter,
}

impl Geometry {
    /// What `vision` makes of a picture of `width` x `height`.
    pub(super) fn new(vision: &Vision, width: u32, height: u32) -> Self {
        let axis = |source, resized, kept, rounding| Axis {
            source,
            resized,
            offset: quotient(u64::from(resized - kept), 2, rounding),
            kept,
        };
        match vision.resize {
            Resize::Exact { filter } => Self {
                x: axis(width, vision.width, vision.width, Rounding::Floor),
                y: axis(height, vision.height, vision.height, Rounding::Floor),
                filter,
            },
            Resize::ShortestEdge {
                edge,
                filter,
                long_side,
                crop_offset,
            } => {
                let short = u64::from(width.min(height));
                let side =
                    |source: u32| quotient(u64::from(edge) * u64::from(source), short, long_side);
                Self {
                    x: axis(width, side(width), vision.width, crop_offset),
                    y: axis(height, side(height), vision.height, crop_offset),
                    filter,
                }
            }
        }
    }

    /// Whether the rows are resampled before the columns. The order matters,
    /// because what lies between is rounded to bytes.
    ///
    /// This is Pillow's rule since 13.0; before it, columns always came first.
    /// The two differ for pictures that shrink more than twice as much in
    /// height as in width, counted in pixels.
    pub(super) fn rows_first(&self) -> bool {
        let (x, y) = (self.x.shrinks_by(), self.y.shrinks_by());
        y > 0 && y > 2 * x
    }

    /// Whether the resize leaves every pixel as it is.
    pub(super) fn is_crop_alone(&self) -> bool {
        self.x.shrinks_by() == 0 && self.y.shrinks_by() == 0
    }
}

/// `numerator / denominator` as a whole number.
fn quotient(numerator: u64, denominator: u64, rounding: Rounding) -> u32 {
    let floor = numerator / denominator;
    let twice_the_rest = 2 * (numerator % denominator);
    let up = match rounding {
        Rounding::Floor => false,
        Rounding::Round => {
            twice_the_rest > denominator || (twice_the_rest == denominator && floor % 2 == 1)
        }
    };
    u32::try_from(floor + u64::from(up)).expect("an edge of 8192 times 65535 fits; this is a bug")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{manifest, number, plain, shortest};
    use super::*;

    #[test]
    fn sizes_and_offsets_are_those_of_the_reference() {
        for entry in manifest("preprocess") {
            for (rule, long_side) in [("clip", Rounding::Floor), ("round", Rounding::Round)] {
                let Some(expected) = entry.get(rule) else {
                    continue;
                };
                let vision = plain(224, 224, shortest(224, long_side, Rounding::Floor));
                let (width, height) = (number(&entry["width"]), number(&entry["height"]));
                let geometry = Geometry::new(&vision, width, height);
                let found = [geometry.x.resized, geometry.y.resized];
                assert_eq!(found, [0, 1].map(|i| number(&expected["resized"][i])));
                let found = [geometry.x.offset, geometry.y.offset];
                assert_eq!(found, [0, 1].map(|i| number(&expected["offset"][i])));
            }
        }
    }

    #[test]
    fn halves_go_to_even_as_in_python() {
        let round = |numerator| quotient(numerator, 2, Rounding::Round);
        assert_eq!([1, 3, 5, 7].map(round), [0, 2, 2, 4]);
        assert_eq!(quotient(7, 2, Rounding::Floor), 3);
        assert_eq!(quotient(8, 3, Rounding::Round), 3);
        assert_eq!(quotient(7, 3, Rounding::Round), 2);
    }

    #[test]
    fn rows_come_first_where_pillow_takes_them_first() {
        // (width, height), (width, height), found by comparing with Pillow 13.0.0.
        for (from, to, expected) in [
            ((500, 333), (224, 224), false),
            ((223, 225), (224, 224), true),
            ((3, 200), (224, 224), false),
            ((200, 3), (224, 224), false),
            ((17, 900), (224, 224), true),
            ((900, 17), (224, 224), false),
            ((300, 900), (224, 672), true),
            ((300, 450), (224, 336), false),
        ] {
            let axis = |source, resized| Axis {
                source,
                resized,
                offset: 0,
                kept: resized,
            };
            let geometry = Geometry {
                x: axis(from.0, to.0),
                y: axis(from.1, to.1),
                filter: Filter::Bicubic,
            };
            assert_eq!(geometry.rows_first(), expected, "{from:?} to {to:?}");
        }
    }

    proptest! {
        #[test]
        fn the_crop_lies_inside(
            width in 1..=65_535u32,
            height in 1..=65_535u32,
            crop in (1..=64u32, 1..=64u32),
            more in 0..=64u32,
            round: bool,
        ) {
            let rounding = if round { Rounding::Round } else { Rounding::Floor };
            let edge = crop.0.max(crop.1) + more;
            let vision = plain(crop.0, crop.1, shortest(edge, rounding, rounding));
            let Geometry { x, y, .. } = Geometry::new(&vision, width, height);
            prop_assert_eq!(x.resized.min(y.resized), edge);
            for axis in [x, y] {
                prop_assert!(axis.offset + axis.kept <= axis.resized);
                let slack = axis.resized - axis.kept;
                prop_assert!(axis.offset.abs_diff(slack - axis.offset) <= 1);
            }
        }
    }
}
