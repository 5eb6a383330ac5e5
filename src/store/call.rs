//! One request and its answer: sending, time limit, status, and trying again.

use std::time::Duration;

use milvus::proto::common::Status;
use milvus::proto::milvus::{
    BoolResponse, CheckHealthResponse, ConnectResponse, DescribeCollectionResponse,
    DescribeIndexResponse, FlushResponse, GetFlushStateResponse, GetLoadStateResponse,
    GetVersionResponse, MutationResult, QueryResults, SearchResults, ShowCollectionsResponse,
};

use super::connect::{Store, Stub, too_late};
use super::error::{Reason, StoreError, code};
use super::retry::{Tries, with_retry};
use super::verdict::Verdict;

/// A reply that says whether the server did what it was asked.
pub(super) trait Reply {
    /// What it says.
    fn status(&self) -> Option<&Status>;
}

impl Reply for Status {
    fn status(&self) -> Option<&Status> {
        Some(self)
    }
}

macro_rules! replies {
    ($($reply:ty),* $(,)?) => {
        $(impl Reply for $reply {
            fn status(&self) -> Option<&Status> {
                self.status.as_ref()
            }
        })*
    };
}

replies!(
    BoolResponse,
    CheckHealthResponse,
    ConnectResponse,
    DescribeCollectionResponse,
    DescribeIndexResponse,
    FlushResponse,
    GetFlushStateResponse,
    GetLoadStateResponse,
    GetVersionResponse,
    MutationResult,
    QueryResults,
    SearchResults,
    ShowCollectionsResponse,
);

impl Store {
    /// Sends a request that may be sent twice, until it succeeds, fails for
    /// good, or the deadline for retries passes. A status that another try
    /// cannot better is the caller's to read.
    pub(super) async fn call<Q: Clone, R: Reply, F>(
        &self,
        operation: &'static str,
        request: Q,
        send: impl Fn(Stub, Q) -> F,
    ) -> Result<R, StoreError>
    where
        F: Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    {
        with_retry(self.tries(), || async {
            let asked = send(self.stub.clone(), request.clone());
            let reply = self.call_once(operation, asked).await?;
            match self.check(operation, reply.status()) {
                Err(error) if matches!(error.verdict(), Verdict::Retry | Verdict::Pause) => {
                    Err(error)
                }
                _ => Ok(reply),
            }
        })
        .await
    }

    /// The tries of one request.
    pub(super) fn tries(&self) -> Tries<'_> {
        Tries::new(self.retry, &self.health)
    }

    /// Sends a request once, within the time that one answer may take.
    pub(super) fn call_once<R>(
        &self,
        operation: &'static str,
        sent: impl Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    ) -> impl Future<Output = Result<R, StoreError>> {
        self.call_within(self.request_timeout, operation, sent)
    }

    /// As [`call_once`](Self::call_once), within that time.
    pub(super) async fn call_within<R>(
        &self,
        limit: Duration,
        operation: &'static str,
        sent: impl Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    ) -> Result<R, StoreError> {
        let _alone = self.alone().await;
        match tokio::time::timeout(limit, sent).await {
            Ok(Ok(reply)) => Ok(reply.into_inner()),
            Ok(Err(status)) => Err(self.transport_error(operation, &status)),
            Err(_) => Err(too_late(operation, limit)),
        }
    }

    pub(super) fn transport_error(
        &self,
        operation: &'static str,
        status: &tonic::Status,
    ) -> StoreError {
        let source = match std::error::Error::source(status) {
            Some(cause) => Reason::innermost(cause),
            None => Reason::new(status.message()),
        };
        match status.code() {
            tonic::Code::Unauthenticated => StoreError::Unauthenticated {
                uri: self.uri.clone(),
                token_given: self.token_given,
                source,
            },
            tonic::Code::PermissionDenied => StoreError::PermissionDenied { operation, source },
            code => StoreError::Transport {
                operation,
                code,
                source,
            },
        }
    }

    /// Turns a status that is not OK into an error.
    pub(super) fn check(
        &self,
        operation: &'static str,
        status: Option<&Status>,
    ) -> Result<(), StoreError> {
        let status = status.ok_or(StoreError::Malformed {
            operation,
            what: "it has no status",
        })?;
        #[expect(deprecated, reason = "servers before 2.3 set nothing else")]
        let legacy = status.error_code;
        if status.code == 0 && legacy == 0 {
            return Ok(());
        }
        let source = Reason::new(status.reason.clone());
        Err(match status.code {
            code::DATABASE_NOT_FOUND => StoreError::DatabaseMissing {
                database: self
                    .database
                    .clone()
                    .unwrap_or_else(|| "default".to_owned()),
                source,
            },
            _ => StoreError::Server {
                operation,
                code: if status.code == 0 {
                    legacy
                } else {
                    status.code
                },
                retriable: status.retriable,
                source,
            },
        })
    }
}
