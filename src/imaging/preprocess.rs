//! Pixels to tensor.

use super::RgbImage;
use super::geometry::Geometry;
use super::resample::Resampler;
use crate::model::{Channels, Layout, Vision};

/// Turns pictures of any size into the tensor of one model.
///
/// Bytes become floats by way of a table of 3 x 256 entries, filled with the
/// same `f32` operations in the same order as numpy's `(x / divide_by - mean) /
/// std`, and so equal to it to the bit.
///
/// Keeps its buffers: make one for each worker and use it for many pictures.
#[derive(Debug)]
pub struct Preprocess {
    vision: Vision,
    /// Float of each byte, by place in the tensor's channel order.
    table: Vec<[f32; 256]>,
    resampler: Resampler,
    /// The pixels that remain of the picture, RGB.
    pixels: Vec<u8>,
}

impl Preprocess {
    /// Prepares for pictures as `vision` wants them.
    pub fn new(vision: &Vision) -> Self {
        let scale = |byte: u8, channel: usize| {
            (f32::from(byte) / vision.divide_by - vision.mean[channel]) / vision.std[channel]
        };
        let mut table = vec![[0.0; 256]; 3];
        for (channel, entries) in table.iter_mut().enumerate() {
            for (byte, entry) in (0..=u8::MAX).zip(entries) {
                *entry = scale(byte, channel);
            }
        }
        Self {
            vision: vision.clone(),
            table,
            resampler: Resampler::default(),
            pixels: Vec::new(),
        }
    }

    /// Floats that one picture becomes.
    pub fn tensor_len(&self) -> usize {
        self.vision.width as usize * self.vision.height as usize * 3
    }

    /// Resizes, crops and scales `image` into `out`.
    ///
    /// # Panics
    /// If `out` has not [`Self::tensor_len`] places, or `image` has not
    /// `width * height * 3` bytes, at least three.
    pub fn write_tensor(&mut self, image: &RgbImage, out: &mut [f32]) {
        assert_eq!(out.len(), self.tensor_len(), "places in the tensor");
        let bytes = image.width as usize * image.height as usize * 3;
        assert!(bytes > 0, "a picture has pixels");
        assert_eq!(image.pixels.len(), bytes, "bytes in the picture");
        let geometry = Geometry::new(&self.vision, image.width, image.height);
        self.resampler.resample(image, &geometry, &mut self.pixels);
        self.scale(out);
    }

