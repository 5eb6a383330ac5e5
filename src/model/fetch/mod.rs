//! Bringing a model's missing files from a model hub, a mirror or a folder.
//!
//! Each file arrives as `PATH.part` beside its place, is compared with the
//! manifest, synced, and only then renamed to `PATH`: whoever opens `PATH`
//! sees the old file or the new one, never half of one. What an interrupted
//! fetch leaves in `PATH.part` is where the next one goes on, where a sha256
//! is pinned; without one, nothing would notice two halves that do not belong
//! together, so such a file starts afresh. Dropping the future of [`fetch()`] is
//! an interruption like any other.
//!
//! Refused: a file that is not the pinned one, a web page in place of a file,
//! a second fetch into a folder while one is running. The token goes to the
//! origin's own host and port, never along a redirect to another.

mod download;
mod error;
mod open;
mod place;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::{Model, ModelFile, hash_file};
use crate::config::Secret;

pub use error::{FetchError, Obstacle};

/// The hub that manifests with `kind = "hub"` speak of.
pub const DEFAULT_HUB: &str = "https://huggingface.co";

/// Name of the file in a model's folder that a running fetch holds locked. It
/// stays: removing it would let a third fetch lock a new file of that name
/// while a second one locks the old.
pub const LOCK_FILE: &str = ".pull.lock";

/// Where files are fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// [`DEFAULT_HUB`], for the models that name a repository there.
    Hub,
    /// A mirror: `{base}/{repository}/resolve/{revision}/{remote}` as on the
    /// hub, else `{base}/{model}/{path}`.
    Url(String),
    /// A folder; the first of these that exists:
    /// `{folder}/{repository}/{remote}`,
    /// `{folder}/models--{owner}--{name}/snapshots/{revision}/{remote}` (the
    /// hub's own cache), `{folder}/{model}/{path}`, `{folder}/{path}`,
    /// `{folder}/{file name}`.
    Folder(PathBuf),
}

impl FromStr for Origin {
    type Err = Infallible;

    /// What has `://` is an address, the rest a folder.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text.contains("://") {
            Self::Url(text.to_owned())
        } else {
            Self::Folder(text.into())
        })
    }
}

/// How files are fetched.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Where from.
    pub origin: Origin,
    /// Sent as `Authorization: Bearer` to the origin's host and port.
    pub token: Option<Secret>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest silence of a server, before and within a file.
    pub stall_timeout: Duration,
    /// Tries in a row that may fail without bringing a file forward by 1 MiB.
    pub attempts: u32,
    /// Longest wait before the second try; it doubles up to 30 s.
    pub backoff: Duration,
    /// Fetches files anew that are there and right.
    pub force: bool,
}

impl Default for FetchOptions {
    /// From the hub, without a token: 10 s to connect, 30 s of silence, 5
    /// tries, first wait up to 1 s.
    fn default() -> Self {
        Self {
            origin: Origin::Hub,
            token: None,
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            attempts: 5,
            backoff: Duration::from_secs(1),
            force: false,
        }
    }
}

/// Is told how a fetch goes on. Files come one after the other.
pub trait FetchProgress: Send + Sync {
    /// Bytes of `file` begin to arrive: `already` of `total` are there. Called
    /// again for the same file after each interruption, with `already` smaller
    /// than before where the server made it start over.
    fn start(&self, file: &str, total: Option<u64>, already: u64);
    /// `bytes` more have arrived.
    fn advance(&self, bytes: u64);
    /// `file` is in its place.
    fn finish(&self, file: &str);
    /// Something that the user should know and that ends nothing.
    fn note(&self, message: &str);
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It was there and as the manifest says.
    AlreadyThere {
        /// The file.
        path: PathBuf,
    },
    /// It was brought.
    Downloaded {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// Bytes of it that an earlier, interrupted fetch had left.
        resumed_from: u64,
        /// Its sha256, 64 lower-case hexadecimal digits.
        sha256: String,
        /// Whether the manifest pins that sha256.
        verified: bool,
    },
}

