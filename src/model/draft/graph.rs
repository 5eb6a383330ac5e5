//! Which input is the picture, which output the embedding.

use super::error::DraftError;
use super::facts::{GraphFacts, TensorFacts, listed};
use crate::model::Pooling;

/// Outputs that are embeddings by their name, the best first.
const IMAGE_OUTPUTS: &[&str] = &["image_embeds", "embedding", "pooler_output"];
const TEXT_OUTPUTS: &[&str] = &["text_embeds", "embedding", "pooler_output"];

/// Parts of names that classifiers give their outputs.
const CLASSIFIER_NAMES: &[&str] = &["logit", "prob", "class", "softmax"];

/// Classes of `ImageNet`, on which most classifiers are trained.
const IMAGENET_CLASSES: u32 = 1000;

/// What a graph is for, so far as its inputs and outputs say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Pictures in, embeddings out.
    Image,
    /// Pictures in, classes out: the embedding is within.
    Classifier {
        /// The output with the classes.
        output: String,
    },
    /// Two towers in one file.
    Combined {
        /// Output of the image tower.
        image: String,
        /// Output of the text tower.
        text: String,
    },
}

/// Side of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Image,
    Text,
}

/// The output that is taken for the embedding, and the ones that are not.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    pub(super) chosen: &'a TensorFacts,
    pub(super) others: Vec<&'a TensorFacts>,
}

/// Tells what the image graph in `file` is for.
///
/// # Errors
/// It takes no picture, something else besides, or gives no embedding.
pub fn kind_of(file: &str, facts: &GraphFacts) -> Result<Kind, DraftError> {
    picture(file, facts)?;
    if facts.inputs.iter().any(TensorFacts::is_tokens) {
        let of = |side: &str| {
            let mut named = facts
                .outputs
                .iter()
                .map(|output| output.name.to_lowercase());
            let found = named.position(|name| name.contains(side) && name.contains("embed"));
            found.map(|at| facts.outputs[at].name.clone())
        };
        return match (of("image"), of("text")) {
            (Some(image), Some(text)) => Ok(Kind::Combined { image, text }),
            _ => Err(DraftError::Combined {
                file: file.to_owned(),
                outputs: listed(&facts.outputs),
            }),
        };
    }
    only_picture(file, facts)?;
    let choice = choose(file, facts, Side::Image)?;
    Ok(match rank(choice.chosen, Side::Image) {
        Rank::Classifier => Kind::Classifier {
            output: choice.chosen.name.clone(),
        },
        _ => Kind::Image,
    })
}

fn picture<'a>(file: &str, facts: &'a GraphFacts) -> Result<&'a TensorFacts, DraftError> {
    let found = facts.inputs.iter().find(|input| input.is_picture());
    found.ok_or_else(|| DraftError::NoPicture {
        file: file.to_owned(),
        inputs: listed(&facts.inputs),
    })
}

/// The picture, where the graph takes nothing else.
pub(super) fn only_picture<'a>(
    file: &str,
    facts: &'a GraphFacts,
) -> Result<&'a TensorFacts, DraftError> {
    let picture = picture(file, facts)?;
    match facts.inputs.iter().find(|input| *input != picture) {
        Some(other) => Err(other_input(file, other)),
        None => Ok(picture),
    }
}

/// Token ids and attention mask, where the graph takes nothing else.
pub(super) fn tokens<'a>(
    file: &str,
    facts: &'a GraphFacts,
) -> Result<(&'a TensorFacts, Option<&'a TensorFacts>), DraftError> {
    let is_mask = |input: &TensorFacts| input.name.contains("mask");
    let is_extra = |input: &TensorFacts| {
        input.name.contains("token_type") || input.name.contains("position") || is_mask(input)
    };
    let mut named = facts.inputs.iter().filter(|input| input.is_tokens());
    let ids = named.find(|input| !is_extra(input));
    let ids = ids.ok_or_else(|| DraftError::NoTokens {
        file: file.to_owned(),
        inputs: listed(&facts.inputs),
    })?;
    let mut mask = None;
    for input in facts.inputs.iter().filter(|input| *input != ids) {
        let fits = is_mask(input) && input.is_tokens() && input.element == ids.element;
        if !fits || mask.is_some() {
            return Err(other_input(file, input));
        }
        mask = Some(input);
    }
    Ok((ids, mask))
}

fn other_input(file: &str, input: &TensorFacts) -> DraftError {
    DraftError::OtherInput {
        file: file.to_owned(),
        input: input.to_string(),
    }
}

/// How likely an output is the embedding; the least is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Has a name that embeddings have; its place among them.
    Named(usize),
    Vector,
    Map,
    Tokens,
    Classifier,
    Useless,
}

fn rank(output: &TensorFacts, side: Side) -> Rank {
    let names = match side {
        Side::Image => IMAGE_OUTPUTS,
        Side::Text => TEXT_OUTPUTS,
    };
    let map_of_text = side == Side::Text && output.axes.len() == 4;
    if pooling(output).is_none() || !output.is_float() || map_of_text {
        return Rank::Useless;
    }
    if let Some(place) = names.iter().position(|name| *name == output.name) {
        return Rank::Named(place);
    }
    if looks_like_classes(output) {
        return Rank::Classifier;
    }
    match output.axes.len() {
        2 => Rank::Vector,
        4 => Rank::Map,
        _ => Rank::Tokens,
    }
}

pub(super) fn looks_like_classes(output: &TensorFacts) -> bool {
    let name = output.name.to_lowercase();
    let named = CLASSIFIER_NAMES.iter().any(|part| name.contains(part));
    named || (output.axes.len() == 2 && output.dimension() == Some(IMAGENET_CLASSES))
}

/// The output that is most likely the embedding.
pub(super) fn choose<'a>(
    file: &str,
    facts: &'a GraphFacts,
    side: Side,
) -> Result<Choice<'a>, DraftError> {
    let best = facts.outputs.iter().min_by_key(|output| rank(output, side));
    match best.filter(|output| rank(output, side) != Rank::Useless) {
        None => Err(DraftError::NoEmbedding {
            file: file.to_owned(),
            outputs: listed(&facts.outputs),
        }),
        Some(chosen) => Ok(Choice {
            chosen,
            others: facts.outputs.iter().filter(|o| *o != chosen).collect(),
        }),
    }
}

/// How an output can become a vector, the likeliest first; `None` if it cannot.
pub(super) fn pooling(output: &TensorFacts) -> Option<&'static [Pooling]> {
    match output.axes[..] {
        [_, _] => Some(&[Pooling::None]),
        [_, _, _] => Some(&[Pooling::Cls, Pooling::Mean]),
        // Features last would be averaged over the wrong axes.
        [_, features, _, last] if features >= last || last.is_none() => {
            Some(&[Pooling::GlobalAverage])
        }
        _ => None,
    }
}
