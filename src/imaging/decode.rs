//! Bytes to upright RGB pixels.

use std::fmt;
use std::io::Cursor;
use std::panic;

use image::codecs::{bmp, gif, jpeg, png, tiff, webp};
use image::metadata::Orientation;
use image::{ImageDecoder, ImageError, Limits};

use super::error::{DecodeError, Report};
use super::{colour, complete, orient};
use crate::catalog::Format;
use crate::config::ImageLimits;

/// What a decoder may take beside the pixels: tables, metadata, colour
/// profiles, one row of the output.
const OVERHEAD_BYTES: u64 = 64 << 20;

/// Widest pixel that a decoder gives: RGBA of 16 bits a sample.
const MAX_PIXEL_BYTES: u64 = 8;

/// Upright sRGB picture, 3 bytes a pixel, row by row.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels in a row; at least 1.
    pub width: u32,
    /// Rows; at least 1.
    pub height: u32,
    /// Red, green, blue of each pixel; `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

impl fmt::Debug for RgbImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RgbImage({} x {})", self.width, self.height)
    }
}

/// Decodes the picture in `bytes`, whatever their file is called; of several
/// (animations, pages) the first.
///
/// Colour profiles are not applied, as the models' own training pipelines do
/// not apply them.
///
/// # Errors
/// See [`DecodeError`]; every one is a fault of the file, not of the system.
pub fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<RgbImage, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let format = Format::of(bytes).ok_or(DecodeError::UnknownFormat)?;
    // Four of 1,543 hostile files made the decoders panic.
    panic::catch_unwind(|| decode_as(format, bytes, *limits))
        .unwrap_or(Err(DecodeError::Panicked { format }))
}

fn decode_as(format: Format, bytes: &[u8], limits: ImageLimits) -> Result<RgbImage, DecodeError> {
    if !complete::is_complete(format, bytes) {
        return Err(DecodeError::Truncated { format });
    }
    let task = Task { format, limits };
    let reader = Cursor::new(bytes);
    match format {
        Format::Jpeg => task.run(jpeg::JpegDecoder::new(reader)),
        Format::Png => {
            // The only decoder that takes its cap when it is made.
            let cap = task.memory_cap(png_size(bytes).ok_or(DecodeError::Truncated { format })?)?;
            task.run(png::PngDecoder::with_limits(reader, cap))
        }
        Format::WebP => task.run(webp::WebPDecoder::new(reader)),
        Format::Gif => task.run(gif::GifDecoder::new(reader)),
        Format::Bmp => task.run(bmp::BmpDecoder::new(reader)),
        Format::Tiff => task.run(tiff::TiffDecoder::new(reader)),
    }
}

/// Width and height of a PNG: its first chunk is the header.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let at = |start: usize| {
        let field = bytes.get(start..start + 4)?;
        Some(u32::from_be_bytes([field[0], field[1], field[2], field[3]]))
    };
    Some((at(16)?, at(20)?))
}

/// One picture on its way.
#[derive(Clone, Copy)]
struct Task {
    format: Format,
    limits: ImageLimits,
}

impl Task {
    fn run<D: ImageDecoder>(self, decoder: Result<D, ImageError>) -> Result<RgbImage, DecodeError> {
        let mut decoder = decoder.map_err(|error| self.fault(&error, OVERHEAD_BYTES))?;
        let (width, height) = decoder.dimensions();
        let cap = self.memory_cap((width, height))?;
        let max_bytes = cap.max_alloc.unwrap_or(u64::MAX);
        decoder
            .set_limits(cap)
            .map_err(|error| self.fault(&error, max_bytes))?;
        // Broken metadata do not spoil a picture.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let colour = decoder.color_type();
        let length = usize::try_from(decoder.total_bytes())
            .expect("the pixels were counted against the limit; this is a bug");
        let mut pixels = vec![0; length];
        decoder
            .read_image(&mut pixels)
            .map_err(|error| self.fault(&error, max_bytes))?;
        let pixels = colour::to_rgb(pixels, colour).ok_or(DecodeError::Unsupported {
            format: self.format,
            source: Report::new("its samples are floating-point numbers"),
        })?;
        let image = RgbImage {
            width,
            height,
            pixels,
        };
        Ok(orient::upright(image, orientation))
    }

    /// Checks the size in the header and derives from it what the decoder may
    /// allocate: its output, as much again to work with, and an overhead.
    fn memory_cap(self, (width, height): (u32, u32)) -> Result<Limits, DecodeError> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 {
            return Err(DecodeError::NoPixels { width, height });
        }
        let max_pixels = self.limits.max_pixels;
        if pixels > max_pixels {
            return Err(DecodeError::TooLarge {
                width,
                height,
                max_pixels,
            });
        }
        let mut cap = Limits::no_limits();
        cap.max_alloc = Some(
            pixels
                .saturating_mul(2 * MAX_PIXEL_BYTES)
                .saturating_add(OVERHEAD_BYTES),
        );
        Ok(cap)
    }

    fn fault(self, error: &ImageError, max_bytes: u64) -> DecodeError {
        DecodeError::from_decoder(self.format, error, max_bytes)
    }
}
