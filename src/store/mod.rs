//! Milvus: the only room that speaks with it.
//!
//! One gRPC channel and one stub, the SDK's generated one, serve every request.
//! The SDK's own client is not used: it caps replies at 4 MiB, never replays an
//! upsert, and would be a second connection with a second kind of error. Around
//! the stub stand one table of what to do about each fault (`verdict.rs`), one
//! retry policy (`retry.rs`), one error type ([`StoreError`])
//! and no SDK type in any signature.
//!
//! Reads and writes are idempotent, since keys are deterministic; so every
//! request may be sent again after a fault whose outcome is unknown.

mod authority;
mod call;
mod collection;
mod columns;
mod comparison;
mod connect;
mod described;
mod error;
mod exact;
mod filter;
mod flush;
mod load;
mod parameters;
mod partition;
mod ranges;
mod retry;
mod rows;
mod schema;
mod search;
mod shape;
mod turn;
mod verdict;
mod watch;
mod write;

pub use authority::{Authority, Condition};
pub use collection::{Collection, Index, ModelMark};
pub use comparison::{Comparison, ComparisonError};
pub use connect::{Server, Store};
pub use described::DescribedRow;
pub use error::{Reason, StoreError};
pub use filter::quote;
pub use load::LOAD_LIMIT;
pub use ranges::WholeRow;
pub use rows::{ContentKey, HeldRow, HeldVector, content_key};
pub use schema::{MAX_JSON_BYTES, MAX_TEXT_BYTES};
pub use search::{Found, MAX_HITS, Scope, VectorSearch};
pub use shape::{Shape, TextLimits};
pub use watch::Watch;
pub use write::{RowFault, Upserted, encoded_bytes};
