//! Third stage: from bytes to vectors, one thread and one session a worker.

mod copy;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use copy::{MOST_TWINS, Twin};

use super::job::{Job, Stored};
use super::twins::Claim;
use super::{IngestError, Run};
use crate::embed::{BadVector, VisionTower};
use crate::entity::{Entity, ImageId, ImageRecord, MetricType, Outcome, Problem, Stage, chain};
use crate::imaging::{Preprocess, decode};
use crate::model::Vision;
use crate::store::content_key;

pub(super) struct Worker {
    run: Arc<Run>,
    preprocess: Preprocess,
    tower: VisionTower,
    /// Pictures whose tensors lie in `tensors`.
    batch: Vec<ImageRecord>,
    tensors: Vec<f32>,
    twins: Vec<Twin>,
    /// Where this thread waits for the collection's answers.
    waiting: Handle,
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
            twins: Vec::new(),
            waiting: Handle::current(),
        }
    }

    /// Works until there are no more jobs, or until the graph fails; gives the
    /// tower back.
    pub(super) fn run(
        mut self,
        jobs: &Mutex<mpsc::Receiver<Job>>,
        to_write: &mpsc::Sender<Vec<Row>>,
    ) -> (VisionTower, Result<(), IngestError>) {
        let _guard = self.run.cancel.on_panic();
        let mut fault = None;
        while let Some(job) = next(jobs) {
            if self.run.cancel.is_cancelled() {
                self.run.ended(&Outcome::Cancelled);
                continue;
            }
            if let Err(error) = self.take(&job, to_write) {
                // Goes on taking jobs, so that each picture gets its outcome.
                if !error.is_impatience(self.run.cancel.is_cancelled()) {
                    fault = Some(error);
                }
                self.run.cancel.cancel();
            }
        }
        let last = self.embed(to_write);
        let last = match last.and_then(|()| self.copy(to_write)) {
            Err(error) if error.is_impatience(self.run.cancel.is_cancelled()) => Ok(()),
            last => last,
        };
        (self.tower, fault.map_or(last, Err))
    }

    fn take(&mut self, job: &Job, to_write: &mpsc::Sender<Vec<Row>>) -> Result<(), IngestError> {
        match self.look(job) {
            Ok(Next::Nothing) => Ok(()),
            Ok(Next::Embed(record, bytes)) => self.add(record, &bytes, to_write),
            Ok(Next::Copy(twin)) => {
                self.twins.push(twin);
                if self.twins.len() == MOST_TWINS {
                    self.copy(to_write)
                } else {
                    Ok(())
                }
            }
            Err(outcome) => {
                self.run.ended(&outcome);
                Ok(())
            }
        }
    }

    /// Reads one picture, and decides by its content what is to be done.
    fn look(&mut self, job: &Job) -> Result<Next, Outcome> {
        let (record, bytes) = job.read(&self.run.limits)?;
        let content = content_key(&record.content_hash);
        if let Some(stored) = &job.stored {
            if stored.row.content == content {
                if job.is_stored(&stored.row, &record) {
                    self.run.ended(&Outcome::Unchanged);
                    return Ok(Next::Nothing);
                }
                let from = Some(record.id.clone());
                return Ok(self.twin(record, from, Outcome::Updated));
            }
            if let Some(other) = another_picture(stored, &record) {
                let reason = format!(
                    "the collection holds another picture under the same source name and relative path, {other}: give one of the folders a --source name of its own"
                );
                return Err(Outcome::Rejected(problem(&record, Stage::Discover, reason)));
            }
        }
        let known = job.known.as_ref();
        if let Some(from) = known.and_then(|known| known.with_content(content).next()) {
            return Ok(self.twin(record, Some(from), Outcome::Moved));
        }
        Ok(match self.run.twins.claim(content) {
            Claim::Mine => Next::Embed(record, bytes),
            Claim::Pending => self.twin(record, None, Outcome::Moved),
            Claim::Done(from) => self.twin(record, Some(from), Outcome::Moved),
        })
    }

    /// A row whose vector is somewhere already.
    fn twin(&self, record: ImageRecord, from: Option<ImageId>, outcome: Outcome) -> Next {
        if self.run.write_nothing {
            self.run.ended(&outcome);
            return Next::Nothing;
        }
        Next::Copy(Twin {
            record,
            from,
            outcome,
        })
    }

    /// Decodes and preprocesses a picture, and embeds the batch once it is full.
    fn add(
        &mut self,
        record: ImageRecord,
        bytes: &[u8],
        to_write: &mpsc::Sender<Vec<Row>>,
    ) -> Result<(), IngestError> {
        let content = content_key(&record.content_hash);
        let image = match decode(bytes, &self.run.limits) {
            Ok(image) => image,
            Err(error) => {
                self.run.twins.give_up(content);
                let problem = problem(&record, Stage::Decode, chain(&error));
                self.run.ended(&Outcome::Rejected(problem));
                return Ok(());
            }
        };
        if self.run.write_nothing {
            self.run.twins.settle(content, &record.id, &[]);
            self.run.ended(&Outcome::Upserted);
            return Ok(());
        }
        let place = self.batch.len() * self.preprocess.tensor_len();
        let tensor = &mut self.tensors[place..place + self.preprocess.tensor_len()];
        self.preprocess.write_tensor(&image, tensor);
        self.batch.push(record);
        if self.batch.len() == self.run.pace.batch_images {
            return self.embed(to_write);
        }
        Ok(())
    }

    fn embed(&mut self, to_write: &mpsc::Sender<Vec<Row>>) -> Result<(), IngestError> {
        let records = std::mem::take(&mut self.batch);
        let used = records.len() * self.preprocess.tensor_len();
        let vectors = match self.tower.embed(&self.tensors[..used], records.len()) {
            Ok(vectors) => vectors,
            Err(error) => {
                for record in &records {
                    self.run.twins.give_up(content_key(&record.content_hash));
                    let problem = problem(record, Stage::Embed, chain(&error));
                    self.run.ended(&Outcome::Failed(problem));
                }
                return Err(error.into());
            }
        };
        let mut rows = Vec::with_capacity(records.len());
        for (record, vector) in records.into_iter().zip(vectors) {
            let content = content_key(&record.content_hash);
            match vector.and_then(|vector| directed(vector, self.run.metric)) {
                Ok(embedding) => {
                    self.run.twins.settle(content, &record.id, &embedding);
                    let outcome = Outcome::Upserted;
                    rows.push((Entity { record, embedding }, outcome));
                }
                Err(bad) => {
                    self.run.twins.give_up(content);
                    let problem = problem(&record, Stage::Embed, format!("its vector {bad}"));
                    self.run.ended(&Outcome::Rejected(problem));
                }
            }
        }
        self.send(rows, to_write);
        Ok(())
    }

    fn send(&self, rows: Vec<Row>, to_write: &mpsc::Sender<Vec<Row>>) {
        if !rows.is_empty()
            && let Err(unsent) = to_write.blocking_send(rows)
        {
            for _ in unsent.0 {
                self.run.ended(&Outcome::Cancelled);
            }
        }
    }
}

