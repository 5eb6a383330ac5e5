//! Reading rows and searching.

use std::collections::HashMap;

use milvus::proto::common::{
    ConsistencyLevel, DslType, PlaceholderGroup, PlaceholderType, PlaceholderValue,
};
use milvus::proto::milvus::{QueryRequest, SearchRequest, search_request};
use milvus::proto::schema::field_data::Field;
use milvus::proto::schema::i_ds::IdField;
use milvus::proto::schema::scalar_field::Data;
use milvus::proto::schema::{FieldData, SearchResultData};
use prost::Message;

use super::collection::Index;
use super::connect::Store;
use super::error::{StoreError, code};
use super::filter;
use super::schema::{ATTRIBUTES, CONTENT_HASH, DISPLAY_NAME, EMBEDDING, ID, PATH, pair};
use crate::entity::{Attributes, Hit, ImageId};

/// Candidates that an HNSW search looks at, at least. Milvus wants no less
/// than the limit; 64 gives recall above 0.95 on real embeddings with M 16.
const MIN_EF: usize = 64;

/// Most candidates that Milvus takes for an HNSW search.
const MAX_EF: usize = 32_768;

/// Inverted lists that an IVF search looks at.
const NPROBE: usize = 16;

/// What the collection holds of a picture, to tell whether it changed.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    /// Absolute path at the time of ingest.
    pub path: String,
    /// Name shown to people.
    pub display_name: String,
    /// BLAKE3 of the file's bytes.
    pub content_hash: String,
    /// Further columns of the names table.
    pub attributes: Attributes,
}

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
    /// What the collection holds of `ids`, at Strong consistency; ids that it
    /// does not hold are absent.
    ///
    /// # Errors
    /// The collection is missing or not loaded, or the server failed.
    pub async fn stored_records(
        &self,
        collection: &str,
        ids: &[ImageId],
    ) -> Result<HashMap<ImageId, StoredRecord>, StoreError> {
        const OPERATION: &str = "read rows";
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let request = QueryRequest {
            collection_name: collection.to_owned(),
            expr: filter::any_of(ID, ids.iter().map(ImageId::as_str)),
            output_fields: [ID, PATH, DISPLAY_NAME, CONTENT_HASH, ATTRIBUTES]
                .map(str::to_owned)
                .to_vec(),
            consistency_level: ConsistencyLevel::Strong as i32,
            ..Default::default()
        };
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.query(request).await
            })
            .await?;
        self.check(OPERATION, reply.status.as_ref())
            .map_err(|error| named(error, collection))?;
        let columns = Columns {
            operation: OPERATION,
            fields: &reply.fields_data,
        };
        // An empty answer may come without columns.
        if columns.fields.iter().all(|field| field.field.is_none()) {
            return Ok(HashMap::new());
        }
        let ids = columns.texts(ID)?;
        (0..ids.len())
            .map(|row| {
                let record = StoredRecord {
                    path: columns.text(PATH, row)?,
                    display_name: columns.text(DISPLAY_NAME, row)?,
                    content_hash: columns.text(CONTENT_HASH, row)?,
                    attributes: columns.object(ATTRIBUTES, row)?,
                };
                Ok((ImageId::from_stored(ids[row].clone()), record))
            })
            .collect()
    }

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
        output_fields: [PATH, DISPLAY_NAME, ATTRIBUTES].map(str::to_owned).to_vec(),
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
fn named(error: StoreError, collection: &str) -> StoreError {
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
            })
        })
        .collect()
}

/// The columns of a reply, by name.
struct Columns<'a> {
    operation: &'static str,
    fields: &'a [FieldData],
}

impl Columns<'_> {
    fn data(&self, name: &str) -> Result<&Data, StoreError> {
        let field = self.fields.iter().find(|field| field.field_name == name);
        match field.and_then(|field| field.field.as_ref()) {
            Some(Field::Scalars(scalars)) => scalars.data.as_ref(),
            _ => None,
        }
        .ok_or(self.malformed("a field is missing"))
    }

    fn texts(&self, name: &str) -> Result<&[String], StoreError> {
        match self.data(name)? {
            Data::StringData(texts) => Ok(&texts.data),
            _ => Err(self.malformed("a text field holds something else")),
        }
    }

    fn text(&self, name: &str, row: usize) -> Result<String, StoreError> {
        let text = self.texts(name)?.get(row);
        text.cloned().ok_or(self.malformed("a row is missing"))
    }

    fn object(&self, name: &str, row: usize) -> Result<Attributes, StoreError> {
        let Data::JsonData(json) = self.data(name)? else {
            return Err(self.malformed("a JSON field holds something else"));
        };
        let bytes = json
            .data
            .get(row)
            .ok_or(self.malformed("a row is missing"))?;
        if bytes.is_empty() {
            return Ok(Attributes::new());
        }
        serde_json::from_slice(bytes).map_err(|_| self.malformed("a JSON field is no object"))
    }

    fn malformed(&self, what: &'static str) -> StoreError {
        StoreError::Malformed {
            operation: self.operation,
            what,
        }
    }
}
