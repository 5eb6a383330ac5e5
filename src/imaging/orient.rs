//! Turns pictures upright.

use image::metadata::Orientation;

use super::RgbImage;

/// Side of the squares that are copied one by one, so that reads down a column
/// find their rows in the cache.
const TILE: usize = 32;

/// Applies what a camera noted: afterwards the picture's top is up.
pub(super) fn upright(image: RgbImage, orientation: Orientation) -> RgbImage {
    let (last_x, last_y) = (image.width as usize - 1, image.height as usize - 1);
    // Each takes a place in the result to its source.
    match orientation {
        Orientation::NoTransforms => image,
        Orientation::FlipHorizontal => remap(&image, false, |x, y| (last_x - x, y)),
        Orientation::Rotate180 => remap(&image, false, |x, y| (last_x - x, last_y - y)),
        Orientation::FlipVertical => remap(&image, false, |x, y| (x, last_y - y)),
        Orientation::Rotate90FlipH => remap(&image, true, |x, y| (y, x)),
        Orientation::Rotate90 => remap(&image, true, |x, y| (y, last_y - x)),
        Orientation::Rotate270FlipH => remap(&image, true, |x, y| (last_x - y, last_y - x)),
        Orientation::Rotate270 => remap(&image, true, |x, y| (last_x - y, x)),
    }
}

fn remap(
    image: &RgbImage,
    swap_sides: bool,
    source: impl Fn(usize, usize) -> (usize, usize),
) -> RgbImage {
    let (width, height) = if swap_sides {
        (image.height, image.width)
    } else {
        (image.width, image.height)
    };
    let (columns, rows) = (width as usize, height as usize);
    let from_columns = image.width as usize;
    let mut pixels = vec![0; image.pixels.len()];
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            for y in top..rows.min(top + TILE) {
                for x in left..columns.min(left + TILE) {
                    let (from_x, from_y) = source(x, y);
                    let from = (from_y * from_columns + from_x) * 3;
                    let to = (y * columns + x) * 3;
                    pixels[to..to + 3].copy_from_slice(&image.pixels[from..from + 3]);
                }
            }
        }
    }
    RgbImage {
        width,
        height,
        pixels,
    }
}
