//! What the tests of this room share: the pictures in `tests/fixtures`.

use std::path::Path;

use serde_json::Value;

use super::{RgbImage, decode};
use crate::config::ImageLimits;
use crate::model::{Channels, Filter, Layout, Resize, Rounding, Vision};

pub(super) fn bytes(path: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let path = root.join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn picture(path: &str) -> RgbImage {
    decode(&bytes(path), &ImageLimits::default()).unwrap()
}

/// The entries of `FOLDER/manifest.json`.
pub(super) fn manifest(folder: &str) -> Vec<Value> {
    serde_json::from_slice(&bytes(&format!("{folder}/manifest.json"))).unwrap()
}

pub(super) fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

/// Some picture without a pattern.
pub(super) fn noise(width: u32, height: u32, seed: u32) -> RgbImage {
    let mut state = seed | 1;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    let length = width as usize * height as usize * 3;
    RgbImage {
        width,
        height,
        pixels: std::iter::repeat_with(byte).take(length).collect(),
    }
}

/// RGB bytes as floats, row by row.
pub(super) fn plain(width: u32, height: u32, resize: Resize) -> Vision {
    Vision {
        width,
        height,
        layout: Layout::Nhwc,
        channels: Channels::Rgb,
        resize,
        divide_by: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        onnx: None,
        dense: None,
    }
}

/// Shortest side to `edge` by the bicubic kernel.
pub(super) fn shortest(edge: u32, long_side: Rounding, crop_offset: Rounding) -> Resize {
    Resize::ShortestEdge {
        edge,
        filter: Filter::Bicubic,
        long_side,
        crop_offset,
    }
}
