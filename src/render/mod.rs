//! What people and scripts see: hits and ledgers, written into `impl Write`.
//!
//! Nothing here looks at a terminal, a file or Milvus: how wide a screen is and
//! what it can draw is given, as the thumbnails are.

pub mod html;
pub mod terminal;

mod hits_table;
mod labels;
mod plot;
mod records;
#[cfg(test)]
mod samples;
mod screen;
mod table;
mod text;
mod thumbnail;
mod view;

pub use hits_table::{left_out, write_explain, write_table};
pub use labels::{
    write_labels, write_labels_csv, write_labels_json, write_labels_jsonl, write_labels_table,
};
pub use plot::{Curve, PLOT_STYLE, Plot, Point, write_figure, write_svg};
pub use records::{write_csv, write_json, write_jsonl, write_paths};
pub use screen::Screen;
pub use table::{Align, Table};
pub use text::printable;
pub use thumbnail::{Shown, Thumbnail};
pub use view::{
    AnswerView, CollectionView, ExplainView, LabelView, LabelsView, PartKind, PartView, QueryView,
    ScoreKind, SearchView, StepView,
};
