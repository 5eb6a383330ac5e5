//! Turns pictures upright.

use image::metadata::Orientation;

use super::RgbImage;

/// Side of the squares that are transposed one by one, so that reads down a
/// column find their rows in the cache. Of 16, 32, 64 and 128 the best: 16 ms
/// for 12 megapixels.
const TILE: usize = 64;

/// Applies what a camera noted: afterwards the picture's top is up.
pub(super) fn upright(mut image: RgbImage, orientation: Orientation) -> RgbImage {
    match orientation {
        Orientation::NoTransforms => image,
        Orientation::FlipHorizontal => {
            reverse_rows(&mut image);
            image
        }
        Orientation::Rotate180 => {
            reverse(&mut image);
            image
        }
        Orientation::FlipVertical => {
            reverse(&mut image);
            reverse_rows(&mut image);
            image
        }
        Orientation::Rotate90FlipH => transpose(&image, false, false),
        Orientation::Rotate90 => transpose(&image, false, true),
        Orientation::Rotate270FlipH => transpose(&image, true, true),
        Orientation::Rotate270 => transpose(&image, true, false),
    }
}

/// Last pixel first.
fn reverse(image: &mut RgbImage) {
    image.pixels.as_chunks_mut::<3>().0.reverse();
}

/// Left to right in each row.
fn reverse_rows(image: &mut RgbImage) {
    let width = image.width as usize;
    let pixels = image.pixels.as_chunks_mut::<3>().0;
    for row in pixels.chunks_exact_mut(width) {
        row.reverse();
    }
}

/// Columns become rows, the first column the first row, or with `last_first`
/// the last; each is read downwards, or with `upwards` up.
fn transpose(image: &RgbImage, last_first: bool, upwards: bool) -> RgbImage {
    let (columns, rows) = (image.width as usize, image.height as usize);
    let source = image.pixels.as_chunks::<3>().0;
    let mut pixels = vec![0; image.pixels.len()];
    let target = pixels.as_chunks_mut::<3>().0;
    // Adding it steps one row up or down, by the rules of wrapping.
    let step = if upwards {
        columns.wrapping_neg()
    } else {
        columns
    };
    for top in (0..rows).step_by(TILE) {
        let bottom = rows.min(top + TILE);
        let first = if upwards { rows - 1 - top } else { top };
        for left in (0..columns).step_by(TILE) {
            for x in left..columns.min(left + TILE) {
                let row = if last_first { columns - 1 - x } else { x };
                let mut at = first * columns + x;
                for out in &mut target[row * rows + top..row * rows + bottom] {
                    *out = source[at];
                    at = at.wrapping_add(step);
                }
            }
        }
    }
    RgbImage {
        width: image.height,
        height: image.width,
        pixels,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures;
    use super::*;

    /// Letters, one a pixel.
    fn letters(rows: &[&str]) -> RgbImage {
        RgbImage {
            width: u32::try_from(rows[0].len()).unwrap(),
            height: u32::try_from(rows.len()).unwrap(),
            pixels: rows.concat().bytes().flat_map(|b| [b; 3]).collect(),
        }
    }

    #[test]
    fn all_eight_are_as_exif_defines_them() {
        for (value, stored) in [
            (1, ["abc", "def"].as_slice()),
            (2, &["cba", "fed"]),
            (3, &["fed", "cba"]),
            (4, &["def", "abc"]),
            (5, &["ad", "be", "cf"]),
            (6, &["cf", "be", "ad"]),
            (7, &["fc", "eb", "da"]),
            (8, &["da", "eb", "fc"]),
        ] {
            let orientation = Orientation::from_exif(value).unwrap();
            let turned = upright(letters(stored), orientation);
            assert!(turned == letters(&["abc", "def"]), "orientation {value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_quarter_turn_and_back_changes_nothing(
            width in 1..150u32, height in 1..150u32, mirrored: bool,
        ) {
            let image = fixtures::noise(width, height, width * 151 + height);
            let (there, back) = if mirrored {
                (Orientation::Rotate270FlipH, Orientation::Rotate270FlipH)
            } else {
                (Orientation::Rotate90, Orientation::Rotate270)
            };
            let turned = upright(image.clone(), there);
            prop_assert_eq!((turned.width, turned.height), (height, width));
            prop_assert!(upright(turned, back) == image);
        }
    }
}
