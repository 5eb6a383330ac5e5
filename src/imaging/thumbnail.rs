//! Small pictures for people to look at.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::RgbImage;
use super::geometry::{Axis, Geometry};
use super::resample::Resampler;
use crate::model::Filter;

/// Quality of a thumbnail's JPEG: at 80 no eye sees blocks in a small picture.
const JPEG_QUALITY: u8 = 80;

/// Makes thumbnails; keeps its buffers for the next picture.
#[derive(Debug, Default)]
pub struct Thumbnailer {
    resampler: Resampler,
}

impl Thumbnailer {
    /// The picture in at most `width` x `height` pixels, its shape kept. One
    /// that is small enough stays as it is.
    pub fn fit(&mut self, image: RgbImage, width: u32, height: u32) -> RgbImage {
        let (width, height) = fitted((image.width, image.height), (width, height));
        if (width, height) == (image.width, image.height) {
            return image;
        }
        let axis = |source, resized| Axis {
            source,
            resized,
            offset: 0,
            kept: resized,
        };
        let geometry = Geometry {
            x: axis(image.width, width),
            y: axis(image.height, height),
            filter: Filter::Lanczos,
        };
        let mut pixels = Vec::new();
        self.resampler.resample(&image, &geometry, &mut pixels);
        RgbImage {
            width,
            height,
            pixels,
        }
    }
}

/// The largest size of the same shape that is no larger than `most`.
fn fitted((width, height): (u32, u32), most: (u32, u32)) -> (u32, u32) {
    let (w, h) = (u64::from(width), u64::from(height));
    let (most_w, most_h) = (u64::from(most.0.max(1)), u64::from(most.1.max(1)));
    if w <= most_w && h <= most_h {
        return (width, height);
    }
    // Halves up, and a line of pixels where there would be none.
    let scaled = |side: u64, by: u64, of: u64| {
        let side = ((2 * side * by + of) / (2 * of)).max(1);
        u32::try_from(side).expect("it is below a side in 32 bits; this is a bug")
    };
    if w * most_h > h * most_w {
        (scaled(w, most_w, w), scaled(h, most_w, w))
    } else {
        (scaled(w, most_h, h), scaled(h, most_h, h))
    }
}

/// A picture as a PNG file.
///
/// # Panics
/// If the pixels are not as many as width and height say.
pub fn to_png(image: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    let (width, height) = (image.width, image.height);
    PngEncoder::new(&mut file)
        .write_image(&image.pixels, width, height, ExtendedColorType::Rgb8)
        .expect("memory takes every PNG; this is a bug");
    file
}

/// A picture as a JPEG file.
///
/// # Panics
/// If the pixels are not as many as width and height say, or a side is longer
/// than 65,535.
pub fn to_jpeg(image: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    let (width, height) = (image.width, image.height);
    JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY)
        .write_image(&image.pixels, width, height, ExtendedColorType::Rgb8)
        .expect("memory takes every JPEG of such sides; this is a bug");
    file
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decode;
    use super::super::fixtures::{noise, picture};
    use super::*;
    use crate::config::ImageLimits;

    fn fit(image: RgbImage, width: u32, height: u32) -> RgbImage {
        Thumbnailer::default().fit(image, width, height)
    }

    #[test]
    fn the_shape_is_kept() {
        for (from, most, expected) in [
            ((4000, 3000), (320, 320), (320, 240)),
            ((3000, 4000), (320, 320), (240, 320)),
            ((500, 100), (320, 20), (100, 20)),
            ((320, 320), (320, 320), (320, 320)),
            ((10, 20), (320, 320), (10, 20)),
            ((65_535, 1), (320, 320), (320, 1)),
            ((1, 65_535), (320, 320), (1, 320)),
            ((7, 7), (0, 0), (1, 1)),
        ] {
            assert_eq!(fitted(from, most), expected, "{from:?}");
        }
    }

    #[test]
    fn a_small_picture_stays_as_it_is() {
        let image = noise(30, 20, 7);
        assert!(fit(image.clone(), 30, 20) == image);
    }

    #[test]
    fn fine_patterns_become_grey_rather_than_other_patterns() {
        let pixels =
            (0..300 * 300).flat_map(|n| [if (n % 300 + n / 300) % 2 == 0 { 255 } else { 0 }; 3]);
        let board = RgbImage {
            width: 300,
            height: 300,
            pixels: pixels.collect(),
        };
        let small = fit(board, 64, 64);
        let inner = small.pixels.chunks_exact(64 * 3).skip(4).take(56);
        for byte in inner.flat_map(|row| &row[12..180]) {
            assert!(byte.abs_diff(127) <= 6, "{byte}");
        }
    }

    #[test]
    fn files_come_back_as_the_picture() {
        let limits = ImageLimits::default();
        let drawn = fit(picture("images/rgb.png"), 40, 40);
        assert!(decode(&to_png(&drawn), &limits).unwrap() == drawn);
        let smooth = (0..64u8).flat_map(|y| (0..64u8).flat_map(move |x| [x * 4, y * 4, x + y]));
        let smooth = RgbImage {
            width: 64,
            height: 64,
            pixels: smooth.collect(),
        };
        let jpeg = decode(&to_jpeg(&smooth), &limits).unwrap();
        assert_eq!((jpeg.width, jpeg.height), (64, 64));
        let off = jpeg.pixels.iter().zip(&smooth.pixels);
        let off: u32 = off.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        assert!(off < 3 * 64 * 64 * 3, "{off}: 3 a byte");
    }

    proptest! {
        #[test]
        fn a_thumbnail_fits(w in 1..=65_535u32, h in 1..=65_535u32, most in (1..500u32, 1..500u32)) {
            let (width, height) = fitted((w, h), most);
            prop_assert!(width >= 1 && height >= 1 && width <= most.0.max(1) && height <= most.1.max(1));
            prop_assert!((width, height) == (w, h) || width == most.0 || height == most.1);
        }
    }
}
