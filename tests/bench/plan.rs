//! The second run over a large source: every row is read, every file looked
//! at, nothing is written. On Milvus 2.3.5; Lite takes minutes to load as many
//! rows.
//!
//! The named alternative is `find -printf '%s %T@'`, which looks at the same
//! files and asks no server.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::servers::{Collection, Server};
use crate::support::ingest;
use crate::{Watched, watched};

/// Rows unless `PLAN_ROWS` says otherwise.
const ROWS: usize = 1_000_000;

/// Names that one file has at most; ext4 allows 65,000.
const LINKS: usize = 50_000;

/// Files in a folder.
const IN_A_FOLDER: usize = 1000;

const MODEL: &str = r#"
version = 1
name = "four-pixels"
title = "2 x 2 pixels"
licence = "none needed"
dimension = 12
normalise = "none"
[source]
kind = "shipped"
[vision]
width = 2
height = 2
layout = "nhwc"
channels = "rgb"
divide_by = 255.0
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
[vision.resize]
rule = "exact"
filter = "bilinear"
"#;

#[expect(clippy::cast_precision_loss, reason = "rates")]
pub(crate) fn measure() {
    let rows = std::env::var("PLAN_ROWS").map_or(ROWS, |rows| rows.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("four-pixels");
    fs::create_dir(&model).unwrap();
    fs::write(model.join("model.toml"), MODEL).unwrap();
    make_files(&dir.path().join("few"), 1000);
    make_files(&dir.path().join("all"), rows);
    let server = Server::standalone();
    let collection = server.collection("plan");
    let run = |folder: &str| run(&server, &collection, &model, &dir.path().join(folder));
    let written = run("all");
    run("few");
    let small = run("few");
    assert_eq!(small.count("unchanged"), 1000);
    let start = Instant::now();
    let found = Command::new("find")
        .arg(dir.path().join("all"))
        .args(["-type", "f", "-printf", "%s %T@\n"])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(found.success());
    let find = start.elapsed().as_secs_f64();
    let planned = run("all");
    assert_eq!(planned.count("unchanged"), rows as u64);
    println!(
        "plan, {rows} rows unchanged: {:.1} s, {:.0} rows/s, {:.1} of `find` ({find:.1} s); {:.0} bytes of memory a row; \
         first run {:.0} rows/s",
        planned.wall,
        rows as f64 / planned.wall,
        planned.wall / find,
        (planned.peak_kib - small.peak_kib) * 1024.0 / rows as f64,
        rows as f64 / written.wall,
    );
}

fn run(server: &Server, collection: &Collection, model: &Path, folder: &Path) -> Watched {
    let run = ingest()
        .args("--quiet --format json --collection")
        .args(&collection.name)
        .args("--model")
        .arg(model)
        .arg(folder);
    watched(&server.run(run))
}

fn make_files(folder: &Path, count: usize) {
    for first in (0..count).step_by(IN_A_FOLDER) {
        let place = folder.join(format!("{first:07}"));
        fs::create_dir_all(&place).unwrap();
        for number in first..count.min(first + IN_A_FOLDER) {
            let path = place.join(format!("{number:07}.bmp"));
            let original = number / LINKS * LINKS;
            if number == original {
                fs::write(path, bmp(original)).unwrap();
            } else {
                let original = folder
                    .join(format!("{original:07}"))
                    .join(format!("{original:07}.bmp"));
                fs::hard_link(original, path).unwrap();
            }
        }
    }
}

/// One pixel, and a number behind it that makes the file one of its own.
fn bmp(number: usize) -> Vec<u8> {
    let mut bytes =
        b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
    bytes.extend([0, 0, 0, 0, 4, 0, 0, 0]);
    bytes.resize(54, 0);
    bytes.extend([200, 100, 50, 0]);
    bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
    bytes
}
