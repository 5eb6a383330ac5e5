//! What to do about each fault: one table for every request.

use tonic::Code;

use super::error::{StoreError, code};

/// What to do after a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it again soon: the fault passes, and no request harms when it is
    /// repeated.
    Retry,
    /// Send these rows of the batch again; the others are written.
    RetryPart(Vec<usize>),
    /// Send it in halves: it is too large for one message.
    Split,
    /// Send it again after a long wait: somebody has to act first.
    Pause,
    /// Load the collection, and send it again.
    Reload,
    /// Nothing that we can send changes the answer.
    Stop,
}

impl StoreError {
    /// What to do about this fault.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Server { code, .. } if *code == code::SERVICE_QUOTA => Verdict::Pause,
            Self::Server {
                code, retriable, ..
            } if *retriable || *code == code::RATE_LIMIT => Verdict::Retry,
            Self::Server {
                code: code::COLLECTION_NOT_LOADED,
                ..
            } => Verdict::Reload,
            Self::Transport { code, source, .. } => match code {
                // The Go server says ResourceExhausted for a message that is too
                // large and for a server that is too busy; tonic, OutOfRange.
                Code::ResourceExhausted | Code::OutOfRange if tells_size(source.as_str()) => {
                    Verdict::Split
                }
                Code::Unavailable
                | Code::Aborted
                | Code::Cancelled
                | Code::DeadlineExceeded
                | Code::Internal
                | Code::Unknown
                | Code::ResourceExhausted => Verdict::Retry,
                _ => Verdict::Stop,
            },
            Self::Unreachable { .. } => Verdict::Retry,
            Self::PartialWrite { rows, .. } => Verdict::RetryPart(rows.clone()),
            _ => Verdict::Stop,
        }
    }

    /// Whether the same request may succeed when it is sent again.
    pub fn is_retryable(&self) -> bool {
        !matches!(self.verdict(), Verdict::Split | Verdict::Stop)
    }
}

/// `grpc: received message larger than max (67600000 vs. 67108864)`;
/// `Error, decoded message length too large: found ...`.
fn tells_size(message: &str) -> bool {
    message.contains("larger than max") || message.contains("too large")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::error::Reason;

    fn server(code: i32, retriable: bool) -> StoreError {
        StoreError::Server {
            operation: "test",
            code,
            retriable,
            source: Reason::new("no"),
        }
    }

    fn transport(code: Code, message: &str) -> StoreError {
        StoreError::Transport {
            operation: "test",
            code,
            source: Reason::new(message),
        }
    }

    fn check(table: impl IntoIterator<Item = (StoreError, Verdict)>) {
        for (error, verdict) in table {
            assert_eq!(error.verdict(), verdict, "{error:?}");
        }
    }

    #[test]
    fn each_answer_has_its_verdict() {
        let go = "grpc: received message larger than max (9 vs. 8)";
        let tonic = "Error, decoded message length too large: found 9 bytes";
        check([
            (server(8, false), Verdict::Retry),
            (server(8, true), Verdict::Retry),
            (server(9, true), Verdict::Pause),
            (server(1, true), Verdict::Retry),
            (server(1, false), Verdict::Stop),
            (server(100, false), Verdict::Stop),
            (server(101, false), Verdict::Reload),
            (server(1100, false), Verdict::Stop),
            (transport(Code::Unavailable, "away"), Verdict::Retry),
            (transport(Code::Aborted, "away"), Verdict::Retry),
            (transport(Code::Cancelled, "away"), Verdict::Retry),
            (transport(Code::DeadlineExceeded, "late"), Verdict::Retry),
            (transport(Code::Internal, "h2"), Verdict::Retry),
            (transport(Code::Unknown, "cut"), Verdict::Retry),
            (transport(Code::ResourceExhausted, go), Verdict::Split),
            (transport(Code::OutOfRange, tonic), Verdict::Split),
            (transport(Code::ResourceExhausted, "busy"), Verdict::Retry),
            (transport(Code::OutOfRange, "offset"), Verdict::Stop),
            (transport(Code::Unimplemented, "no"), Verdict::Stop),
            (transport(Code::InvalidArgument, "no"), Verdict::Stop),
        ]);
    }

    #[test]
    fn each_state_has_its_verdict() {
        let uri = || "http://localhost:1".to_owned();
        check([
            (
                StoreError::PartialWrite {
                    written: 1,
                    sent: 3,
                    rows: vec![0, 2],
                },
                Verdict::RetryPart(vec![0, 2]),
            ),
            (
                StoreError::Unreachable {
                    uri: uri(),
                    source: Reason::new("refused"),
                },
                Verdict::Retry,
            ),
            (
                StoreError::Unauthenticated {
                    uri: uri(),
                    token_given: true,
                    source: Reason::new("expired"),
                },
                Verdict::Stop,
            ),
            (
                StoreError::PermissionDenied {
                    operation: "test",
                    source: Reason::new("no"),
                },
                Verdict::Stop,
            ),
            (
                StoreError::CollectionMissing {
                    collection: "a".to_owned(),
                    known: Vec::new(),
                },
                Verdict::Stop,
            ),
            (
                StoreError::Malformed {
                    operation: "test",
                    what: "no status",
                },
                Verdict::Stop,
            ),
        ]);
    }
}
