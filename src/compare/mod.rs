//! Use-case: what it costs to use one model instead of another, on the user's
//! own pictures.
//!
//! ```text
//! walk -> sample -> decode -> preprocess and embed, by A and by B -> compare
//! ```
//!
//! Nothing is stored and no server is asked: vectors are compared exactly, each
//! with every other. Time and memory grow with the sample, the former with its
//! square. One picture a worker is decoded at a time.
//!
//! What is reported for a model that depends on its batch is what ingest would
//! store with the same `--batch`: batches are made of pictures that are
//! neighbours by path, whatever the number of workers.

mod company;
mod embedding;
mod error;
mod metrics;
mod report;
mod sample;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use company::COMPANY;
pub use error::CompareError;
pub use metrics::Cosines;
pub use report::{Incomparable, Kept, PictureCosines, Report, Side, TextsKept};

use crate::config::ImageLimits;
use crate::embed::{EmbedError, Runtime, TextTower, VisionTower};
use crate::entity::{Embedding, Problem};
use crate::model::{Fingerprint, Model};
use embedding::{Embedded, Job, Spent};
use metrics::{Agreement, Vectors};

/// Least cosine between a picture's vectors alone and in a batch that rounding
/// in 32 bits explains: lit-b0 and resnet50 were measured at 0.999999 and above.
pub const LEAST_IN_COMPANY: f64 = 0.9999;

/// One of the two models.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The model.
    pub model: Model,
    /// Its identity.
    pub fingerprint: Fingerprint,
}

/// How much is done at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Worker threads, each with a session of either model.
    pub workers: usize,
    /// Threads that one session uses.
    pub threads: usize,
    /// Pictures in one run of a graph.
    pub batch: usize,
}

/// What is compared.
#[derive(Debug, Clone)]
pub struct Question {
    /// Folders and files.
    pub paths: Vec<PathBuf>,
    /// Most pictures; 0 means all.
    pub sample: usize,
    /// Neighbours that count.
    pub limit: usize,
    /// Text queries.
    pub texts: Vec<String>,
    /// Bounds on a single file.
    pub limits: ImageLimits,
}

/// Watches a comparison.
pub trait Observer: Send + Sync {
    /// So many pictures were found so far.
    fn found(&self, pictures: usize);
    /// A step of so many parts begins.
    fn begins(&self, step: Step, parts: usize);
    /// One more part of the step is done.
    fn advanced(&self);
    /// A picture cannot be compared.
    fn rejected(&self, problem: &Problem);
    /// Whether somebody asked to stop.
    fn is_cancelled(&self) -> bool;
}

/// Asked between any two pieces of work: a graph that still runs while the
/// process ends complains, or worse.
fn go_on(observer: &dyn Observer) -> Result<(), CompareError> {
    if observer.is_cancelled() {
        Err(CompareError::Interrupted)
    } else {
        Ok(())
    }
}

/// The long steps of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Pictures become vectors.
    Embed,
    /// Neighbours of each picture are looked for.
    Compare,
}

/// The use-case, ready to run: both models are open and fit their manifests.
pub struct Compare {
    subjects: [Subject; 2],
    towers: Vec<[VisionTower; 2]>,
    texts: Option<[TextTower; 2]>,
    pace: Pace,
}

impl std::fmt::Debug for Compare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compare")
            .field("subjects", &self.subjects)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

