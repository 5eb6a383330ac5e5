//! Use-case: the stored pictures nearest to a question.
//!
//! ```text
//! questions -> embed (each collection's own model) -> ask (each collection)
//!           -> cut (scores, copies) -> fuse (several collections) -> hits
//! ```
//!
//! A [`Question`] is any mix of words, pictures and stored pictures, each with
//! a weight. Each part becomes a vector by the model that filled the
//! collection, and the parts become one ([`Question`] says how). Questions go
//! many at a time: one request carries their vectors.
//!
//! [`Embedder`] computes and blocks; [`Asker`] waits for Milvus. They meet in
//! [`Embedded`] alone, so that the next questions are embedded while the last
//! ones are asked.

mod ask;
mod clock;
mod cut;
mod embedder;
mod fuse;
mod labels;
mod question;

use crate::config::Tuning;
use crate::embed::{BadVector, EmbedError};
use crate::entity::{Embedding, Hint, Hit, ImageId};
use crate::imaging::DecodeError;
use crate::store::{Index, Store, StoreError};

pub use ask::{How, Place, Selection};
pub use clock::Clock;
pub use cut::Cut;
pub use embedder::{Each, Embedded, Embedder, Ingredient, PLACEHOLDER};
pub use labels::{Label, rank_labels};
use question::combine;
pub use question::{Content, Part, Question};

/// Places of each collection's list that fusion looks at, at least.
const FUSED_DEPTH: usize = 100;

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Milvus.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The question.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// A parameter that the index does not have.
    #[error("the index of the collection `{collection}` is {kind}, which has no {parameter}")]
    Tuning {
        /// The collection.
        collection: String,
        /// Type of its index.
        kind: String,
        /// `ef` or `nprobe`.
        parameter: &'static str,
    },
    /// The collection has no index.
    #[error("the collection `{collection}` has no index on its vectors")]
    NoIndex {
        /// The collection.
        collection: String,
    },
}

/// Why a single question cannot be asked, while others can.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The model has no text side.
    #[error("model `{model}` does not understand text")]
    NoText {
        /// The model.
        model: String,
    },
    /// Its picture is none.
    #[error("the query picture cannot be used")]
    Picture(#[from] DecodeError),
    /// The collection does not hold the picture.
    #[error("the collection `{collection}` does not hold the picture `{id}`")]
    NotStored {
        /// What was asked for.
        id: ImageId,
        /// The collection.
        collection: String,
    },
    /// Its parts leave no vector.
    #[error("the question has no direction: its parts cancel each other out")]
    Vector(#[source] BadVector),
}

impl Hint for QuestionError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoText { .. } => {
                "search with --image, or in a collection of a text-image model such as CLIP"
                    .to_owned()
            }
            Self::Picture(error) => {
                let usual = || "give --image a JPEG, PNG, WebP, GIF, BMP or TIFF".to_owned();
                error.hint().unwrap_or_else(usual)
            }
            Self::NotStored { .. } => {
                "take an id from `search --format json`, or ask with the file: --image".to_owned()
            }
            Self::Vector(_) => "change a weight, or leave a part out".to_owned(),
        })
    }
}

impl Hint for SearchError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Embed(error) => error.hint(),
            Self::Question(error) => error.hint(),
            Self::Tuning { kind, .. } => Some(
                if kind.starts_with("HNSW") {
                    "use --ef"
                } else if kind.starts_with("IVF") || kind == "SCANN" {
                    "use --nprobe"
                } else {
                    "leave it out"
                }
                .to_owned(),
            ),
            Self::NoIndex { collection } => Some(format!(
                "the next `ingest --collection {collection} ...` creates it"
            )),
        }
    }
}

/// What came of one question.
#[derive(Debug)]
pub struct Answer {
    /// Best first, ranked from `offset + 1` on.
    pub hits: Vec<Hit>,
    /// Collections that could not be asked, and why.
    pub left_out: Vec<(String, QuestionError)>,
    /// Whether a text was longer than a model reads, and was cut.
    pub truncated: bool,
}

/// What came of many questions.
#[derive(Debug)]
pub struct Answers {
    /// One for each question.
    pub answers: Each<Answer>,
    /// How each collection was searched.
    pub how: Vec<How>,
    /// Where the time went.
    pub clock: Clock,
}

/// The collections that are asked, and what is asked of them.
#[derive(Debug)]
pub struct Asker {
    store: Store,
    places: Vec<Place>,
    selection: Selection,
}

