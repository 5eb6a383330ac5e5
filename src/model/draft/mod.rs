//! Drafting a manifest: what a graph and the files beside it say becomes the
//! text of a `model.toml`, and what they leave open becomes questions in it.
//!
//! Pure: facts and texts in, a text out. Nothing is guessed: a value is told by
//! the graph, by a file of the model, or by a known model that the user named,
//! and carries its origin; every other is asked, as [`OPEN`](super::OPEN), and
//! the manifest is refused until it is answered.

mod error;
mod facts;
mod graph;
mod image_files;
mod known;
mod questions;
mod sheet;
mod text_files;
mod write;

#[cfg(test)]
mod tests;

pub use error::DraftError;
pub use facts::{Element, GraphFacts, TensorFacts};
pub use graph::{Kind, kind_of};
pub use known::{IMAGE_SIDE_FILES, Known, SideFiles, TEXT_SIDE_FILES};
pub use write::draft;

use super::ModelFile;

/// What a manifest is drafted from.
#[derive(Debug, Clone)]
pub struct Material {
    /// Name of the model.
    pub name: String,
    /// Image side.
    pub image: Tower,
    /// Text side, with the path of its tokeniser inside the model's folder.
    pub text: Option<(Tower, String)>,
    /// Every file of the model.
    pub files: Vec<ModelFile>,
    /// What is known besides.
    pub known: Known,
}

/// One graph of a model.
#[derive(Debug, Clone)]
pub struct Tower {
    /// Path inside the model's folder.
    pub file: String,
    /// What it says of itself; of its cut where it is cut.
    pub facts: GraphFacts,
    /// Whether it is cut down to its output when it is loaded.
    pub cut: bool,
    /// Output with the classes, where the graph is a classifier: then `facts`
    /// is cut to the tensor before the last layer, if there is one.
    pub classes: Option<String>,
}

/// A drafted manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Text of the `model.toml`.
    pub text: String,
    /// What was told, one line a key.
    pub told: Vec<String>,
    /// What is asked, one line a key.
    pub asked: Vec<String>,
}
