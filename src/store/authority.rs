//! What a user may do, asked without doing it; and how the server is.
//!
//! There is no request for one's own rights: Milvus 2.3 shows grants to
//! administrators alone. So each question is the request itself, made so that
//! no server can carry it out: no schema, no such field or partition, no rows,
//! half a filter. A server with users looks at their rights first, and only
//! then finds the request wrong.

use milvus::proto::milvus::{
    CheckHealthRequest, CreateCollectionRequest, CreateIndexRequest, DeleteRequest,
    LoadPartitionsRequest, QueryRequest, QuotaState, UpsertRequest,
};

use super::call::Reply;
use super::connect::Store;
use super::error::{StoreError, code};
use super::schema::pair;

/// A field and a partition that no collection has, and no type of index.
const NOWHERE: &str = "no_such_part";

/// Half a filter, which no server can parse.
const HALF_A_FILTER: &str = "(";

/// Something that a run must be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// To create the collection.
    CreateCollection,
    /// To create its index.
    CreateIndex,
    /// To load it into memory.
    Load,
    /// To read its rows.
    Read,
    /// To write rows.
    Write,
    /// To delete rows.
    Delete,
}

impl Authority {
    /// As it follows "may" or "may not".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateCollection => "create the collection",
            Self::CreateIndex => "create its index",
            Self::Load => "load it",
            Self::Read => "read rows",
            Self::Write => "write rows",
            Self::Delete => "delete rows",
        }
    }
}

/// How a server says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Whether it is well.
    pub healthy: bool,
    /// What ails it.
    pub reasons: Vec<String>,
    /// Whether it takes no writes at present: a quota is used up.
    pub denies_writes: bool,
}

impl Store {
    /// Whether this user may do that to `collection`, there or not. Nothing is
    /// done.
    ///
    /// # Errors
    /// [`StoreError::PermissionDenied`] where not; any other error leaves the
    /// question open.
    pub async fn may(&self, authority: Authority, collection: &str) -> Result<(), StoreError> {
        let collection_name = collection.to_owned();
        let operation = authority.as_str();
        let mut stub = self.stub.clone();
        match authority {
            Authority::CreateCollection => {
                let request = CreateCollectionRequest {
                    collection_name,
                    ..Default::default()
                };
                self.refused(operation, stub.create_collection(request))
                    .await
            }
            Authority::CreateIndex => {
                let request = CreateIndexRequest {
                    collection_name,
                    field_name: NOWHERE.to_owned(),
                    extra_params: vec![pair("index_type", &NOWHERE)],
                    ..Default::default()
                };
                self.refused(operation, stub.create_index(request)).await
            }
            Authority::Load => {
                let request = LoadPartitionsRequest {
                    collection_name,
                    partition_names: vec![NOWHERE.to_owned()],
                    ..Default::default()
                };
                self.refused(operation, stub.load_partitions(request)).await
            }
            Authority::Read => {
                let request = QueryRequest {
                    collection_name,
                    expr: HALF_A_FILTER.to_owned(),
                    ..Default::default()
                };
                self.refused(operation, stub.query(request)).await
            }
            Authority::Write => {
                let request = UpsertRequest {
                    collection_name,
                    ..Default::default()
                };
                self.refused(operation, stub.upsert(request)).await
            }
            Authority::Delete => {
                let request = DeleteRequest {
                    collection_name,
                    expr: HALF_A_FILTER.to_owned(),
                    ..Default::default()
                };
                self.refused(operation, stub.delete(request)).await
            }
        }
    }

    /// Sends a request that is wrong in itself: whatever is said of that is a
    /// yes.
    async fn refused<R: Reply>(
        &self,
        operation: &'static str,
        sent: impl Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    ) -> Result<(), StoreError> {
        let reply = self.call_once(operation, sent).await?;
        match self.check(operation, reply.status()) {
            // Its limits come before its rights.
            Err(StoreError::Server { code, .. })
                if ![code::RATE_LIMIT, code::SERVICE_QUOTA].contains(&code) =>
            {
                Ok(())
            }
            answer => answer,
        }
    }

    /// How the server is.
    ///
    /// # Errors
    /// It does not say.
    pub async fn condition(&self) -> Result<Condition, StoreError> {
        const OPERATION: &str = "say how it is";
        let mut stub = self.stub.clone();
        let asked = stub.check_health(CheckHealthRequest::default());
        let reply = self.call_once(OPERATION, asked).await?;
        self.check(OPERATION, reply.status.as_ref())?;
        let denies_writes = reply.quota_states().any(|s| s == QuotaState::DenyToWrite);
        Ok(Condition {
            healthy: reply.is_healthy,
            reasons: reply.reasons,
            denies_writes,
        })
    }
}
