//! Collections in the server's memory.

use std::time::Duration;

use milvus::proto::common::LoadState;
use milvus::proto::milvus::{GetLoadStateRequest, LoadCollectionRequest};

use super::connect::{Store, too_late};
use super::error::{StoreError, code};
use super::retry::with_retry;

/// Longest wait for a collection to be loaded; ten times what 2.3.5 needs for
/// ten million rows of 512.
pub const LOAD_LIMIT: Duration = Duration::from_secs(1800);

/// Pause between two looks at a collection that is being loaded.
const LOAD_POLL: Duration = Duration::from_millis(100);

impl Store {
    /// Whether the collection can be searched.
    ///
    /// # Errors
    /// The server failed.
    pub async fn is_loaded(&self, collection: &str) -> Result<bool, StoreError> {
        const OPERATION: &str = "say whether the collection is loaded";
        let request = GetLoadStateRequest {
            collection_name: collection.to_owned(),
            ..Default::default()
        };
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.get_load_state(request).await
            })
            .await?;
        match self.check(OPERATION, reply.status.as_ref()) {
            Ok(()) => Ok(reply.state == LoadState::Loaded as i32),
            Err(StoreError::Server {
                code: code::COLLECTION_NOT_LOADED,
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Loads the collection into memory and waits until it can be searched.
    ///
    /// # Errors
    /// The server refused, or needs longer than [`LOAD_LIMIT`].
    pub async fn load(&self, collection: &str) -> Result<(), StoreError> {
        const OPERATION: &str = "load the collection";
        let loaded = tokio::time::timeout(LOAD_LIMIT, async {
            let request = LoadCollectionRequest {
                collection_name: collection.to_owned(),
                ..Default::default()
            };
            // Lite answers when it is done, which took 72 s for 50,000 rows.
            let limit = if self.server().lite {
                LOAD_LIMIT
            } else {
                self.request_timeout
            };
            with_retry(self.tries(), || async {
                let mut stub = self.stub.clone();
                let sent = stub.load_collection(request.clone());
                let status = self.call_within(limit, OPERATION, sent).await?;
                self.check(OPERATION, Some(&status))
            })
            .await?;
            while !self.is_loaded(collection).await? {
                tokio::time::sleep(LOAD_POLL).await;
            }
            Ok(())
        });
        loaded
            .await
            .unwrap_or_else(|_| Err(too_late(OPERATION, LOAD_LIMIT)))
    }
}
