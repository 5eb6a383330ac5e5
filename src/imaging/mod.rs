//! Pictures: bytes to upright pixels, and pixels to the tensor that a model
//! takes.
//!
//! [`decode()`] recognises the format by content, holds the header against
//! [`crate::config::ImageLimits`] before anything is allocated, refuses what is
//! truncated, turns the picture upright and puts it on white. [`Preprocess`]
//! resizes, crops and scales as the manifest's
//! [`Vision`](crate::model::Vision) says, to the bit as Pillow and numpy do.
//!
//! What becomes of odd pictures: truncated and damaged ones are refused, also
//! where Pillow fills up what a JPEG lacks; 16 bits are scaled, not cut off; of
//! animations, pages and several pictures in a file the first counts; alpha is
//! laid on white; profiles are not applied, and sRGB assumed, as the models' own
//! pipelines do. Sizes are held against the limits from the header, and a
//! decoder that takes too long runs out of bytes (`deadline.rs`).
//!
//! Pure: no file system, no globals, no logging. A picture that cannot be
//! decoded is a [`DecodeError`], never a panic: the decoders, JPEG's apart, are
//! third-party code fed with strangers' bytes, so their panics are caught. The process's
//! panic hook still runs first; the binaries keep it quiet there.

mod bitmap;
mod colour;
mod complete;
#[cfg(test)]
mod corpus;
mod deadline;
mod decode;
mod error;
#[cfg(test)]
mod fixtures;
mod geometry;
mod jpeg;
mod kernel;
mod orient;
mod preprocess;
mod resample;
mod thumbnail;
mod tiff;

pub use decode::{RgbImage, decode, is_decoding};
pub use error::{DecodeError, Report};
pub use preprocess::Preprocess;
pub use thumbnail::{Thumbnailer, to_jpeg, to_png};
