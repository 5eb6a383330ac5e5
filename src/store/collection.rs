//! Collections: create, describe, mark with the model, index.

use milvus::proto::common::ConsistencyLevel;
use milvus::proto::milvus::{
    CreateCollectionRequest, CreateIndexRequest, DescribeCollectionRequest,
    DescribeCollectionResponse, DescribeIndexRequest, ShowCollectionsRequest,
};
use prost::Message;

use super::connect::Store;
use super::error::{StoreError, code};
use super::schema::{self, EMBEDDING, is_name, pair, value};
use crate::config::{IndexKind, IndexSettings};
use crate::entity::MetricType;

/// Collection properties that tie a collection to the model that filled it.
const MODEL_PROPERTY: &str = "image_search.model";
const FINGERPRINT_PROPERTY: &str = "image_search.fingerprint";
const SCHEMA_PROPERTY: &str = "image_search.schema_version";

/// The model that a collection belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelMark {
    /// Name of the model.
    pub model: String,
    /// Its fingerprint.
    pub fingerprint: String,
}

/// What Milvus says of one of our collections.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Name, or the alias that it was asked for by.
    pub name: String,
    /// Model that filled it; `None` where it does not say.
    pub mark: Option<ModelMark>,
    /// Dimension of its vectors.
    pub dimension: usize,
}

/// What Milvus says of a collection's vector index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Milvus's name of the type, such as `HNSW`.
    pub kind: String,
    /// How it compares vectors.
    pub metric: MetricType,
    /// Its inverted lists, where it has some.
    pub nlist: Option<usize>,
    /// Rows that are sealed, so that an index is built over them; those that were
    /// deleted or replaced since count too.
    pub sealed_rows: usize,
    /// Of these, rows over which it is built.
    pub indexed_rows: usize,
}

impl Collection {
    /// Refuses a model that did not fill this collection.
    ///
    /// # Errors
    /// The dimension differs, another model filled it, or it does not say.
    pub fn require_model(&self, mark: &ModelMark, dimension: usize) -> Result<(), StoreError> {
        let Some(stored) = &self.mark else {
            return Err(StoreError::Unmarked {
                collection: self.name.clone(),
            });
        };
        if stored != mark {
            return Err(StoreError::OtherModel {
                collection: self.name.clone(),
                stored_model: stored.model.clone(),
                stored_fingerprint: stored.fingerprint.clone(),
                model: mark.model.clone(),
                fingerprint: mark.fingerprint.clone(),
            });
        }
        if self.dimension != dimension {
            return Err(StoreError::Dimension {
                collection: self.name.clone(),
                stored: self.dimension,
                model: mark.model.clone(),
                made: dimension,
            });
        }
        Ok(())
    }
}

impl Store {
    /// Describes a collection of pictures; `None` where there is none of that
    /// name.
    ///
    /// # Errors
    /// It exists and lacks a field that we fill, or the server failed.
    pub async fn find_collection(&self, name: &str) -> Result<Option<Collection>, StoreError> {
        let Some(found) = self.describe(name).await? else {
            return Ok(None);
        };
        Ok(Some(Collection {
            name: name.to_owned(),
            mark: mark_of(&found),
            dimension: schema::create_images().check(name, &found)?,
        }))
    }

    /// As [`find_collection`](Self::find_collection), for one that must exist.
    ///
    /// # Errors
    /// Also where there is none, with the names of those that there are.
    pub async fn require_collection(&self, name: &str) -> Result<Collection, StoreError> {
        match self.find_collection(name).await? {
            Some(collection) => Ok(collection),
            None => Err(StoreError::CollectionMissing {
                collection: name.to_owned(),
                known: self.managed_collections().await?,
            }),
        }
    }

    /// Names of the collections that carry a model's mark, sorted.
    ///
    /// # Errors
    /// The server failed.
    pub async fn managed_collections(&self) -> Result<Vec<String>, StoreError> {
        const OPERATION: &str = "list the collections";
        let reply = self
            .call(
                OPERATION,
                ShowCollectionsRequest::default(),
                |mut stub, request| async move { stub.show_collections(request).await },
            )
            .await?;
        self.check(OPERATION, reply.status.as_ref())?;
        let mut managed = Vec::new();
        let names = reply.collection_names.into_iter();
        for name in names.filter(|name| is_name(name)) {
            // One may be dropped between the two calls, or be none of this
            // user's business.
            let found = match self.describe(&name).await {
                Err(StoreError::PermissionDenied { .. }) => None,
                found => found?,
            };
            if found.as_ref().and_then(mark_of).is_some() {
                managed.push(name);
            }
        }
        managed.sort();
        Ok(managed)
    }