/// A row to write, and what its picture ends as once it is written.
pub(super) type Row = (Entity, Outcome);

/// What becomes of a picture that was read.
enum Next {
    /// It has its outcome.
    Nothing,
    /// It is embedded: its row, and its file's bytes.
    Embed(ImageRecord, Vec<u8>),
    /// Its vector is somewhere already.
    Copy(Twin),
}

fn next(jobs: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    // A worker that panicked holding the lock left the queue whole.
    let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    jobs.blocking_recv()
}

/// Path of the stored picture that this one would overwrite though it is not
/// the same: other content, at another place that still exists. A folder that
/// moved leaves nothing behind, and a copy has the same content.
fn another_picture<'a>(stored: &'a Stored, record: &ImageRecord) -> Option<&'a str> {
    let elsewhere = stored.path != record.path && Path::new(&stored.path).exists();
    elsewhere.then_some(stored.path.as_str())
}

/// A vector without a direction has no cosine with any other.
fn directed(vector: Vec<f32>, metric: MetricType) -> Result<Vec<f32>, BadVector> {
    if metric == MetricType::Cosine && vector.iter().all(|number| *number == 0.0) {
        Err(BadVector::Zero)
    } else {
        Ok(vector)
    }
}

fn problem(record: &ImageRecord, stage: Stage, reason: String) -> Problem {
    Problem {
        path: record.path.clone().into(),
        stage,
        reason,
    }
}
