//! Use-case: pictures into a collection.
//!
//! ```text
//! discover (thread) -> plan (task) -> embed-N (threads) -> write (task)
//! ```
//!
//! Discovery names pictures, the plan asks the collection what it holds of
//! them, each worker takes one picture after the other from reading to vector,
//! and the writer upserts in batches. Every channel between them is bounded; a
//! slow stage holds up the ones before it and memory stays flat. A worker runs
//! to completion with a session of its own, since that is what keeps a core
//! busy: two single-threaded sessions beat one of two threads.
//!
//! Each picture ends in one [`Outcome`](crate::entity::Outcome), and the ledger
//! balances whatever happens: a bad picture is an outcome and the run goes on,
//! a broken server or graph ends the run and what was left is `cancelled`.
//!
//! [`check`] looks at all that can fail before that, and writes nothing.

mod cancel;
pub mod check;
mod discoverer;
mod error;
mod folders;
mod job;
mod known;
mod ledger;
mod plan;
mod prune;
mod target;
mod twins;
mod verify;
mod worker;
mod writer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

pub use cancel::Cancel;
pub use check::Memory;
pub use error::IngestError;
pub use ledger::{Counts, Observer, Report};
pub use prune::{Prune, PruneRefusal};
pub use verify::{Difference, DifferenceKind, Verification, VerifyTarget};

use crate::catalog::{Entries, NamesTable, Roots};
use crate::config::{ImageLimits, IndexSettings};
use crate::embed::{EmbedError, Runtime, TextTower, VisionTower};
use crate::entity::MetricType;
use crate::model::Model;
use crate::store::{ModelMark, Store};
use cancel::CANCEL_POLL;
use folders::Folders;
use ledger::Ledger;
use plan::Sources;
use twins::Twins;

/// Candidates in one look at the collection: large enough that the question's
/// latency vanishes, small enough for a short filter (256 x 48 bytes = 12 KiB).
const PLAN_CHUNK: usize = 256;

/// Looks at a discovery that was told to stop, before it is left behind.
const DISCOVERY_POLLS: u32 = 20;

/// Chunks that discovery may be ahead: 2 x 256 candidates of about 400 bytes.
const PLAN_QUEUE: usize = 2;

/// Where the pictures go.
#[derive(Debug)]
pub struct Target {
    /// The collection.
    pub collection: String,
    /// Its index, where it must be created.
    pub index: IndexSettings,
    /// Whether to write nothing.
    pub dry_run: bool,
    /// Whether rows whose pictures are gone are deleted at the end.
    pub prune: Option<Prune>,
}

/// Where the pictures come from.
#[derive(Debug)]
pub struct Pictures {
    /// Folders, files and lists.
    pub entries: Entries,
    /// How they become sources.
    pub roots: Roots,
    /// Display names and attributes.
    pub names: Option<NamesTable>,
    /// Bounds on a single file.
    pub limits: ImageLimits,
}

/// How much is done at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Worker threads, each with a session of its own.
    pub workers: usize,
    /// Threads that one session uses.
    pub threads: usize,
    /// Pictures in one run of the graph; the last run of a worker is filled up
    /// with black ones, so that vectors do not depend on what came together.
    pub batch_images: usize,
    /// Bytes in one upsert.
    pub batch_bytes: usize,
    /// Upserts under way at once; a Milvus Lite always gets one.
    pub upserts_in_flight: usize,
    /// Longest time that a finished vector waits for its batch to fill.
    pub linger: Duration,
}

/// What every stage of a run shares.
struct Run {
    store: Store,
    collection: String,
    /// Which of that name it is, where it is written to.
    number: Option<i64>,
    metric: MetricType,
    /// Whether the collection holds rows that can be compared with.
    compare: bool,
    write_nothing: bool,
    pace: Pace,
    limits: ImageLimits,
    names: Option<NamesTable>,
    ledger: Ledger,
    folders: Folders,
    twins: Twins,
    observer: Arc<dyn Observer>,
    cancel: Cancel,
}

impl Run {
    fn ended(&self, outcome: &crate::entity::Outcome) {
        self.ledger.ended(outcome, self.observer.as_ref());
    }
}

