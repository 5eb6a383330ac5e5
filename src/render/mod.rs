//! What people and scripts see: hits and ledgers, written into `impl Write`.
//!
//! Nothing here knows of terminals, colours or Milvus.

pub mod html;

mod hits;
mod labels;
mod table;
mod text;
mod view;

pub use hits::{write_json, write_paths, write_table};
pub use labels::{write_labels, write_labels_json, write_labels_table};
pub use table::{Align, Table};
pub use text::printable;
pub use view::{
    AnswerView, CollectionView, ExplainView, LabelView, LabelsView, PartKind, PartView, QueryView,
    ScoreKind, SearchView, StepView,
};
