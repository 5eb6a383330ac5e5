//! Vectors that are copied: the collection has them, or this run made them.

use std::path::Path;

use tokio::sync::mpsc;

use super::super::IngestError;
use super::super::job::{read_picture, record_of};
use super::super::twins::Claim;
use super::{Row, Worker};
use crate::entity::{Entity, ImageId, ImageRecord, Outcome};
use crate::store::content_key;

/// Twins that are given their vectors at once: one question to the collection.
pub(super) const MOST_TWINS: usize = 64;

/// A picture whose content is embedded already, or about to be.
pub(super) struct Twin {
    pub(super) record: ImageRecord,
    /// Row that has the vector; `None` where it is being made.
    pub(super) from: Option<ImageId>,
    /// What it ends as.
    pub(super) outcome: Outcome,
}

impl Twin {
    fn row(self, embedding: Vec<f32>) -> Row {
        let record = self.record;
        (Entity { record, embedding }, self.outcome)
    }
}

impl Worker {
    /// Gives the twins their vectors: from what is at hand, else from the
    /// collection, else by embedding them after all.
    ///
    /// Each worker embeds its own batch before it waits for another's, so two
    /// that wait for each other's pictures both go on.
    pub(super) fn copy(&mut self, to_write: &mpsc::Sender<Vec<Row>>) -> Result<(), IngestError> {
        while !self.twins.is_empty() {
            self.embed(to_write)?;
            let twins = std::mem::take(&mut self.twins);
            if self.run.cancel.is_cancelled() {
                for _ in twins {
                    self.run.ended(&Outcome::Cancelled);
                }
                return Ok(());
            }
            let (mut rows, mut asked) = (Vec::new(), Vec::new());
            for mut twin in twins {
                let content = content_key(&twin.record.content_hash);
                if let Some(vector) = self.run.twins.vector(content) {
                    rows.push(twin.row(vector.to_vec()));
                    continue;
                }
                let claim = match &twin.from {
                    Some(from) => Claim::Done(from.clone()),
                    None => self.run.twins.claim(content),
                };
                match claim {
                    Claim::Done(from) => {
                        twin.from = Some(from);
                        asked.push(twin);
                    }
                    Claim::Pending => self.twins.push(twin),
                    Claim::Mine => self.embed_twin(&twin, to_write)?,
                }
            }
            self.send(rows, to_write);
            self.ask(asked, to_write)?;
            if !self.twins.is_empty() {
                self.run.twins.wait();
            }
        }
        self.embed(to_write)
    }

    /// Takes the vectors of other rows from the collection.
    fn ask(
        &mut self,
        twins: Vec<Twin>,
        to_write: &mpsc::Sender<Vec<Row>>,
    ) -> Result<(), IngestError> {
        let ids: Vec<ImageId> = twins.iter().filter_map(|twin| twin.from.clone()).collect();
        let (store, collection) = (&self.run.store, &self.run.collection);
        let held = match self.waiting.block_on(store.held_vectors(collection, &ids)) {
            Ok(held) => held,
            Err(error) => {
                for _ in twins {
                    self.run.ended(&Outcome::Cancelled);
                }
                return Err(error.into());
            }
        };
        let mut rows = Vec::new();
        for twin in twins {
            let held = twin.from.as_ref().and_then(|from| held.get(from));
            // The row may have got another picture since it was looked at.
            match held.filter(|held| held.content_hash == twin.record.content_hash) {
                Some(held) if held.embedding.iter().all(|number| number.is_finite()) => {
                    rows.push(twin.row(held.embedding.clone()));
                }
                _ => self.embed_twin(&twin, to_write)?,
            }
        }
        self.send(rows, to_write);
        Ok(())
    }

    /// Embeds a picture whose vector is nowhere to be had.
    fn embed_twin(
        &mut self,
        twin: &Twin,
        to_write: &mpsc::Sender<Vec<Row>>,
    ) -> Result<(), IngestError> {
        let content = content_key(&twin.record.content_hash);
        let path = Path::new(&twin.record.path);
        match read_picture(path, 0, &self.run.limits) {
            Ok(file) => {
                let record = record_of(&file, twin.record.clone());
                if record.content_hash != twin.record.content_hash {
                    // Nobody else would ever say what became of the content
                    // that others wait for.
                    self.run.twins.give_up(content);
                }
                self.add(record, &file.bytes, to_write)
            }
            Err(outcome) => {
                self.run.twins.give_up(content);
                self.run.ended(&outcome);
                Ok(())
            }
        }
    }
}
