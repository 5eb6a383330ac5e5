//! What can go wrong between us and Milvus, and what to do about it.

use crate::entity::Hint;

/// Numeric codes that both servers agree on. Milvus 2.3+ `merr` package.
pub(super) mod code {
    pub(crate) const RATE_LIMIT: i32 = 8;
    pub(crate) const SERVICE_QUOTA: i32 = 9;
    pub(crate) const COLLECTION_NOT_FOUND: i32 = 100;
    pub(crate) const COLLECTION_NOT_LOADED: i32 = 101;
    pub(crate) const DATABASE_NOT_FOUND: i32 = 800;
    pub(crate) const INDEX_NOT_FOUND: i32 = 700;
}

/// A failed conversation with Milvus.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address cannot be one.
    #[error("`{uri}` is not the address of a Milvus")]
    InvalidUri {
        /// What was given.
        uri: String,
    },
    /// The address holds a login, which would be shown with it.
    #[error("the address of Milvus holds a login")]
    LoginInUri,
    /// The certificate of the authority cannot be read.
    #[error("cannot read the certificate {}", path.display())]
    Certificate {
        /// The PEM file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The secret holds characters that no header can carry.
    #[error("the token holds characters that cannot be sent")]
    InvalidToken,
    /// Nothing answers at the address.
    #[error("no Milvus answers at {uri}")]
    Unreachable {
        /// The address.
        uri: String,
        /// Innermost reason of the transport.
        source: Reason,
    },
    /// Something answers, but it is no Milvus.
    #[error("what answers at {uri} does not speak as Milvus does")]
    NotMilvus {
        /// The address.
        uri: String,
        /// What it said.
        source: Reason,
    },
    /// The token is wrong or absent.
    #[error("Milvus at {uri} refuses {}", if *token_given { "the token" } else { "to answer without a token" })]
    Unauthenticated {
        /// The address.
        uri: String,
        /// Whether a token was sent.
        token_given: bool,
        /// What the server said.
        source: Reason,
    },
    /// The user may not do this.
    #[error("this user may not {operation}")]
    PermissionDenied {
        /// What was tried.
        operation: &'static str,
        /// What the server said.
        source: Reason,
    },
    /// No database of that name.
    #[error("there is no database `{database}`")]
    DatabaseMissing {
        /// The database.
        database: String,
        /// What the server said.
        source: Reason,
    },
    /// No collection of that name.
    #[error("there is no collection `{collection}`")]
    CollectionMissing {
        /// The collection.
        collection: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The name can be none.
    #[error("`{collection}` cannot be the name of a collection")]
    InvalidName {
        /// The name.
        collection: String,
    },
    /// No partition of that name.
    #[error("the collection `{collection}` has no partition `{partition}`")]
    PartitionMissing {
        /// The collection.
        collection: String,
        /// What was asked for.
        partition: String,
    },
    /// The collection is on disk, not in memory.
    #[error("the collection `{collection}` is not loaded")]
    NotLoaded {
        /// The collection.
        collection: String,
    },
    /// The server cannot parse the filter.
    #[error("Milvus cannot use the filter `{filter}`")]
    Filter {
        /// The expression.
        filter: String,
        /// What the server said.
        source: Reason,
    },
    /// The collection has another shape than the one that we fill.
    #[error("the collection `{collection}` has no field `{field}` of type {expected}")]
    Schema {
        /// The collection.
        collection: String,
        /// Field that is missing or different.
        field: String,
        /// Type that is needed.
        expected: &'static str,
    },
    /// The collection's vectors have another length.
    #[error(
        "the collection `{collection}` holds {stored}-d vectors, the model `{model}` makes {made}-d"
    )]
    Dimension {
        /// The collection.
        collection: String,
        /// Dimension of its vector field.
        stored: usize,
        /// Name of the model.
        model: String,
        /// Dimension of the model.
        made: usize,
    },
    /// The collection was filled with another model.
    #[error(
        "the collection `{collection}` was filled with the model `{stored_model}` ({stored_fingerprint}), not with `{model}` ({fingerprint})"
    )]
    OtherModel {
        /// The collection.
        collection: String,
        /// Name of the model that filled it.
        stored_model: String,
        /// Fingerprint of the model that filled it.
        stored_fingerprint: String,
        /// Name of the model at hand.
        model: String,
        /// Fingerprint of the model at hand.
        fingerprint: String,
    },
    /// The collection does not say which model filled it.
    #[error("the collection `{collection}` does not say which model filled it")]
    Unmarked {
        /// The collection.
        collection: String,
    },
    /// Part of a batch was not written.
    #[error("Milvus wrote {written} of {sent} rows")]
    PartialWrite {
        /// Rows that were acknowledged.
        written: i64,
        /// Rows that were sent.
        sent: usize,
        /// Which were not written, counted from 0.
        rows: Vec<usize>,
    },
    /// The server refused.
    #[error("Milvus could not {operation} (code {code})")]
    Server {
        /// What was tried.
        operation: &'static str,
        /// Milvus's error code.
        code: i32,
        /// Whether the server says that another try may help.
        retriable: bool,
        /// What the server said.
        source: Reason,
    },
    /// The connection failed, or the request took too long.
    #[error("the connection to Milvus failed while trying to {operation}")]
    Transport {
        /// What was tried.
        operation: &'static str,
        /// gRPC's code.
        code: tonic::Code,
        /// What gRPC said.
        source: Reason,
    },
    /// A reply that makes no sense.
    #[error("Milvus's reply to {operation} cannot be read: {what}")]
    Malformed {
        /// What was tried.
        operation: &'static str,
        /// What is missing.
        what: &'static str,
    },
}

