//! Searching.

use milvus::proto::common::{
    ConsistencyLevel, DslType, PlaceholderGroup, PlaceholderType, PlaceholderValue,
};
use milvus::proto::milvus::{SearchRequest, search_request};
use milvus::proto::schema::SearchResultData;
use milvus::proto::schema::i_ds::IdField;
use prost::Message;

use super::collection::Index;
use super::columns::Columns;
use super::connect::Store;
use super::error::{StoreError, code};
use super::filter;
use super::schema::{ATTRIBUTES, CONTENT_HASH, DISPLAY_NAME, EMBEDDING, PATH, pair};
use crate::entity::{Hit, ImageId};

/// Candidates that an HNSW search looks at, at least. Milvus wants no less
/// than the limit; 64 gives recall above 0.95 on real embeddings with M 16.
const MIN_EF: usize = 64;

/// Most candidates that Milvus takes for an HNSW search.
const MAX_EF: usize = 32_768;

/// Inverted lists that an IVF search looks at.
const NPROBE: usize = 16;

/// One nearest-neighbour question.
#[derive(Debug, Clone)]
pub struct VectorQuery {
    /// The vector to look for.
    pub embedding: Vec<f32>,
    /// Most hits.
    pub limit: usize,
    /// Milvus boolean expression; empty for none.
    pub filter: String,
}

impl Store {
    /// The nearest rows, best first, at Strong consistency.
    ///
    /// # Errors
    /// The collection is missing or not loaded, the filter cannot be parsed,
    /// or the server failed.
    pub async fn search(
        &self,
        collection: &str,
        index: &Index,
        query: &VectorQuery,
    ) -> Result<Vec<Hit>, StoreError> {
        let hits = self.search_among(collection, index, query, MIN_EF).await?;
        // Lite's HNSW gives too few where a filter matches few rows or many
        // were deleted; looking at more candidates finds them.
        if self.server().lite && index.kind == "HNSW" && hits.len() < query.limit {
            return self.search_among(collection, index, query, MAX_EF).await;
        }
        Ok(hits)
    }

    async fn search_among(
        &self,
        collection: &str,
        index: &Index,
        query: &VectorQuery,
        candidates: usize,
    ) -> Result<Vec<Hit>, StoreError> {
        const OPERATION: &str = "search";
        let request = search_request(collection, index, query, candidates);
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.search(request).await
            })
            .await?;
        self.check(OPERATION, reply.status.as_ref())
            .map_err(|error| filter::blame(named(error, collection), &query.filter))?;
        match reply.results {
            Some(results) => hits(&results),
            None => Ok(Vec::new()),
        }
    }
}

fn search_request(
    collection: &str,
    index: &Index,
    query: &VectorQuery,
    candidates: usize,
) -> SearchRequest {
    let params = match index.kind.as_str() {
        "HNSW" => serde_json::json!({ "ef": query.limit.max(candidates) }),
        "IVF_FLAT" | "IVF_SQ8" => serde_json::json!({ "nprobe": NPROBE }),
        _ => serde_json::json!({}),
    };
    let mut bytes = Vec::with_capacity(query.embedding.len() * size_of::<f32>());
    for number in &query.embedding {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let group = PlaceholderGroup {
        placeholders: vec![PlaceholderValue {
            tag: "$0".to_owned(),
            r#type: PlaceholderType::FloatVector as i32,
            values: vec![bytes],
            ..Default::default()
        }],
    };
    SearchRequest {
        collection_name: collection.to_owned(),
        dsl: query.filter.clone(),
        dsl_type: DslType::BoolExprV1 as i32,
        search_input: Some(search_request::SearchInput::PlaceholderGroup(
            group.encode_to_vec(),
        )),
        output_fields: [PATH, DISPLAY_NAME, ATTRIBUTES, CONTENT_HASH]
            .map(str::to_owned)
            .to_vec(),
        search_params: vec![
            pair("anns_field", &EMBEDDING),
            pair("topk", &query.limit),
            pair("metric_type", &index.metric),
            pair("params", &params),
            pair("round_decimal", &-1),
        ],
        nq: 1,
        consistency_level: ConsistencyLevel::Strong as i32,
        ..Default::default()
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

fn hits(results: &SearchResultData) -> Result<Vec<Hit>, StoreError> {
    const OPERATION: &str = "search";
    let ids = match results.ids.as_ref().and_then(|ids| ids.id_field.as_ref()) {
        Some(IdField::StrId(ids)) => &ids.data[..],
        Some(_) => {
            return Err(StoreError::Malformed {
                operation: OPERATION,
                what: "its ids are no texts",
            });
        }
        None => &[],
    };
    if ids.len() != results.scores.len() {
        return Err(StoreError::Malformed {
            operation: OPERATION,
            what: "ids and scores differ in number",
        });
    }
    let columns = Columns {
        operation: OPERATION,
        fields: &results.fields_data,
    };
    ids.iter()
        .zip(&results.scores)
        .enumerate()
        .map(|(row, (id, score))| {
            Ok(Hit {
                rank: row + 1,
                id: ImageId::from_stored(id.clone()),
                score: *score,
                path: columns.text(PATH, row)?,
                display_name: columns.text(DISPLAY_NAME, row)?,
                attributes: columns.object(ATTRIBUTES, row)?,
                content_hash: columns.text(CONTENT_HASH, row)?,
                embedding: None,
                found_in: Vec::new(),
            })
        })
        .collect()
}