    /// Creates a collection of pictures, marked with its model. One that
    /// exists already is left as it is.
    ///
    /// # Errors
    /// The name can be none, or the server refused.
    pub async fn create_collection(
        &self,
        name: &str,
        dimension: usize,
        mark: &ModelMark,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "create the collection";
        if !is_name(name) {
            return Err(StoreError::InvalidName {
                collection: name.to_owned(),
            });
        }
        let migration = schema::create_images();
        let request = CreateCollectionRequest {
            collection_name: name.to_owned(),
            schema: migration.schema(name, dimension).encode_to_vec(),
            consistency_level: ConsistencyLevel::Bounded as i32,
            properties: vec![
                pair(MODEL_PROPERTY, &mark.model),
                pair(FINGERPRINT_PROPERTY, &mark.fingerprint),
                pair(SCHEMA_PROPERTY, &migration.version),
            ],
            ..Default::default()
        };
        let _turn = self.turn(name).await?;
        let status = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.create_collection(request).await
            })
            .await?;
        match self.check(OPERATION, Some(&status)) {
            // Lite refuses what is there: another run was quicker, or the answer
            // to a first try was lost.
            Err(error) if self.describe(name).await?.is_none() => Err(error),
            _ => Ok(()),
        }
    }

    /// Type and metric of the vector index; `None` where it has none yet.
    ///
    /// # Errors
    /// The server failed, or names a metric that we do not know.
    pub async fn index(&self, collection: &str) -> Result<Option<Index>, StoreError> {
        const OPERATION: &str = "describe the index";
        let request = DescribeIndexRequest {
            collection_name: collection.to_owned(),
            field_name: EMBEDDING.to_owned(),
            ..Default::default()
        };
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.describe_index(request).await
            })
            .await?;
        match self.check(OPERATION, reply.status.as_ref()) {
            Ok(()) => {}
            Err(StoreError::Server {
                code: code::INDEX_NOT_FOUND,
                ..
            }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let of_vector =
            |index: &&milvus::proto::milvus::IndexDescription| index.field_name == EMBEDDING;
        let Some(index) = reply.index_descriptions.iter().find(of_vector) else {
            return Ok(None);
        };
        let metric = value(&index.params, "metric_type").and_then(|metric| metric.parse().ok());
        Ok(Some(Index {
            kind: value(&index.params, "index_type")
                .unwrap_or_default()
                .to_owned(),
            metric: metric.ok_or(StoreError::Malformed {
                operation: OPERATION,
                what: "its metric type is none that we know",
            })?,
            nlist: built_with(&index.params, "nlist"),
            sealed_rows: usize::try_from(index.total_rows).unwrap_or(0),
            indexed_rows: usize::try_from(index.indexed_rows).unwrap_or(0),
        }))
    }

    /// Creates the vector index. Milvus builds it in the background. One that
    /// exists already is left as it is.
    ///
    /// # Errors
    /// The server refused.
    pub async fn create_index(
        &self,
        collection: &str,
        settings: &IndexSettings,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "create the index";
        let params = match settings.kind {
            IndexKind::Hnsw { m, ef_construction } => {
                serde_json::json!({ "M": m, "efConstruction": ef_construction })
            }
            IndexKind::IvfFlat { nlist } | IndexKind::IvfSq8 { nlist } => {
                serde_json::json!({ "nlist": nlist })
            }
            IndexKind::Flat | IndexKind::AutoIndex => serde_json::json!({}),
        };
        let request = CreateIndexRequest {
            collection_name: collection.to_owned(),
            field_name: EMBEDDING.to_owned(),
            index_name: EMBEDDING.to_owned(),
            extra_params: vec![
                pair("index_type", &settings.kind.as_str()),
                pair("metric_type", &settings.metric),
                pair("params", &params),
            ],
            ..Default::default()
        };
        let _turn = self.turn(collection).await?;
        let status = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.create_index(request).await
            })
            .await?;
        match self.check(OPERATION, Some(&status)) {
            // As for the collection.
            Err(error) if self.index(collection).await?.is_none() => Err(error),
            _ => Ok(()),
        }
    }

    /// The number that the server gave the collection when it was created;
    /// `None` where there is none of that name. Milvus Lite gives 0 to all.
    ///
    /// # Errors
    /// The server failed.
    pub async fn collection_number(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let found = self.describe(name).await?;
        Ok(found.map(|found| found.collection_id))
    }

    pub(super) async fn describe(
        &self,
        name: &str,
    ) -> Result<Option<DescribeCollectionResponse>, StoreError> {
        const OPERATION: &str = "describe the collection";
        if !is_name(name) {
            return Err(StoreError::InvalidName {
                collection: name.to_owned(),
            });
        }
        let request = DescribeCollectionRequest {
            collection_name: name.to_owned(),
            ..Default::default()
        };
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.describe_collection(request).await
            })
            .await?;
        match self.check(OPERATION, reply.status.as_ref()) {
            Ok(()) => Ok(Some(reply)),
            Err(StoreError::Server {
                code: code::COLLECTION_NOT_FOUND,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A number that an index was built with: a parameter of its own, or a key of
/// the JSON in `params`, as the server likes it.
fn built_with(params: &[milvus::proto::common::KeyValuePair], key: &str) -> Option<usize> {
    let own = value(params, key).and_then(|number| number.parse().ok());
    own.or_else(|| {
        let json: serde_json::Value = serde_json::from_str(value(params, "params")?).ok()?;
        usize::try_from(json.get(key)?.as_u64()?).ok()
    })
}

pub(super) fn mark_of(found: &DescribeCollectionResponse) -> Option<ModelMark> {
    Some(ModelMark {
        model: value(&found.properties, MODEL_PROPERTY)?.to_owned(),
        fingerprint: value(&found.properties, FINGERPRINT_PROPERTY)?.to_owned(),
    })
}
