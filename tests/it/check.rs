//! `ingest --check` where there is no server: it looks at the rest.

use std::fs;

use crate::offline_errors::closed_port;
use crate::support::{gallery, ingest, repo};

#[test]
fn a_missing_server_and_missing_files() {
    let uri = closed_port();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("models/clip-vit-b-32");
    fs::create_dir_all(&folder).unwrap();
    let manifest = repo().join("models/clip-vit-b-32/model.toml");
    fs::copy(manifest, folder.join("model.toml")).unwrap();
    let shop = dir.path().join("shop");
    fs::create_dir(&shop).unwrap();
    fs::copy(
        gallery().join("objects/blue-cap.webp"),
        shop.join("cap.webp"),
    )
    .unwrap();
    fs::write(shop.join("broken.jpg"), "no picture").unwrap();
    let run = ingest()
        .args("--check --collection a --names nowhere.csv --rejects no/rejects.jsonl --uri")
        .arg(&uri)
        .arg("--models-dir")
        .arg(dir.path().join("models"))
        .env("ORT_DYLIB_PATH", "/nonexistent/libonnxruntime.so")
        .arg(&shop);
    let real = dir.path().canonicalize().unwrap();
    let hidden = [
        (uri.as_str(), "[URI]"),
        (real.to_str().unwrap(), "[DIR]"),
        (dir.path().to_str().unwrap(), "[DIR]"),
    ];
    let text = run.run().expect_code(3).text(&hidden);
    let lines = text
        .lines()
        .filter(|line| !line.contains("the longest in bytes"));
    insta::assert_snapshot!("check_offline", lines.collect::<Vec<_>>().join("\n"));
    assert!(!shop.join("no").exists());
}

#[test]
fn what_prevents_the_check_itself_is_bad_usage() {
    ingest().args("--check .").run().expect_code(2);
    ingest()
        .args("--check -c a --dry-run .")
        .run()
        .expect_code(2);
    let quiet = ingest()
        .args("--check --quiet -c a --model pixels --uri")
        .arg(closed_port())
        .arg(gallery())
        .run()
        .expect_code(3);
    // A list that cannot be read does not hide a table that cannot.
    let listed = ingest()
        .args("--check --format json -c a --model pixels --files-from gone --names gone --uri")
        .arg(closed_port())
        .run()
        .expect_code(3)
        .json();
    let checks = listed["findings"].as_array().unwrap().iter();
    let errors = checks.filter(|finding| finding["level"] == "error");
    let errors: Vec<&str> = errors
        .map(|finding| finding["check"].as_str().unwrap())
        .collect();
    assert_eq!(errors, ["pictures", "server", "names"]);
    let lines: Vec<&str> = quiet.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{quiet:?}");
    assert!(lines[0].starts_with("error    server"), "{quiet:?}");
}
