//! The manifest of a model: `models/NAME/model.toml`.
//!
//! Everything that makes one model differ from another stands in this file and
//! nowhere in the code: graph inputs and outputs, resize rule, crop, scaling,
//! channel order, pooling, tokeniser. An unknown key is an error, because a
//! misspelt `mean` would otherwise give vectors that look right and are not.

use serde::{Deserialize, Serialize};

use super::ManifestProblem;

/// Manifest format that this build reads.
pub const MANIFEST_VERSION: u32 = 1;

/// A model, as its `model.toml` describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of the file; [`MANIFEST_VERSION`].
    pub version: u32,
    /// Name that `--model` takes; equals the folder's name.
    pub name: String,
    /// One line that says what the model is.
    pub title: String,
    /// SPDX expression, or the licence's name.
    pub licence: String,
    /// Numbers in one embedding.
    pub dimension: usize,
    /// What is done to the pooled vector before it is stored.
    pub normalise: Normalise,
    /// Where missing files come from.
    pub source: Source,
    /// Every file that a run of the model needs.
    #[serde(default)]
    pub files: Vec<ModelFile>,
    /// Image side.
    pub vision: Vision,
    /// Text side; absent for models that only know images.
    pub text: Option<Text>,
}

/// Where a model's files come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// The files lie in the model's folder, or the model has none.
    Shipped,
    /// A model hub: `{base}/{repository}/resolve/{revision}/{remote}`.
    Hub {
        /// Repository on the hub, `owner/name`.
        repository: String,
        /// Commit that the hashes belong to.
        revision: String,
    },
    /// Built on the user's machine by the named command.
    Built {
        /// What to run, from the project's root.
        command: String,
    },
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Path inside the model's folder.
    pub path: String,
    /// Path inside the hub's repository, where it differs from `path`.
    pub remote: Option<String>,
    /// Size in bytes.
    pub bytes: Option<u64>,
    /// SHA-256 as 64 lower-case hexadecimal digits; absent means unverified.
    pub sha256: Option<String>,
}

impl ModelFile {
    /// Path of the file inside the hub's repository.
    pub fn remote_path(&self) -> &str {
        self.remote.as_deref().unwrap_or(&self.path)
    }
}

/// Image side of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vision {
    /// Width of the input tensor, in pixels.
    pub width: u32,
    /// Height of the input tensor, in pixels.
    pub height: u32,
    /// Order of the tensor's axes.
    pub layout: Layout,
    /// Order of the colour channels.
    pub channels: Channels,
    /// How a picture of any size becomes `width` x `height`.
    pub resize: Resize,
    /// Divides a byte (0-255) before `mean` and `std` act; 255 or 1.
    pub divide_by: f32,
    /// Subtracted per channel, in the order of `channels`, after `divide_by`.
    pub mean: [f32; 3],
    /// Divides per channel, in the order of `channels`, after `mean`.
    pub std: [f32; 3],
    /// The graph that turns the tensor into an embedding. Absent: the tensor,
    /// flattened in the order of `layout`, is the embedding.
    pub onnx: Option<VisionGraph>,
}

/// ONNX graph of the image side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisionGraph {
    /// File inside the model's folder, listed under `files`.
    pub file: String,
    /// Name of the image input.
    pub input: String,
    /// Element type of the image input.
    pub dtype: FloatType,
    /// Name of the output.
    pub output: String,
    /// How the output becomes one vector an image.
    #[serde(default)]
    pub pooling: Pooling,
    /// Images in one call where the graph fixes it; absent means any number.
    pub batch: Option<usize>,
}

/// How a picture becomes the size that the graph takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Resize {
    /// Shortest side to `edge`, the other in proportion, then the centre
    /// `width` x `height` is cut out.
    ShortestEdge {
        /// Length of the shortest side after the resize, in pixels.
        edge: u32,
        /// Resampling kernel, antialiased.
        filter: Filter,
        /// How the long side is made whole.
        long_side: Rounding,
        /// How the offset of the centre crop is made whole.
        crop_offset: Rounding,
    },
    /// Straight to `width` x `height`; the aspect ratio is not kept.
    Exact {
        /// Resampling kernel, antialiased.
        filter: Filter,
    },
}

/// Resampling kernel. Every one is antialiased: its support grows with the
/// scale, as in Pillow's `Image.resize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Triangle; Pillow's `BILINEAR`.
    Bilinear,
    /// Catmull-Rom, a = -0.5; Pillow's `BICUBIC`.
    Bicubic,
    /// Lanczos with three lobes; Pillow's `LANCZOS`.
    Lanczos,
}

/// How a length or an offset becomes a whole number of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Towards zero.
    Floor,
    /// To the nearest, halves to even, as Python's `round()`.
    Round,
}

/// Order of the axes of the image tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Batch, channel, row, column.
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// Order of the colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// Red first.
    Rgb,
    /// Blue first, as Caffe has it.
    Bgr,
}

/// Element type of a graph's image input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FloatType {
    /// 32-bit float.
    Float32,
}

/// Element type of a graph's token input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntegerType {
    /// 64-bit signed integer.
    Int64,
    /// 32-bit signed integer.
    Int32,
}

/// How a graph's output becomes one vector an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The output is `[n, dimension]` already.
    #[default]
    None,
    /// First token of `[n, tokens, dimension]`.
    Cls,
    /// Mean over the tokens of `[n, tokens, dimension]`; for text, over the
    /// tokens that the attention mask names.
    Mean,
    /// Mean over rows and columns of `[n, dimension, rows, columns]`.
    GlobalAverage,
}

/// What is done to a pooled vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalise {
    /// Divided by its Euclidean length.
    L2,
    /// Stored as it comes.
    None,
}

/// Text side of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// `tokenizer.json` inside the model's folder, listed under `files`.
    pub tokenizer: String,
    /// Most tokens in one text, the special ones included; longer texts are
    /// cut so that the closing token stays.
    pub context_length: usize,
    /// How short texts are filled up.
    pub padding: Padding,
    /// Token id that fills up.
    pub pad_id: u32,
    /// The graph that turns token ids into an embedding.
    pub onnx: TextGraph,
}

/// ONNX graph of the text side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextGraph {
    /// File inside the model's folder, listed under `files`.
    pub file: String,
    /// Name of the input that takes the token ids, `[n, tokens]`.
    pub input_ids: String,
    /// Name of the input that takes the attention mask, where there is one.
    pub attention_mask: Option<String>,
    /// Element type of both inputs.
    pub dtype: IntegerType,
    /// Name of the output.
    pub output: String,
    /// How the output becomes one vector a text.
    #[serde(default)]
    pub pooling: Pooling,
}

/// How texts in one batch come to the same length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// To the longest text of the batch.
    Longest,
    /// Always to `context_length`.
    Fixed,
}

impl Manifest {
    /// Parses and checks the text of a `model.toml`.
    ///
    /// # Errors
    /// The first thing that is wrong: syntax or an unknown key with its line,
    /// or the field and what is wrong with its value.
    pub fn parse(text: &str) -> Result<Self, ManifestProblem> {
        let manifest: Self = toml::from_str(text).map_err(ManifestProblem::Syntax)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether the model embeds text.
    pub fn knows_text(&self) -> bool {
        self.text.is_some()
    }

    /// What the model embeds, in words.
    pub fn kind(&self) -> &'static str {
        if self.knows_text() {
            "text-image"
        } else {
            "image"
        }
    }
}
