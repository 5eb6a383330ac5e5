//! Partitions of a collection.

use milvus::proto::milvus::HasPartitionRequest;

use super::connect::Store;
use super::error::StoreError;

impl Store {
    /// Refuses a partition that the collection does not have: Lite finds nothing
    /// in it and says no word.
    ///
    /// # Errors
    /// There is none of that name, or the server failed.
    pub async fn require_partition(
        &self,
        collection: &str,
        partition: &str,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "look for the partition";
        let request = HasPartitionRequest {
            collection_name: collection.to_owned(),
            partition_name: partition.to_owned(),
            ..Default::default()
        };
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.has_partition(request).await
            })
            .await?;
        self.check(OPERATION, reply.status.as_ref())?;
        if reply.value {
            return Ok(());
        }
        Err(StoreError::PartitionMissing {
            collection: collection.to_owned(),
            partition: partition.to_owned(),
        })
    }
}
