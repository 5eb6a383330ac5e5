//! Last stage: batches of rows into Milvus.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::worker::Row;
use super::{IngestError, Run};
use crate::entity::{Entity, Outcome, Problem, Stage};
use crate::store::{StoreError, Upserted, encoded_bytes};

pub(super) async fn run(
    run: Arc<Run>,
    mut rows: mpsc::Receiver<Vec<Row>>,
) -> Result<(), IngestError> {
    let _guard = run.cancel.on_panic();
    let mut writer = Writer::new(run);
    loop {
        let received = match writer.due {
            None => rows.recv().await,
            Some(due) => {
                if let Ok(received) = timeout_at(due, rows.recv()).await {
                    received
                } else {
                    writer.flush().await;
                    continue;
                }
            }
        };
        match received {
            Some(rows) => writer.add(rows).await,
            None => break,
        }
    }
    writer.flush().await;
    while writer.finish_one().await {}
    writer.fault.map_or(Ok(()), |fault| Err(fault.into()))
}

struct Writer {
    run: Arc<Run>,
    batch: Vec<Entity>,
    /// What the pictures of the batch end as once it is written.
    outcomes: Vec<Outcome>,
    batch_bytes: usize,
    /// When the batch is sent though it is not full.
    due: Option<Instant>,
    in_flight: JoinSet<Result<(), StoreError>>,
    most_in_flight: usize,
    fault: Option<StoreError>,
}

impl Writer {
    fn new(run: Arc<Run>) -> Self {
        // Milvus Lite loses acknowledged rows under concurrent writers.
        let most_in_flight = if run.store.server().lite {
            1
        } else {
            run.pace.upserts_in_flight.max(1)
        };
        Self {
            run,
            batch: Vec::new(),
            outcomes: Vec::new(),
            batch_bytes: 0,
            due: None,
            in_flight: JoinSet::new(),
            most_in_flight,
            fault: None,
        }
    }

    async fn add(&mut self, rows: Vec<Row>) {
        for (entity, outcome) in rows {
            let bytes = encoded_bytes(&entity);
            if self.batch_bytes + bytes > self.run.pace.batch_bytes {
                self.flush().await;
            }
            self.batch_bytes += bytes;
            self.batch.push(entity);
            self.outcomes.push(outcome);
        }
        if self.due.is_none() && !self.batch.is_empty() {
            self.due = Some(Instant::now() + self.run.pace.linger);
        }
    }

    /// Sends the batch, once there is room for it.
    async fn flush(&mut self) {
        self.due = None;
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let outcomes = std::mem::take(&mut self.outcomes);
        if batch.is_empty() {
            return;
        }
        while self.in_flight.len() >= self.most_in_flight {
            self.finish_one().await;
        }
        if self.fault.is_some() {
            // The server is given up: these wait for the next run.
            for _ in &batch {
                self.run.ended(&Outcome::Cancelled);
            }
            return;
        }
        let run = Arc::clone(&self.run);
        self.in_flight
            .spawn(async move { write(&run, batch, &outcomes).await });
    }

    /// Waits for one upsert; `false` where none is under way.
    async fn finish_one(&mut self) -> bool {
        let Some(finished) = self.in_flight.join_next().await else {
            return false;
        };
        if let Err(error) = super::joined(finished) {
            self.run.cancel.cancel();
            self.fault.get_or_insert(error);
        }
        true
    }
}

async fn write(run: &Run, batch: Vec<Entity>, outcomes: &[Outcome]) -> Result<(), StoreError> {
    let rows = batch.len();
    let Upserted { faults, fatal } = run.store.upsert(&run.collection, &batch).await;
    tracing::debug!(rows, unwritten = faults.len(), "batch ended");
    let unwritten: HashSet<usize> = faults.iter().map(|fault| fault.row).collect();
    let written = outcomes.iter().enumerate();
    for (_, outcome) in written.filter(|(row, _)| !unwritten.contains(row)) {
        run.ended(outcome);
    }
    // Somebody stopped the run while it waited for the server: what it did not
    // take is left for the next run.
    let stopped = run.cancel.is_cancelled();
    let left = stopped && fatal.as_ref().is_some_and(StoreError::is_retryable);
    for fault in faults {
        run.ended(&if left {
            Outcome::Cancelled
        } else {
            Outcome::Failed(Problem {
                path: batch[fault.row].record.path.clone().into(),
                stage: Stage::Upsert,
                reason: fault.reason,
            })
        });
    }
    match fatal {
        Some(error) if !left => Err(error),
        _ => Ok(()),
    }
}
