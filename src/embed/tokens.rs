//! Words to token ids, as the model's own tokeniser makes them.

use std::borrow::Cow;
use std::path::Path;

use tokenizers::{
    Encoding, PaddingDirection, PaddingParams, PaddingStrategy, Tokenizer, TruncationParams,
};

use super::clean;
use super::error::{EmbedError, Said};
use crate::model::{Clean, Model, Padding, Text};

/// A model's tokeniser, with the manifest's cleaning, length and padding.
#[derive(Debug)]
pub struct Tokeniser {
    inner: Tokenizer,
    text: Text,
}

/// Token ids of a batch, row by row, and what lies beside them.
pub(super) struct Tokens {
    /// Texts, and tokens in each of them with its padding.
    pub(super) shape: [usize; 2],
    /// Ids of all tokens.
    pub(super) ids: Vec<u32>,
    /// 1 for each token that is no padding, else 0.
    pub(super) mask: Vec<u32>,
    /// For each text, whether it was longer than the model reads.
    pub(super) truncated: Vec<bool>,
}

impl Tokeniser {
    /// Opens the tokeniser of `model`; its graphs are not touched.
    ///
    /// # Errors
    /// The model has no text side, or the file cannot be read.
    pub fn open(model: &Model) -> Result<Self, EmbedError> {
        let Some(text) = model.manifest.text.clone() else {
            return Err(EmbedError::NoText {
                model: model.manifest.name.clone(),
            });
        };
        let inner = open(&model.path_of(&text.tokenizer), &text)?;
        Ok(Self { inner, text })
    }

    /// Token ids of a text, the special ones included and padding left out.
    ///
    /// # Errors
    /// The tokeniser refuses the text.
    pub fn token_ids(&self, text: &str) -> Result<Vec<u32>, EmbedError> {
        let encoding = self
            .inner
            .encode_fast(self.prepared(text), true)
            .map_err(|error| refused(&error))?;
        let pairs = encoding.get_ids().iter().zip(encoding.get_attention_mask());
        Ok(pairs
            .filter(|(_, counts)| **counts != 0)
            .map(|(id, _)| *id)
            .collect())
    }

    /// Token ids of texts, at least one, at one length.
    pub(super) fn encode(&self, texts: &[&str]) -> Result<Tokens, EmbedError> {
        let prepared: Vec<Cow<'_, str>> = texts.iter().map(|text| self.prepared(text)).collect();
        let encodings = self
            .inner
            .encode_batch(prepared, true)
            .map_err(|error| refused(&error))?;
        let all = |part: fn(&Encoding) -> &[u32]| {
            let parts = encodings.iter().flat_map(|e| part(e).iter().copied());
            parts.collect()
        };
        Ok(Tokens {
            shape: [
                encodings.len(),
                encodings.first().map_or(0, |e| e.get_ids().len()),
            ],
            ids: all(Encoding::get_ids),
            mask: all(Encoding::get_attention_mask),
            truncated: encodings
                .iter()
                .map(|e| !e.get_overflowing().is_empty())
                .collect(),
        })
    }

    /// The text as the tokeniser gets it.
    fn prepared<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = match self.text.clean {
            None => Cow::Borrowed(text),
            Some(Clean::Openai) => Cow::Owned(clean::openai(text)),
            Some(Clean::Canonicalize) => Cow::Owned(clean::canonicalize(text)),
        };
        if self.text.lower_case {
            Cow::Owned(text.to_lowercase())
        } else {
            text
        }
    }
}

fn refused(error: &tokenizers::Error) -> EmbedError {
    EmbedError::Tokenise {
        source: Said::by(error),
    }
}

/// The tokeniser, set to the manifest's length and padding whatever its own
/// file says of them: CLIP's says nothing.
fn open(path: &Path, text: &Text) -> Result<Tokenizer, EmbedError> {
    let failed = |error: &dyn std::fmt::Display| EmbedError::Tokeniser {
        path: path.to_owned(),
        source: Said::by(error),
    };
    let mut tokeniser = Tokenizer::from_file(path).map_err(|error| failed(&error))?;
    if text.clean == Some(Clean::Openai) {
        // OpenAI's tokeniser normalises no further, and knows no special tokens
        // in what people type.
        tokeniser.with_normalizer(None::<tokenizers::NormalizerWrapper>);
        tokeniser.set_encode_special_tokens(true);
    }
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
