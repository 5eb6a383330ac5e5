//! Why a picture has no pixels.

use std::error::Error;
use std::io;

use image::ImageError;

use crate::catalog::Format;
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
    /// The decoder needs more memory than a picture of this size may take.
    #[error("this {} needs more than {max_bytes} bytes of memory to decode", name(*.format))]
    TooMuchMemory {
        /// What the file is.
        format: Format,
        /// Most bytes allowed.
        max_bytes: u64,
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
    /// Sorts a decoder's error; `max_bytes` is the cap it worked under.
    pub(super) fn from_decoder(format: Format, error: &ImageError, max_bytes: u64) -> Self {
        if is_end_of_file(error) {
            return Self::Truncated { format };
        }
        let source = Report::of(error);
        match error {
            ImageError::Unsupported(_) => Self::Unsupported { format, source },
            ImageError::Limits(_) => Self::TooMuchMemory { format, max_bytes },
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
            Self::UnknownFormat | Self::Unsupported { .. } | Self::Panicked { .. } => {
                "convert it to JPEG or to 8-bit PNG".to_owned()
            }
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
    fn of(error: &ImageError) -> Self {
        let mut innermost: &dyn Error = error;
        while let Some(cause) = innermost.source() {
            innermost = cause;
        }
        Self(innermost.to_string().trim().to_owned())
    }

    /// A finding of our own.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
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

/// Whether the decoder ran out of bytes.
fn is_end_of_file(error: &ImageError) -> bool {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.kind() == io::ErrorKind::UnexpectedEof;
        }
        cause = error.source();
    }
    false
}
