//! How far two vectors or two pictures are apart.

use crate::imaging::RgbImage;

/// Rows and columns of a sample.
pub(super) const GRID: usize = 16;

/// Largest distance between numbers in the same place.
pub(super) fn apart(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from((a - b).abs()))
        .fold(0.0, f64::max)
}

/// 16 x 16 pixels of a picture, spread evenly: row `((2i+1) * height) / 32`,
/// column `((2j+1) * width) / 32`, three channels each.
pub(super) fn sample<T: Copy>(values: &[T], width: usize, height: usize) -> Vec<T> {
    let place = |index: usize, length: usize| (2 * index + 1) * length / (2 * GRID);
    let mut sample = Vec::with_capacity(GRID * GRID * 3);
    for i in 0..GRID {
        for j in 0..GRID {
            let start = (place(i, height) * width + place(j, width)) * 3;
            sample.extend_from_slice(&values[start..start + 3]);
        }
    }
    sample
}

/// [`sample`] of a picture.
pub(super) fn sample_picture(image: &RgbImage) -> Vec<u8> {
    sample(&image.pixels, image.width as usize, image.height as usize)
}

/// Largest distance between bytes in the same place.
pub(super) fn bytes_apart(a: &[u8], b: &[u8]) -> u8 {
    a.iter()
        .zip(b)
        .map(|(a, b)| a.abs_diff(*b))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_reaches_every_part_of_a_picture() {
        let values: Vec<u16> = (0..32u16 * 64 * 3).collect();
        let sample = sample(&values, 64, 32);
        assert_eq!(sample.len(), GRID * GRID * 3);
        // Row 1, column 2; then two columns on.
        assert_eq!(sample[..6], [198, 199, 200, 210, 211, 212]);
        assert_eq!(sample[767], (31 * 64 + 62) * 3 + 2);
    }
}
