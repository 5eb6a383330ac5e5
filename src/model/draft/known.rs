//! What is known before a graph is looked at: from a model like it, and from
//! the files beside it. Each value carries the place where it stands.

use std::collections::BTreeMap;

use super::error::DraftError;
use super::{image_files, text_files};
use crate::model::{
    Channels, Clean, Filter, Layout, Manifest, Normalise, Padding, Resize, Rounding,
};

/// Files beside a graph that say how its input is made.
pub const IMAGE_SIDE_FILES: [&str; 3] = [
    image_files::PREPROCESSOR,
    image_files::OPEN_CLIP,
    image_files::CONFIG,
];

/// Files beside a tokeniser that say how it is used.
pub const TEXT_SIDE_FILES: [&str; 2] = [text_files::SENTENCE_BERT, text_files::TOKENIZER_CONFIG];

/// Texts of side files, by name; the tokeniser too, as `tokenizer.json`.
pub type SideFiles = BTreeMap<&'static str, String>;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told<T> {
    pub(super) value: T,
    pub(super) from: String,
}

impl<T> Told<T> {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "what is told stands where it could be unknown"
    )]
    pub(super) fn some(value: T, from: &str) -> Option<Self> {
        Some(Self {
            value,
            from: from.to_owned(),
        })
    }
}

/// How a picture becomes the size that the graph takes, without the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Exact,
    ShortestEdge {
        edge: u32,
        long_side: Rounding,
        crop_offset: Rounding,
    },
}

/// Answers that the graph itself cannot give.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    pub(super) licence: Option<Told<String>>,
    pub(super) normalise: Option<Told<Normalise>>,
    /// Width and height.
    pub(super) size: Option<Told<(u32, u32)>>,
    pub(super) layout: Option<Told<Layout>>,
    pub(super) channels: Option<Told<Channels>>,
    pub(super) divide_by: Option<Told<f64>>,
    pub(super) mean: Option<Told<[f64; 3]>>,
    pub(super) std: Option<Told<[f64; 3]>>,
    pub(super) rule: Option<Told<Rule>>,
    /// Why there is no rule.
    pub(super) no_rule: Option<String>,
    pub(super) filter: Option<Told<Filter>>,
    pub(super) context_length: Option<Told<u32>>,
    pub(super) padding: Option<Told<Padding>>,
    pub(super) pad_id: Option<Told<u32>>,
    pub(super) clean: Option<Told<Clean>>,
    pub(super) lower_case: Option<Told<bool>>,
}

impl Known {
    /// What a known model's manifest says.
    pub fn of_model(manifest: &Manifest) -> Self {
        let from = &format!("as {}", manifest.name);
        let vision = &manifest.vision;
        let (rule, filter) = match vision.resize {
            Resize::Exact { filter } => (Rule::Exact, filter),
            Resize::ShortestEdge {
                edge,
                filter,
                long_side,
                crop_offset,
            } => {
                let rule = Rule::ShortestEdge {
                    edge,
                    long_side,
                    crop_offset,
                };
                (rule, filter)
            }
        };
        let text = manifest.text.as_ref();
        let length = text.and_then(|text| u32::try_from(text.context_length).ok());
        let lower_case = text.map(|text| text.lower_case).filter(|lower| *lower);
        Self {
            licence: Told::some(manifest.licence.clone(), from),
            normalise: Told::some(manifest.normalise, from),
            size: Told::some((vision.width, vision.height), from),
            layout: Told::some(vision.layout, from),
            channels: Told::some(vision.channels, from),
            divide_by: Told::some(shortest(vision.divide_by), from),
            mean: Told::some(vision.mean.map(shortest), from),
            std: Told::some(vision.std.map(shortest), from),
            rule: Told::some(rule, from),
            no_rule: None,
            filter: Told::some(filter, from),
            context_length: length.and_then(|length| Told::some(length, from)),
            padding: text.and_then(|text| Told::some(text.padding, from)),
            pad_id: text.and_then(|text| Told::some(text.pad_id, from)),
            clean: text.and_then(|text| Told::some(text.clean?, from)),
            lower_case: lower_case.and_then(|lower| Told::some(lower, from)),
        }
    }

    /// What files beside the graph say.
    ///
    /// # Errors
    /// One is no JSON.
    pub fn beside(files: &SideFiles) -> Result<Self, DraftError> {
        let json = Json::parse(files)?;
        let mut known = image_files::read(&json);
        text_files::read(&json, &mut known);
        Ok(known)
    }

    /// This, and where it does not know, `other`. A model's text settings stay
    /// together: its padding says nothing without its token.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let texts = if self.padding.is_some() {
            &self
        } else {
            &other
        };
        let (clean, lower_case) = (texts.clean.clone(), texts.lower_case.clone());
        Self {
            licence: self.licence.or(other.licence),
            normalise: self.normalise.or(other.normalise),
            size: self.size.or(other.size),
            layout: self.layout.or(other.layout),
            channels: self.channels.or(other.channels),
            divide_by: self.divide_by.or(other.divide_by),
            mean: self.mean.or(other.mean),
            std: self.std.or(other.std),
            rule: self.rule.or(other.rule),
            no_rule: self.no_rule.or(other.no_rule),
            filter: self.filter.or(other.filter),
            context_length: self.context_length.or(other.context_length),
            padding: self.padding.or(other.padding),
            pad_id: self.pad_id.or(other.pad_id),
            clean,
            lower_case,
        }
    }

    /// Width and height of the input, where they are known.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.size.as_ref().map(|size| size.value)
    }
}

/// The number as a manifest has it: 0.485 stays 0.485 in 64 bits.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// Parsed side files.
pub(super) struct Json(BTreeMap<&'static str, serde_json::Value>);

impl Json {
    fn parse(files: &SideFiles) -> Result<Self, DraftError> {
        let parsed = files.iter().map(|(file, text)| {
            let value = serde_json::from_str(text.trim_start_matches('\u{feff}'));
            value
                .map(|value| (*file, value))
                .map_err(|source| DraftError::SideFile { file, source })
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn file(&self, name: &str) -> Option<&serde_json::Value> {
        self.0.get(name)
    }
}

pub(super) fn whole(value: &serde_json::Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}
