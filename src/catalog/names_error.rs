//! What can be wrong with a names table, and what to do about it.

use std::path::PathBuf;

use crate::entity::Hint;

/// A row, or a part of the header, that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Line at which the row starts, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a header cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFault {
    /// It is no UTF-8: UTF-16, or an older encoding, or not a text at all.
    NotUtf8,
    /// A quote is opened and never closed.
    OpenQuote {
        /// Line at which the header starts, from 1.
        line: u64,
    },
}

impl std::fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "is not UTF-8 text",
            Self::OpenQuote { .. } => "opens a quote and never closes it",
        })
    }
}

/// Why a table cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The file cannot be read.
    #[error("cannot read the names table {}", path.display())]
    Read {
        /// The table.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("the names table {} is empty", path.display())]
    Empty {
        /// The table.
        path: PathBuf,
    },
    /// The header cannot be read.
    #[error("the header of the names table {} {fault}", path.display())]
    Header {
        /// The table.
        path: PathBuf,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// It is JSON, and has no line that is an object.
    #[error("the names table {} does not hold a JSON object a line", path.display())]
    NotJsonl {
        /// The table.
        path: PathBuf,
    },
    /// A column is not there.
    #[error("the names table {} has no column for the {what}", path.display())]
    NoColumn {
        /// The table.
        path: PathBuf,
        /// `display name` or `key`.
        what: &'static str,
        /// Flag that names it.
        flag: &'static str,
        /// Columns that it has.
        columns: Vec<String>,
    },
}

impl Hint for NamesError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => return None,
            Self::Empty { .. } => {
                "it needs a header line, then a row a picture (CSV), or an object a line (JSONL)"
                    .to_owned()
            }
            Self::Header { fault, .. } => match fault {
                HeaderFault::NotUtf8 => {
                    "save it as UTF-8 (a spreadsheet calls it `CSV UTF-8`)".to_owned()
                }
                HeaderFault::OpenQuote { line } => {
                    format!("close the quote on line {line}, or take it out")
                }
            },
            Self::NotJsonl { .. } => {
                "write each object on one line of its own, without commas or brackets around them"
                    .to_owned()
            }
            Self::NoColumn { flag, columns, .. } => {
                format!(
                    "name one of its columns with {flag}: {}",
                    columns.join(", ")
                )
            }
        })
    }
}
