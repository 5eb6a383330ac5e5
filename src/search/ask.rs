//! Asking one collection: vectors in, hits out, as many as were asked for.

use std::time::Instant;

use super::clock::Clock;
use super::cut::Cut;
use super::embedder::{Each, Embedded, Ingredient};
use super::{QuestionError, combine};
use crate::config::{ScoreRange, Tuning};
use crate::entity::{Embedding, Hit, ImageId};
use crate::store::{Index, MAX_HITS, Scope, Store, StoreError, VectorSearch};

/// Hits that are looked at, at least, before copies are left out of them.
const LEAST_DEPTH: usize = 64;

/// Hits, of which a part is shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Most hits.
    pub limit: usize,
    /// Hits that are passed over first.
    pub offset: usize,
    /// Rows that count.
    pub scope: Scope,
    /// Scores that count.
    pub range: Option<ScoreRange>,
    /// Hits that count.
    pub cut: Cut,
    /// Whether hits bring their vectors.
    pub with_embeddings: bool,
    /// How hard the index is searched.
    pub tuning: Tuning,
}

impl Selection {
    /// Hits that are needed of each question.
    pub(super) fn wanted(&self) -> usize {
        self.limit.saturating_add(self.offset)
    }
}

/// A collection that is asked.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its name.
    pub collection: String,
    /// Its index.
    pub index: Index,
}

/// How a collection was searched.
#[derive(Debug, Clone, PartialEq)]
pub struct How {
    /// Search parameters that were sent last.
    pub parameters: serde_json::Value,
    /// Whether every vector was compared.
    pub exact: bool,
    /// Requests that it took.
    pub requests: usize,
}

/// What came of a collection's questions.
pub(super) struct Asked {
    pub(super) hits: Each<Vec<Hit>>,
    pub(super) how: How,
    pub(super) clock: Clock,
}

/// A question on its way: its vector, and the stored pictures it was made of.
struct Pending {
    place: usize,
    embedding: Embedding,
    asked: Vec<ImageId>,
}

/// The hits of each question, cut as `selection` says, from the first on:
/// `wanted` of them.
pub(super) async fn ask(
    store: &Store,
    place: &Place,
    questions: Each<Embedded>,
    selection: &Selection,
    wanted: usize,
) -> Result<Asked, StoreError> {
    let mut clock = Clock::default();
    let start = Instant::now();
    let (mut hits, mut pending) = resolve(store, place, questions).await?;
    if pending.iter().any(|question| !question.asked.is_empty()) {
        clock.add("fetch stored vectors", start.elapsed());
    }
    let mut how = How {
        parameters: serde_json::Value::Null,
        exact: false,
        requests: 0,
    };
    let start = Instant::now();
    let distinct = selection.cut.distinct.is_some();
    let most_asked = pending.iter().map(|q| q.asked.len()).max().unwrap_or(0);
    let mut depth = if distinct {
        (2 * wanted).max(LEAST_DEPTH)
    } else {
        wanted
    };
    while !pending.is_empty() {
        depth = (depth + most_asked).min(MAX_HITS);
        let embeddings: Vec<Embedding> = pending.iter().map(|q| q.embedding.clone()).collect();
        let search = VectorSearch {
            embeddings: &embeddings,
            limit: depth,
            scope: &selection.scope,
            range: selection.range,
            with_embeddings: selection.with_embeddings || distinct,
            tuning: selection.tuning,
        };
        let found = store
            .search(&place.collection, &place.index, &search)
            .await?;
        how.parameters = found.parameters;
        how.exact = found.exact;
        how.requests += found.requests;
        let mut deeper = Vec::new();
        for (question, found) in pending.into_iter().zip(found.hits) {
            let all = found.len() < depth || depth == MAX_HITS;
            let cut = selection.cut;
            let mut shown = cut.apply(found, place.index.metric, &question.asked);
            // Copies took places that others have a right to.
            if distinct && shown.len() < wanted && !all {
                deeper.push(question);
                continue;
            }
            shown.truncate(wanted);
            hits[question.place] = Ok(shown);
        }
        pending = deeper;
        depth = depth.saturating_mul(4);
    }
    clock.add("search", start.elapsed());
    Ok(Asked { hits, how, clock })
}

/// What each question comes to in a collection: its vector, and the stored
/// pictures that it was made of.
pub(super) async fn vectors(
    store: &Store,
    place: &Place,
    questions: Each<Embedded>,
) -> Result<Each<(Embedding, Vec<ImageId>)>, StoreError> {
    let (hits, pending) = resolve(store, place, questions).await?;
    let nothing = |_| (Embedding::new(), Vec::new());
    let mut vectors: Each<_> = hits.into_iter().map(|hits| hits.map(nothing)).collect();
    for question in pending {
        vectors[question.place] = Ok((question.embedding, question.asked));
    }
    Ok(vectors)
}

type Resolved = (Each<Vec<Hit>>, Vec<Pending>);

/// Fetches the vectors of stored pictures, and makes one vector of each
/// question. Questions that cannot be asked keep their errors.
async fn resolve(
    store: &Store,
    place: &Place,
    questions: Each<Embedded>,
) -> Result<Resolved, StoreError> {
    let ids_of = |embedded: &Embedded| {
        let ids = embedded.parts.iter().filter_map(|(part, _)| match part {
            Ingredient::Stored(id) => Some(id.clone()),
            Ingredient::Vector(_) => None,
        });
        ids.collect::<Vec<_>>()
    };
    let mut ids: Vec<ImageId> = questions.iter().flatten().flat_map(ids_of).collect();
    ids.sort_unstable();
    ids.dedup();
    let held = store.held_vectors(&place.collection, &ids).await?;
    let mut hits = Vec::with_capacity(questions.len());
    let mut pending = Vec::new();
    for (number, question) in questions.into_iter().enumerate() {
        let resolved = question.and_then(|embedded| {
            let asked = ids_of(&embedded);
            let parts = embedded.parts.into_iter().map(|(part, weight)| {
                let vector = match part {
                    Ingredient::Vector(vector) => vector,
                    Ingredient::Stored(id) => match held.get(&id) {
                        Some(held) => held.embedding.clone(),
                        None => {
                            return Err(QuestionError::NotStored {
                                id,
                                collection: place.collection.clone(),
                            });
                        }
                    },
                };
                Ok((vector, weight))
            });
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            Ok(Pending {
                place: number,
                embedding: combine(&parts).map_err(QuestionError::Vector)?,
                asked,
            })
        });
        hits.push(match resolved {
            Ok(question) => {
                pending.push(question);
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        });
    }
    Ok((hits, pending))
}
