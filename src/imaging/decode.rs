//! Bytes to upright RGB pixels.

use std::cell::Cell;
use std::fmt;
use std::panic::{self, UnwindSafe};

use image::codecs::{bmp, gif, png, webp};
use image::metadata::Orientation;
use image::{ImageDecoder, ImageError, Limits};

use super::deadline::{Deadline, TimedReader};
use super::error::{DecodeError, Report};
use super::{bitmap, colour, complete, jpeg, orient, tiff};
use crate::catalog::{Format, is_heif};
use crate::config::ImageLimits;

/// Longest side of a picture. Most formats end there themselves; a PNG of
/// 200,000,000 x 1 would pass for its pixels, and then take gigabytes of
/// weights to resize.
const MAX_SIDE: u32 = 65_535;

/// What a decoder may take beside the pixels: tables, metadata, colour
/// profiles, one row of the output.
pub(super) const OVERHEAD_BYTES: u64 = 64 << 20;

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
    let format = match Format::of(bytes) {
        Some(format) => format,
        None if is_heif(bytes) => return Err(DecodeError::Heif),
        None => return Err(DecodeError::UnknownFormat),
    };
    let deadline = Deadline::after(limits.max_decode);
    let image = guard(format, || decode_as(format, bytes, limits, deadline));
    if deadline.has_passed() {
        let seconds = limits.max_decode.as_secs();
        return Err(DecodeError::TooSlow { format, seconds });
    }
    image
}

/// Turns a decoder's panic into an error. (Four of 1,543 hostile files made the
/// `image` crate panic, on tiled planar TIFF.)
fn guard(
    format: Format,
    work: impl FnOnce() -> Result<RgbImage, DecodeError> + UnwindSafe,
) -> Result<RgbImage, DecodeError> {
    DECODING.set(true);
    let result = panic::catch_unwind(work);
    DECODING.set(false);
    result.unwrap_or(Err(DecodeError::Panicked { format }))
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a decoder, whose panic is caught: a panic
/// hook may stay silent then.
pub fn is_decoding() -> bool {
    DECODING.get()
}

fn decode_as(
    format: Format,
    bytes: &[u8],
    limits: &ImageLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let reader = TimedReader::new(bytes, deadline);
    let task = Task { format, limits };
    match format {
        Format::Jpeg => jpeg::decode(bytes, limits, deadline),
        Format::Png => {
            // The only decoder that takes its cap when it is made.
            let (width, height) = png_size(bytes).ok_or(DecodeError::Truncated { format })?;
            let cap = memory_cap(check_size(width, height, limits)?);
            task.run(png::PngDecoder::with_limits(reader, cap))
        }
        Format::WebP => {
            let chunks = complete::webp_chunks(bytes).ok_or(DecodeError::Truncated { format })?;
            if complete::webp_has_larger_frame(chunks) {
                return Err(DecodeError::Malformed {
                    format,
                    source: Report::new("a frame is larger than the picture"),
                });
            }
            task.run(webp::WebPDecoder::new(TimedReader::new(chunks, deadline)))
        }
        Format::Gif => task.run(gif::GifDecoder::new(reader)),
        Format::Bmp => {
            // The decoder has limits of its own, and other words for them.
            if let Some((width, height)) = bitmap::size(bytes) {
                check_size(width, height, limits)?;
            }
            match bitmap::rewritten(bytes) {
                None => task.run(bmp::BmpDecoder::new(reader)),
                Some((copy, is_flipped)) => {
                    let reader = TimedReader::new(&copy, deadline);
                    let image = task.run(bmp::BmpDecoder::new(reader))?;
                    Ok(if is_flipped {
                        orient::upright(image, Orientation::FlipVertical)
                    } else {
                        image
                    })
                }
            }
        }
        Format::Tiff => tiff::decode(bytes, limits, deadline),
    }
}

/// Width and height of a PNG: its first chunk is the header.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let at = |start: usize| {
        let field = bytes.get(start..)?.first_chunk()?;
        Some(u32::from_be_bytes(*field))
    };
    Some((at(16)?, at(20)?))
}

/// Holds the size in a header against the limits, before anything of that size
/// is allocated. Returns the number of pixels.
pub(super) fn check_size(
    width: u32,
    height: u32,
    limits: &ImageLimits,
) -> Result<usize, DecodeError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(DecodeError::NoPixels { width, height });
    }
    if pixels > limits.max_pixels {
        return Err(DecodeError::TooLarge {
            width,
            height,
            max_pixels: limits.max_pixels,
        });
    }
    if width.max(height) > MAX_SIDE {
        return Err(DecodeError::TooLong {
            width,
            height,
            max_side: MAX_SIDE,
        });
    }
    Ok(usize::try_from(pixels).expect("65535 x 65535 is below 2^32; this is a bug"))
}

/// What a decoder may allocate for a picture of that many pixels: its output,
/// as much again to work with, and an overhead.
fn memory_cap(pixels: usize) -> Limits {
    let mut cap = Limits::no_limits();
    cap.max_alloc = Some(2 * MAX_PIXEL_BYTES * pixels as u64 + OVERHEAD_BYTES);
    cap
}

/// One picture on its way through a decoder of the `image` crate.
#[derive(Clone, Copy)]
struct Task<'a> {
    format: Format,
    limits: &'a ImageLimits,
}

