//! Second stage: joins names, and holds each picture against what the
//! collection has of it. What is the same by size, time and details goes no
//! further; its file is not even read.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::job::{Job, Stored};
use super::known::Known;
use super::{IngestError, Run};
use crate::catalog::{Candidate, SourceName, now_micros, until_settled};
use crate::entity::{ImageId, Outcome};
use crate::store::{HeldRow, HeldVector, content_key};

/// Sources that were read whole.
pub(super) type Sources = HashMap<SourceName, Arc<Known>>;

pub(super) async fn run(
    run: Arc<Run>,
    mut chunks: mpsc::Receiver<Vec<Candidate>>,
    to_embed: mpsc::Sender<Job>,
) -> Result<Sources, IngestError> {
    let _guard = run.cancel.on_panic();
    let mut sources = Sources::new();
    let mut fault = None;
    loop {
        let received = tokio::select! {
            chunk = chunks.recv() => chunk,
            // Discovery may wait for ever on its list; it finds this closed.
            () = run.cancel.cancelled(), if !chunks.is_closed() => {
                chunks.close();
                continue;
            }
        };
        let Some(chunk) = received else {
            break;
        };
        if run.cancel.is_cancelled() {
            cancel(&run, chunk.len());
            continue;
        }
        let pictures = chunk.len();
        match jobs(&run, &mut sources, chunk).await {
            Ok(jobs) => send(&run, jobs, &to_embed).await,
            Err(error) => {
                // Goes on taking chunks, so that each picture gets its outcome.
                if !error.is_impatience(run.cancel.is_cancelled()) {
                    fault = Some(error);
                }
                run.cancel.cancel();
                cancel(&run, pictures);
            }
        }
    }
    fault.map_or(Ok(sources), Err)
}

/// What is to be done of a chunk. Outcomes are given once nothing can fail any
/// more.
async fn jobs(
    run: &Run,
    sources: &mut Sources,
    chunk: Vec<Candidate>,
) -> Result<Vec<Job>, IngestError> {
    let rows = rows(run, sources, &chunk).await?;
    let (mut jobs, mut done) = (Vec::with_capacity(chunk.len()), Vec::new());
    for (candidate, row) in chunk.into_iter().zip(rows) {
        let known = sources.get(&candidate.source).cloned();
        match Job::new(run.names.as_ref(), candidate) {
            Err(problem) => done.push(Outcome::Rejected(problem)),
            Ok(job) if row.is_some_and(|row| job.is_same(&row)) => done.push(Outcome::Unchanged),
            Ok(job) => jobs.push((Job { known, ..job }, row)),
        }
    }
    let changed = jobs.iter().filter(|(_, row)| row.is_some());
    let changed: Vec<ImageId> = changed.map(|(job, _)| job.candidate.id.clone()).collect();
    let mut stored = run.store.held_vectors(&run.collection, &changed).await?;
    for outcome in &done {
        run.ended(outcome);
    }
    let jobs = jobs.into_iter().map(|(job, row)| {
        let stored = stored.remove(&job.candidate.id);
        let stored = row.zip(stored).map(|(row, held)| keep(run, row, held));
        Job { stored, ..job }
    });
    Ok(jobs.collect())
}

/// Keeps the vector at hand: of the picture itself, if only its name changed,
/// or of another that took its content, since the row may be overwritten
/// before that one asks for it.
fn keep(run: &Run, row: HeldRow, held: HeldVector) -> Stored {
    if held.embedding.iter().all(|number| number.is_finite()) {
        let content = content_key(&held.content_hash);
        run.twins.keep(content, &held.embedding);
    }
    Stored {
        row,
        path: held.path,
    }
}

/// What the collection holds of each candidate.
async fn rows(
    run: &Run,
    sources: &mut Sources,
    chunk: &[Candidate],
) -> Result<Vec<Option<HeldRow>>, IngestError> {
    if !run.compare {
        return Ok(vec![None; chunk.len()]);
    }
    let mut single = Vec::new();
    for candidate in chunk {
        if !candidate.source.whole {
            single.push(candidate.id.clone());
        } else if !sources.contains_key(&candidate.source) {
            let known = read_source(run, &candidate.source.name).await?;
            sources.insert(candidate.source.clone(), Arc::new(known));
        }
    }
    let single = run.store.held_rows_of(&run.collection, &single).await?;
    let row = |candidate: &Candidate| match sources.get(&candidate.source) {
        Some(known) => known.find(candidate.id.key()?),
        None => single.get(&candidate.id).copied(),
    };
    Ok(chunk.iter().map(row).collect())
}

async fn read_source(run: &Run, name: &str) -> Result<Known, IngestError> {
    let start = std::time::Instant::now();
    let prefix = ImageId::prefix(name);
    let rows = run.store.held_rows(&run.collection, &prefix).await?;
    tracing::debug!(source = name, rows = rows.len(), elapsed = ?start.elapsed(), "source read");
    Ok(Known::new(prefix, rows))
}

async fn send(run: &Run, jobs: Vec<Job>, to_embed: &mpsc::Sender<Job>) {
    for job in jobs {
        let wait = until_settled(job.candidate.modified, now_micros());
        // A sleep of zero lasts until the timer's next tick, a millisecond.
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        // Workers only go away when the run is over.
        if to_embed.send(job).await.is_err() {
            cancel(run, 1);
        }
    }
}

fn cancel(run: &Run, pictures: usize) {
    for _ in 0..pictures {
        run.ended(&Outcome::Cancelled);
    }
}
