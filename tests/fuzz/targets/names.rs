//! Any bytes as a names table: each row is used or said to be bad, rows are
//! found by their keys, and memory stays in proportion to the file.

#![no_main]

use std::fs;
use std::path::PathBuf;

use fuzz::within;
use libfuzzer_sys::fuzz_target;
use milvus_image_search::catalog::{
    Candidate, NamesError, NamesOptions, NamesTable, SourceName, readable_stem,
};
use milvus_image_search::entity::{Hint, ImageId, chain, details_hash};

fuzz_target!(|bytes: &[u8]| {
    let path = table_file();
    fs::write(&path, bytes).expect("a file in memory can be written");
    let read =
        |options: &NamesOptions| within(most_bytes(bytes), || NamesTable::read(&path, options));
    match read(&NamesOptions::default()) {
        Ok(table) => holds(bytes, &table),
        Err(error) => {
            assert!(!chain(&error).is_empty() && error.hint().is_some());
            let NamesError::NoColumn { columns, .. } = error else {
                return;
            };
            // As a user would then do it.
            let options = NamesOptions {
                key_column: columns.last().cloned(),
                name_column: columns.first().cloned(),
            };
            holds(bytes, &read(&options).expect("it has these columns"));
        }
    }
});

/// Most rows that pictures are looked up for.
const LOOKED_UP: usize = 100;

fn table_file() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    folder.join(format!("fuzz-names-{}", std::process::id()))
}

/// A byte may make a value and a reason why its row is bad; a row of a CSV
/// repeats the header's names.
fn most_bytes(bytes: &[u8]) -> usize {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let rows = bytes.iter().filter(|byte| is_end(byte)).count() + 1;
    let header = bytes
        .split(is_end)
        .map(<[u8]>::len)
        .find(|length| *length > 0);
    (64 << 10) + 500 * bytes.len() + 8 * rows * header.unwrap_or_default()
}

fn holds(bytes: &[u8], table: &NamesTable) {
    let lines = bytes
        .iter()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count() as u64
        + 1;
    assert!(table.bad_rows.is_sorted_by_key(|row| row.line));
    assert!(
        table
            .bad_rows
            .iter()
            .all(|row| (1..=lines).contains(&row.line))
    );
    assert!(table.mended_rows <= lines);
    let rows = table.unused_rows(usize::MAX);
    assert_eq!((rows.len(), table.unused()), (table.len(), table.len()));
    assert_eq!(table.is_empty(), rows.is_empty());
    // No two rows start on one line, unless a lone `\r` ends rows within it.
    let is_plain = !bytes.contains(&b'\r');
    assert!(
        rows.is_sorted_by(|one, next| one.0 < next.0 || (!is_plain && one.0 == next.0)),
        "{rows:?}"
    );
    assert!(
        rows.iter().all(|row| (1..=lines).contains(&row.0)),
        "{rows:?}"
    );
    let keys: Vec<(u64, String)> = rows
        .iter()
        .map(|(line, key)| (*line, (*key).to_owned()))
        .collect();
    for (line, key) in keys.iter().take(LOOKED_UP) {
        assert!(
            !key.is_empty() && !key.starts_with('/') && !key.contains('\\'),
            "{key:?}"
        );
        let candidate = candidate(key);
        assert_eq!(table.line_of(&candidate), Some(*line), "{key:?}");
        let (name, attributes) = table.lookup(&candidate);
        assert!(name.is_none_or(|name| !name.is_empty()), "{key:?}");
        let attributes = attributes.expect("a row that is there has attributes");
        assert!(
            !attributes.contains_key(&table.key_column),
            "{attributes:?}"
        );
        assert!(
            !attributes.contains_key(&table.name_column),
            "{attributes:?}"
        );
        details_hash(key, name.unwrap_or_default(), attributes);
        let stem = readable_stem(key);
        assert!(!stem.is_empty() || key.ends_with('/'), "{key:?}");
    }
    assert_eq!(table.unused(), keys.len().saturating_sub(LOOKED_UP));
    assert_eq!(table.line_of(&candidate("\u{1}no such picture")), None);
    if bytes.trim_ascii_start().starts_with(b"{") {
        let filled = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty());
        assert_eq!(table.len() + table.bad_rows.len(), filled.count());
    }
}

fn candidate(relative: &str) -> Candidate {
    Candidate {
        id: ImageId::new("s", relative),
        path: PathBuf::from(relative),
        path_text: relative.to_owned(),
        relative: relative.to_owned(),
        bytes: 0,
        modified: 0,
        source: SourceName {
            name: "s".into(),
            whole: true,
        },
    }
}
