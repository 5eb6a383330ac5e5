//! Pages of one file, for a browser.

mod page;

pub use page::{DataUri, Escaped, FileUri, escape, write_end, write_start};
