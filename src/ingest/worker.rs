//! Third stage: from bytes to vectors, one thread and one session a worker.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::plan::Job;
use super::{IngestError, Run};
use crate::catalog::read_file;
use crate::embed::{BadVector, VisionTower};
use crate::entity::{Entity, ImageRecord, MetricType, Outcome, Problem, Stage, chain};
use crate::imaging::{Preprocess, decode};
use crate::model::Vision;

pub(super) struct Worker {
    run: Arc<Run>,
    preprocess: Preprocess,
    tower: VisionTower,
    /// Pictures whose tensors lie in `tensors`.
    batch: Vec<ImageRecord>,
    tensors: Vec<f32>,
}

impl Worker {
    pub(super) fn new(run: Arc<Run>, vision: &Vision, tower: VisionTower) -> Self {
        let preprocess = Preprocess::new(vision);
        let tensors = vec![0.0; preprocess.tensor_len() * run.pace.batch_images];
        Self {
            run,
            preprocess,
            tower,
            batch: Vec::new(),
            tensors,
        }
    }

    /// Works until there are no more jobs, or until the graph fails.
    pub(super) fn run(
        mut self,
        jobs: &Mutex<mpsc::Receiver<Job>>,
        to_write: &mpsc::Sender<Vec<Entity>>,
    ) -> Result<(), IngestError> {
        let _guard = self.run.cancel.on_panic();
        let mut fault = None;
        while let Some(job) = next(jobs) {
            if self.run.cancel.is_cancelled() {
                self.run.ended(&Outcome::Cancelled);
                continue;
            }
            match self.prepare(job) {
                Ok(Some(record)) => self.batch.push(record),
                Ok(None) => {}
                Err(outcome) => self.run.ended(&outcome),
            }
            if self.batch.len() == self.run.pace.batch_images
                && let Err(error) = self.embed(to_write)
            {
                // Goes on taking jobs, so that each picture gets its outcome.
                self.run.cancel.cancel();
                fault = Some(error);
            }
        }
        let last = self.embed(to_write);
        fault.map_or(last, Err)
    }

    /// Reads, compares, decodes and preprocesses one picture. `None`: it is
    /// done already.
    fn prepare(&mut self, job: Job) -> Result<Option<ImageRecord>, Outcome> {
        let path = &job.candidate.path;
        let problem = |stage, reason| Problem {
            path: path.clone(),
            stage,
            reason,
        };
        let most = self.run.limits.max_file_bytes;
        if job.candidate.bytes > most {
            let bytes = job.candidate.bytes;
            let reason = format!("the file has {bytes} bytes, --max-file-bytes is {most}");
            return Err(Outcome::Rejected(problem(Stage::Read, reason)));
        }
        let bytes = read_file(path, most)
            .map_err(|error| Outcome::Failed(problem(Stage::Read, error.to_string())))?;
        let content_hash = blake3::hash(&bytes).to_hex().to_string();
        if is_stored(&job, &content_hash) {
            self.run.ended(&Outcome::Unchanged);
            return Ok(None);
        }
        if let Some(other) = another_picture(&job, &content_hash) {
            let reason = format!(
                "the collection holds another picture under the same source name and relative path, {other}: give one of the folders a --source name of its own"
            );
            return Err(Outcome::Rejected(problem(Stage::Discover, reason)));
        }
        let image = decode(&bytes, &self.run.limits)
            .map_err(|error| Outcome::Rejected(problem(Stage::Decode, chain(&error))))?;
        if self.run.write_nothing {
            self.run.ended(&Outcome::Upserted);
            return Ok(None);
        }
        let place = self.batch.len() * self.preprocess.tensor_len();
        let tensor = &mut self.tensors[place..place + self.preprocess.tensor_len()];
        self.preprocess.write_tensor(&image, tensor);
        let Job {
            candidate,
            display_name,
            attributes,
            ..
        } = job;
        Ok(Some(ImageRecord {
            id: candidate.id,
            path: candidate.path_text,
            display_name,
            content_hash,
            bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            modified: candidate.modified,
            attributes,
        }))
    }

    fn embed(&mut self, to_write: &mpsc::Sender<Vec<Entity>>) -> Result<(), IngestError> {
        let records = std::mem::take(&mut self.batch);
        let used = records.len() * self.preprocess.tensor_len();
        let vectors = match self.tower.embed(&self.tensors[..used], records.len()) {
            Ok(vectors) => vectors,
            Err(error) => {
                for record in &records {
                    let problem = embed_problem(record, chain(&error));
                    self.run.ended(&Outcome::Failed(problem));
                }
                return Err(error.into());
            }
        };
        let mut entities = Vec::with_capacity(records.len());
        for (record, vector) in records.into_iter().zip(vectors) {
            match vector.and_then(|vector| directed(vector, self.run.metric)) {
                Ok(embedding) => entities.push(Entity { record, embedding }),
                Err(bad) => {
                    let problem = embed_problem(&record, format!("its vector {bad}"));
                    self.run.ended(&Outcome::Rejected(problem));
                }
            }
        }
        if !entities.is_empty()
            && let Err(unsent) = to_write.blocking_send(entities)
        {
            for _ in unsent.0 {
                self.run.ended(&Outcome::Cancelled);
            }
        }
        Ok(())
    }
}

fn next(jobs: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    // A worker that panicked holding the lock left the queue whole.
    let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    jobs.blocking_recv()
}

/// Path of the stored picture that this one would overwrite though it is not
/// the same: other content, at another place that still exists. A folder that
/// moved leaves nothing behind, and a copy has the same content.
fn another_picture<'a>(job: &'a Job, content_hash: &str) -> Option<&'a str> {
    let stored = job.stored.as_ref()?;
    let elsewhere = stored.path != job.candidate.path_text
        && stored.content_hash != content_hash
        && Path::new(&stored.path).exists();
    elsewhere.then_some(stored.path.as_str())
}

fn is_stored(job: &Job, content_hash: &str) -> bool {
    job.stored.as_ref().is_some_and(|stored| {
        stored.content_hash == content_hash
            && stored.path == job.candidate.path_text
            && stored.display_name == job.display_name
            && stored.attributes == job.attributes
    })
}

/// A vector without a direction has no cosine with any other.
fn directed(vector: Vec<f32>, metric: MetricType) -> Result<Vec<f32>, BadVector> {
    if metric == MetricType::Cosine && vector.iter().all(|number| *number == 0.0) {
        Err(BadVector::Zero)
    } else {
        Ok(vector)
    }
}

fn embed_problem(record: &ImageRecord, reason: String) -> Problem {
    Problem {
        path: record.path.clone().into(),
        stage: Stage::Embed,
        reason,
    }
}
