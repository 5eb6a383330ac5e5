//! Why no manifest can be drafted.

use crate::entity::Hint;

/// A graph or a file beside it is none that a manifest can describe.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The graph takes no picture.
    #[error("the graph {file} takes no picture: its inputs are {inputs}")]
    NoPicture {
        /// The ONNX file.
        file: String,
        /// What it takes.
        inputs: String,
    },
    /// The graph takes no tokens.
    #[error("the graph {file} takes no token ids: its inputs are {inputs}")]
    NoTokens {
        /// The ONNX file.
        file: String,
        /// What it takes.
        inputs: String,
    },
    /// The graph has an input that nothing feeds.
    #[error("the graph {file} needs the input {input}, which is not supported")]
    OtherInput {
        /// The ONNX file.
        file: String,
        /// Name, type and shape.
        input: String,
    },
    /// No output of the graph can be an embedding.
    #[error("the graph {file} gives no embedding: its outputs are {outputs}")]
    NoEmbedding {
        /// The ONNX file.
        file: String,
        /// What it gives.
        outputs: String,
    },
    /// Two towers in one graph, whose outputs cannot be told apart.
    #[error(
        "the graph {file} takes pictures and tokens, and which output belongs to which cannot be told: {outputs}"
    )]
    Combined {
        /// The ONNX file.
        file: String,
        /// What it gives.
        outputs: String,
    },
    /// Two sides that cannot be compared.
    #[error("the image side makes {image}-d vectors, the text side {text}-d")]
    Dimensions {
        /// Of the image side.
        image: u32,
        /// Of the text side.
        text: u32,
    },
    /// A file beside the graph is damaged.
    #[error("{file} is no JSON")]
    SideFile {
        /// Its name.
        file: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
}

impl Hint for DraftError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPicture { .. } => "give the image graph first; it takes float32 or float16 [n, 3, height, width] or [n, height, width, 3], and a text graph goes to --text".to_owned(),
            Self::NoTokens { .. } => "a text graph takes int32 or int64 [n, tokens]".to_owned(),
            Self::OtherInput { input, .. } if input.contains("token_type_ids") => {
                "export the text graph without token_type_ids: a single text has zeros there, which the export can fix".to_owned()
            }
            Self::OtherInput { .. } => "export the graph with the picture, or the token ids and one mask of the same type, as its only inputs".to_owned(),
            Self::NoEmbedding { .. } => "an embedding is float32 or float16 [n, d], [n, tokens, d] or [n, d, rows, columns]; export the graph with such an output".to_owned(),
            Self::Combined { .. } => "export the graph with outputs called image_embeds and text_embeds, or as two files, the text graph for --text".to_owned(),
            Self::Dimensions { .. } => "use two graphs of one model; where a matrix follows the text side, write [text.dense] by hand, as models/clip-vit-b-32-multilingual does".to_owned(),
            Self::SideFile { .. } => "fetch the file again, or move it away to be asked instead".to_owned(),
        })
    }
}
