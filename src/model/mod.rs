//! Models on disk: manifests, their files, and the fingerprint that ties a
//! collection to the model that filled it.
//!
//! A model is a folder with a `model.toml` ([`Manifest`]) and the files that
//! it lists. [`ModelDirs`] finds it by name, [`Model`] holds the parsed
//! manifest with its folder, [`Model::verify`] hashes the files, [`fetch`] brings
//! missing ones, [`draft`] writes a manifest for a graph that has none, and
//! [`adopt`] puts its files in place. Nothing here opens a graph: that is
//! [`crate::embed`]'s work.

mod adopt;
mod check;
pub mod draft;
pub mod fetch;
mod files;
mod fingerprint;
mod locate;
mod manifest;
mod questions;
mod recorded;
mod towers;
mod variant;

use std::path::PathBuf;

pub use adopt::{AdoptError, Adopted, adopt, write_manifest};
pub use check::{MAX_DIMENSION, is_name};
pub use files::{FileState, Model, hash_bytes, hash_file};
pub use fingerprint::Fingerprint;
pub use locate::{Listed, ModelDirs};
pub use manifest::{MANIFEST_VERSION, Manifest, ModelFile, Normalise, Proof, ProvenWith, Source};
pub use questions::OPEN;
pub use recorded::RECORDED;
pub use towers::{
    Channels, Clean, Dense, Filter, FloatType, IntegerType, Layout, Padding, Pooling, Resize,
    Rounding, Text, TextGraph, Vision, VisionGraph,
};

use crate::entity::Hint;

/// What is wrong with the text of a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestProblem {
    /// Not TOML, an unknown key, a missing key or a value of the wrong type.
    #[error("{}", .0.to_string().trim_end())]
    Syntax(toml::de::Error),
    /// A format that this build does not read.
    #[error("`version` is {found}, this build reads version {expected}")]
    Version {
        /// What the file says.
        found: u32,
        /// What is understood.
        expected: u32,
    },
    /// A value that cannot be.
    #[error("`{field}` {expected}")]
    Value {
        /// Key, with its table.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A variant of it is wrong.
    #[error("variant `{name}` is wrong")]
    Variant {
        /// Name of the variant.
        name: String,
        /// What is wrong with it.
        source: Box<ManifestProblem>,
    },
    /// There is no variant of that name.
    #[error("there is no such variant")]
    NoSuchVariant,
    /// Values that `models init` left to the user.
    #[error("{} {} open: {}", questions.len(), if questions.len() == 1 { "question is" } else { "questions are" }, questions.join(", "))]
    Open {
        /// Line and key of each.
        questions: Vec<String>,
    },
    /// A file that is used but not listed.
    #[error("`{field}` names {path:?}, which no [[files]] entry lists")]
    NotListed {
        /// Key, with its table.
        field: &'static str,
        /// The file it names.
        path: String,
    },
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No folder of that name.
    #[error("no model is called `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
        /// Folders that were searched.
        searched: Vec<PathBuf>,
    },
    /// The model has no variant of that name.
    #[error("model `{name}` has no variant `{variant}`")]
    NoVariant {
        /// The model.
        name: String,
        /// What was asked for.
        variant: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The manifest cannot be read from disk.
    #[error("cannot read {}", path.display())]
    Read {
        /// File that was read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest is wrong.
    #[error("the manifest {} is wrong", path.display())]
    Manifest {
        /// The `model.toml`.
        path: PathBuf,
        /// What is wrong with it.
        source: ManifestProblem,
    },
    /// The folder and the manifest disagree on the model's name.
    #[error("the manifest {} says `name = {found:?}`, its folder is called {folder:?}", path.display())]
    Misnamed {
        /// The `model.toml`.
        path: PathBuf,
        /// Name in the manifest.
        found: String,
        /// Name of the folder.
        folder: String,
    },
    /// Files are not there.
    #[error("model `{name}` is not here: {} is missing", missing.display())]
    Missing {
        /// The model.
        name: String,
        /// First file that is missing.
        missing: PathBuf,
        /// Where its files come from.
        source_kind: Source,
    },
    /// A file is not the one that the manifest names.
    #[error("{} is not the file that the manifest names: {what} is {found}, expected {expected}", path.display())]
    Different {
        /// The file.
        path: PathBuf,
        /// What was compared: `size` or `sha256`.
        what: &'static str,
        /// On disk.
        found: String,
        /// In the manifest.
        expected: String,
        /// The model, for the hint.
        name: String,
    },
}

impl Hint for ModelError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown {
                known, searched, ..
            } if known.is_empty() => Some(format!(
                "no models were found in {}; point --models-dir or MILVUS_MODELS_DIR at the project's models/ folder",
                searched
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
            Self::Unknown { known, .. } => Some(format!(
                "use one of {}, or the path of a folder with a model.toml",
                known.join(", ")
            )),
            Self::Missing {
                name, source_kind, ..
            } => Some(match source_kind {
                Source::Hub { .. } => format!(
                    "fetch it once with `models pull {name}` (add `--from URL-OR-FOLDER` for a mirror), or try things out with `--model lit-b0`, which is shipped"
                ),
                Source::Built { command } => {
                    format!("build it once with `{command}` in the project's folder")
                }
                Source::Shipped => "restore the file from the project's repository".to_owned(),
            }),
            Self::Different { name, .. } => Some(format!(
                "fetch it again with `models pull {name}`, or correct the manifest if the file is right"
            )),
            Self::NoVariant { name, known, .. } if known.is_empty() => {
                Some(format!("use `{name}`: it has no variants"))
            }
            Self::NoVariant { name, known, .. } => {
                let known: Vec<String> = known.iter().map(|v| format!("{name}:{v}")).collect();
                Some(format!("use {name} or {}", known.join(", ")))
            }
            Self::Manifest {
                source: ManifestProblem::Open { .. },
                ..
            } => Some("answer them in the file: each has its question above it".to_owned()),
            Self::Manifest { .. } | Self::Misnamed { .. } => Some(
                "correct the file; the manifests in models/ show the keys, clip-vit-b-32 the most"
                    .to_owned(),
            ),
            Self::Read { .. } => None,
        }
    }
}
