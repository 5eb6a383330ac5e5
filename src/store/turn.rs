//! One request at a time for a Milvus Lite, and one writer of all programs.
//!
//! Lite loses acknowledged rows when several write to a collection at once. And
//! it opens a collection anew for each of the first requests after its start
//! that come together: a row that one of them writes was gone in 6 of 8 tries.
//!
//! Lite serves one machine, so a locked file in its folder for temporary files
//! is enough to take turns, between programs too; the system unlocks it when a
//! program dies. A real Milvus needs none of it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use tokio::sync::MutexGuard;

use super::connect::Store;
use super::error::{Reason, StoreError};
use super::watch::OUTAGE;

/// How soon somebody who gave up waiting is noticed.
const POLL: Duration = Duration::from_millis(50);

/// A turn at writing; over when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// Unlocked when it is closed.
    _file: Option<File>,
}

impl Store {
    /// Waits until no other request of this store is under way, on Lite.
    pub(super) async fn alone(&self) -> Option<MutexGuard<'_, ()>> {
        if self.server().lite {
            Some(self.under_way.lock().await)
        } else {
            None
        }
    }

    /// Waits until no other program writes to the collection, on Lite.
    ///
    /// # Errors
    /// Whoever watches gave up.
    pub(super) async fn turn(&self, collection: &str) -> Result<Turn, StoreError> {
        if !self.server().lite {
            return Ok(Turn { _file: None });
        }
        let mut locking = lock(self.turn_file(collection));
        let (begun, mut told) = (Instant::now(), false);
        let file = loop {
            tokio::select! {
                biased;
                file = &mut locking => break file.unwrap_or_else(|_| Err(io::Error::other("no thread"))),
                () = tokio::time::sleep(POLL) => {}
            }
            if self.health.given_up() {
                return Err(StoreError::Transport {
                    operation: "take its turn at writing",
                    code: tonic::Code::Cancelled,
                    source: Reason::new("another program writes to the collection"),
                });
            }
            // It may have been stopped in the midst of writing.
            if !told && begun.elapsed() >= OUTAGE {
                told = true;
                self.health.waits(&format!(
                    "another program writes to the collection `{collection}`, and Milvus Lite takes one at a time: waiting; Ctrl-C stops"
                ));
            }
        };
        if let Err(error) = &file {
            tracing::warn!(%error, "cannot keep other writers away: run one ingest at a time");
        }
        Ok(Turn { _file: file.ok() })
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

/// Locks the file at `path`, now or once it is unlocked; nobody has to wait for
/// that.
fn lock(path: PathBuf) -> oneshot::Receiver<io::Result<File>> {
    let (locked, locking) = oneshot::channel();
    match open(&path).and_then(|file| match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }) {
        Ok(None) => {
            // No task of the runtime, whose end would wait for it. A file that
            // nobody takes any more is closed, and so unlocked.
            std::thread::spawn(move || {
                let file = open(&path).and_then(|file| file.lock().map(|()| file));
                let _unwanted = locked.send(file).is_err();
            });
        }
        Ok(Some(file)) => drop(locked.send(Ok(file))),
        Err(error) => drop(locked.send(Err(error))),
    }
    locking
}

fn open(path: &Path) -> io::Result<File> {
    // Another user's file may be read, and so locked, but not written.
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path),
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let first = lock(path.clone()).await.unwrap().unwrap();
        let mut second = lock(path.clone());
        let unwanted = lock(path.clone());
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(second.try_recv().is_err());
        drop((first, unwanted));
        let second = second.await.unwrap().unwrap();
        assert!(File::open(&path).unwrap().try_lock().is_err());
        drop(second);
        let third = lock(path).await.unwrap();
        assert!(third.is_ok());
    }
}