impl Task<'_> {
    fn run<D: ImageDecoder>(self, decoder: Result<D, ImageError>) -> Result<RgbImage, DecodeError> {
        let format = self.format;
        let fault = |error: ImageError| DecodeError::from_image(format, &error);
        let mut decoder = decoder.map_err(fault)?;
        let (width, height) = decoder.dimensions();
        let count = check_size(width, height, self.limits)?;
        decoder.set_limits(memory_cap(count)).map_err(fault)?;
        // Broken metadata do not spoil a picture.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let colour = decoder.color_type();
        let mut raw = vec![0; count * usize::from(colour.bytes_per_pixel())];
        decoder.read_image(&mut raw).map_err(fault)?;
        let pixels = colour::to_rgb(raw, colour).ok_or(DecodeError::Unsupported {
            format,
            source: Report::new("its samples are floating-point numbers"),
        })?;
        let image = RgbImage {
            width,
            height,
            pixels,
        };
        Ok(orient::upright(image, orientation))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{bytes, manifest, number};
    use super::*;
    use crate::entity::Hint;

    fn outcome(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
        decode(bytes, &ImageLimits::default())
    }

    #[test]
    fn every_fixture_ends_as_its_manifest_says() {
        for entry in manifest("images") {
            let file = entry["file"].as_str().unwrap();
            let found = outcome(&bytes(&format!("images/{file}")));
            if entry["outcome"] == "reject" {
                found.expect_err(file);
                continue;
            }
            let image = found.unwrap_or_else(|error| panic!("{file}: {error}"));
            let size = (number(&entry["width"]), number(&entry["height"]));
            assert_eq!((image.width, image.height), size, "{file}");
            assert_eq!(
                image.pixels.len() as u64,
                u64::from(size.0) * u64::from(size.1) * 3
            );
            for probe in entry["probes"].as_array().unwrap() {
                let at = (number(&probe[1]) * image.width + number(&probe[0])) as usize * 3;
                for (channel, byte) in image.pixels[at..at + 3].iter().enumerate() {
                    let off = number(&probe[2][channel]).abs_diff(u32::from(*byte));
                    assert!(off <= number(&probe[3]), "{file}, {probe}: {byte}");
                }
            }
        }
    }

    #[test]
    fn the_reason_for_a_refusal_is_the_right_one() {
        let refuse_bytes = |bytes: &[u8]| outcome(bytes).unwrap_err();
        let refuse = |file: &str| refuse_bytes(&bytes(&format!("images/{file}")));
        assert!(matches!(refuse("empty.jpg"), DecodeError::Empty));
        assert!(matches!(
            refuse("text-named.jpg"),
            DecodeError::UnknownFormat
        ));
        let phone = refuse_bytes(b"\0\0\0\x18ftypheic\0\0\0\0");
        assert!(matches!(phone, DecodeError::Heif));
        assert!(phone.hint().unwrap().contains("heif-convert"));
        for file in ["truncated.jpg", "header-only.jpg", "truncated.png"] {
            assert!(
                matches!(refuse(file), DecodeError::Truncated { .. }),
                "{file}"
            );
        }
        let bomb = refuse("bomb.png");
        assert!(matches!(bomb, DecodeError::TooLarge { .. }));
        assert_eq!(
            bomb.to_string(),
            "30000 x 30000 pixels are more than the limit of 200000000"
        );
        assert!(bomb.hint().unwrap().contains("`--max-pixels 900000000`"));
    }

    #[test]
    fn the_header_is_held_against_the_limit() {
        for file in [
            "rgb.jpg",
            "rgb.png",
            "lossy.webp",
            "animated.gif",
            "rgb.bmp",
            "rgb.tiff",
        ] {
            let bytes = bytes(&format!("images/{file}"));
            let limits = ImageLimits {
                max_pixels: 1000,
                ..ImageLimits::default()
            };
            let error = decode(&bytes, &limits).unwrap_err();
            assert!(
                matches!(error, DecodeError::TooLarge { .. }),
                "{file}: {error}"
            );
        }
        let limits = ImageLimits::default();
        assert!(matches!(
            check_size(65_536, 1, &limits),
            Err(DecodeError::TooLong { .. })
        ));
        assert!(matches!(
            check_size(0, 7, &limits),
            Err(DecodeError::NoPixels { .. })
        ));
        assert_eq!(check_size(65_535, 2, &limits).unwrap(), 131_070);
    }

    #[test]
    fn a_file_that_is_cut_off_is_refused_or_whole() {
        for entry in manifest("images") {
            let file = entry["file"].as_str().unwrap();
            let bytes = bytes(&format!("images/{file}"));
            let Ok(whole) = outcome(&bytes) else {
                continue;
            };
            for length in (0..bytes.len()).step_by(bytes.len() / 25 + 1) {
                if let Ok(image) = outcome(&bytes[..length]) {
                    assert!(image == whole, "{file} at {length} of {}", bytes.len());
                }
            }
        }
    }

    #[test]
    fn damaged_jpegs_are_refused_rather_than_filled_up() {
        let mut bytes = bytes("images/rgb.jpg");
        let middle = bytes.len() / 2;
        bytes[middle..middle + 2].copy_from_slice(&[0xFF, 0xC4]);
        let error = outcome(&bytes).unwrap_err();
        assert!(matches!(error, DecodeError::Malformed { .. }), "{error}");
    }

    #[test]
    fn a_panic_of_a_decoder_is_an_error() {
        let error = guard(Format::Tiff, || panic!("inside the decoder")).unwrap_err();
        assert_eq!(error.to_string(), "the TIFF decoder failed on this file");
    }

    proptest! {
        #[test]
        fn no_bytes_whatever_make_it_panic(
            magic in 0..6usize, tail in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let magic: &[u8] = [
                &b"\xFF\xD8\xFF"[..],
                b"\x89PNG\r\n\x1a\n",
                b"RIFF\x40\0\0\0WEBP",
                b"GIF89a",
                b"BM\0\0\0\0\0\0\0\0",
                b"II\x2A\0",
            ][magic];
            // What comes out does not matter.
            drop(outcome(&[magic, &tail].concat()));
        }
    }
}
