//! Pixels to tensor.

use fast_image_resize as fir;
use fir::images::{TypedImage, TypedImageRef};
use fir::pixels::U8x3;

use super::RgbImage;
use crate::model::{Channels, Filter, Layout, Resize, Rounding, Vision};

/// Turns pictures of any size into the tensor of one model.
///
/// Keeps buffers, so that one that serves many pictures allocates little; make
/// one for each worker.
pub struct Preprocess {
    width: u32,
    height: u32,
    layout: Layout,
    channels: Channels,
    resize: Resize,
    table: Box<[[f32; 256]; 3]>,
    resizer: fir::Resizer,
    narrowed: Vec<u8>,
    resized: Vec<u8>,
}

impl std::fmt::Debug for Preprocess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Preprocess").finish_non_exhaustive()
    }
}

impl Preprocess {
    /// Prepares for pictures as `vision` wants them.
    pub fn new(vision: &Vision) -> Self {
        let mut table = Box::new([[0.0; 256]; 3]);
        for (channel, values) in table.iter_mut().enumerate() {
            for (byte, value) in (0u8..=255).zip(values) {
                *value = (f32::from(byte) / vision.divide_by - vision.mean[channel])
                    / vision.std[channel];
            }
        }
        Self {
            width: vision.width,
            height: vision.height,
            layout: vision.layout,
            channels: vision.channels,
            resize: vision.resize,
            table,
            resizer: fir::Resizer::new(),
            narrowed: Vec::new(),
            resized: Vec::new(),
        }
    }

    /// Floats that one picture becomes.
    pub fn tensor_len(&self) -> usize {
        self.width as usize * self.height as usize * 3
    }

    /// Writes the tensor of `image` to `out`.
    ///
    /// # Panics
    /// If `out` has not [`Self::tensor_len`] places.
    pub fn write_tensor(&mut self, image: &RgbImage, out: &mut [f32]) {
        assert_eq!(out.len(), self.tensor_len(), "length of the tensor");
        self.resized.resize(self.tensor_len(), 0);
        let (left, top, w, h, filter) = source_box(image, self.resize, self.width, self.height);
        let alg = fir::ResizeAlg::Convolution(match filter {
            Filter::Bilinear => fir::FilterType::Bilinear,
            Filter::Bicubic => fir::FilterType::CatmullRom,
            Filter::Lanczos => fir::FilterType::Lanczos3,
        });
        // Columns first, then rows, as Pillow does; in one call the library
        // takes the rows first, which is up to 27 of 255 off at sharp edges.
        let source = TypedImageRef::<U8x3>::from_buffer(image.width, image.height, &image.pixels)
            .expect("the buffer fits; this is a bug");
        let options = fir::ResizeOptions::new().resize_alg(alg);
        let height = f64::from(image.height);
        self.narrowed
            .resize(self.width as usize * image.height as usize * 3, 0);
        let mut narrow =
            TypedImage::<U8x3>::from_buffer(self.width, image.height, &mut self.narrowed)
                .expect("the buffer fits; this is a bug");
        self.resizer
            .resize_typed(
                &source,
                &mut narrow,
                &options.clone().crop(left, 0.0, w, height),
            )
            .expect("the box lies inside; this is a bug");
        let narrow = TypedImageRef::<U8x3>::from_buffer(self.width, image.height, &self.narrowed)
            .expect("the buffer fits; this is a bug");
        let mut target =
            TypedImage::<U8x3>::from_buffer(self.width, self.height, &mut self.resized)
                .expect("the buffer fits; this is a bug");
        self.resizer
            .resize_typed(
                &narrow,
                &mut target,
                &options.crop(0.0, top, f64::from(self.width), h),
            )
            .expect("the box lies inside; this is a bug");
        let plane = out.len() / 3;
        for (index, pixel) in self.resized.chunks_exact(3).enumerate() {
            for channel in 0..3 {
                let from = match self.channels {
                    Channels::Rgb => channel,
                    Channels::Bgr => 2 - channel,
                };
                let to = match self.layout {
                    Layout::Nchw => channel * plane + index,
                    Layout::Nhwc => index * 3 + channel,
                };
                out[to] = self.table[channel][usize::from(pixel[from])];
            }
        }
    }
}

fn source_box(
    image: &RgbImage,
    resize: Resize,
    width: u32,
    height: u32,
) -> (f64, f64, f64, f64, Filter) {
    let (w, h) = (f64::from(image.width), f64::from(image.height));
    match resize {
        Resize::Exact { filter } => (0.0, 0.0, w, h, filter),
        Resize::ShortestEdge {
            edge,
            filter,
            long_side,
            crop_offset,
        } => {
            let (short, long) = (image.width.min(image.height), image.width.max(image.height));
            let exact = f64::from(edge) * f64::from(long) / f64::from(short);
            let long = round(exact, long_side);
            let (full_w, full_h) = if image.width <= image.height {
                (f64::from(edge), long)
            } else {
                (long, f64::from(edge))
            };
            let left = round((full_w - f64::from(width)) / 2.0, crop_offset);
            let top = round((full_h - f64::from(height)) / 2.0, crop_offset);
            let (sx, sy) = (w / full_w, h / full_h);
            (
                left * sx,
                top * sy,
                (f64::from(width) * sx).min(w - left * sx),
                (f64::from(height) * sy).min(h - top * sy),
                filter,
            )
        }
    }
}

fn round(value: f64, rounding: Rounding) -> f64 {
    match rounding {
        Rounding::Floor => value.floor(),
        Rounding::Round => value.round_ties_even(),
    }
}
