//! Whole pictures: equal to Pillow's, or refused for the right reason.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::super::deadline::Deadline;
use super::super::fixtures::{bytes, manifest, number};
use super::fault::Fault;
use super::picture::Picture;

/// Most pixels that a damaged header may ask for here.
const MAX_PIXELS: usize = 1 << 20;

fn pixels(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let picture = Picture::read(bytes, None)?;
    let (width, height) = picture.size();
    if !(1..=MAX_PIXELS).contains(&(width * height)) {
        return Err(Fault::unsupported("not here"));
    }
    picture.pixels(Deadline::after(Duration::from_secs(60)))
}

fn fixture(file: &str) -> Vec<u8> {
    bytes(&format!("jpeg/{file}"))
}

fn files() -> Vec<String> {
    let entries = manifest("jpeg").into_iter();
    entries
        .map(|entry| entry["file"].as_str().unwrap().to_owned())
        .collect()
}

/// The fixture with its first `from` replaced by `to`.
fn edited(file: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let bytes = fixture(file);
    let at = bytes.windows(from.len()).position(|part| part == from);
    let at = at.unwrap_or_else(|| panic!("{file} has no {from:02x?}"));
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn every_pixel_is_as_pillow_reads_it() {
    for entry in manifest("jpeg") {
        let file = entry["file"].as_str().unwrap();
        let bytes = fixture(file);
        let size = Picture::read(&bytes, None).unwrap().size();
        let expected = (number(&entry["width"]), number(&entry["height"]));
        assert_eq!(size, (expected.0 as usize, expected.1 as usize), "{file}");
        let pixels = pixels(&bytes).unwrap_or_else(|fault| panic!("{file}: {fault:?}"));
        let digest = format!("{:x}", Sha256::digest(&pixels));
        assert_eq!(digest, entry["sha256"].as_str().unwrap(), "{file}");
    }
}

#[test]
fn a_picture_that_is_cut_off_is_never_half_decoded() {
    for file in files() {
        let whole = fixture(&file);
        let expected = pixels(&whole).unwrap();
        for length in (2..whole.len()).step_by(whole.len() / 40 + 1) {
            for end in [&b""[..], b"\xFF\xD9"] {
                if let Ok(found) = pixels(&[&whole[..length], end].concat()) {
                    assert!(found == expected, "{file} at {length} of {}", whole.len());
                }
            }
        }
    }
}

#[test]
fn processes_that_are_not_decoded_are_named() {
    for (marker, reason) in [
        (0xC3, "lossless coding"),
        (0xC5, "hierarchical coding"),
        (0xC9, "arithmetic coding"),
    ] {
        let bytes = edited("444-16x16.jpg", b"\xFF\xC0", &[0xFF, marker]);
        assert_eq!(pixels(&bytes), Err(Fault::unsupported(reason)));
    }
    for (from, to, reason) in [
        (
            &b"\xFF\xC0\0\x11\x08"[..],
            &b"\xFF\xC0\0\x11\x0C"[..],
            "12 bits a sample",
        ),
        (
            b"\x03\x01\x11\0\x02\x11",
            b"\x03\x01\x31\0\x02\x21",
            "sampling in fractions",
        ),
        (
            b"\xFF\xDD\0\x04\0\x03",
            b"\xFF\xDC\0\x04\0\x03",
            "the height is given behind the picture",
        ),
    ] {
        let file = if reason.starts_with("the height") {
            "444-restart.jpg"
        } else {
            "444-16x16.jpg"
        };
        let bytes = edited(file, from, to);
        assert_eq!(pixels(&bytes), Err(Fault::unsupported(reason)));
    }
}

/// Fixtures, what in them is replaced by what, and what is said of it.
const DAMAGE: &[(&str, &[u8], &[u8], &str)] = &[
    (
        "444-restart.jpg",
        b"\xFF\xD0",
        b"\xFF\xD1",
        "marker FFD1 in place of restart marker 0",
    ),
    (
        "444-restart.jpg",
        b"\xFF\xD1",
        b"\xFF\xC4",
        "marker FFC4 in place of restart marker 1",
    ),
    (
        "large.jpg",
        b"\xFF\xDB\0\x43\x01",
        b"\xFF\xFE\0\x43\x01",
        "a quantisation table is missing",
    ),
    (
        "large.jpg",
        b"\xFF\xC4\0\x1F\0",
        b"\xFF\xFE\0\x1F\0",
        "a Huffman table is missing",
    ),
    (
        "large.jpg",
        b"\xFF\xC4\0\x1F\0\0\x01\x05",
        b"\xFF\xC4\0\x1F\0\x05\x01\0",
        "an impossible Huffman table",
    ),
    (
        "large.jpg",
        b"\xFF\xC4\0\x1F\0",
        b"\xFF\xC4\0\x1F\x20",
        "a Huffman table of neither DC nor AC",
    ),
    (
        "large.jpg",
        b"\xFF\xDB\0\x43\x01",
        b"\xFF\xDB\0\x43\x04",
        "a fifth quantisation table",
    ),
    (
        "large.jpg",
        b"\xFF\xDB\0\x43\x01",
        b"\xFF\xDB\0\x43\x81",
        "quantisation of neither 8 nor 16 bits",
    ),
    (
        "large.jpg",
        b"\xFF\xDB\0\x43\x01",
        b"\xFF\xDB\0\x43\x11",
        "a DQT segment of a wrong length",
    ),
    (
        "large.jpg",
        b"\x03\x01\x22\0",
        b"\x03\x01\x52\0",
        "a sampling of 5 x 2",
    ),
    (
        "large.jpg",
        b"\xFF\xDA\0\x0C\x03\x01",
        b"\xFF\xDA\0\x0C\x03\x07",
        "component 7 of a scan is not in the frame",
    ),
    (
        "large.jpg",
        b"\xFF\xC0",
        b"\xFF\xFE",
        "a scan before its frame",
    ),
    (
        "large.jpg",
        b"\xFF\xC0",
        b"\xFF\xD9\xFF\xC0",
        "the picture ends before its first scan",
    ),
    (
        "large.jpg",
        b"\xFF\xC0",
        b"\xFF\xFE\0\x01\xFF\xC0",
        "a segment is shorter than its own length",
    ),
    (
        "coefficients-420-bands.jpg",
        b"\x01\x03\0\x01\x05\0",
        b"\x01\x03\0\x05\x01\0",
        "a progressive scan of coefficients 5 to 1, bits 0 to 0",
    ),
    (
        "coefficients-420-bands.jpg",
        b"\x01\x03\0\x01\x05\0",
        b"\x01\x03\0\x01\x05\x21",
        "a progressive scan out of order",
    ),
];

#[test]
fn damage_is_refused_with_a_reason() {
    for &(file, from, to, reason) in DAMAGE {
        let damaged = edited(file, from, to);
        assert_eq!(
            pixels(&damaged),
            Err(Fault::malformed(reason)),
            "{file}: {to:02x?}"
        );
    }
}

#[test]
fn oddities_that_libjpeg_lets_pass_do_no_harm() {
    let whole = fixture("large.jpg");
    let expected = pixels(&whole);
    for to in [
        &b"\xFF\xFF\xFF\xC0"[..],
        b"\0\0\0\xFF\xC0",
        b"\xFF\xFE\0\x04hi\xFF\xC0",
        b"\xFF\x01\xFF\xC0",
    ] {
        assert_eq!(pixels(&edited("large.jpg", b"\xFF\xC0", to)), expected);
    }
    let with_a_tail = [&whole, &b"<?php ?>"[..]].concat();
    assert_eq!(pixels(&with_a_tail), expected);
    let filled = edited("444-restart.jpg", b"\xFF\xD1", b"\xFF\xFF\xD1");
    assert_eq!(pixels(&filled), pixels(&fixture("444-restart.jpg")));
}

#[test]
fn notes_are_read_in_the_order_of_their_segments() {
    let exif = b"\xFF\xE1\0\x0AExif\0\0AB\xFF\xE1\0\x09Exif\0\0C\xFF\xE1\0\x04no\xFF\xC0";
    let bytes = edited("large.jpg", b"\xFF\xC0", exif);
    assert_eq!(Picture::read(&bytes, None).unwrap().exif(), b"ABC");
}

#[test]
fn frames_of_motion_jpegs_need_no_huffman_tables() {
    let whole = fixture("large.jpg");
    let mut without = Vec::new();
    let mut at = 0;
    while let Some(next) = whole[at..].windows(2).position(|pair| pair == b"\xFF\xC4") {
        without.extend_from_slice(&whole[at..at + next]);
        at += next + 2;
        at += usize::from(u16::from_be_bytes([whole[at], whole[at + 1]]));
    }
    without.extend_from_slice(&whole[at..]);
    let reason = Fault::malformed("a Huffman table is missing");
    assert_eq!(pixels(&without), Err(reason));
    let video = [b"\xFF\xD8\xFF\xE0\0\x06AVI1", &without[2..]].concat();
    assert_eq!(pixels(&video), pixels(&whole));
}

/// Where the scans of a picture begin.
fn scans(bytes: &[u8]) -> Vec<usize> {
    let pairs = bytes.windows(2).enumerate();
    let scans = pairs.filter(|(_, pair)| pair == b"\xFF\xDA");
    scans.map(|(at, _)| at).collect()
}

#[test]
fn a_progressive_picture_that_stays_incomplete_is_refused() {
    for file in [
        "coefficients-420-bands.jpg",
        "420-progressive.jpg",
        "grey-progressive.jpg",
    ] {
        let whole = fixture(file);
        for end in &scans(&whole)[1..] {
            let part = [&whole[..*end], b"\xFF\xD9"].concat();
            let reason = "the scans end before the picture is whole";
            assert_eq!(pixels(&part), Err(Fault::malformed(reason)), "{file}");
        }
    }
    let apart = fixture("coefficients-420-apart.jpg");
    let part = [&apart[..scans(&apart)[2]], b"\xFF\xD9"].concat();
    assert!(matches!(pixels(&part), Err(Fault::Malformed(_))));
}

#[test]
fn thousands_of_scans_are_not_gone_through() {
    let whole = fixture("coefficients-420-bands.jpg");
    let [first, second, ..] = scans(&whole)[..] else {
        panic!("it has seven")
    };
    let repeated = |times: usize| {
        let scan = whole[first..second].repeat(times);
        [&whole[..first], &scan, &whole[second..]].concat()
    };
    assert_eq!(pixels(&repeated(94)), pixels(&whole));
    let reason = "more than 100 scans";
    assert_eq!(pixels(&repeated(95)), Err(Fault::malformed(reason)));
}

fn no_harm(bytes: &[u8]) {
    let start = Instant::now();
    // What comes out does not matter.
    drop(pixels(bytes));
    assert!(start.elapsed() < Duration::from_secs(20));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_whatever_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..300)) {
        no_harm(&[b"\xFF\xD8\xFF", &tail[..]].concat());
    }

    #[test]
    fn no_damage_makes_it_panic(
        file in prop::sample::select(files()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 1..6),
    ) {
        let mut bytes = fixture(&file);
        for (at, edit, byte) in edits {
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        no_harm(&bytes);
    }
}

#[test]
fn an_adobe_transform_that_nobody_defined_is_ycck() {
    let ycck = bytes("images/ycck.jpg");
    let adobe = ycck.windows(5).position(|part| part == b"Adobe").unwrap();
    assert_eq!(ycck[adobe + 11], 2);
    let whole = pixels(&ycck).unwrap();
    for transform in [1, 3, 255] {
        let mut other = ycck.clone();
        other[adobe + 11] = transform;
        assert!(pixels(&other).unwrap() == whole, "transform {transform}");
    }
}
