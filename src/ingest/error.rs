//! What ends a whole run.

use super::prune::PruneRefusal;
use crate::embed::EmbedError;
use crate::entity::Hint;
use crate::store::StoreError;

/// A run that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Milvus.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// Somebody dropped the collection, and it was created anew.
    #[error("the collection `{collection}` was dropped and created anew during the run")]
    Replaced {
        /// The collection.
        collection: String,
    },
    /// Rows that were to be pruned.
    #[error(transparent)]
    Prune(#[from] PruneRefusal),
}

impl IngestError {
    /// Whether it is only that nobody waits for the server any more.
    pub(super) fn is_impatience(&self, cancelled: bool) -> bool {
        cancelled && matches!(self, Self::Store(error) if error.is_retryable())
    }
}

impl Hint for IngestError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Embed(error) => error.hint(),
            Self::Replaced { .. } => Some(
                "rows that were written before are gone: run the same command again".to_owned(),
            ),
            Self::Prune(error) => error.hint(),
        }
    }
}
