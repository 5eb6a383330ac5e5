//! The two sides of a model, as its manifest describes them.

use serde::{Deserialize, Serialize};

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
    /// Matrix that is applied to the pooled vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dense: Option<Dense>,
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
    /// Whether the graph is cut down, as it is opened, to what `output` needs:
    /// for an inner tensor, and for a file that holds another tower too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
}

/// A matrix after the pooling: `[dimension, n]`, without bias, applied before
/// the normalisation. The `Dense` module of sentence-transformers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// `.safetensors` file inside the model's folder, listed under `files`.
    pub file: String,
    /// Name of the matrix in it.
    pub tensor: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
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
    /// 16-bit float; the tensor is rounded to it.
    Float16,
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
    /// What is done to a text before its tokeniser sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean: Option<Clean>,
    /// Whether a text is lower-cased before its tokeniser sees it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lower_case: bool,
    /// Sentence around a bare label, `{}` in its place: `a photo of a {}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What scores are multiplied by before a softmax over labels: the exponent
    /// of CLIP's trained temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logit_scale: Option<f64>,
    /// The graph that turns token ids into an embedding.
    pub onnx: TextGraph,
    /// Matrix that is applied to the pooled vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dense: Option<Dense>,
}

/// Cleaning of a text before its tokeniser sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clean {
    /// As `OpenAI`'s CLIP and `open_clip` do: ftfy, HTML references resolved
    /// twice, runs of white space to one space.
    Openai,
    /// As `open_clip` does for `SigLIP`: the same, then without ASCII
    /// punctuation and in lower case.
    Canonicalize,
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
    /// Texts in one call where the graph fixes it; absent means any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// As for the image side.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
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