/// Brings every file of `model` that is not there, or not the one that the
/// manifest names. Files that are right are left alone, in a folder that
/// cannot be written too.
///
/// # Errors
/// The first file that cannot be had; the ones before it stay.
pub async fn fetch(
    model: &Model,
    options: &FetchOptions,
    progress: &dyn FetchProgress,
) -> Result<Vec<Fetched>, FetchError> {
    let client = open::client(options)
        .build()
        .map_err(|source| FetchError::Client { source })?;
    fetch_with(client, model, options, progress).await
}

/// What every file of one fetch shares.
struct Job<'a> {
    client: reqwest::Client,
    model: &'a Model,
    options: &'a FetchOptions,
    progress: &'a dyn FetchProgress,
}

async fn fetch_with(
    client: reqwest::Client,
    model: &Model,
    options: &FetchOptions,
    progress: &dyn FetchProgress,
) -> Result<Vec<Fetched>, FetchError> {
    let job = Job {
        client,
        model,
        options,
        progress,
    };
    let mut lock = None;
    let mut fetched = Vec::with_capacity(model.manifest.files.len());
    for file in &model.manifest.files {
        let mut there = job.look_at(file).await?;
        if !there.is_right() && lock.is_none() {
            lock = Some(job.lock()?);
            // A fetch that ended a moment ago may have brought it.
            there = job.look_at(file).await?;
        }
        fetched.push(match there {
            Comparison::Same { .. } => Fetched::AlreadyThere {
                path: model.path_of(&file.path),
            },
            wrong => download::download(&job, file, wrong).await?,
        });
    }
    Ok(fetched)
}

impl Job<'_> {
    /// The file that is there now; none where all are to be fetched anew.
    async fn look_at(&self, file: &ModelFile) -> Result<Comparison, FetchError> {
        if self.options.force {
            return Ok(Comparison::Absent);
        }
        compare(&self.model.path_of(&file.path), file).await
    }

    /// Keeps other fetches out of the model's folder until the file is dropped.
    fn lock(&self) -> Result<File, FetchError> {
        let path = self.model.folder.join(LOCK_FILE);
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| FetchError::Write {
                path: path.clone(),
                source,
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FetchError::Busy {
                    name: self.model.manifest.name.clone(),
                    lock: path,
                });
            }
            // Some network file systems have no locks. Going on is safe where
            // hashes are pinned: at worst a clash ends in a wrong hash.
            Err(TryLockError::Error(error)) => self.progress.note(&format!(
                "cannot lock {} ({error}): do not fetch the same model twice at once",
                path.display()
            )),
        }
        Ok(file)
    }
}

/// A file beside what the manifest says of it.
enum Comparison {
    Absent,
    Same {
        bytes: u64,
        sha256: String,
    },
    Different {
        what: &'static str,
        found: String,
        expected: String,
    },
}

impl Comparison {
    fn is_right(&self) -> bool {
        matches!(self, Self::Same { .. })
    }
}

/// Compares size and hash of the file at `path` with what is pinned.
async fn compare(path: &Path, file: &ModelFile) -> Result<Comparison, FetchError> {
    let (path, bytes, sha256) = (path.to_owned(), file.bytes, file.sha256.clone());
    blocking(move || {
        compare_now(&path, bytes, sha256).map_err(|source| FetchError::Read { path, source })
    })
    .await
}

fn compare_now(path: &Path, bytes: Option<u64>, sha256: Option<String>) -> io::Result<Comparison> {
    let found = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Comparison::Absent),
        Err(error) => return Err(error),
    };
    if let Some(expected) = bytes
        && expected != found
    {
        return Ok(Comparison::Different {
            what: "size",
            found: found.to_string(),
            expected: expected.to_string(),
        });
    }
    let hash = hash_file(path)?;
    Ok(match sha256 {
        Some(expected) if expected != hash => Comparison::Different {
            what: "sha256",
            found: hash,
            expected,
        },
        _ => Comparison::Same {
            bytes: found,
            sha256: hash,
        },
    })
}

/// Runs what takes long (hashing, syncing) away from the task, which then
/// still notices an interruption.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
