//! Rows that were written, sealed and indexed.

use std::time::Duration;

use milvus::proto::milvus::{FlushRequest, GetFlushStateRequest};

use super::connect::{Store, too_late};
use super::error::StoreError;
use super::load::LOAD_LIMIT;

/// Pause between two looks at rows that are being sealed or indexed.
const POLL: Duration = Duration::from_millis(200);

impl Store {
    /// Has Milvus seal what was written into the collection, and waits until
    /// its index is built over it. Until then new rows are compared one by one.
    /// By itself 2.3.5 seals a segment that is full, or idle for ten minutes and
    /// of 16 MB at least, or a day old.
    ///
    /// # Errors
    /// The server refused, or needs longer than [`LOAD_LIMIT`].
    pub async fn flush(&self, collection: &str) -> Result<(), StoreError> {
        const OPERATION: &str = "flush the collection";
        let request = FlushRequest {
            collection_names: vec![collection.to_owned()],
            ..Default::default()
        };
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.flush(request).await
            })
            .await?;
        self.check(OPERATION, reply.status.as_ref())?;
        let segments = reply.coll_seg_i_ds.get(collection);
        let sealing = GetFlushStateRequest {
            segment_i_ds: segments.map_or_else(Vec::new, |ids| ids.data.clone()),
            flush_ts: reply.coll_flush_ts.get(collection).copied().unwrap_or(0),
            collection_name: collection.to_owned(),
            ..Default::default()
        };
        let done = async {
            while !self.is_sealed(&sealing).await? {
                tokio::time::sleep(POLL).await;
            }
            while self
                .index(collection)
                .await?
                .is_some_and(|index| index.indexed_rows < index.sealed_rows)
            {
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        };
        tokio::time::timeout(LOAD_LIMIT, done)
            .await
            .unwrap_or_else(|_| Err(too_late(OPERATION, LOAD_LIMIT)))
    }

    async fn is_sealed(&self, request: &GetFlushStateRequest) -> Result<bool, StoreError> {
        const OPERATION: &str = "say whether the collection is flushed";
        let reply = self
            .call(OPERATION, request.clone(), |mut stub, request| async move {
                stub.get_flush_state(request).await
            })
            .await?;
        self.check(OPERATION, reply.status.as_ref())?;
        Ok(reply.flushed)
    }
}
