//! Pages of one file, for a browser.

mod answer;
mod page;

pub use answer::write_answer;
pub use page::{
    DataUri, Escaped, FileUri, Style, escape, write_end, write_start, write_start_with,
};
