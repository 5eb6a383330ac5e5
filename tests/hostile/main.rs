//! A program, not a suite: decodes every file below a folder and says how each
//! ended, one JSON object a line; `tests/hostile/run.py` judges the lines. Into
//! a second folder it writes the pixels of every TIFF, three bytes each.
//! Without a folder it decodes bombs, and looks at the memory that they took.
//!
//! It ends by itself or not at all: a crash, a hang or a leak of a decoder is
//! one of this process, and shows.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of the tests"
)]

mod bombs;

use std::path::Path;
use std::time::Instant;

use milvus_image_search::catalog::Format;
use milvus_image_search::config::ImageLimits;
use milvus_image_search::imaging::{DecodeError, decode};
use serde_json::json;
use walkdir::WalkDir;

fn main() {
    let mut folders = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let Some(root) = folders.next() else {
        return refuse_bombs();
    };
    std::panic::set_hook(Box::new(|_| {}));
    let mut entries: Vec<_> = WalkDir::new(&root)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect();
    entries.sort();
    let pixels = folders.next();
    for path in entries {
        let name = path.strip_prefix(&root).unwrap_or(&path);
        println!("{}", outcome(&path, name, pixels.as_deref().map(Path::new)));
    }
}

/// What the process may hold after bombs that ask for gigabytes each.
const MOST_KIB: u64 = 64 << 10;

/// Headers of pictures that are too large, in every format.
fn refuse_bombs() {
    let before = memory();
    let bombs = bombs::all();
    for (name, bomb) in &bombs {
        let error = decode(bomb, &ImageLimits::default()).unwrap_err();
        let is_refused = matches!(error, DecodeError::TooLarge { .. });
        let may_differ = name.starts_with("webp") || name.ends_with("14000");
        assert!(is_refused || may_differ, "{name}: {}", chain(&error));
    }
    let count = bombs.len();
    assert!(count >= 16, "{count} bombs");
    if let (Some([most, _]), Some([start, _])) = (memory(), before) {
        assert!(most < MOST_KIB, "{most} KiB, {start} before");
        println!("{count} bombs refused, {most} KiB at most");
    }
}

fn outcome(path: &Path, name: &Path, pixels: Option<&Path>) -> serde_json::Value {
    let bytes = std::fs::read(path).unwrap();
    let start = Instant::now();
    let result = decode(&bytes, &ImageLimits::default());
    let seconds = start.elapsed().as_secs_f64();
    let memory = memory();
    let file = name.to_string_lossy();
    if let (Some(folder), Ok(image), Some(Format::Tiff)) = (pixels, &result, Format::of(&bytes)) {
        std::fs::write(folder.join(file.replace('/', "__")), &image.pixels).unwrap();
    }
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
