//! The text side of a model: words in, vectors out.

use std::path::Path;

use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor, TensorElementType};
use tokenizers::{PaddingDirection, PaddingParams, PaddingStrategy, Tokenizer, TruncationParams};

use super::error::{EmbedError, Said};
use super::graph::{Expected, check, extract, output_shape, pool};
use super::runtime::Runtime;
use super::vector::finish;
use crate::entity::Embedding;
use crate::model::{IntegerType, Model, Normalise, Padding, Text};

/// An open text graph with its tokeniser.
#[derive(Debug)]
pub struct TextTower {
    session: Session,
    tokeniser: Tokenizer,
    text: Text,
    dimension: usize,
    normalise: Normalise,
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
        let path = model.path_of(&text.onnx.file);
        let session = runtime.open(&path, threads)?;
        check_graph(&path, &session, &text, model.manifest.dimension)?;
        Ok(Self {
            session,
            tokeniser: tokeniser(&model.path_of(&text.tokenizer), &text)?,
            text,
            dimension: model.manifest.dimension,
            normalise: model.manifest.normalise,
        })
    }

    /// Token ids of a text, the special ones included, as the graph gets them
    /// for a batch of one.
    ///
    /// # Errors
    /// The tokeniser refuses the text.
    pub fn token_ids(&self, text: &str) -> Result<Vec<u32>, EmbedError> {
        let encoding = self
            .tokeniser
            .encode_fast(text, true)
            .map_err(|error| tokenise_error(&error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Embeds texts, in one run of the graph.
    ///
    /// # Errors
    /// The tokeniser or the graph failed, or a vector is useless.
    pub fn embed(&mut self, texts: &[&str]) -> Result<Vec<EmbeddedText>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let encodings = self
            .tokeniser
            .encode_batch(texts.to_vec(), true)
            .map_err(|error| tokenise_error(&error))?;
        let tokens = encodings
            .iter()
            .map(|e| e.get_ids().len())
            .max()
            .unwrap_or(0);
        let ids: Vec<u32> = encodings
            .iter()
            .flat_map(|e| e.get_ids().to_vec())
            .collect();
        let mask: Vec<u32> = encodings
            .iter()
            .flat_map(|e| e.get_attention_mask().to_vec())
            .collect();
        let vectors = self.run([texts.len(), tokens], &ids, &mask)?;
        vectors
            .into_iter()
            .zip(&encodings)
            .map(|(vector, encoding)| {
                Ok(EmbeddedText {
                    embedding: finish(vector, self.normalise).map_err(EmbedError::Vector)?,
                    truncated: !encoding.get_overflowing().is_empty(),
                })
            })
            .collect()
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
        let vectors = pool(graph.pooling, self.dimension, found, data, Some(&counts))?;
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

fn tokenise_error(error: &tokenizers::Error) -> EmbedError {
    EmbedError::Tokenise {
        source: Said::by(error),
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

/// The tokeniser, set to the manifest's length and padding whatever its own
/// file says of them: CLIP's says nothing.
fn tokeniser(path: &Path, text: &Text) -> Result<Tokenizer, EmbedError> {
    let failed = |error: &dyn std::fmt::Display| EmbedError::Tokeniser {
        path: path.to_owned(),
        source: Said::by(error),
    };
    let mut tokeniser = Tokenizer::from_file(path).map_err(|error| failed(&error))?;
    let pad_token = tokeniser
        .id_to_token(text.pad_id)
        .ok_or_else(|| failed(&format!("it has no token {}", text.pad_id)))?;
    tokeniser.with_padding(Some(PaddingParams {
        strategy: match text.padding {
            Padding::Longest => PaddingStrategy::BatchLongest,
            Padding::Fixed => PaddingStrategy::Fixed(text.context_length),
        },
        direction: PaddingDirection::Right,
        pad_id: text.pad_id,
        pad_token,
        ..Default::default()
    }));
    tokeniser
        .with_truncation(Some(TruncationParams {
            max_length: text.context_length,
            ..Default::default()
        }))
        .map_err(|error| failed(&error))?;
    Ok(tokeniser)
}

fn check_graph(
    path: &Path,
    session: &Session,
    text: &Text,
    dimension: usize,
) -> Result<(), EmbedError> {
    let graph = &text.onnx;
    let element = match graph.dtype {
        IntegerType::Int64 => TensorElementType::Int64,
        IntegerType::Int32 => TensorElementType::Int32,
    };
    // A graph that fixes the number of tokens needs texts of that length; -1
    // is ONNX Runtime's word for any.
    let tokens = match text.padding {
        Padding::Fixed => i64::try_from(text.context_length).ok(),
        Padding::Longest => Some(-1),
    };
    let token_shape = [None, tokens];
    let names = std::iter::once(&graph.input_ids).chain(&graph.attention_mask);
    let inputs: Vec<Expected<'_>> = names
        .map(|name| Expected {
            name,
            element,
            shape: &token_shape,
        })
        .collect();
    let output = Expected {
        name: &graph.output,
        element: TensorElementType::Float32,
        shape: &output_shape(graph.pooling, dimension),
    };
    check(path, session, &inputs, &output)
}
