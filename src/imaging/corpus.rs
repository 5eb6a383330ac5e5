//! Tests on `tests/fixtures/bad`: broken, odd and malicious files.

use std::time::{Duration, Instant};

use image::metadata::Orientation;

use super::fixtures::{bytes, manifest};
use super::{DecodeError, decode, orient};
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
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    let mut count = 0;
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
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

/// The fixture of orientation 6 with another one: of JPEG and WebP the bytes
/// alone, of PNG the chunk's checksum too.
fn turned(file: &str, orientation: u8) -> Vec<u8> {
    let mut bytes = bytes(&format!("images/{file}"));
    let little = b"\x12\x01\x03\0\x01\0\0\0\x06\0";
    let big = b"\x01\x12\0\x03\0\0\0\x01\0\x06";
    let tag = bytes
        .windows(10)
        .position(|part| part == little || part == big);
    let tag = tag.unwrap_or_else(|| panic!("{file} has no orientation"));
    let value = if bytes[tag] == 0x12 { tag + 8 } else { tag + 9 };
    bytes[value] = orientation;
    if let Some(chunk) = bytes.windows(4).position(|part| part == b"eXIf") {
        let length = u32::from_be_bytes(*bytes[chunk - 4..].first_chunk().unwrap());
        let end = chunk + 4 + length as usize;
        let sum = crc(&bytes[chunk..end]).to_be_bytes();
        bytes[end..end + 4].copy_from_slice(&sum);
    }
    bytes
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum))
    })
}

#[test]
fn every_format_is_turned_upright_by_all_eight_orientations() {
    for file in [
        "orientation-6.jpg",
        "orientation-6.png",
        "orientation-6.webp",
        "orientation-6.tiff",
    ] {
        let read = |value| decode(&turned(file, value), &ImageLimits::default()).unwrap();
        let stored = read(1);
        for value in 1..=8 {
            let expected = Orientation::from_exif(value).unwrap();
            let expected = orient::upright(stored.clone(), expected);
            assert!(read(value) == expected, "{file}, orientation {value}");
        }
    }
}
