//! Searching: many vectors in a request, and as many hits as were asked for.

use milvus::proto::common::{
    ConsistencyLevel, DslType, PlaceholderGroup, PlaceholderType, PlaceholderValue,
};
use milvus::proto::milvus::{SearchRequest, search_request};
use milvus::proto::schema::SearchResultData;
use milvus::proto::schema::i_ds::IdField;
use prost::Message;
use serde_json::Value;

use super::collection::Index;
use super::columns::Columns;
use super::connect::Store;
use super::error::{StoreError, code};
use super::filter;
use super::parameters::parameters;
use super::schema::{ATTRIBUTES, CONTENT_HASH, DISPLAY_NAME, EMBEDDING, PATH, pair};
use crate::config::{Consistency, ScoreRange, Tuning};
use crate::entity::{Embedding, Hit, ImageId};

/// Most hits that Milvus gives to one vector, the passed-over ones included.
pub const MAX_HITS: usize = 16_384;

/// Bytes of vectors in one request.
const REQUEST_BYTES: usize = 8 << 20;

/// Hits in one answer: 16,384 rows of about 500 bytes are 8 MB.
const ANSWER_HITS: usize = 16_384;

/// Nearest-neighbour questions that are asked alike.
#[derive(Debug, Clone, Copy)]
pub struct VectorSearch<'a> {
    /// The vectors to look for.
    pub embeddings: &'a [Embedding],
    /// Most hits for each, at most [`MAX_HITS`].
    pub limit: usize,
    /// Rows that count.
    pub scope: &'a Scope,
    /// Scores that count.
    pub range: Option<ScoreRange>,
    /// Whether hits bring their vectors.
    pub with_embeddings: bool,
    /// How hard the index is searched.
    pub tuning: Tuning,
}

impl<'a> VectorSearch<'a> {
    /// The `limit` nearest rows of `scope`, by the defaults.
    pub fn new(embeddings: &'a [Embedding], limit: usize, scope: &'a Scope) -> Self {
        Self {
            embeddings,
            limit,
            scope,
            range: None,
            with_embeddings: false,
            tuning: Tuning::default(),
        }
    }
}

/// The rows that a question is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Milvus boolean expression; empty for none.
    pub filter: String,
    /// Partitions; empty for all.
    pub partitions: Vec<String>,
}

/// What was found, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// For each vector, nearest first.
    pub hits: Vec<Vec<Hit>>,
    /// Search parameters of the last request.
    pub parameters: Value,
    /// Whether every vector was compared, for the last question at least.
    pub exact: bool,
    /// Requests that it took.
    pub requests: usize,
}

impl Store {
    /// The nearest rows to each vector, best first. Where the index gives fewer
    /// than were asked for, the question is asked again, wider; a Milvus Lite,
    /// whose graph loses rows, is then read and compared row by row.
    ///
    /// # Errors
    /// The collection is missing or not loaded, the filter cannot be parsed,
    /// or the server failed.
    pub async fn search(
        &self,
        collection: &str,
        index: &Index,
        search: &VectorSearch<'_>,
    ) -> Result<Found, StoreError> {
        let exact = index.kind == "FLAT";
        let narrow = parameters(index, search, false);
        let (hits, requests) = self.ask_all(collection, index, search, &narrow).await?;
        let mut found = Found {
            hits,
            parameters: narrow,
            exact,
            requests,
        };
        if !search.tuning.complete || exact {
            return Ok(found);
        }
        let wide = parameters(index, search, true);
        if found.parameters != wide {
            let again = found.short(search.limit);
            if !again.is_empty() {
                let embeddings = picked(search.embeddings, &again);
                let again_search = VectorSearch {
                    embeddings: &embeddings,
                    ..*search
                };
                let (hits, requests) = self
                    .ask_all(collection, index, &again_search, &wide)
                    .await?;
                found.replace(&again, hits);
                found.parameters = wide;
                found.requests += requests;
            }
        }
        if self.server().lite {
            self.complete(collection, index, search, &mut found).await?;
        }
        Ok(found)
    }

