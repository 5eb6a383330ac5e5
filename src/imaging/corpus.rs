//! Tests on `tests/fixtures/bad`: broken, odd and malicious files.

use std::time::{Duration, Instant};

use super::fixtures::{bytes, manifest};
use super::{DecodeError, decode};
use crate::config::ImageLimits;
use crate::entity::Hint;

/// The variant's name, which the manifest gives as the reason.
fn reason(error: &DecodeError) -> String {
    let text = format!("{error:?}");
    let end = text.find(|letter: char| !letter.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

#[test]
fn every_file_ends_as_the_manifest_says() {
    let mut wrong = Vec::new();
    for entry in manifest("bad") {
        let file = entry["file"].as_str().unwrap();
        let start = Instant::now();
        let found = decode(&bytes(&format!("bad/{file}")), &ImageLimits::default());
        assert!(start.elapsed() < Duration::from_secs(30), "{file} is slow");
        let expected = entry["reason"].as_str().unwrap_or("embed");
        let found = found.map_or_else(|error| reason(&error), |_| "embed".to_owned());
        if found != expected {
            wrong.push(format!("{file}: {found}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_lies_there_that_the_manifest_does_not_list() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad");
    let listed = manifest("bad");
    let files = walkdir::WalkDir::new(&root).into_iter();
    let files = files
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file());
    let mut count = 0;
    for file in files {
        let name = file.path().strip_prefix(&root).unwrap().to_str().unwrap();
        if name == "manifest.json" || name.starts_with("licences/") {
            continue;
        }
        assert!(listed.iter().any(|entry| entry["file"] == name), "{name}");
        count += 1;
    }
    assert_eq!(count, listed.len());
}

#[test]
fn a_decoder_out_of_time_refuses_its_file() {
    let limits = ImageLimits {
        max_decode: Duration::ZERO,
        ..ImageLimits::default()
    };
    for file in [
        "rgb.jpg",
        "progressive.jpg",
        "rgb.png",
        "lossy.webp",
        "animated.gif",
        "rgb.bmp",
        "rgb.tiff",
    ] {
        let error = decode(&bytes(&format!("images/{file}")), &limits).unwrap_err();
        assert_eq!(reason(&error), "TooSlow", "{file}");
        assert!(
            error.hint().unwrap().contains("--max-decode-seconds 10"),
            "{file}"
        );
    }
}
