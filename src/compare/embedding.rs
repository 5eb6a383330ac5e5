//! Pictures to two vectors each: decoded once, preprocessed for either model.
//!
//! Each worker takes one batch of neighbouring pictures after the other. Which
//! pictures share a batch depends on the sample alone, never on who was
//! quicker, since the vectors of some models depend on it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::sample::Listed;
use super::{CompareError, Observer, go_on};
use crate::catalog::read_file;
use crate::config::ImageLimits;
use crate::embed::{BadVector, EmbedError, VisionTower};
use crate::entity::{Embedding, Problem, Stage, chain};
use crate::imaging::{Preprocess, RgbImage, decode};
use crate::model::Model;

/// What all workers share.
pub(super) struct Job<'a> {
    pub(super) models: [&'a Model; 2],
    pub(super) pictures: &'a [Listed],
    /// Pictures in one run of a graph.
    pub(super) batch: usize,
    pub(super) limits: ImageLimits,
    pub(super) observer: &'a dyn Observer,
}

/// What came of it, in the order of the pictures.
#[derive(Debug, Default)]
pub(super) struct Embedded {
    pub(super) paths: Vec<PathBuf>,
    /// One vector a path, of either model.
    pub(super) vectors: [Vec<Embedding>; 2],
    pub(super) problems: Vec<Problem>,
    pub(super) spent: Spent,
}

/// What some pictures took, summed over the workers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) images: usize,
    pub(super) decode: Duration,
    pub(super) preprocess: [Duration; 2],
    pub(super) inference: [Duration; 2],
}

/// Outcome of one picture.
type Done = Result<(PathBuf, [Embedding; 2]), Problem>;

/// One worker's outcomes, by number of the batch.
type Share = (Vec<(usize, Vec<Done>)>, Spent);

