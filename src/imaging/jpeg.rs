//! JPEG, refused where its data breaks off or is damaged.
//!
//! `image`'s own JPEG decoder is the same library with its checks off: what is
//! missing becomes grey, and nobody is told. A vector of half a picture is
//! worse than none. Strict from the first scan on; before that, the oddities
//! that cameras leave between headers are let pass.

use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::{ZByteIoError, ZCursor};
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::decode::{RgbImage, check_size};
use super::error::{DecodeError, Report};
use super::{complete, orient};
use crate::catalog::Format;
use crate::config::ImageLimits;

/// Decodes a JPEG; of several in one file (multi-picture, gain maps) the first.
///
/// CMYK and YCCK become RGB without a profile, `(ink * black) / 255` on inks
/// stored inverted, as Adobe writes and Pillow reads them.
pub(super) fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<RgbImage, DecodeError> {
    if !complete::jpeg_has_end(bytes) {
        let format = Format::Jpeg;
        return Err(DecodeError::Truncated { format });
    }
    let side = usize::from(u16::MAX);
    let lenient = DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .set_strict_mode(false)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), lenient);
    decoder.decode_headers().map_err(|error| fault(&error))?;
    let (width, height) = decoder
        .info()
        .map(|info| (u32::from(info.width), u32::from(info.height)))
        .expect("the headers are decoded; this is a bug");
    let pixels = check_size(width, height, limits)?;
    let orientation = decoder
        .exif()
        .and_then(|exif| Orientation::from_exif_chunk(exif))
        .unwrap_or(Orientation::NoTransforms);
    decoder.set_options(lenient.set_strict_mode(true));
    let mut rgb = vec![0; pixels * 3];
    decoder
        .decode_into(&mut rgb)
        .map_err(|error| fault(&error))?;
    let image = RgbImage {
        width,
        height,
        pixels: rgb,
    };
    Ok(orient::upright(image, orientation))
}

fn fault(error: &DecodeErrors) -> DecodeError {
    let format = Format::Jpeg;
    let source = Report::new(&error.to_string());
    match error {
        DecodeErrors::ExhaustedData
        | DecodeErrors::IoErrors(
            ZByteIoError::NotEnoughBytes(..) | ZByteIoError::NotEnoughBuffer(..),
        ) => DecodeError::Truncated { format },
        _ if source.tells_of_the_end() => DecodeError::Truncated { format },
        DecodeErrors::Unsupported(_) => DecodeError::Unsupported { format, source },
        _ => DecodeError::Malformed { format, source },
    }
}
