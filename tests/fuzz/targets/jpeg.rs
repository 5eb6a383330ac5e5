//! Any bytes as a JPEG, which our own decoder reads: no panic passes here.

#![no_main]

use std::time::Duration;

use fuzz::within;
use libfuzzer_sys::{Corpus, fuzz_target};
use milvus_image_search::catalog::Format;
use milvus_image_search::config::ImageLimits;
use milvus_image_search::imaging::{DecodeError, decode};

const MAX_PIXELS: usize = 1 << 18;

const LIMITS: ImageLimits = ImageLimits {
    max_file_bytes: 1 << 20,
    max_pixels: MAX_PIXELS as u64,
    max_decode: Duration::from_secs(2),
};

/// Two bytes for each of at most four samples of a pixel, up to a whole unit of
/// 32 x 32 of them, three for the result, and three more to turn it upright.
fn most_bytes(input: usize) -> usize {
    16 * MAX_PIXELS + (4 << 20) + 4 * input
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    if Format::of(bytes) != Some(Format::Jpeg) {
        return Corpus::Reject;
    }
    match within(most_bytes(bytes.len()), || decode(bytes, &LIMITS)) {
        Ok(image) => {
            let pixels = image.width as usize * image.height as usize;
            assert!((1..=MAX_PIXELS).contains(&pixels), "{image:?}");
            assert_eq!(image.pixels.len(), pixels * 3, "{image:?}");
        }
        Err(error) => assert!(!matches!(error, DecodeError::Panicked { .. }), "{error}"),
    }
    Corpus::Keep
});