impl Asker {
    /// Looks up the index of each collection.
    ///
    /// # Errors
    /// One has none, or the server failed.
    pub async fn new(
        store: Store,
        collections: &[String],
        selection: Selection,
    ) -> Result<Self, SearchError> {
        let mut places = Vec::with_capacity(collections.len());
        for collection in collections {
            for partition in &selection.scope.partitions {
                store.require_partition(collection, partition).await?;
            }
            let index = store.index(collection).await?;
            let collection = collection.clone();
            match index {
                Some(index) => {
                    check_tuning(&collection, &index, selection.tuning)?;
                    places.push(Place { collection, index });
                }
                None => return Err(SearchError::NoIndex { collection }),
            }
        }
        Ok(Self {
            store,
            places,
            selection,
        })
    }

    /// The collections.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Paths of stored pictures, by the first collection that has each.
    ///
    /// # Errors
    /// The server failed.
    pub async fn paths(&self, ids: &[ImageId]) -> Result<Vec<(ImageId, String)>, StoreError> {
        let mut paths = Vec::new();
        for place in &self.places {
            paths.extend(self.store.held_paths(&place.collection, ids).await?);
        }
        Ok(paths)
    }

    /// What questions come to in the first collection: the vector of each, and
    /// the stored pictures that it was made of.
    ///
    /// # Errors
    /// The server failed.
    pub async fn vectors(
        &self,
        embedded: Each<Embedded>,
    ) -> Result<Each<(Embedding, Vec<ImageId>)>, StoreError> {
        match self.places.first() {
            Some(place) => ask::vectors(&self.store, place, embedded).await,
            None => Ok(Vec::new()),
        }
    }

    /// What is asked.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Answers questions; `embedded` has, for each collection, one for each
    /// question. With several collections their hits are fused by reciprocal
    /// rank; those that cannot be asked are left out, and a question that none
    /// can be asked is an error of its own place.
    ///
    /// # Errors
    /// A collection is missing or not loaded, the filter cannot be parsed, or
    /// the server failed.
    pub async fn answer(&self, embedded: Vec<Each<Embedded>>) -> Result<Answers, StoreError> {
        let wanted = self.selection.wanted();
        let fused = self.places.len() > 1;
        let depth = if fused {
            wanted.max(FUSED_DEPTH)
        } else {
            wanted
        };
        let count = embedded.first().map_or(0, Vec::len);
        let mut lists: Vec<Lists> = (0..count).map(|_| Lists::default()).collect();
        let (mut how, mut clock) = (Vec::new(), Clock::default());
        for (place, questions) in self.places.iter().zip(embedded) {
            for (list, question) in lists.iter_mut().zip(&questions) {
                list.truncated |= question.as_ref().is_ok_and(|embedded| embedded.truncated);
            }
            let asking = ask::ask(&self.store, place, questions, &self.selection, depth);
            let asked = Box::pin(asking).await?;
            for (list, hits) in lists.iter_mut().zip(asked.hits) {
                let name = place.collection.clone();
                match hits {
                    Ok(hits) => list.found.push((name, hits)),
                    Err(error) => list.left_out.push((name, error)),
                }
            }
            how.push(asked.how);
            clock.merge(&asked.clock);
        }
        let answers = lists.into_iter().map(|list| self.finish(list, fused));
        Ok(Answers {
            answers: answers.collect(),
            how,
            clock,
        })
    }

    fn finish(&self, mut list: Lists, fused: bool) -> Result<Answer, QuestionError> {
        if list.found.is_empty() && !list.left_out.is_empty() {
            return Err(list.left_out.swap_remove(0).1);
        }
        let all = if fused {
            fuse::fuse(list.found)
        } else {
            list.found.pop().map(|(_, hits)| hits).unwrap_or_default()
        };
        let Selection { limit, offset, .. } = self.selection;
        let shown = all.into_iter().zip(1..).skip(offset).take(limit);
        let hits = shown.map(|(hit, rank)| {
            let embedding = hit.embedding.filter(|_| self.selection.with_embeddings);
            Hit {
                rank,
                embedding,
                ..hit
            }
        });
        Ok(Answer {
            hits: hits.collect(),
            left_out: list.left_out,
            truncated: list.truncated,
        })
    }
}

/// Refuses a parameter that would be passed over without a word.
fn check_tuning(collection: &str, index: &Index, tuning: Tuning) -> Result<(), SearchError> {
    let kind = &index.kind;
    let takes_lists = kind.starts_with("IVF") || kind == "SCANN";
    let refused = match (tuning.ef, tuning.nprobe) {
        (Some(_), _) if !kind.starts_with("HNSW") => "ef",
        (_, Some(_)) if !takes_lists => "nprobe",
        _ => return Ok(()),
    };
    Err(SearchError::Tuning {
        collection: collection.to_owned(),
        kind: kind.clone(),
        parameter: refused,
    })
}

/// A question's hits by collection.
#[derive(Default)]
struct Lists {
    found: Vec<(String, Vec<Hit>)>,
    left_out: Vec<(String, QuestionError)>,
    truncated: bool,
}
