//! Where pictures and their names come from: folders, lists of files, tables.
//!
//! [`discover()`] yields every picture below the given paths, with its identity,
//! and says of every other entry why it is none. [`NamesTable`] joins display
//! names and attributes to them. [`Queries`] reads files of questions, and
//! [`fetch_picture`] a question's picture from its address. Nothing is decoded here, and nothing found is
//! dropped without a word.

mod discover;
mod format;
mod names;
mod names_csv;
mod names_error;
mod names_jsonl;
mod open;
mod queries;
mod read;
mod remote;
mod source;

pub use discover::{Entries, Found, Roots, Skip, discover};
pub use format::{Format, HEAD_BYTES, HEIF_REMEDY, is_heif, is_picture};
pub use names::{KEY_COLUMNS, NAME_COLUMNS, NamesOptions, NamesTable, readable_stem};
pub use names_error::{BadRow, HeaderFault, NamesError};
pub use queries::{Asked, AskedKind, BadQuestion, Queries, QueriesError};
pub use read::{CHANGED, FileContent, read_file};
pub use remote::{RemoteError, fetch_picture, is_address};
pub use source::{Candidate, Source, SourceName, now_micros, until_settled};
