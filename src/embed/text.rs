//! The text side of a model: words in, vectors out.

use std::path::Path;
use std::time::{Duration, Instant};

use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor, TensorElementType};

use super::dense::DenseLayer;
use super::error::{EmbedError, Said};
use super::graph::{Expected, OUTPUT_ELEMENTS, check, extract, output_shape, pool};
use super::runtime::Runtime;
use super::tokens::Tokeniser;
use super::vector::finish;
use crate::entity::Embedding;
use crate::model::{IntegerType, Model, Normalise, Padding, Text};

/// An open text graph with its tokeniser.
#[derive(Debug)]
pub struct TextTower {
    session: Session,
    tokeniser: Tokeniser,
    dense: Option<DenseLayer>,
    text: Text,
    /// Numbers in a pooled vector.
    pooled: usize,
    normalise: Normalise,
    times: TextTimes,
}

/// Where the time of texts went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextTimes {
    /// Words to token ids.
    pub tokenising: Duration,
    /// Token ids to vectors.
    pub inferring: Duration,
}

/// A text's vector.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddedText {
    /// The vector.
    pub embedding: Embedding,
    /// Whether the text was longer than the model reads, and was cut.
    pub truncated: bool,
}

impl TextTower {
    /// Opens the model's text graph on `threads` threads, and compares it with
    /// the manifest.
    ///
    /// # Errors
    /// The model has no text side, a file cannot be opened, or the graph
    /// contradicts the manifest.
    pub fn open(model: &Model, runtime: &Runtime, threads: usize) -> Result<Self, EmbedError> {
        let Some(text) = model.manifest.text.clone() else {
            return Err(EmbedError::NoText {
                model: model.manifest.name.clone(),
            });
        };
        let dense = DenseLayer::open(model, text.dense.as_ref())?;
        let pooled = dense
            .as_ref()
            .map_or(model.manifest.dimension, DenseLayer::takes);
        let path = model.path_of(&text.onnx.file);
        let cut_to = text.onnx.cut.then_some(text.onnx.output.as_str());
        let session = runtime.open(&path, threads, cut_to)?;
        check_graph(&path, &session, &text, pooled)?;
        Ok(Self {
            session,
            tokeniser: Tokeniser::open(model)?,
            dense,
            text,
            pooled,
            normalise: model.manifest.normalise,
            times: TextTimes::default(),
        })
    }

    /// The tokeniser of this tower.
    pub fn tokeniser(&self) -> &Tokeniser {
        &self.tokeniser
    }

    /// Where the time went since the last call.
    pub fn take_times(&mut self) -> TextTimes {
        std::mem::take(&mut self.times)
    }

    /// Embeds texts, in one run of the graph where it takes any number.
    ///
    /// # Errors
    /// The tokeniser or the graph failed, or a vector is useless.
    pub fn embed(&mut self, texts: &[&str]) -> Result<Vec<EmbeddedText>, EmbedError> {
        let (pooled, truncated) = self.pooled(texts)?;
        pooled
            .into_iter()
            .zip(truncated)
            .map(|(vector, truncated)| {
                let vector = match &self.dense {
                    Some(dense) => dense.apply(&vector),
                    None => vector,
                };
                Ok(EmbeddedText {
                    embedding: finish(vector, self.normalise).map_err(EmbedError::Vector)?,
                    truncated,
                })
            })
            .collect()
    }

    /// The graph's answer to texts, one pooled vector each, and whether each
    /// was cut.
    ///
    /// # Errors
    /// The tokeniser or the graph failed.
    pub fn pooled(&mut self, texts: &[&str]) -> Result<(Vec<Vec<f32>>, Vec<bool>), EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        let mut truncated = Vec::with_capacity(texts.len());
        let places = self.text.onnx.batch;
        for part in texts.chunks(places.unwrap_or(texts.len()).max(1)) {
            // A graph with a fixed batch gets its missing places as empty texts.
            let mut whole = part.to_vec();
            whole.resize(places.unwrap_or(part.len()), "");
            let start = Instant::now();
            let tokens = self.tokeniser.encode(&whole)?;
            self.times.tokenising += start.elapsed();
            let start = Instant::now();
            let pooled = self.run(tokens.shape, &tokens.ids, &tokens.mask)?;
            self.times.inferring += start.elapsed();
            vectors.extend(pooled.into_iter().take(part.len()));
            truncated.extend(tokens.truncated.into_iter().take(part.len()));
        }
        Ok((vectors, truncated))
    }

    fn run(
        &mut self,
        shape: [usize; 2],
        ids: &[u32],
        mask: &[u32],
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let graph = &self.text.onnx;
        let mut inputs = vec![(graph.input_ids.as_str(), integers(graph.dtype, shape, ids)?)];
        if let Some(name) = &graph.attention_mask {
            inputs.push((name.as_str(), integers(graph.dtype, shape, mask)?));
        }
        let outputs = self
            .session
            .run(inputs)
            .map_err(|error| run_error(&error))?;
        let (found, data) = extract(&outputs, &graph.output)?;
        let counts: Vec<bool> = mask.iter().map(|counts| *counts != 0).collect();
        let vectors = pool(graph.pooling, self.pooled, found, &data, Some(&counts))?;
        if vectors.len() == shape[0] {
            Ok(vectors)
        } else {
            Err(EmbedError::Shape {
                found: found.to_vec(),
                expected: format!("{} vectors", shape[0]),
            })
        }
    }
}

fn run_error(error: &dyn std::fmt::Display) -> EmbedError {
    EmbedError::Run {
        source: Said::by(error),
    }
}

fn integers(
    dtype: IntegerType,
    shape: [usize; 2],
    values: &[u32],
) -> Result<SessionInputValue<'static>, EmbedError> {
    let value = match dtype {
        IntegerType::Int64 => {
            let values: Vec<i64> = values.iter().map(|value| i64::from(*value)).collect();
            Tensor::from_array((shape, values)).map(Into::into)
        }
        IntegerType::Int32 => {
            let values: Vec<i32> = values.iter().map(|value| value.cast_signed()).collect();
            Tensor::from_array((shape, values)).map(Into::into)
        }
    };
    value.map_err(|error| run_error(&error))
}

fn check_graph(
    path: &Path,
    session: &Session,
    text: &Text,
    pooled: usize,
) -> Result<(), EmbedError> {
    let graph = &text.onnx;
    let elements = [match graph.dtype {
        IntegerType::Int64 => TensorElementType::Int64,
        IntegerType::Int32 => TensorElementType::Int32,
    }];
    // A graph that fixes the number of tokens needs texts of that length; -1
    // is ONNX Runtime's word for any.
    let tokens = match text.padding {
        Padding::Fixed => i64::try_from(text.context_length).ok(),
        Padding::Longest => Some(-1),
    };
    let batch = graph.batch.and_then(|batch| i64::try_from(batch).ok());
    let token_shape = [batch.or(Some(-1)), tokens];
    let names = std::iter::once(&graph.input_ids).chain(&graph.attention_mask);
    let inputs: Vec<Expected<'_>> = names
        .map(|name| Expected {
            name,
            elements: &elements,
            shape: &token_shape,
        })
        .collect();
    let output = Expected {
        name: &graph.output,
        elements: OUTPUT_ELEMENTS,
        shape: &output_shape(graph.pooling, pooled),
    };
    check(path, session, &inputs, &output)
}
