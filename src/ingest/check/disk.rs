//! Disk space: what the rows take on the server's, which it does not tell of,
//! and what the list of rejects may take on ours. Nothing else is written here.

use std::path::Path;

use super::finding::{Findings, megabytes};

/// About what a row takes beside its vector: id, hash, path, name, attributes.
const ROW_BYTES: u64 = 512;

/// About what a line of the list of rejects takes: path and reason.
const LINE_BYTES: u64 = 512;

/// Says what the rows of `pictures` take.
pub(super) fn rows(findings: &mut Findings, pictures: u64, dimension: usize) {
    let row = dimension as u64 * size_of::<f32>() as u64 + ROW_BYTES;
    let rows = megabytes(pictures * row);
    let found = format!(
        "the rows take about {rows} on the server's disk, and as much again for their index; what is free there it does not tell"
    );
    findings.ok("disk", found);
}

/// Holds what a list of rejects of `entries` takes, if it takes all of them,
/// against what is free.
pub(super) fn rejects(findings: &mut Findings, entries: u64, path: &Path) {
    let Some(free) = free_bytes(path) else {
        return;
    };
    let most = entries * LINE_BYTES;
    let found = format!("{} are free for {}", megabytes(free), path.display());
    if free < most {
        findings.warning(
            "disk",
            format!(
                "{found}, which takes about {} where everything is rejected",
                megabytes(most)
            ),
            "free some space, or name a file on another disk with --rejects",
        );
    } else {
        findings.ok("disk", found);
    }
}

/// Bytes that this user may still write where `path` lies; `None` where the
/// system does not tell.
#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::check::Level;

    #[test]
    #[cfg(unix)]
    fn a_list_that_cannot_fit_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("rejects.jsonl");
        let level = |entries| {
            let mut findings = Findings::default();
            rejects(&mut findings, entries, &list);
            findings.list[0].level
        };
        assert_eq!(level(10), Level::Ok);
        // 562 TB, which no test machine has free.
        assert_eq!(level(1 << 40), Level::Warning);
    }
}