/// Somebody else's words, as a cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Reason(String);

impl Reason {
    /// Takes a message as it came, on one line.
    pub(super) fn new(message: impl Into<String>) -> Self {
        let message: String = message.into();
        let words: Vec<&str> = message.split_whitespace().collect();
        Self(words.join(" "))
    }

    /// The message.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The innermost cause of an error: outer ones mostly repeat it.
    pub(super) fn innermost(error: &dyn std::error::Error) -> Self {
        let mut innermost = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Self::new(innermost.to_string())
    }
}

impl StoreError {
    /// What to do about faults of the server and of the way there.
    fn fault_hint(&self) -> Option<&'static str> {
        match self {
            Self::Server {
                code: code::RATE_LIMIT | code::SERVICE_QUOTA,
                ..
            } => Some("the server is over its limits: try again later, or raise its quota"),
            Self::Transport {
                code: tonic::Code::DeadlineExceeded,
                ..
            } => Some("the server is slow or gone: try again, or raise --timeout"),
            Self::Transport {
                code: tonic::Code::ResourceExhausted,
                ..
            } => Some(
                "the request was too large or the server too busy: try a smaller --upsert-bytes, or later",
            ),
            Self::Transport { .. } | Self::PartialWrite { .. } => Some(
                "run the same command again once the server is well (`make milvus-status`, its log): nothing is written twice",
            ),
            _ => None,
        }
    }
}

impl Hint for StoreError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InvalidUri { .. } => {
                "write it as http://host:port, or https://host:port for TLS".to_owned()
            }
            Self::LoginInUri => {
                "write the address without it, and set MILVUS_TOKEN to `user:password`".to_owned()
            }
            Self::Certificate { .. } => "give --tls-ca a PEM file that can be read".to_owned(),
            Self::InvalidToken => {
                "write it as `user:password`, or as an API key, on one line".to_owned()
            }
            Self::Unreachable { uri, source } => unreachable_hint(uri, &source.to_string()),
            Self::NotMilvus { .. } => {
                "check the port (19530 is Milvus's own, 9091 its metrics), and write https:// where the server speaks TLS".to_owned()
            }
            Self::Unauthenticated { .. } => {
                "set MILVUS_TOKEN to `user:password` or an API key, or point --token at a file that holds it".to_owned()
            }
            Self::PermissionDenied { .. } => {
                "use a token whose role has the privilege, or ask the server's administrator".to_owned()
            }
            Self::DatabaseMissing { .. } => {
                "name another with --database or MILVUS_DATABASE, or create it on the server".to_owned()
            }
            Self::CollectionMissing { known, .. } if known.is_empty() => {
                "fill one first: `ingest --collection NAME FOLDER`".to_owned()
            }
            Self::CollectionMissing { known, .. } => {
                format!("name one of {} with --collection", known.join(", "))
            }
            Self::InvalidName { .. } => {
                "use letters, digits and `_`, start with a letter or `_`, at most 255 in all".to_owned()
            }
            Self::PartitionMissing { .. } => {
                "leave --partition out to search all of them".to_owned()
            }
            Self::NotLoaded { collection } => format!(
                "load it into memory: `search --load --collection {collection} ...`"
            ),
            Self::Filter { .. } => {
                "see Milvus's filter language; quote texts: --filter 'attributes[\"colour\"] == \"Red\"'".to_owned()
            }
            Self::Schema { .. } => {
                "name a collection that `ingest` created, or another name to create one".to_owned()
            }
            Self::Dimension { .. } | Self::Unmarked { .. } => {
                "pass the model that filled it with --model, or another --collection".to_owned()
            }
            Self::OtherModel { stored_model, model, .. } if stored_model == model => {
                "the model's files or manifest changed since: restore them, or ingest into another --collection".to_owned()
            }
            Self::OtherModel { stored_model, .. } => format!(
                "pass `--model {stored_model}`, or another --collection"
            ),
            _ => return self.fault_hint().map(str::to_owned),
        })
    }
}

fn unreachable_hint(uri: &str, reason: &str) -> String {
    if reason.contains("certificate") {
        return "trust the authority that signed it with --tls-ca FILE, and use the host name that the certificate is for".to_owned();
    }
    if reason.contains("InvalidContentType") {
        return "the server does not speak TLS: write http:// instead of https://".to_owned();
    }
    let local = ["localhost", "127.0.0.1", "[::1]"];
    if local.iter().any(|host| uri.contains(host)) {
        "start one with `make milvus-up`, or name yours with --uri or MILVUS_URI".to_owned()
    } else {
        "check the address in --uri or MILVUS_URI, the network, and that the server is up"
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_once() {
        let error = StoreError::Unreachable {
            uri: "http://localhost:1".to_owned(),
            source: Reason::new("connection\n refused"),
        };
        let shown = format!("{:#}", anyhow::Error::from(error));
        assert_eq!(
            shown,
            "no Milvus answers at http://localhost:1: connection refused"
        );
    }
}
