//! Why a picture or a text does not become a vector.

use std::path::PathBuf;

use crate::entity::Hint;

/// The library that runs graphs, or a graph itself, does not work.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The shared library is nowhere.
    #[error("ONNX Runtime is not here")]
    RuntimeMissing {
        /// Files that were looked for.
        searched: Vec<PathBuf>,
    },
    /// The shared library is not where the environment says.
    #[error("ONNX Runtime is not at {}, which ORT_DYLIB_PATH names", path.display())]
    RuntimeElsewhere {
        /// What the variable says.
        path: PathBuf,
    },
    /// The shared library is there and cannot be used.
    #[error("ONNX Runtime at {} cannot be used", path.display())]
    RuntimeBroken {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        source: Said,
    },
    /// The graph cannot be opened.
    #[error("the graph {} cannot be opened", path.display())]
    Open {
        /// The ONNX file.
        path: PathBuf,
        /// What ONNX Runtime said.
        source: Said,
    },
    /// An input or output that the manifest names is not in the graph.
    #[error("the graph {} has no {what} `{name}`", path.display())]
    NoSuchTensor {
        /// The ONNX file.
        path: PathBuf,
        /// `input` or `output`.
        what: &'static str,
        /// Name in the manifest.
        name: String,
        /// Names in the graph.
        known: Vec<String>,
    },
    /// An input of the graph that the manifest does not name.
    #[error("the graph {} also needs the input `{name}`, which the manifest does not name", path.display())]
    UnnamedInput {
        /// The ONNX file.
        path: PathBuf,
        /// Name in the graph.
        name: String,
    },
    /// A graph cannot be cut down to the output that the manifest names.
    #[error("the graph {} cannot be cut: it is no ONNX file", path.display())]
    Cut {
        /// The ONNX file.
        path: PathBuf,
    },
    /// The matrix after the pooling cannot be used.
    #[error("the matrix {} cannot be used", path.display())]
    Dense {
        /// The `.safetensors` file.
        path: PathBuf,
        /// What is wrong with it.
        source: Said,
    },
    /// The graph contradicts the manifest.
    #[error("the graph {} contradicts the manifest: `{name}` is {found}, the manifest says {expected}", path.display())]
    Contradiction {
        /// The ONNX file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Type and shape in the graph.
        found: String,
        /// Type and shape that the manifest asks for.
        expected: String,
    },
    /// The tokeniser cannot be read.
    #[error("the tokeniser {} cannot be read", path.display())]
    Tokeniser {
        /// `tokenizer.json`.
        path: PathBuf,
        /// What the library said.
        source: Said,
    },
    /// The model has no text tower.
    #[error("the model `{model}` does not understand text")]
    NoText {
        /// The model.
        model: String,
    },
    /// A text cannot be tokenised.
    #[error("the text cannot be tokenised")]
    Tokenise {
        /// What the library said.
        source: Said,
    },
    /// A run of the graph failed.
    #[error("the graph failed")]
    Run {
        /// What ONNX Runtime said.
        source: Said,
    },
    /// The graph's answer has another shape than the manifest says.
    #[error("the graph answered with shape {found:?}, the manifest says {expected}")]
    Shape {
        /// Shape of the answer.
        found: Vec<i64>,
        /// What was expected.
        expected: String,
    },
    /// A vector cannot be stored.
    #[error("the model made a vector that {0}")]
    Vector(BadVector),
}

/// What makes a vector useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadVector {
    /// It holds NaN or infinity.
    #[error("is not finite")]
    NotFinite,
    /// It has no direction, so it has no neighbours by angle.
    #[error("is all zeros")]
    Zero,
}

/// Somebody else's words, as a cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

impl Said {
    pub(super) fn by(error: &dyn std::fmt::Display) -> Self {
        let said = error.to_string();
        let words: Vec<&str> = said.split_whitespace().collect();
        Self(words.join(" "))
    }
}

impl Hint for EmbedError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::RuntimeMissing { searched } => {
                let places: Vec<String> = searched
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                Some(format!(
                    "run `make runtime` in the project's folder, or set ORT_DYLIB_PATH to libonnxruntime.so 1.24 or newer (looked for {})",
                    places.join(", ")
                ))
            }
            Self::RuntimeElsewhere { .. } => Some(
                "unset ORT_DYLIB_PATH to use the one that `make runtime` fetches, or correct it".to_owned(),
            ),
            Self::RuntimeBroken { .. } => Some(
                "run `make runtime` in the project's folder for one that fits, or point ORT_DYLIB_PATH at ONNX Runtime 1.24 or newer".to_owned(),
            ),
            Self::NoSuchTensor { known, what, .. } => Some(format!(
                "correct the manifest: the graph's {what}s are {}{}",
                known.join(", "),
                if *what == "output" { "; an inner tensor needs `cut = true`" } else { "" }
            )),
            Self::UnnamedInput { .. } => Some(
                "correct the model's model.toml; where the input belongs to another tower in the same file, set `cut = true`"
                    .to_owned(),
            ),
            Self::Contradiction { .. } | Self::Shape { .. } => {
                Some("correct the model's model.toml, or use the file that it was written for".to_owned())
            }
            Self::NoText { .. } => Some(
                "search with --image, or use a collection filled by a model that knows text (`models list` shows which do)".to_owned(),
            ),
            Self::Open { .. } | Self::Tokeniser { .. } | Self::Cut { .. } | Self::Dense { .. } => {
                Some("`models check NAME` tests the model's files".to_owned())
            }
            Self::Tokenise { .. } | Self::Run { .. } | Self::Vector(_) => None,
        }
    }
}
