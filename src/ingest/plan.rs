//! Second stage: joins names, and asks the collection what it holds already.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{IngestError, Run};
use crate::catalog::{Candidate, NamesTable, readable_stem};
use crate::entity::{Attributes, ImageId, Outcome, Problem, Stage};
use crate::store::{MAX_JSON_BYTES, MAX_TEXT_BYTES, StoredRecord};

/// A picture to look at.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) candidate: Candidate,
    pub(super) display_name: String,
    pub(super) attributes: Attributes,
    /// What the collection holds of it.
    pub(super) stored: Option<StoredRecord>,
}

pub(super) async fn run(
    run: Arc<Run>,
    mut chunks: mpsc::Receiver<Vec<Candidate>>,
    to_embed: mpsc::Sender<Job>,
) -> Result<(), IngestError> {
    let _guard = run.cancel.on_panic();
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
        match stored(&run, &chunk).await {
            Ok(stored) => send(&run, chunk, stored, &to_embed).await,
            Err(error) => {
                // Goes on taking chunks, so that each picture gets its outcome.
                run.cancel.cancel();
                cancel(&run, chunk.len());
                fault = Some(error);
            }
        }
    }
    fault.map_or(Ok(()), Err)
}

async fn stored(
    run: &Run,
    chunk: &[Candidate],
) -> Result<HashMap<ImageId, StoredRecord>, IngestError> {
    if !run.compare {
        return Ok(HashMap::new());
    }
    let ids: Vec<ImageId> = chunk.iter().map(|candidate| candidate.id.clone()).collect();
    Ok(run.store.stored_records(&run.collection, &ids).await?)
}

async fn send(
    run: &Run,
    chunk: Vec<Candidate>,
    mut stored: HashMap<ImageId, StoredRecord>,
    to_embed: &mpsc::Sender<Job>,
) {
    for candidate in chunk {
        let stored = stored.remove(&candidate.id);
        match job(run.names.as_ref(), candidate, stored) {
            Err(problem) => run.ended(&Outcome::Rejected(problem)),
            // Workers only go away when the run is over.
            Ok(job) => {
                if to_embed.send(job).await.is_err() {
                    cancel(run, 1);
                }
            }
        }
    }
}

fn cancel(run: &Run, pictures: usize) {
    for _ in 0..pictures {
        run.ended(&Outcome::Cancelled);
    }
}

fn job(
    names: Option<&NamesTable>,
    candidate: Candidate,
    stored: Option<StoredRecord>,
) -> Result<Job, Problem> {
    let (name, attributes) = names.map_or((None, None), |names| names.lookup(&candidate));
    let display_name = name.map_or_else(|| readable_stem(&candidate.relative), str::to_owned);
    let attributes = attributes.cloned().unwrap_or_default();
    let json_bytes = serde_json::to_string(&attributes).map_or(0, |json| json.len());
    let too_long = [
        ("display name", display_name.len(), MAX_TEXT_BYTES),
        ("path", candidate.path_text.len(), MAX_TEXT_BYTES),
        ("attributes", json_bytes, MAX_JSON_BYTES),
    ]
    .into_iter()
    .find(|(_, bytes, most)| bytes > most);
    if let Some((what, bytes, most)) = too_long {
        return Err(Problem {
            path: candidate.path,
            stage: Stage::Discover,
            reason: format!("its {what} takes {bytes} bytes, Milvus stores at most {most}"),
        });
    }
    Ok(Job {
        candidate,
        display_name,
        attributes,
        stored,
    })
}
