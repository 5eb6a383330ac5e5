//! One file: tries in a row, `PATH.part`, comparison, rename.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::open::{Opening, Setback, open};
use super::place::{Place, places};
use super::{Comparison, FetchError, Fetched, Job, blocking, compare};
use crate::model::{ModelFile, RECORDED, recorded};

/// A try that brings the file forward by this much begins the count of tries
/// anew, so that a long file survives a poor line.
const PROGRESS_BYTES: u64 = 1 << 20;

/// Longest of our own waits between two tries.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Longest wait that a server may ask for; hubs limit rates in windows of five
/// minutes.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Brings `file` and puts it in the place of what is `there`.
pub(super) async fn download(
    job: &Job<'_>,
    file: &ModelFile,
    there: Comparison,
) -> Result<Fetched, FetchError> {
    let places = places(job.model, file, &job.options.origin)?;
    let path = job.model.path_of(&file.path);
    let mut download = Download {
        job,
        file,
        part: part_of(&path),
        path,
        origin: String::new(),
    };
    download.tell_if_replaced(there);
    let mut resumed_from = download.prepare()?;
    loop {
        download.receive(&places).await?;
        match compare(&download.part, file).await? {
            Comparison::Same { bytes, sha256 } => {
                return download.publish(bytes, resumed_from, sha256).await;
            }
            Comparison::Different { what, found, .. } if resumed_from > 0 => {
                download.note(&format!(
                    "{what} is {found}: what an earlier fetch left does not belong to it, starting over"
                ));
                download.remove_part()?;
                resumed_from = 0;
            }
            Comparison::Different {
                what,
                found,
                expected,
            } => {
                download.remove_part()?;
                return Err(FetchError::Different {
                    origin: download.origin,
                    what,
                    found,
                    expected,
                });
            }
            Comparison::Absent => {
                let source = io::ErrorKind::NotFound.into();
                let path = download.part;
                return Err(FetchError::Read { path, source });
            }
        }
    }
}

/// `PATH.part`; not `with_extension`, which would make `a.onnx` and `a.json`
/// share one.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

struct Download<'a> {
    job: &'a Job<'a>,
    file: &'a ModelFile,
    path: PathBuf,
    part: PathBuf,
    /// Where the last bytes came from, for errors.
    origin: String,
}

