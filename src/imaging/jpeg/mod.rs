//! JPEG, to the bit as libjpeg-turbo decodes it, refused where its data breaks
//! off or is damaged.
//!
//! Baseline, extended and progressive Huffman coding of 8 bits a sample (ITU
//! T.81, processes SOF0, SOF1, SOF2). The standard leaves the rounding of the
//! inverse cosine transform and of the colours open, and says nothing on how
//! coarse chroma comes to full size; models are trained on what libjpeg-turbo
//! makes of it (Pillow, and with it every reference pipeline), and other
//! decoders' 6 of 255 cost up to 0.0006 of a vector's cosine. So it is done
//! here as there. The algorithms are of the Independent JPEG Group's library
//! and of libjpeg-turbo, whose files the modules name.
//!
//! A vector of half a picture is worse than none: data that end too early,
//! codes that do not exist, missing tables, restart markers out of turn and
//! progressive pictures that stay incomplete are refused. As in libjpeg, bytes
//! between segments, and behind the last unit of a scan, are passed over.
//!
//! Memory: three bytes a pixel for the result, and one row of units. Pictures
//! in more than one scan, progressive ones above all, take two bytes more for
//! each sample, of which a pixel has at most 3 (4 with inks).

mod bits;
mod colour;
mod fault;
mod frame;
mod huffman;
mod idct;
mod markers;
mod picture;
mod progressive;
mod rows;
mod scan;
mod sequential;
mod standard;
mod upsample;

use image::metadata::Orientation;

pub(super) use self::colour::Told;
use self::fault::Fault;
use self::picture::Picture;
use super::deadline::Deadline;
use super::decode::{RgbImage, check_size};
use super::error::{DecodeError, Report};
use super::{complete, orient};
use crate::catalog::Format;
use crate::config::ImageLimits;

/// Decodes a JPEG; of several in one file (multi-picture, gain maps) the first.
///
/// CMYK and YCCK become RGB without a profile, by Pillow's formula, on inks
/// stored inverted, as Adobe writes and Pillow reads them.
pub(super) fn decode(
    bytes: &[u8],
    limits: &ImageLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    decode_told(bytes, None, limits, deadline)
}

/// Decodes a JPEG whose components are what was `told`, if anything was.
pub(super) fn decode_told(
    bytes: &[u8],
    told: Option<Told>,
    limits: &ImageLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    if !complete::jpeg_has_end(bytes) {
        let format = Format::Jpeg;
        return Err(DecodeError::Truncated { format });
    }
    let picture = Picture::read(bytes, told).map_err(named)?;
    let (width, height) = picture.size();
    let side = |side| u32::try_from(side).expect("a side has 16 bits; this is a bug");
    let (width, height) = (side(width), side(height));
    check_size(width, height, limits)?;
    let orientation =
        Orientation::from_exif_chunk(picture.exif()).unwrap_or(Orientation::NoTransforms);
    let pixels = picture.pixels(deadline).map_err(named)?;
    let image = RgbImage {
        width,
        height,
        pixels,
    };
    Ok(orient::upright(image, orientation))
}

fn named(fault: Fault) -> DecodeError {
    let format = Format::Jpeg;
    let report = |reason: String| Report::new(&reason);
    match fault {
        // The caller says how late.
        Fault::Truncated | Fault::Late => DecodeError::Truncated { format },
        Fault::Unsupported(reason) => DecodeError::Unsupported {
            format,
            source: report(reason),
        },
        Fault::Malformed(reason) => DecodeError::Malformed {
            format,
            source: report(reason),
        },
    }
}

#[cfg(test)]
mod tests;
