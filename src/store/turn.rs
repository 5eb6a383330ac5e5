//! One writer at a time for a Milvus Lite, which loses acknowledged rows when
//! several write to a collection at once.
//!
//! Lite serves one machine, so a locked file in its folder for temporary files
//! is enough to take turns, between programs too; the system unlocks it when a
//! program dies. A real Milvus needs none of it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::connect::Store;

/// A turn at writing; over when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// Unlocked when it is closed.
    _file: Option<File>,
}

impl Store {
    /// Waits until no other program writes to the collection, on Lite.
    pub(super) async fn turn(&self, collection: &str) -> Turn {
        if !self.server().lite {
            return Turn { _file: None };
        }
        let path = self.turn_file(collection);
        let locking = tokio::task::spawn_blocking(move || lock(&path));
        let file = locking
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if let Err(error) = &file {
            tracing::warn!(%error, "cannot keep other writers away: run one ingest at a time");
        }
        Turn { _file: file.ok() }
    }

    /// Named by port, database and collection: the host has several names.
    fn turn_file(&self, collection: &str) -> PathBuf {
        let port = self.uri.rsplit(':').next().unwrap_or_default();
        let port = port.trim_end_matches('/');
        let key = format!("{port}\n{:?}\n{collection}", self.database);
        let hash = blake3::hash(key.as_bytes()).to_hex();
        std::env::temp_dir().join(format!("milvus-image-search-{}.lock", &hash[..16]))
    }
}

fn lock(path: &Path) -> std::io::Result<File> {
    // Another user's file may be read, and so locked, but not written.
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path),
        opened => opened,
    }?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_for_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let first = lock(&path).unwrap();
        assert!(File::open(&path).unwrap().try_lock().is_err());
        drop(first);
        assert!(File::open(&path).unwrap().try_lock().is_ok());
    }
}