    /// Answers exactly what the graph still left short.
    async fn complete(
        &self,
        collection: &str,
        index: &Index,
        search: &VectorSearch<'_>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let short = found.short(search.limit);
        if short.is_empty() {
            return Ok(());
        }
        // Of a range Lite gives what lies among its nearest rows, and nobody
        // knows how many there are.
        let there = if search.range.is_some() {
            search.limit
        } else {
            let rows = self.count_scope(collection, search.scope).await?;
            found.requests += 1;
            search
                .limit
                .min(usize::try_from(rows).unwrap_or(usize::MAX))
        };
        let short: Vec<usize> = short
            .into_iter()
            .filter(|place| found.hits[*place].len() < there)
            .collect();
        if short.is_empty() {
            return Ok(());
        }
        tracing::debug!(collection, "the index gives too few: compared row by row");
        let embeddings = picked(search.embeddings, &short);
        let exactly = VectorSearch {
            embeddings: &embeddings,
            ..*search
        };
        let hits = self
            .search_exactly(collection, index.metric, &exactly)
            .await?;
        found.replace(&short, hits);
        found.exact = true;
        found.requests += 1;
        Ok(())
    }

    async fn ask_all(
        &self,
        collection: &str,
        index: &Index,
        search: &VectorSearch<'_>,
        parameters: &Value,
    ) -> Result<(Vec<Vec<Hit>>, usize), StoreError> {
        let dimension = search.embeddings.first().map_or(1, |e| e.len().max(1));
        let by_request = REQUEST_BYTES / (dimension * size_of::<f32>());
        let by_answer = ANSWER_HITS / search.limit.max(1);
        let at_once = by_request.min(by_answer).clamp(1, MAX_HITS);
        let mut hits = Vec::with_capacity(search.embeddings.len());
        let mut requests = 0;
        for embeddings in search.embeddings.chunks(at_once) {
            let part = VectorSearch {
                embeddings,
                ..*search
            };
            let request = search_request(collection, index, &part, parameters);
            hits.extend(self.ask(collection, &part, request).await?);
            requests += 1;
        }
        Ok((hits, requests))
    }

    async fn ask(
        &self,
        collection: &str,
        search: &VectorSearch<'_>,
        request: SearchRequest,
    ) -> Result<Vec<Vec<Hit>>, StoreError> {
        const OPERATION: &str = "search";
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.search(request).await
            })
            .await?;
        self.check(OPERATION, reply.status.as_ref())
            .map_err(|error| filter::blame(named(error, collection), &search.scope.filter))?;
        let mut hits = match reply.results {
            Some(results) => hits(&results, search)?,
            None => Vec::new(),
        };
        hits.resize(search.embeddings.len(), Vec::new());
        Ok(hits)
    }
}

impl Found {
    /// Places of the questions with fewer than `limit` hits.
    fn short(&self, limit: usize) -> Vec<usize> {
        let places = self.hits.iter().enumerate();
        places
            .filter(|(_, hits)| hits.len() < limit)
            .map(|(place, _)| place)
            .collect()
    }

    fn replace(&mut self, places: &[usize], hits: Vec<Vec<Hit>>) {
        for (place, hits) in places.iter().zip(hits) {
            self.hits[*place] = hits;
        }
    }
}

fn picked(embeddings: &[Embedding], places: &[usize]) -> Vec<Embedding> {
    places.iter().map(|p| embeddings[*p].clone()).collect()
}