impl Job<'_> {
    /// Batches that there are.
    pub(super) fn batches(&self) -> usize {
        self.pictures.len().div_ceil(self.batch)
    }

    /// Embeds every picture, a worker for each pair of towers.
    ///
    /// # Errors
    /// A graph failed, or somebody asked to stop.
    pub(super) fn run(&self, towers: &mut [[VisionTower; 2]]) -> Result<Embedded, CompareError> {
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let shares: Vec<Result<Share, CompareError>> = std::thread::scope(|scope| {
            let workers: Vec<_> = towers
                .iter_mut()
                .map(|towers| {
                    let (next, failed) = (&next, &failed);
                    scope.spawn(move || {
                        let share = self.work(towers, next, failed);
                        failed.fetch_or(share.is_err(), Ordering::Relaxed);
                        share
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| {
                    let joined = worker.join();
                    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        let mut embedded = Embedded::default();
        let mut batches = Vec::new();
        for share in shares {
            let (done, spent) = share?;
            batches.extend(done);
            embedded.spent.add(&spent);
        }
        batches.sort_by_key(|(number, _)| *number);
        for done in batches.into_iter().flat_map(|(_, done)| done) {
            embedded.take(done);
        }
        Ok(embedded)
    }

    fn work(
        &self,
        towers: &mut [VisionTower; 2],
        next: &AtomicUsize,
        failed: &AtomicBool,
    ) -> Result<Share, CompareError> {
        let [a, b] = towers;
        let mut sides = [
            Side::new(self.models[0], a, self.batch),
            Side::new(self.models[1], b, self.batch),
        ];
        let mut done = Vec::new();
        // A session's first run is slow: it is timed only where it is the only one.
        let (mut first, mut later) = (Spent::default(), Spent::default());
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(pictures) = self.pictures.chunks(self.batch).nth(number) else {
                break;
            };
            let spent = if first.images == 0 {
                &mut first
            } else {
                &mut later
            };
            done.push((number, self.batch(pictures, &mut sides, spent)?));
        }
        let timed = if later.images > 0 { later } else { first };
        Ok((done, timed))
    }

    fn batch(
        &self,
        pictures: &[Listed],
        sides: &mut [Side<'_>; 2],
        spent: &mut Spent,
    ) -> Result<Vec<Done>, CompareError> {
        let mut waiting = Vec::with_capacity(pictures.len());
        let mut problems = Vec::new();
        for listed in pictures {
            go_on(self.observer)?;
            let start = Instant::now();
            match picture(listed, &self.limits) {
                Ok(image) => {
                    spent.decode += start.elapsed();
                    for (side, spent) in sides.iter_mut().zip(&mut spent.preprocess) {
                        let start = Instant::now();
                        side.place(&image, waiting.len());
                        *spent += start.elapsed();
                    }
                    waiting.push(listed.path());
                }
                Err(problem) => problems.push(Err(problem)),
            }
            self.observer.advanced();
        }
        let mut vectors = Vec::with_capacity(2);
        for (side, spent) in sides.iter_mut().zip(&mut spent.inference) {
            go_on(self.observer)?;
            let start = Instant::now();
            vectors.push(side.embed(waiting.len())?.into_iter());
            *spent += start.elapsed();
        }
        spent.images += waiting.len();
        let mut done = problems;
        for path in waiting {
            let mut pair = vectors.iter_mut().zip(self.models).map(|(vectors, model)| {
                let vector = vectors.next().expect("a vector a picture; this is a bug");
                vector.map_err(|bad| Problem {
                    path: path.to_owned(),
                    stage: Stage::Embed,
                    reason: format!("its vector by {} {bad}", model.manifest.name),
                })
            });
            let mut vector = || pair.next().expect("there are two models; this is a bug");
            done.push(vector().and_then(|a| Ok((path.to_owned(), [a, vector()?]))));
        }
        Ok(done)
    }
}

impl Embedded {
    fn take(&mut self, done: Done) {
        match done {
            Ok((path, [a, b])) => {
                self.paths.push(path);
                self.vectors[0].push(a);
                self.vectors[1].push(b);
            }
            Err(problem) => self.problems.push(problem),
        }
    }
}

impl Spent {
    fn add(&mut self, other: &Self) {
        self.images += other.images;
        self.decode += other.decode;
        for side in 0..2 {
            self.preprocess[side] += other.preprocess[side];
            self.inference[side] += other.inference[side];
        }
    }
}

/// One model's half of a worker.
pub(super) struct Side<'a> {
    preprocess: Preprocess,
    tower: &'a mut VisionTower,
    tensors: Vec<f32>,
}

impl<'a> Side<'a> {
    /// With room for the tensors of `places` pictures.
    pub(super) fn new(model: &Model, tower: &'a mut VisionTower, places: usize) -> Self {
        let preprocess = Preprocess::new(&model.manifest.vision);
        Self {
            tensors: vec![0.0; preprocess.tensor_len() * places],
            preprocess,
            tower,
        }
    }

    /// Makes the tensor at `place` that of `image`.
    pub(super) fn place(&mut self, image: &RgbImage, place: usize) {
        let length = self.preprocess.tensor_len();
        let tensor = &mut self.tensors[place * length..(place + 1) * length];
        self.preprocess.write_tensor(image, tensor);
    }

    /// Vectors of the first `count` places, in one batch.
    pub(super) fn embed(
        &mut self,
        count: usize,
    ) -> Result<Vec<Result<Embedding, BadVector>>, EmbedError> {
        self.embed_from(0, count)
    }

    /// Vectors of `count` places from `first` on, in one batch.
    pub(super) fn embed_from(
        &mut self,
        first: usize,
        count: usize,
    ) -> Result<Vec<Result<Embedding, BadVector>>, EmbedError> {
        let length = self.preprocess.tensor_len();
        let tensors = &self.tensors[first * length..(first + count) * length];
        let vectors = self.tower.embed(tensors, count)?;
        Ok(vectors.into_iter().map(directed).collect())
    }
}

/// A vector without a direction has no cosine with any other.
fn directed(vector: Result<Embedding, BadVector>) -> Result<Embedding, BadVector> {
    let vector = vector?;
    if vector.iter().all(|number| *number == 0.0) {
        Err(BadVector::Zero)
    } else {
        Ok(vector)
    }
}

/// Reads and decodes one picture, within the same limits as ingest.
pub(super) fn picture(listed: &Listed, limits: &ImageLimits) -> Result<RgbImage, Problem> {
    if let Some(problem) = &listed.problem {
        return Err(problem.clone());
    }
    let problem = |stage, reason| Problem {
        path: listed.path.clone(),
        stage,
        reason,
    };
    let file = read_file(listed.path(), limits.max_file_bytes)
        .map_err(|error| problem(Stage::Read, error.to_string()))?;
    decode(&file.bytes, limits).map_err(|error| problem(Stage::Decode, chain(&error)))
}
