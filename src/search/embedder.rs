//! Questions to vectors, by the model that filled a collection.

use std::sync::Arc;

use super::clock::Clock;
use super::question::{Content, Question};
use super::{QuestionError, combine};
use crate::config::ImageLimits;
use crate::embed::{EmbedError, Runtime, TextTower, VisionTower};
use crate::entity::{Embedding, ImageId};
use crate::imaging::{Preprocess, decode};
use crate::model::Model;

/// Threads of one query's inference; a single query cannot fill more.
const QUERY_THREADS: usize = 4;

/// Pictures in one run of the graph; on a CPU more are not faster.
const IMAGES_AT_ONCE: usize = 8;

/// Texts in one run of the graph.
const TEXTS_AT_ONCE: usize = 32;

/// What stands for the words in a template.
pub const PLACEHOLDER: &str = "{}";

/// A model's towers, each opened when the first question needs it.
pub struct Embedder {
    model: Model,
    runtime: Option<Arc<Runtime>>,
    text: Option<TextTower>,
    vision: Option<(VisionTower, Preprocess)>,
    templates: Vec<String>,
    limits: ImageLimits,
    /// Where the time went.
    pub clock: Clock,
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedder")
            .field("model", &self.model.manifest.name)
            .finish_non_exhaustive()
    }
}

/// A question whose words and pictures are vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Its parts with their weights.
    pub parts: Vec<(Ingredient, f64)>,
    /// Whether a text was longer than the model reads, and was cut.
    pub truncated: bool,
}

/// A part of an embedded question.
#[derive(Debug, Clone, PartialEq)]
pub enum Ingredient {
    /// Its vector.
    Vector(Embedding),
    /// The collection has the vector.
    Stored(ImageId),
}

/// One answer for each of many questions or parts.
pub type Each<T> = Vec<Result<T, QuestionError>>;

impl Embedder {
    /// `templates` are wrapped around every text, which takes the place of
    /// `{}` in them; the text's vector is the mean of theirs, as in CLIP's
    /// paper (Radford et al. 2021, section 3.1.4). None: the text as it is.
    pub fn new(model: Model, runtime: Option<Arc<Runtime>>, templates: Vec<String>) -> Self {
        Self {
            model,
            runtime,
            text: None,
            vision: None,
            templates,
            limits: ImageLimits::default(),
            clock: Clock::default(),
        }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The vectors of questions, one answer each. What is wrong with a single
    /// question is an error of its own place.
    ///
    /// # Errors
    /// A tower cannot be opened, or a graph fails.
    pub fn embed(&mut self, questions: &[Question]) -> Result<Each<Embedded>, EmbedError> {
        let mut texts = self.embed_texts(questions)?.into_iter();
        let mut images = self.embed_images(questions)?.into_iter();
        let embedded = questions.iter().map(|question| {
            let mut truncated = false;
            // Every part is taken from its stream, whatever became of the others.
            let parts: Vec<Result<(Ingredient, f64), QuestionError>> = question
                .parts
                .iter()
                .map(|part| {
                    let ingredient = match &part.content {
                        Content::Stored(id) => Ok(Ingredient::Stored(id.clone())),
                        Content::Text(_) => take(&mut texts).map(|(vector, cut)| {
                            truncated |= cut;
                            Ingredient::Vector(vector)
                        }),
                        Content::Image(_) => take(&mut images).map(Ingredient::Vector),
                    };
                    ingredient.map(|ingredient| (ingredient, part.weight))
                })
                .collect();
            let parts = parts.into_iter().collect::<Result<_, _>>()?;
            Ok(Embedded { parts, truncated })
        });
        Ok(embedded.collect())
    }

    /// The vectors of texts, and whether each was cut; `templates` as for
    /// [`new`](Self::new).
    ///
    /// # Errors
    /// The model has no text side, or its graph fails.
    pub(super) fn texts(
        &mut self,
        texts: &[&str],
        templates: &[String],
    ) -> Result<Vec<(Embedding, bool)>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let filled: Vec<String> = match templates {
            [] => texts.iter().map(|text| (*text).to_owned()).collect(),
            templates => texts
                .iter()
                .flat_map(|text| templates.iter().map(|t| t.replace(PLACEHOLDER, text)))
                .collect(),
        };
        let each = templates.len().max(1);
        let tower = self.text_tower()?;
        let mut embedded = Vec::with_capacity(filled.len());
        for part in filled.chunks(TEXTS_AT_ONCE) {
            let part: Vec<&str> = part.iter().map(String::as_str).collect();
            embedded.extend(tower.embed(&part)?);
        }
        let spent = tower.take_times();
        self.clock.add("tokenise", spent.tokenising);
        self.clock.add("infer text", spent.inferring);
        embedded
            .chunks(each)
            .map(|of_text| {
                let cut = of_text.iter().any(|text| text.truncated);
                let parts: Vec<(Embedding, f64)> =
                    of_text.iter().map(|t| (t.embedding.clone(), 1.0)).collect();
                Ok((combine(&parts).map_err(EmbedError::Vector)?, cut))
            })
            .collect()
    }