fn search_request(
    collection: &str,
    index: &Index,
    search: &VectorSearch<'_>,
    parameters: &Value,
) -> SearchRequest {
    let bytes_of = |embedding: &Embedding| embedding.iter().flat_map(|n| n.to_le_bytes()).collect();
    let group = PlaceholderGroup {
        placeholders: vec![PlaceholderValue {
            tag: "$0".to_owned(),
            r#type: PlaceholderType::FloatVector as i32,
            values: search.embeddings.iter().map(bytes_of).collect(),
            ..Default::default()
        }],
    };
    let fields = [PATH, DISPLAY_NAME, ATTRIBUTES, CONTENT_HASH];
    let vector = search.with_embeddings.then_some(EMBEDDING);
    SearchRequest {
        collection_name: collection.to_owned(),
        partition_names: search.scope.partitions.clone(),
        dsl: search.scope.filter.clone(),
        dsl_type: DslType::BoolExprV1 as i32,
        search_input: Some(search_request::SearchInput::PlaceholderGroup(
            group.encode_to_vec(),
        )),
        output_fields: fields
            .into_iter()
            .chain(vector)
            .map(str::to_owned)
            .collect(),
        search_params: vec![
            pair("anns_field", &EMBEDDING),
            pair("topk", &search.limit),
            pair("metric_type", &index.metric),
            pair("params", &parameters),
            pair("round_decimal", &-1),
        ],
        nq: i64::try_from(search.embeddings.len()).expect("bounded by bytes; this is a bug"),
        consistency_level: level(search.tuning.consistency) as i32,
        ..Default::default()
    }
}

fn level(consistency: Consistency) -> ConsistencyLevel {
    match consistency {
        Consistency::Strong => ConsistencyLevel::Strong,
        Consistency::Session => ConsistencyLevel::Session,
        Consistency::Bounded => ConsistencyLevel::Bounded,
        Consistency::Eventually => ConsistencyLevel::Eventually,
    }
}

/// Gives the codes that concern a collection their name.
pub(super) fn named(error: StoreError, collection: &str) -> StoreError {
    match error {
        StoreError::Server {
            code: code::COLLECTION_NOT_LOADED,
            ..
        } => StoreError::NotLoaded {
            collection: collection.to_owned(),
        },
        StoreError::Server {
            code: code::COLLECTION_NOT_FOUND,
            ..
        } => StoreError::CollectionMissing {
            collection: collection.to_owned(),
            known: Vec::new(),
        },
        other => other,
    }
}

/// The hits of each vector. The answer has them one after the other, and says
/// how many each has.
fn hits(
    results: &SearchResultData,
    search: &VectorSearch<'_>,
) -> Result<Vec<Vec<Hit>>, StoreError> {
    let columns = Columns {
        operation: "search",
        fields: &results.fields_data,
    };
    let ids = match results.ids.as_ref().and_then(|ids| ids.id_field.as_ref()) {
        Some(IdField::StrId(ids)) => &ids.data[..],
        Some(_) => return Err(columns.malformed("its ids are no texts")),
        None => &[],
    };
    if ids.len() != results.scores.len() {
        return Err(columns.malformed("ids and scores differ in number"));
    }
    let vectors = if search.with_embeddings && !ids.is_empty() {
        Some(columns.vectors(EMBEDDING)?)
    } else {
        None
    };
    let hit = |(row, rank): (usize, usize)| {
        let vector = vectors.map(|(numbers, dimension)| {
            let vector = numbers.get(row * dimension..(row + 1) * dimension);
            vector.map(<[f32]>::to_vec)
        });
        Ok(Hit {
            rank,
            id: ImageId::from_stored(ids[row].clone()),
            score: results.scores[row],
            path: columns.text(PATH, row)?,
            display_name: columns.text(DISPLAY_NAME, row)?,
            attributes: columns.object(ATTRIBUTES, row)?,
            content_hash: columns.text(CONTENT_HASH, row)?,
            embedding: vector.flatten(),
            found_in: Vec::new(),
        })
    };
    let mut first = 0;
    let counts: Vec<usize> = match &results.topks[..] {
        [] => vec![ids.len()],
        counts => counts
            .iter()
            .map(|n| usize::try_from(*n).unwrap_or(0))
            .collect(),
    };
    if counts.iter().sum::<usize>() != ids.len() {
        return Err(columns.malformed("its parts do not add up"));
    }
    counts
        .into_iter()
        .map(|count| {
            let rows = first..first + count;
            first += count;
            rows.zip(1..).map(hit).collect()
        })
        .collect()
}
