//! A program, not a suite: decodes every file below a folder and says how each
//! ended, one JSON object a line; `tests/hostile/run.py` judges the lines.
//! Without a folder it decodes 16 bombs, and looks at the memory that they took.
//!
//! It ends by itself or not at all: a crash, a hang or a leak of a decoder is
//! one of this process, and shows.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of the tests"
)]

use std::path::Path;
use std::time::Instant;

use milvus_image_search::config::ImageLimits;
use milvus_image_search::imaging::{DecodeError, decode};
use serde_json::json;
use walkdir::WalkDir;

fn main() {
    let mut folders = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let Some(root) = folders.next() else {
        return bombs();
    };
    std::panic::set_hook(Box::new(|_| {}));
    let mut entries: Vec<_> = WalkDir::new(&root)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.strip_prefix(&root).unwrap_or(&path);
        println!("{}", outcome(&path, name));
    }
}

/// What the process may hold after 16 bombs that ask for gigabytes each.
const MOST_KIB: u64 = 64 << 10;

/// Headers of pictures that are too large, in every format.
fn bombs() {
    let before = memory();
    let mut count = 0;
    for side in [20_000_u16, 65_500] {
        let (little, big) = (side.to_le_bytes(), side.to_be_bytes());
        let wide_little = u32::from(side).to_le_bytes();
        let wide_big = u32::from(side).to_be_bytes();
        let canvas = (u32::from(side) - 1).to_le_bytes();
        let png = |kind: u8| {
            let start = b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR";
            [
                &start[..],
                &wide_big,
                &wide_big,
                &[8, kind, 0, 0, 0],
                &[0; 60],
            ]
            .concat()
        };
        let bmp = |bits: u8| {
            let start = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0";
            let rest = [1, 0, bits, 0];
            [&start[..], &wide_little, &wide_little, &rest, &[0; 1200]].concat()
        };
        let frame = b"\xFF\xD8\xFF\xC0\0\x0B\x08";
        let scan = b"\x01\x01\x11\0\xFF\xDA\0\x08\x01\x01\0\0\x3F\0\0\0\xFF\xD9";
        let gif = b"\0\0\0\x2C\0\0\0\0\x01\0\x01\0\0\x02\0;";
        let webp = b"RIFF\x1E\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0";
        for bomb in [
            png(0),
            png(2),
            png(6),
            bmp(24),
            bmp(8),
            tiff(wide_little),
            [&frame[..], &big, &big, scan].concat(),
            [&b"GIF89a"[..], &little, &little, gif].concat(),
            [&webp[..], &canvas[..3], &canvas[..3], &[0; 16]].concat(),
        ] {
            let error = decode(&bomb, &ImageLimits::default()).unwrap_err();
            let head = String::from_utf8_lossy(&bomb[..4]).into_owned();
            let is_webp = head == "RIFF";
            let is_refused = matches!(error, DecodeError::TooLarge { .. });
            assert!(is_refused || is_webp, "{head:?}: {}", chain(&error));
            count += 1;
        }
    }
    assert!(count >= 16, "{count} bombs");
    if let (Some([most, _]), Some([start, _])) = (memory(), before) {
        assert!(most < MOST_KIB, "{most} KiB, {start} before");
        println!("{count} bombs refused, {most} KiB at most");
    }
}

/// The first directory of a grey TIFF.
fn tiff(side: [u8; 4]) -> Vec<u8> {
    let entry =
        |tag: u16, value: [u8; 4]| [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value].concat();
    [
        b"II\x2A\0\x08\0\0\0\x06\0".to_vec(),
        entry(256, side),
        entry(257, side),
        entry(258, [8, 0, 0, 0]),
        entry(262, [1, 0, 0, 0]),
        entry(273, [8, 0, 0, 0]),
        entry(279, [8, 0, 0, 0]),
        vec![0; 8],
    ]
    .concat()
}

fn outcome(path: &Path, name: &Path) -> serde_json::Value {
    let bytes = std::fs::read(path).unwrap();
    let start = Instant::now();
    let result = decode(&bytes, &ImageLimits::default());
    let seconds = start.elapsed().as_secs_f64();
    let memory = memory();
    let file = name.to_string_lossy();
    match result {
        Ok(image) => json!({
            "file": file, "outcome": "embed", "width": image.width, "height": image.height,
            "seconds": seconds, "memory": memory,
            "mean": mean(&image.pixels),
        }),
        Err(error) => json!({
            "file": file, "outcome": "reject", "reason": chain(&error),
            "seconds": seconds, "memory": memory,
        }),
    }
}

/// Mean of each channel, to compare with another decoder's.
fn mean(pixels: &[u8]) -> [f64; 3] {
    let mut sums = [0_u64; 3];
    for pixel in pixels.chunks_exact(3) {
        for (sum, byte) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(*byte);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    sums.map(|sum| sum as f64 / (pixels.len() / 3) as f64)
}

/// Most memory that this process ever held, and what it holds now, in KiB.
fn memory() -> Option<[u64; 2]> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some([field("VmHWM:")?, field("VmRSS:")?])
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
