//! Any bytes as a picture that is no JPEG: third-party decoders inside our
//! barrier, and our own reading of TIFF and BMP.

#![no_main]

use std::time::Duration;

use fuzz::{tell_apart, within};
use libfuzzer_sys::{Corpus, fuzz_target};
use milvus_image_search::catalog::Format;
use milvus_image_search::config::ImageLimits;
use milvus_image_search::imaging::decode;

const LIMITS: ImageLimits = ImageLimits {
    max_file_bytes: 1 << 20,
    max_pixels: 1 << 18,
    max_decode: Duration::from_secs(2),
};

/// A decoder may take 64 MiB beside two copies of its widest pixels; that of TIFF
/// reserves up to 256 MiB for a tag, of which it fills what the file has.
const MOST_BYTES: usize = (128 + 256) << 20;

fuzz_target!(init: tell_apart(), |bytes: &[u8]| -> Corpus {
    if Format::of(bytes) == Some(Format::Jpeg) {
        return Corpus::Reject;
    }
    if let Ok(image) = within(MOST_BYTES, || decode(bytes, &LIMITS)) {
        let pixels = image.width as usize * image.height as usize;
        assert!((1..=1 << 18).contains(&pixels), "{image:?}");
        assert_eq!(image.pixels.len(), pixels * 3, "{image:?}");
    }
    Corpus::Keep
});
