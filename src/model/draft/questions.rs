//! What is asked where it cannot be told, with the usual answers.

pub(super) const LICENCE: &str = "Under which licence may the weights be used? An SPDX expression or a name, from the page of the model: \"MIT\", \"Apache-2.0\", \"CC-BY-NC-4.0\".";
pub(super) const NORMALISE: &str = "Is a vector divided by its length before it is stored? \"l2\" where vectors are compared by angle, as nearly always; \"none\" where their length says something.";
pub(super) const DIMENSION: &str =
    "How many numbers has one vector? The graph does not say; usual are 512, 768, 1024, 2048.";
pub(super) const WIDTH: &str =
    "How wide is the picture that the graph takes, in pixels? Usual are 224, 256, 336, 384.";
pub(super) const HEIGHT: &str = "How high is the picture that the graph takes, in pixels?";
pub(super) const LAYOUT: &str = "In which order are the axes of the picture? \"nchw\" for models from PyTorch, \"nhwc\" for those from TensorFlow.";
pub(super) const CHANNELS: &str =
    "Which colour comes first? \"rgb\" nearly always; \"bgr\" for models from Caffe and OpenCV.";
pub(super) const DIVIDE_BY: &str = "What divides a byte before mean and std act? 255.0 nearly always; 1.0 where mean and std are of the size of bytes.";
pub(super) const MEAN: &str = "What is subtracted from each channel? ImageNet [0.485, 0.456, 0.406]; CLIP [0.48145466, 0.4578275, 0.40821073]; ViT and SigLIP [0.5, 0.5, 0.5]; nothing [0.0, 0.0, 0.0].";
pub(super) const STD: &str = "What divides each channel then? ImageNet [0.229, 0.224, 0.225]; CLIP [0.26862954, 0.26130258, 0.27577711]; ViT and SigLIP [0.5, 0.5, 0.5]; nothing [1.0, 1.0, 1.0].";
pub(super) const RULE: &str = "How does a picture come to its size? \"exact\": straight, the aspect ratio is not kept; \"shortest-edge\": the shortest side to `edge`, then the centre is cut out; for that, take the `#` from the three lines below.";
pub(super) const FILTER: &str = "With which kernel is it resized? \"bicubic\" for CLIP and SigLIP, \"bilinear\" for torchvision and ViT; also \"lanczos\".";
pub(super) const LONG_SIDE: &str = "nearly always; else \"round\"";
pub(super) const CROP_OFFSET: &str = "Hugging Face; \"round\" for torchvision and open_clip";
pub(super) const TOKEN_POOLING: &str = "How do the tokens of the output become one vector? \"cls\": the first is taken, as ViT and BERT mostly do; \"mean\": their mean.";
pub(super) const CONTEXT_LENGTH: &str = "How many tokens does the model read at most, the special ones included? CLIP 77, SigLIP 64, sentence-transformers mostly 128.";
pub(super) const PADDING: &str = "How long are the texts of one call made? \"longest\": as the longest, where the padding does not act (CLIP, and graphs with a mask); \"fixed\": always to context_length (SigLIP).";
pub(super) const PAD_ID: &str = "Which token id fills up? CLIP 49407 (Hugging Face) or 0 (OpenAI), SigLIP 1, BERT 0; pad_token in the model's tokenizer_config.json names it.";
