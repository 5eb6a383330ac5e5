//! What the table is written for: how wide it may be, and whether in colour.

use std::fmt::Display;

use super::html::FileUri;
use super::text::{cut_middle, printable};

/// Where a table for people goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Screen {
    /// Columns; without, nothing is shortened.
    pub width: Option<usize>,
    /// Whether colours, and links to files, are understood.
    pub colour: bool,
}

impl Screen {
    /// What a person looks for first.
    pub(super) fn strong(self, text: impl Display) -> String {
        self.sgr("1", text)
    }

    /// What a person looks for last.
    pub(super) fn faint(self, text: impl Display) -> String {
        self.sgr("2", text)
    }

    /// A number that ranks.
    pub(super) fn number(self, text: impl Display) -> String {
        self.sgr("35", text)
    }

    /// What is not as a person might think.
    pub(super) fn warning(self, text: impl Display) -> String {
        self.sgr("33", text)
    }

    fn sgr(self, code: &str, text: impl Display) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }

    /// A path in at most `columns`; where colours are, a link to the file, as
    /// what is left of the path cannot be copied.
    pub(super) fn path(self, path: &str, columns: usize) -> String {
        let shown = printable(path);
        let shown = self.faint(cut_middle(&shown, columns));
        if self.colour && path.starts_with('/') {
            format!("\x1b]8;;{}\x1b\\{shown}\x1b]8;;\x1b\\", FileUri(path))
        } else {
            shown
        }
    }
}