impl Download<'_> {
    fn note(&self, message: &str) {
        let path = self.path.display();
        self.job.progress.note(&format!("{path}: {message}"));
    }

    /// A wrong file is not silently replaced.
    fn tell_if_replaced(&self, there: Comparison) {
        if let Comparison::Different {
            what,
            found,
            expected,
        } = there
        {
            self.note(&format!(
                "not the file that the manifest names ({what} is {found}, expected {expected}), fetching it anew"
            ));
        }
    }

    /// Makes the folder, and removes a `.part` that cannot be gone on with.
    /// Returns the length of the one that can.
    fn prepare(&self) -> Result<u64, FetchError> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
        }
        let Some(length) = self.part_length() else {
            return Ok(0);
        };
        if self.file.sha256.is_none() || self.file.bytes.is_some_and(|bytes| bytes < length) {
            self.remove_part()?;
            return Ok(0);
        }
        Ok(length)
    }

    fn part_length(&self) -> Option<u64> {
        std::fs::metadata(&self.part).ok().map(|found| found.len())
    }

    fn remove_part(&self) -> Result<(), FetchError> {
        match std::fs::remove_file(&self.part) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(unwritable(&self.part, source))
            }
            _ => Ok(()),
        }
    }

    /// Fills `PATH.part` to its end, from the first place that has the file,
    /// in as many tries as it is worth.
    async fn receive(&mut self, places: &[Place]) -> Result<(), FetchError> {
        let mut left = places;
        let mut refused = None;
        let mut failures = 0;
        let mut furthest = self.part_length().unwrap_or(0);
        loop {
            let Some((place, others)) = left.split_first() else {
                return Err(refused.unwrap_or_else(|| FetchError::NotFound {
                    file: self.file.path.clone(),
                    tried: places.iter().map(Place::shown).collect(),
                }));
            };
            match self.attempt(place).await {
                Ok(()) => return Ok(()),
                Err(Setback::Final(error)) => return Err(error),
                Err(Setback::Elsewhere(error)) => {
                    refused = refused.or(error);
                    left = others;
                }
                Err(Setback::NoRange) => {
                    self.note("the server cannot go on in the middle, starting over");
                    self.remove_part()?;
                }
                Err(Setback::Passing { error, retry_after }) => {
                    let length = self.part_length().unwrap_or(0);
                    if length >= furthest.saturating_add(PROGRESS_BYTES) {
                        furthest = length;
                        failures = 0;
                    }
                    failures += 1;
                    self.wait(failures, error, retry_after).await?;
                }
            }
        }
    }

    /// Waits before the next try, or returns `error` where there is to be none.
    async fn wait(
        &self,
        failures: u32,
        error: FetchError,
        retry_after: Option<Duration>,
    ) -> Result<(), FetchError> {
        let attempts = self.job.options.attempts;
        if failures >= attempts || retry_after.is_some_and(|wait| wait > MAX_RETRY_AFTER) {
            return Err(error);
        }
        let wait = retry_after.unwrap_or_else(|| backoff(self.job.options.backoff, failures));
        self.job.progress.note(&format!(
            "{error}; trying again in {:.1} s (try {} of {attempts})",
            wait.as_secs_f32(),
            failures + 1
        ));
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// One try to bring `PATH.part` to its end from `place`.
    async fn attempt(&mut self, place: &Place) -> Result<(), Setback> {
        let there = self.part_length();
        if there.is_some() && there == self.file.bytes {
            return Ok(());
        }
        let offset = there.unwrap_or(0);
        let mut opening = open(place, self.job, self.file, offset).await?;
        self.origin = place.shown();
        if let (Some(expected), Some(found)) = (self.file.bytes, opening.total)
            && expected != found
        {
            return Err(FetchError::Different {
                origin: place.shown(),
                what: "size",
                found: found.to_string(),
                expected: expected.to_string(),
            }
            .into());
        }
        if opening.position < offset {
            self.note("the server sends it from the start, starting over");
        }
        self.store(&mut opening).await
    }

    /// Appends what arrives to `PATH.part`. It is written from the task itself:
    /// blocks are small and go to the page cache, and bytes that a thread still
    /// held when the future is dropped would be lost.
    async fn store(&self, opening: &mut Opening) -> Result<(), Setback> {
        let expected = self.file.bytes.or(opening.total);
        let mut part = open_part(&self.part, opening.position)
            .map_err(|source| unwritable(&self.part, source))?;
        let progress = self.job.progress;
        progress.start(&self.file.path, expected, opening.position);
        let mut block = Vec::new();
        loop {
            opening.next(&mut block, self.job.options).await?;
            if block.is_empty() {
                break;
            }
            if let Some(limit) = expected
                && opening.position > limit
            {
                self.remove_part()?;
                let origin = self.origin.clone();
                return Err(FetchError::TooLong { origin, limit }.into());
            }
            part.write_all(&block)
                .map_err(|source| unwritable(&self.part, source))?;
            progress.advance(block.len() as u64);
        }
        match opening.total {
            Some(total) if opening.position < total => Err(Setback::Passing {
                error: FetchError::Cut {
                    url: self.origin.clone(),
                    received: opening.position,
                    source: None,
                },
                retry_after: None,
            }),
            _ => Ok(()),
        }
    }

    /// Puts the whole, right `PATH.part` into its place.
    async fn publish(
        self,
        bytes: u64,
        resumed_from: u64,
        sha256: String,
    ) -> Result<Fetched, FetchError> {
        let verified = self.file.sha256.is_some();
        if !verified {
            let folder = &self.job.model.folder;
            recorded::record(folder, &self.file.path, &sha256)
                .map_err(|source| unwritable(&folder.join(RECORDED), source))?;
            self.note(&format!(
                "no sha256 is known; from now on it is held to {sha256}, recorded in {RECORDED}"
            ));
        }
        let (part, path) = (self.part, self.path.clone());
        blocking(move || rename(&part, &path).map_err(|source| FetchError::Write { path, source }))
            .await?;
        self.job.progress.finish(&self.file.path);
        Ok(Fetched::Downloaded {
            path: self.path,
            bytes,
            resumed_from,
            sha256,
            verified,
        })
    }
}

fn unwritable(path: &Path, source: io::Error) -> FetchError {
    FetchError::Write {
        path: path.to_owned(),
        source,
    }
}

/// The `.part` cut to `start` bytes, ready for the next one.
fn open_part(path: &Path, start: u64) -> io::Result<File> {
    let mut part = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)?;
    if part.metadata()?.len() != start {
        part.set_len(start)?;
    }
    part.seek(SeekFrom::Start(start))?;
    Ok(part)
}

/// Renames so that neither a crash nor a power cut leaves an empty file under
/// the final name: the bytes are on disk before the name is.
fn rename(part: &Path, path: &Path) -> io::Result<()> {
    File::options().write(true).open(part)?.sync_all()?;
    std::fs::rename(part, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Full jitter over a wait that doubles: many machines that were cut off
/// together do not come back together.
fn backoff(first: Duration, failures: u32) -> Duration {
    let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
    let longest = first.saturating_mul(doubled).min(MAX_BACKOFF);
    let nanoseconds =
        u64::try_from(longest.as_nanos()).expect("half a minute in nanoseconds; this is a bug");
    // The standard library's only source of chance is its hasher's key.
    let random = RandomState::new().build_hasher().finish();
    Duration::from_nanos(random % (nanoseconds + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let first = Duration::from_millis(100);
        for failures in [1, 2, 3, 40] {
            let limit = (first * 2u32.saturating_pow(failures - 1).min(1 << 20)).min(MAX_BACKOFF);
            assert!((0..50).all(|_| backoff(first, failures) <= limit));
        }
        assert!((0..50).any(|_| backoff(MAX_BACKOFF, 9) > MAX_BACKOFF / 2));
        assert_eq!(backoff(Duration::ZERO, 5), Duration::ZERO);
    }
}