    fn text_tower(&mut self) -> Result<&mut TextTower, EmbedError> {
        if self.text.is_none() {
            let (model, runtime) = (&self.model, self.runtime.as_deref());
            let no_text = || EmbedError::NoText {
                model: model.manifest.name.clone(),
            };
            let runtime = runtime.filter(|_| model.manifest.knows_text());
            let runtime = runtime.ok_or_else(no_text)?;
            let opened = self.clock.time("open text model", || {
                TextTower::open(model, runtime, threads())
            });
            self.text = Some(opened?);
        }
        Ok(self
            .text
            .as_mut()
            .expect("it was just opened; this is a bug"))
    }

    /// For each text of the questions, in order, its vector. A model without
    /// words gives an error for each.
    fn embed_texts(
        &mut self,
        questions: &[Question],
    ) -> Result<Each<(Embedding, bool)>, EmbedError> {
        let parts = questions.iter().flat_map(|question| &question.parts);
        let texts: Vec<&str> = parts
            .filter_map(|part| match &part.content {
                Content::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        if !self.model.manifest.knows_text() {
            let no_text = || QuestionError::NoText {
                model: self.model.manifest.name.clone(),
            };
            return Ok(texts.iter().map(|_| Err(no_text())).collect());
        }
        let templates = self.templates.clone();
        Ok(self
            .texts(&texts, &templates)?
            .into_iter()
            .map(Ok)
            .collect())
    }

    /// For each picture of the questions, in order, its vector.
    fn embed_images(&mut self, questions: &[Question]) -> Result<Each<Embedding>, EmbedError> {
        let parts = questions.iter().flat_map(|question| &question.parts);
        let images: Vec<&[u8]> = parts
            .filter_map(|part| match &part.content {
                Content::Image(bytes) => Some(&bytes[..]),
                _ => None,
            })
            .collect();
        let mut embedded = Vec::with_capacity(images.len());
        for images in images.chunks(IMAGES_AT_ONCE) {
            embedded.extend(self.embed_some(images)?);
        }
        Ok(embedded)
    }

    fn embed_some(&mut self, images: &[&[u8]]) -> Result<Each<Embedding>, EmbedError> {
        if self.vision.is_none() {
            let (model, runtime) = (&self.model, self.runtime.as_deref());
            let opened = self.clock.time("open image model", || {
                VisionTower::open(model, runtime, threads())
            });
            self.vision = Some((opened?, Preprocess::new(&model.manifest.vision)));
        }
        let (tower, preprocess) = self
            .vision
            .as_mut()
            .expect("it was just opened; this is a bug");
        let (limits, clock) = (&self.limits, &mut self.clock);
        let mut tensors = Vec::new();
        let decoded: Vec<Result<(), QuestionError>> = clock.time("decode", || {
            let decode = |bytes: &&[u8]| {
                let image = decode(bytes, limits)?;
                let start = tensors.len();
                tensors.resize(start + preprocess.tensor_len(), 0.0);
                preprocess.write_tensor(&image, &mut tensors[start..]);
                Ok(())
            };
            images.iter().map(decode).collect()
        });
        let good = decoded.iter().filter(|decoded| decoded.is_ok()).count();
        let vectors = clock.time("infer image", || tower.embed(&tensors, good))?;
        let mut vectors = vectors.into_iter();
        let answers = decoded.into_iter().map(|decoded| {
            decoded?;
            let vector = vectors.next().expect("one vector a picture; this is a bug");
            vector.map_err(QuestionError::Vector)
        });
        Ok(answers.collect())
    }
}

/// The next of a stream that has one for each part.
fn take<T>(
    stream: &mut impl Iterator<Item = Result<T, QuestionError>>,
) -> Result<T, QuestionError> {
    stream.next().expect("one vector a part; this is a bug")
}

fn threads() -> usize {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    threads.min(QUERY_THREADS)
}