    /// Bytes to floats, in the tensor's order.
    fn scale(&self, out: &mut [f32]) {
        // Byte of a pixel that each channel of the tensor takes.
        let order = match self.vision.channels {
            Channels::Rgb => [0, 1, 2],
            Channels::Bgr => [2, 1, 0],
        };
        let pixels = self.pixels.chunks_exact(3);
        match self.vision.layout {
            Layout::Nhwc => {
                for (pixel, out) in pixels.zip(out.chunks_exact_mut(3)) {
                    for (channel, value) in out.iter_mut().enumerate() {
                        *value = self.table[channel][usize::from(pixel[order[channel]])];
                    }
                }
            }
            Layout::Nchw => {
                let plane = out.len() / 3;
                for (channel, out) in out.chunks_exact_mut(plane).enumerate() {
                    let (table, byte) = (&self.table[channel], order[channel]);
                    for (pixel, value) in pixels.clone().zip(out) {
                        *value = table[usize::from(pixel[byte])];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{noise, plain, shortest};
    use super::*;
    use crate::model::{Filter, Resize, Rounding};

    const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
    const STD: [f32; 3] = [0.229, 0.224, 0.225];

    fn clip(width: u32, height: u32, edge: u32) -> Vision {
        Vision {
            layout: Layout::Nchw,
            divide_by: 255.0,
            mean: MEAN,
            std: STD,
            ..plain(
                width,
                height,
                shortest(edge, Rounding::Floor, Rounding::Floor),
            )
        }
    }

    fn tensor(vision: &Vision, image: &RgbImage) -> Vec<f32> {
        let mut preprocess = Preprocess::new(vision);
        let mut out = vec![f32::NAN; preprocess.tensor_len()];
        preprocess.write_tensor(image, &mut out);
        out
    }

    #[test]
    fn the_same_size_is_only_scaled() {
        let image = noise(5, 4, 9);
        let exact = Resize::Exact {
            filter: Filter::Bicubic,
        };
        let bytes: Vec<f32> = image.pixels.iter().map(|&byte| f32::from(byte)).collect();
        assert_eq!(tensor(&plain(5, 4, exact), &image), bytes);
        let scaled = tensor(&clip(4, 4, 4), &noise(4, 4, 9));
        let byte = f32::from(noise(4, 4, 9).pixels[3]);
        assert_eq!(
            scaled[1].to_bits(),
            ((byte / 255.0 - MEAN[0]) / STD[0]).to_bits()
        );
    }

    #[test]
    fn layout_and_channel_order_only_move_values() {
        let image = noise(40, 30, 5);
        let vision = |layout, channels| Vision {
            layout,
            channels,
            ..plain(8, 6, shortest(8, Rounding::Round, Rounding::Round))
        };
        let rows = tensor(&vision(Layout::Nhwc, Channels::Rgb), &image);
        for (layout, channels) in [
            (Layout::Nhwc, Channels::Bgr),
            (Layout::Nchw, Channels::Rgb),
            (Layout::Nchw, Channels::Bgr),
        ] {
            let other = tensor(&vision(layout, channels), &image);
            for (index, value) in rows.iter().enumerate() {
                let (pixel, colour) = (index / 3, index % 3);
                let channel = match channels {
                    Channels::Rgb => colour,
                    Channels::Bgr => 2 - colour,
                };
                let at = match layout {
                    Layout::Nhwc => pixel * 3 + channel,
                    Layout::Nchw => channel * 48 + pixel,
                };
                assert_eq!(
                    other[at].to_bits(),
                    value.to_bits(),
                    "{layout:?} {channels:?}"
                );
            }
        }
    }

    #[test]
    fn mean_and_std_follow_the_order_of_the_channels() {
        let blue = RgbImage {
            width: 1,
            height: 1,
            pixels: vec![10, 20, 30],
        };
        let caffe = Vision {
            channels: Channels::Bgr,
            mean: [1.0, 2.0, 3.0],
            std: [1.0, 2.0, 7.0],
            ..plain(
                1,
                1,
                Resize::Exact {
                    filter: Filter::Bilinear,
                },
            )
        };
        assert_eq!(tensor(&caffe, &blue), [29.0, 9.0, 1.0]);
    }

    #[test]
    fn buffers_carry_nothing_over() {
        let vision = clip(16, 16, 20);
        let mut preprocess = Preprocess::new(&vision);
        let mut out = vec![0.0; preprocess.tensor_len()];
        for (width, height) in [(100, 90), (3, 80), (20, 20), (200, 7), (1, 1)] {
            let image = noise(width, height, width);
            preprocess.write_tensor(&image, &mut out);
            assert!(out == tensor(&vision, &image), "{width} x {height}");
        }
    }

    #[test]
    fn one_colour_stays_one_colour_at_extreme_shapes() {
        for (width, height) in [(1, 1), (1, 65_535), (65_535, 1), (3, 2000), (2000, 3)] {
            let image = RgbImage {
                width,
                height,
                pixels: [200, 100, 0].repeat(width as usize * height as usize),
            };
            for resize in [
                shortest(24, Rounding::Floor, Rounding::Round),
                Resize::Exact {
                    filter: Filter::Lanczos,
                },
            ] {
                let pixels = tensor(&plain(24, 24, resize), &image);
                for pixel in pixels.chunks_exact(3) {
                    assert_eq!(pixel, [200.0, 100.0, 0.0], "{width} x {height}, {resize:?}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_picture_gives_a_finite_tensor_in_range(
            width in 1..300u32, height in 1..300u32, seed: u32, edge in 16..40u32,
        ) {
            let image = noise(width, height, seed);
            let vision = clip(16, 12, edge);
            let tensor = tensor(&vision, &image);
            prop_assert_eq!(tensor.len(), 16 * 12 * 3);
            for (channel, plane) in tensor.chunks_exact(16 * 12).enumerate() {
                let low = (0.0 - MEAN[channel]) / STD[channel];
                let high = (1.0 - MEAN[channel]) / STD[channel];
                for value in plane {
                    prop_assert!(value.is_finite() && (low..=high).contains(value));
                }
            }
        }
    }
}