impl Compare {
    /// Opens one session a worker and model, and the text sides where
    /// `with_text` asks for them.
    ///
    /// # Errors
    /// A graph cannot be opened, contradicts its manifest, or a model without
    /// a text side is asked for one.
    pub fn open(
        subjects: [Subject; 2],
        runtime: Option<&Runtime>,
        pace: Pace,
        with_text: bool,
    ) -> Result<Self, CompareError> {
        let [a, b] = &subjects;
        let mut texts = None;
        if with_text {
            let open = |subject: &Subject| match runtime {
                Some(runtime) if subject.model.manifest.knows_text() => {
                    Ok(TextTower::open(&subject.model, runtime, pace.threads)?)
                }
                _ => Err(CompareError::NoText {
                    model: subject.model.manifest.name.clone(),
                }),
            };
            texts = Some([open(a)?, open(b)?]);
        }
        let open = || {
            let open = |subject: &Subject| VisionTower::open(&subject.model, runtime, pace.threads);
            Ok([open(a)?, open(b)?])
        };
        let towers = std::thread::scope(|scope| {
            let opening: Vec<_> = (0..pace.workers.max(1))
                .map(|_| scope.spawn(open))
                .collect();
            let opened = opening.into_iter().map(|thread| {
                let joined = thread.join();
                joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            opened.collect::<Result<Vec<_>, EmbedError>>()
        })?;
        Ok(Self {
            subjects,
            towers,
            texts,
            pace,
        })
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// A graph failed, fewer than two pictures are left to compare, or
    /// somebody asked to stop.
    pub fn run(
        mut self,
        question: &Question,
        observer: &dyn Observer,
    ) -> Result<Report, CompareError> {
        let listed = sample::find(&question.paths, observer);
        let found = listed.len();
        let sample = sample::take(listed, question.sample);
        observer.begins(Step::Embed, sample.len());
        let job = Job {
            models: [&self.subjects[0].model, &self.subjects[1].model],
            pictures: &sample,
            batch: self.pace.batch.max(1),
            limits: question.limits,
            observer,
        };
        // Workers without a batch would be counted as if they had helped.
        self.towers.truncate(job.batches().max(1));
        self.pace.workers = self.towers.len();
        let embedded = job.run(&mut self.towers)?;
        for problem in &embedded.problems {
            observer.rejected(problem);
        }
        if embedded.paths.len() < 2 {
            return Err(CompareError::TooFew {
                found: sample.len(),
                usable: embedded.paths.len(),
            });
        }
        let company = company::measure(
            &embedded.paths,
            &question.limits,
            job.models,
            &mut self.towers[0],
            observer,
        )?;
        let vectors = [
            Vectors::new(&embedded.vectors[0]),
            Vectors::new(&embedded.vectors[1]),
        ];
        let pictures = self.pictures_kept(&vectors, question.limit, observer);
        let texts = self.texts_kept(&vectors, question, observer)?;
        go_on(observer)?;
        Ok(Report {
            cosines: self.cosines(&embedded),
            sides: self.sides(&embedded.spent, company),
            found,
            sampled: sample.len(),
            compared: embedded.paths.len(),
            decoded_per_second: self.per_second(embedded.spent.images, embedded.spent.decode),
            rejected: embedded.problems,
            pace: self.pace,
            pictures,
            texts,
        })
    }

    /// Each picture asks for its neighbours, on all threads.
    fn pictures_kept(
        &self,
        vectors: &[Vectors<'_>; 2],
        limit: usize,
        observer: &dyn Observer,
    ) -> Kept {
        let [a, b] = vectors;
        let limit = limit.min(a.len() - 1);
        observer.begins(Step::Compare, a.len());
        let next = AtomicUsize::new(0);
        let ask = || {
            let mut agreement = Agreement::default();
            loop {
                let asks = next.fetch_add(1, Ordering::Relaxed);
                if asks >= a.len() || observer.is_cancelled() {
                    return agreement;
                }
                let nearest = |side: &Vectors<'_>| side.nearest(side.get(asks), Some(asks), limit);
                agreement.add(&nearest(a), &nearest(b));
                observer.advanced();
            }
        };
        let mut agreement = Agreement::default();
        std::thread::scope(|scope| {
            let threads = self.pace.workers * self.pace.threads;
            let asking: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(ask)).collect();
            for thread in asking {
                let joined = thread.join();
                agreement.merge(joined.unwrap_or_else(|p| std::panic::resume_unwind(p)));
            }
        });
        Kept::new(agreement, limit)
    }

    /// Each text asks for its pictures. Texts are embedded one by one, as a
    /// search does.
    fn texts_kept(
        &mut self,
        pictures: &[Vectors<'_>; 2],
        question: &Question,
        observer: &dyn Observer,
    ) -> Result<Option<TextsKept>, CompareError> {
        let comparable = self.comparable().is_ok();
        let Some(towers) = &mut self.texts else {
            return Ok(None);
        };
        let limit = question.limit.min(pictures[0].len());
        let mut agreement = Agreement::default();
        let mut asked: [Vec<Embedding>; 2] = [Vec::new(), Vec::new()];
        let mut cut = 0;
        for text in &question.texts {
            go_on(observer)?;
            let mut nearest = Vec::with_capacity(2);
            let mut was_cut = false;
            for side in 0..2 {
                for embedded in towers[side].embed(&[text.as_str()])? {
                    nearest.push(pictures[side].nearest(&embedded.embedding, None, limit));
                    was_cut |= embedded.truncated;
                    asked[side].push(embedded.embedding);
                }
            }
            if let [a, b] = &nearest[..] {
                agreement.add(a, b);
            }
            cut += usize::from(was_cut);
        }
        let [a, b] = &asked;
        Ok(Some(TextsKept {
            kept: Kept::new(agreement, limit),
            cosines: Cosines::of(a, b).filter(|_| comparable),
            cut,
        }))
    }

    fn comparable(&self) -> Result<(), Incomparable> {
        let [a, b] = [0, 1].map(|side| &self.subjects[side].model.manifest);
        if a.dimension != b.dimension {
            Err(Incomparable::Dimension)
        } else if a.normalise != b.normalise {
            Err(Incomparable::Normalisation)
        } else {
            Ok(())
        }
    }

    fn cosines(&self, embedded: &Embedded) -> Result<PictureCosines, Incomparable> {
        self.comparable()?;
        let [a, b] = &embedded.vectors;
        let cosines = Cosines::of(a, b).expect("there are two pictures at least; this is a bug");
        Ok(PictureCosines {
            cosines,
            min_path: embedded.paths[cosines.min_at].clone(),
        })
    }

    fn sides(&self, spent: &Spent, company: [Option<f64>; 2]) -> [Side; 2] {
        [0, 1].map(|side| {
            let subject = self.subjects[side].clone();
            let (inference, preprocess) = (spent.inference[side], spent.preprocess[side]);
            Side {
                file_bytes: file_bytes(&subject.model),
                subject,
                inferred_per_second: self.per_second(spent.images, inference),
                embedded_per_second: self.per_second(spent.images, inference + preprocess),
                least_in_company: company[side],
            }
        })
    }

    /// What all workers do in a second, if together they took `spent` for
    /// `images`; 0 where nothing was timed.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn per_second(&self, images: usize, spent: Duration) -> f64 {
        if spent.is_zero() {
            return 0.0;
        }
        (images * self.pace.workers) as f64 / spent.as_secs_f64()
    }
}

fn file_bytes(model: &Model) -> u64 {
    let files = model.manifest.files.iter();
    files
        .filter_map(|file| std::fs::metadata(model.path_of(&file.path)).ok())
        .map(|found| found.len())
        .sum()
}
