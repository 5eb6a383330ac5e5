//! The arrows between the rooms point one way; each heavy crate has one owner.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::repo;

/// Rooms by floor, from the top. A room may use rooms of lower floors only,
/// never one of its own floor.
const FLOORS: &[&[&str]] = &[
    &["cli"],
    &["evaluate"],
    &["ingest", "search", "doctor", "compare"],
    &["store", "embed", "imaging"],
    &["catalog", "render", "model"],
    &["config"],
    &["entity"],
];

/// Crates that only one room may name.
/// Not among them: reqwest, by which `model` fetches files that are resumed and
/// held to hashes, and `catalog` a question's picture.
const OWNERS: &[(&str, &str)] = &[
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("anyhow", "cli"),
    ("indicatif", "cli"),
    ("ort", "embed"),
    ("tokenizers", "embed"),
    ("image", "imaging"),
    ("wide", "imaging"),
    ("milvus", "store"),
    ("tonic", "store"),
    ("prost", "store"),
    ("csv", "catalog"),
    ("walkdir", "catalog"),
    ("sha2", "model"),
    ("half", "embed"),
    ("icu_normalizer", "embed"),
];

/// Lines of code by room, tests left out.
fn code() -> BTreeMap<String, Vec<(String, String)>> {
    let mut rooms: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let src = repo().join("src");
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("tests") && !path.ends_with("bin") {
                    folders.push(path);
                }
                continue;
            }
            let relative = path.strip_prefix(&src).unwrap().to_owned();
            let room = relative.iter().next().unwrap().to_str().unwrap();
            let room = room.trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text
                .split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap()
                .to_owned();
            let name = relative.to_str().unwrap().to_owned();
            rooms.entry(room).or_default().push((name, text));
        }
    }
    rooms
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

/// Code without comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn arrows_point_down() {
    let rooms = code();
    assert!(rooms.len() > 8, "the rooms were found");
    let mut arrows = 0;
    for (room, files) in rooms.iter().filter(|(room, _)| *room != "lib") {
        let floor = floor_of(room).unwrap_or_else(|| panic!("`{room}` stands on no floor"));
        for (file, text) in files {
            for line in lines(text) {
                for used in line.split("crate::").skip(1) {
                    let end = |c: char| !c.is_ascii_lowercase() && c != '_';
                    let used = used.split(end).next().unwrap();
                    if used == room.as_str() {
                        continue;
                    }
                    arrows += 1;
                    let below = floor_of(used).is_some_and(|other| other > floor);
                    assert!(below, "{file}: `{room}` may not use `{used}`: {line}");
                }
            }
        }
    }
    assert!(arrows > 50, "the arrows were found");
}

#[test]
fn heavy_crates_have_one_owner() {
    for (room, files) in code() {
        for (file, text) in &files {
            for (heavy, owner) in OWNERS.iter().filter(|(_, owner)| *owner != room) {
                let named = |line: &str| {
                    let path = format!("{heavy}::");
                    let starts = line.trim_start().starts_with(&format!("use {path}"));
                    starts
                        || line.contains(&format!(" {path}"))
                        || line.contains(&format!("({path}"))
                };
                if let Some(line) = lines(text).find(|line| named(line)) {
                    panic!("{file}: `{heavy}` belongs to `{owner}`: {line}");
                }
            }
        }
    }
}

#[test]
fn files_and_binaries_stay_small() {
    for (file, text) in code().into_values().flatten() {
        let lines = text.lines().count();
        assert!(lines <= 400, "{file} has {lines} lines");
    }
    for entry in std::fs::read_dir(repo().join("src/bin")).unwrap() {
        let path = entry.unwrap().path();
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines <= 60,
            "{} has {lines} lines",
            Path::new(&path).display()
        );
    }
}
