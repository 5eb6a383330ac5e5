//! Use-case: the stored pictures nearest to a text, a picture, or both.
//!
//! Each part of the question becomes a vector by the model that filled the
//! collection; text and picture together are the normalised sum of their unit
//! vectors. The collection answers with its nearest rows.

use crate::config::ImageLimits;
use crate::embed::{BadVector, EmbedError, Runtime, TextTower, VisionTower, norm};
use crate::entity::{Embedding, Hint, Hit, MetricType};
use crate::imaging::{DecodeError, Preprocess, decode};
use crate::model::Model;
use crate::store::{Store, StoreError, VectorQuery};

/// Threads of one query's inference; a single query cannot fill more.
const QUERY_THREADS: usize = 4;

/// What is looked for. At least one of `text` and `image` is given.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Words.
    pub text: Option<String>,
    /// Bytes of a picture.
    pub image: Option<Vec<u8>>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Nearest first.
    pub hits: Vec<Hit>,
    /// How the scores sort.
    pub metric: MetricType,
}

/// A question's vector.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryVector {
    /// The vector.
    pub embedding: Embedding,
    /// Whether the text was longer than the model reads, and was cut.
    pub truncated: bool,
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Milvus.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The question's picture.
    #[error("the query picture cannot be used")]
    Image(#[from] DecodeError),
    /// The collection has no index.
    #[error("the collection `{collection}` has no index on its vectors")]
    NoIndex {
        /// The collection.
        collection: String,
    },
}

impl Hint for SearchError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Embed(error) => error.hint(),
            Self::Image(error) => error
                .hint()
                .or_else(|| Some("give --image a JPEG, PNG, WebP, GIF, BMP or TIFF".to_owned())),
            Self::NoIndex { collection } => Some(format!(
                "the next `ingest --collection {collection} ...` creates it"
            )),
        }
    }
}

/// The vector of a question. Only the towers that it needs are opened.
///
/// # Errors
/// The model has no text side, its graph fails, or the picture is no picture.
pub fn embed_question(
    model: &Model,
    runtime: Option<&Runtime>,
    question: &Question,
    limits: &ImageLimits,
) -> Result<QueryVector, SearchError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(QUERY_THREADS);
    let mut parts: Vec<Embedding> = Vec::new();
    let mut truncated = false;
    if let Some(text) = &question.text {
        let no_text = || EmbedError::NoText {
            model: model.manifest.name.clone(),
        };
        let runtime = runtime.filter(|_| model.manifest.knows_text());
        let mut tower = TextTower::open(model, runtime.ok_or_else(no_text)?, threads)?;
        let embedded = tower.embed(&[text.as_str()])?;
        for text in embedded {
            truncated = text.truncated;
            parts.push(text.embedding);
        }
    }
    if let Some(bytes) = &question.image {
        let image = decode(bytes, limits)?;
        let mut preprocess = Preprocess::new(&model.manifest.vision);
        let mut tensor = vec![0.0; preprocess.tensor_len()];
        preprocess.write_tensor(&image, &mut tensor);
        let mut tower = VisionTower::open(model, runtime, threads)?;
        for embedding in tower.embed(&tensor, 1)? {
            parts.push(embedding.map_err(EmbedError::Vector)?);
        }
    }
    Ok(QueryVector {
        embedding: combine(parts)?,
        truncated,
    })
}

/// The nearest rows to a vector.
///
/// # Errors
/// The collection is missing, has no index or is not loaded, the filter
/// cannot be parsed, or the server failed.
pub async fn search(
    store: &Store,
    collection: &str,
    query: &VectorQuery,
) -> Result<Answer, SearchError> {
    let Some(index) = store.index(collection).await? else {
        return Err(SearchError::NoIndex {
            collection: collection.to_owned(),
        });
    };
    Ok(Answer {
        hits: store.search(collection, &index, query).await?,
        metric: index.metric,
    })
}

/// One vector as it is; of several the normalised sum of their unit vectors,
/// so that no part outweighs another by its length.
fn combine(parts: Vec<Embedding>) -> Result<Embedding, EmbedError> {
    let zero = || EmbedError::Vector(BadVector::Zero);
    let one = match <[Embedding; 1]>::try_from(parts) {
        Ok([only]) => return Ok(only),
        Err(parts) => parts,
    };
    let mut sum = vec![0.0f64; one.first().map_or(0, Vec::len)];
    for part in &one {
        let length = norm(part);
        if length == 0.0 {
            return Err(zero());
        }
        for (sum, number) in sum.iter_mut().zip(part) {
            *sum += f64::from(*number) / length;
        }
    }
    let length = sum.iter().map(|number| number * number).sum::<f64>().sqrt();
    if length == 0.0 {
        return Err(zero());
    }
    #[expect(clippy::cast_possible_truncation, reason = "back to the stored width")]
    let unit = sum.iter().map(|number| (number / length) as f32).collect();
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_alike_whatever_their_length() {
        let combined = combine(vec![vec![3.0, 0.0], vec![0.0, 0.5]]).unwrap();
        assert!((combined[0] - combined[1]).abs() < 1e-6);
        assert!((norm(&combined) - 1.0).abs() < 1e-6);
        assert_eq!(combine(vec![vec![3.0, 0.0]]).unwrap(), [3.0, 0.0]);
        assert!(combine(vec![vec![1.0], vec![-1.0]]).is_err());
    }
}
