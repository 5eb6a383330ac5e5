//! The files, each against its row.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::findings::{DifferenceKind, Findings};
use super::rows::Rows;
use super::sample::Sample;
use crate::catalog::{Candidate, Entries, Found, NamesTable, Roots, SourceName, discover};
use crate::config::ImageLimits;
use crate::entity::{ImageId, ImageRecord, Outcome, Problem, Stage, chain};
use crate::imaging::decode;
use crate::ingest::folders::Folders;
use crate::ingest::job::Job;
use crate::ingest::{Cancel, Observer};
use crate::store::{HeldRow, content_key};

pub(super) struct Disk<'a> {
    pub(super) sources: &'a HashMap<SourceName, Rows>,
    pub(super) names: Option<&'a NamesTable>,
    pub(super) limits: &'a ImageLimits,
    pub(super) sample: Sample,
    pub(super) findings: &'a Findings,
    pub(super) folders: Folders,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) cancel: Cancel,
}

/// What the files were.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) pictures: u64,
    pub(super) rejected: u64,
    /// By source, rows whose files are no pictures any more.
    pub(super) lost: HashMap<SourceName, u64>,
    /// Pictures to embed again.
    pub(super) chosen: Vec<ImageRecord>,
}

/// A row that a picture has.
type Held = Option<(SourceName, ImageId)>;

/// What a file is to the collection.
enum Verdict {
    /// Its row says what it does; to be embedded again, if it was chosen.
    Fine(Option<ImageRecord>),
    /// A finding, told already.
    Differs,
    /// No row is expected of it.
    Rejected(Problem, Held),
    /// It could not be looked at.
    Unread(Problem),
}

impl Disk<'_> {
    /// Looks at every file below `entries`, on `threads` threads, until
    /// cancelled.
    pub(super) fn look(&self, entries: Entries, roots: Roots, threads: usize) -> Seen {
        let found = Mutex::new(discover(entries, roots));
        let seen = Mutex::new(Seen::default());
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    while !self.cancel.is_cancelled() {
                        // A walk that panicked is over for all.
                        let next = found.lock().ok().and_then(|mut found| found.next());
                        let Some(next) = next else {
                            break;
                        };
                        self.take(next, &seen);
                    }
                });
            }
        });
        self.observer.discovery_ended();
        seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, found: Found, seen: &Mutex<Seen>) {
        self.folders.meet(&found);
        let verdict = match found {
            Found::Skipped(_) => return,
            Found::Failed(problem) => Verdict::Unread(problem),
            Found::Rejected(problem) => Verdict::Rejected(problem, None),
            Found::Image(candidate) => self.compare(candidate),
        };
        self.observer.discovered();
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.pictures += 1;
        let outcome = match verdict {
            Verdict::Fine(chosen) => {
                seen.chosen.extend(chosen);
                Outcome::Unchanged
            }
            Verdict::Differs => Outcome::Unchanged,
            Verdict::Rejected(problem, held) => {
                seen.rejected += 1;
                if let Some((source, id)) = held {
                    *seen.lost.entry(source).or_default() += 1;
                    let detail = format!("its file is rejected now: {}", problem.reason);
                    self.stale(&id, &problem.path, detail);
                    self.findings.doom(id);
                }
                Outcome::Rejected(problem)
            }
            Verdict::Unread(problem) => {
                let (path, reason) = (problem.path.clone(), problem.reason.clone());
                self.findings
                    .add(DifferenceKind::Unread, None, path, reason);
                Outcome::Failed(problem)
            }
        };
        drop(seen);
        self.observer.ended(&outcome);
    }

    fn compare(&self, candidate: Candidate) -> Verdict {
        let rows = self.sources.get(&candidate.source);
        let key = candidate.id.key();
        let row = rows.zip(key).and_then(|(rows, key)| rows.known.find(key));
        let held: Held = row.map(|_| (candidate.source.clone(), candidate.id.clone()));
        let job = match Job::new(self.names, candidate) {
            Ok(job) => job,
            Err(problem) => return Verdict::Rejected(problem, held),
        };
        let (record, bytes) = match job.read(self.limits) {
            Ok(read) => read,
            Err(Outcome::Rejected(problem)) => return Verdict::Rejected(problem, held),
            Err(Outcome::Failed(problem)) => return Verdict::Unread(problem),
            Err(_) => unreachable!("reading rejects or fails; this is a bug"),
        };
        let faulty = rows
            .zip(key)
            .filter(|(rows, key)| rows.faulty.contains(key));
        let same = row.is_some_and(|row| row.content == content_key(&record.content_hash));
        if !same && let Err(error) = decode(&bytes, self.limits) {
            let problem = Problem {
                path: job.candidate.path,
                stage: Stage::Decode,
                reason: chain(&error),
            };
            return Verdict::Rejected(problem, held);
        }
        match row {
            // Told when the rows were read.
            _ if faulty.is_some() => Verdict::Differs,
            None => {
                let (id, path) = (Some(&record.id), &record.path);
                self.findings
                    .add(DifferenceKind::Missing, id, path, "it has no row");
                Verdict::Differs
            }
            Some(row) if same && job.is_stored(&row, &record) => {
                let chosen = key.is_some_and(|key| self.sample.takes(key));
                Verdict::Fine(chosen.then_some(record))
            }
            Some(row) => {
                self.stale(&record.id, &job.candidate.path, change(&job, &row, same));
                if job.is_same(&row) {
                    // An ordinary run would not look at its content.
                    self.findings.doom(record.id);
                }
                Verdict::Differs
            }
        }
    }

    fn stale(&self, id: &ImageId, path: &Path, detail: impl Into<String>) {
        self.findings
            .add(DifferenceKind::Stale, Some(id), path, detail);
    }
}

fn change(job: &Job, row: &HeldRow, same_content: bool) -> &'static str {
    match (same_content, row.details == job.details) {
        (false, _) => "its content changed",
        (true, false) => "its path, name or attributes changed",
        (true, true) => "its time changed",
    }
}
