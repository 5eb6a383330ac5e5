//! Why a picture has no pixels.

use std::error::Error;
use std::io;

use image::ImageError;
use image::error::UnsupportedErrorKind;

use crate::catalog::{Format, HEIF_REMEDY};
use crate::entity::Hint;

/// Why bytes are not a picture that can be embedded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// None of the formats that are decoded.
    #[error("the content is not JPEG, PNG, WebP, GIF, BMP or TIFF")]
    UnknownFormat,
    /// AVIF or HEIC, whatever the file is called.
    #[error("AVIF and HEIC are not decoded")]
    Heif,
    /// The header asks for more than the limit; nothing was decoded.
    #[error("{width} x {height} pixels are more than the limit of {max_pixels}")]
    TooLarge {
        /// Width in the header.
        width: u32,
        /// Height in the header.
        height: u32,
        /// Most pixels allowed.
        max_pixels: u64,
    },
    /// One side is longer than what is resized; nothing was decoded.
    #[error("a side of {width} x {height} pixels is longer than {max_side}")]
    TooLong {
        /// Width in the header.
        width: u32,
        /// Height in the header.
        height: u32,
        /// Longest side allowed.
        max_side: u32,
    },
    /// The decoder asks for more memory than a picture of this size takes.
    #[error("the {} takes far more memory than a picture of its size should", name(*.format))]
    TooMuchMemory {
        /// What the file is.
        format: Format,
    },
    /// The decoder was not done in time.
    #[error("decoding the {} takes longer than {seconds} s", name(*.format))]
    TooSlow {
        /// What the file is.
        format: Format,
        /// Most seconds allowed.
        seconds: u64,
    },
    /// The header says zero pixels.
    #[error("the picture has no pixels ({width} x {height})")]
    NoPixels {
        /// Width in the header.
        width: u32,
        /// Height in the header.
        height: u32,
    },
    /// The file ends before its picture does.
    #[error("the {} is cut off: the file ends before the picture does", name(*.format))]
    Truncated {
        /// What the file is.
        format: Format,
    },
    /// A valid file of a kind that is not decoded.
    #[error("this kind of {} is not supported", name(*.format))]
    Unsupported {
        /// What the file is.
        format: Format,
        /// What the decoder said.
        source: Report,
    },
    /// Not what the format prescribes.
    #[error("the {} is damaged", name(*.format))]
    Malformed {
        /// What the file is.
        format: Format,
        /// What the decoder said.
        source: Report,
    },
    /// The decoder broke off with a panic.
    #[error("the {} decoder failed on this file", name(*.format))]
    Panicked {
        /// What the file is.
        format: Format,
    },
}

impl DecodeError {
    /// Sorts an error of the `image` crate.
    pub(super) fn from_image(format: Format, error: &ImageError) -> Self {
        let mut innermost: &dyn Error = error;
        while let Some(cause) = innermost.source() {
            innermost = cause;
        }
        let source = Report::new(&innermost.to_string());
        match error {
            ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Truncated { format }
            }
            _ if source.tells_of_the_end() => Self::Truncated { format },
            ImageError::Unsupported(error) => Self::Unsupported {
                format,
                source: match error.kind() {
                    UnsupportedErrorKind::GenericFeature(feature) => Report::new(&feature),
                    UnsupportedErrorKind::Color(colour) => {
                        Report::new(&format!("colour type {colour:?}"))
                    }
                    _ => source,
                },
            },
            ImageError::Limits(_) => Self::TooMuchMemory { format },
            _ => Self::Malformed { format, source },
        }
    }
}

impl Hint for DecodeError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooLarge { width, height, .. } => format!(
                "pass `--max-pixels {}` if the machine has the memory for it, or make the picture smaller",
                u64::from(*width) * u64::from(*height)
            ),
            Self::Empty | Self::Truncated { .. } | Self::Malformed { .. } => {
                "get the file again from where it came from, or save it anew with an image program"
                    .to_owned()
            }
            Self::Heif => HEIF_REMEDY.to_owned(),
            Self::UnknownFormat | Self::Unsupported { .. } | Self::Panicked { .. } => {
                "convert it to JPEG or to 8-bit PNG".to_owned()
            }
            Self::TooLong { .. } => "cut it into parts, or make it smaller".to_owned(),
            Self::TooSlow { seconds, .. } => format!(
                "pass `--max-decode-seconds {}` if the machine is slow, or save the picture anew",
                seconds.max(&1) * 10
            ),
            Self::TooMuchMemory { .. } | Self::NoPixels { .. } => return None,
        })
    }
}

/// What a decoder said, as its innermost cause: the layers above repeat it in
/// their own text, so a chain of them would show it two or three times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Report(String);

impl Report {
    /// Takes a decoder's words; some come in quotes or end in a new line.
    pub(super) fn new(text: &str) -> Self {
        Self(text.trim().trim_matches('"').to_owned())
    }

    /// Whether the decoder ran out of bytes: PNG, GIF and JPEG within TIFF have
    /// no other mark of it than these words.
    pub(super) fn tells_of_the_end(&self) -> bool {
        let text = self.0.to_ascii_lowercase();
        text == "unexpected end of file" || text == "premature end of buffer"
    }
}

/// The format's name in a sentence.
fn name(format: Format) -> &'static str {
    match format {
        Format::Jpeg => "JPEG",
        Format::Png => "PNG",
        Format::WebP => "WebP",
        Format::Gif => "GIF",
        Format::Bmp => "BMP",
        Format::Tiff => "TIFF",
    }
}

#[cfg(test)]
mod tests {
    use image::error::{DecodingError, ImageFormatHint};

    use super::*;

    #[test]
    fn each_layer_says_its_own_part_once() {
        let cause = io::Error::other("bad tree\n");
        let error = ImageError::Decoding(DecodingError::new(ImageFormatHint::Unknown, cause));
        let error = DecodeError::from_image(Format::WebP, &error);
        assert_eq!(error.to_string(), "the WebP is damaged");
        let cause = error.source().unwrap();
        assert_eq!(cause.to_string(), "bad tree");
        assert!(cause.source().is_none());
    }

    #[test]
    fn the_end_of_the_bytes_is_recognised() {
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        for error in [
            ImageError::IoError(end()),
            ImageError::Decoding(DecodingError::new(
                ImageFormatHint::Unknown,
                "Unexpected End of File",
            )),
        ] {
            let error = DecodeError::from_image(Format::Bmp, &error);
            assert!(matches!(error, DecodeError::Truncated { .. }), "{error:?}");
        }
    }
}