/// The use-case, ready to run: the model is open and fits its manifest.
pub struct Ingest {
    store: Store,
    model: Model,
    mark: ModelMark,
    towers: Vec<VisionTower>,
    pace: Pace,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest")
            .field("mark", &self.mark)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

impl Ingest {
    /// Opens one session a worker and checks it against the manifest, before
    /// any picture is read.
    ///
    /// # Errors
    /// A graph cannot be opened, or contradicts the manifest.
    pub fn open(
        store: Store,
        model: Model,
        mark: ModelMark,
        runtime: Option<&Runtime>,
        pace: Pace,
    ) -> Result<Self, EmbedError> {
        let towers = std::thread::scope(|scope| {
            // Words are asked of the collection later: a text side that is
            // wrong must not be found out after everything is embedded.
            let text = scope.spawn(|| match runtime {
                Some(runtime) if model.manifest.knows_text() => {
                    TextTower::open(&model, runtime, pace.threads).map(drop)
                }
                _ => Ok(()),
            });
            let open = || {
                let tower = VisionTower::open(&model, runtime, pace.threads)?;
                Ok::<_, EmbedError>(tower.in_batches_of(pace.batch_images))
            };
            let opening: Vec<_> = (0..pace.workers.max(1))
                .map(|_| scope.spawn(open))
                .collect();
            opening
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|p| std::panic::resume_unwind(p))
                })
                .collect::<Result<Vec<_>, _>>()
                .and_then(|towers| {
                    let checked = text.join();
                    checked.unwrap_or_else(|p| std::panic::resume_unwind(p))?;
                    Ok(towers)
                })
        })?;
        Ok(Self {
            store,
            model,
            mark,
            towers,
            pace,
        })
    }

    /// The collection, ready to be written to; `None` where `cancel` came first.
    async fn prepare(
        &self,
        target: &Target,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Option<target::Ready>, IngestError> {
        let dimension = self.model.manifest.dimension;
        let preparing = target::prepare(&self.store, target, &self.mark, dimension, observer);
        tokio::select! {
            ready = preparing => match ready {
                Err(error) if error.is_impatience(cancel.is_cancelled()) => Ok(None),
                ready => ready.map(Some),
            },
            // Loading a large collection takes minutes.
            () = cancel.cancelled() => Ok(None),
        }
    }

    /// Runs to the end, or until `cancel`.
    ///
    /// # Errors
    /// The collection cannot be had, or belongs to another model. What goes
    /// wrong later stands in the report.
    pub async fn run(
        &mut self,
        target: Target,
        pictures: Pictures,
        observer: Arc<dyn Observer>,
        cancel: Cancel,
    ) -> Result<Report, IngestError> {
        let start = Instant::now();
        let Some(ready) = self.prepare(&target, observer.as_ref(), &cancel).await? else {
            return Ok(Report::interrupted(start.elapsed()));
        };
        let run = Arc::new(Run {
            store: self.store.clone(),
            collection: target.collection,
            number: ready.number,
            metric: ready.metric,
            compare: ready.exists,
            write_nothing: target.dry_run,
            pace: self.pace,
            limits: pictures.limits,
            names: pictures.names,
            ledger: Ledger::default(),
            folders: match target.prune {
                Some(_) => Folders::of(&pictures.entries),
                None => Folders::default(),
            },
            twins: Twins::default(),
            observer,
            cancel,
        });
        let (sources, mut fatal) = stages(
            &run,
            &self.model,
            &mut self.towers,
            pictures.entries,
            pictures.roots,
        )
        .await;
        let mut counts = run.ledger.close();
        if fatal.is_none() && !run.cancel.is_cancelled() {
            let concluded = prune::conclude(&run, target.prune, &sources, &mut counts.pruned);
            match concluded.await {
                Err(error) if error.is_impatience(run.cancel.is_cancelled()) => {}
                concluded => fatal = concluded.err(),
            }
        }
        debug_assert!(counts.balances(), "{counts:?}; this is a bug");
        Ok(Report {
            counts,
            elapsed: start.elapsed(),
            interrupted: run.cancel.is_cancelled(),
            complete: run.ledger.is_complete(),
            fatal,
            unused_names: run.names.as_ref().map_or(0, NamesTable::unused),
        })
    }
}

/// Starts the stages, waits for all of them, and returns what the collection
/// held, and what ended the run early, if anything did.
async fn stages(
    run: &Arc<Run>,
    model: &Model,
    towers: &mut Vec<VisionTower>,
    entries: Entries,
    roots: Roots,
) -> (Sources, Option<IngestError>) {
    // A worker's next batch waits in the queue while it embeds the present one.
    let queued_jobs = run.pace.batch_images * towers.len();
    let (to_plan, chunks) = mpsc::channel(PLAN_QUEUE);
    let (to_embed, jobs) = mpsc::channel(queued_jobs.max(1));
    // One finished batch a worker; 8 vectors of 512 numbers are 16 KiB.
    let (to_write, entities) = mpsc::channel(towers.len());

    let discovering = {
        let run = Arc::clone(run);
        thread("discover", move || {
            discoverer::run(&run, entries, roots, &to_plan);
        })
    };
    let planning = tokio::spawn(plan::run(Arc::clone(run), chunks, to_embed));
    let jobs = Arc::new(std::sync::Mutex::new(jobs));
    let mut embedding = Vec::new();
    for (number, tower) in towers.drain(..).enumerate() {
        let (run, jobs, to_write) = (Arc::clone(run), Arc::clone(&jobs), to_write.clone());
        let worker = worker::Worker::new(run, &model.manifest.vision, tower);
        embedding.push(thread(&format!("embed-{number}"), move || {
            worker.run(&jobs, &to_write)
        }));
    }
    drop((jobs, to_write));
    let writing = tokio::spawn(writer::run(Arc::clone(run), entities));

    let waited = tokio::task::spawn_blocking(move || {
        let joined = embedding.into_iter().map(join);
        joined.collect::<Vec<_>>()
    });
    let mut faults: Vec<IngestError> = Vec::new();
    let sources = joined(planning.await).unwrap_or_else(|fault| {
        faults.push(fault);
        Sources::new()
    });
    for (tower, ended) in joined(waited.await) {
        towers.push(tower);
        faults.extend(ended.err());
    }
    faults.extend(joined(writing.await).err());
    finish_discovery(discovering).await;
    (sources, faults.into_iter().next())
}

/// Joins discovery, which has ended or been told to. One that waits for a list
/// on standard input is left behind: nothing but the list's writer can end it.
async fn finish_discovery(discovering: std::thread::JoinHandle<()>) {
    for _ in 0..DISCOVERY_POLLS {
        if discovering.is_finished() {
            return join(discovering);
        }
        tokio::time::sleep(CANCEL_POLL).await;
    }
    tracing::debug!("discovery still waits for its list; left behind");
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .expect("the system refuses a handful of threads; nothing can be done")
}

fn join<T>(thread: std::thread::JoinHandle<T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn joined<T>(task: Result<T, tokio::task::JoinError>) -> T {
    task.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => unreachable!("no task of a run is aborted; this is a bug"),
    })
}
