//! Writing rows: columns out of entities, one upsert a batch.

use milvus::proto::milvus::{DeleteRequest, UpsertRequest};
use milvus::proto::schema::field_data::Field;
use milvus::proto::schema::scalar_field::Data;
use milvus::proto::schema::{
    DataType, FieldData, FloatArray, JsonArray, LongArray, ScalarField, StringArray, VectorField,
    vector_field,
};

use super::connect::Store;
use super::error::{StoreError, code};
use super::filter;
use super::schema::{
    ATTRIBUTES, BYTES, CONTENT_HASH, DETAILS_HASH, DISPLAY_NAME, EMBEDDING, ID, MODIFIED, PATH,
};
use super::verdict::Verdict;
use crate::entity::{Attributes, Entity, ImageId, ImageRecord};

/// Bytes that a row takes in a request beside its texts and its vector: the
/// tags and lengths of nine fields and three 64-bit numbers, rounded up.
const ROW_OVERHEAD_BYTES: usize = 108;

/// Times that a row is sent which the server refuses while it takes others.
const PART_TRIES: usize = 5;

/// Bytes that an entity takes in an upsert, at most.
pub fn encoded_bytes(entity: &Entity) -> usize {
    let record = &entity.record;
    let attributes = json_bytes(&record.attributes).len();
    let texts = record.id.as_str().len()
        + record.path.len()
        + record.display_name.len()
        + record.content_hash.len();
    entity.embedding.len() * size_of::<f32>() + texts + attributes + ROW_OVERHEAD_BYTES
}

/// An object as the bytes of a JSON field.
pub(super) fn json_bytes(attributes: &Attributes) -> Vec<u8> {
    serde_json::to_vec(attributes).expect("a map of texts to JSON is JSON; this is a bug")
}

/// A row that was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// Its place in the batch, from 0.
    pub row: usize,
    /// Why.
    pub reason: String,
}

/// What became of a batch: every row that is not among the faults is written.
#[must_use]
#[derive(Debug, Default)]
pub struct Upserted {
    /// Rows that were not written.
    pub faults: Vec<RowFault>,
    /// What kept the server from taking any more, if anything did; the rows
    /// that it concerns are among the faults.
    pub fatal: Option<StoreError>,
}

impl Store {
    /// Writes rows, replacing those with the same id. Ids must not repeat in
    /// `entities`. Sent again after a transient fault: the keys are
    /// deterministic, so a row that was written already is written anew. What
    /// is too large for one message goes in halves.
    ///
    /// # Panics
    /// With more rows than 32 bits count.
    pub async fn upsert(&self, collection: &str, entities: &[Entity]) -> Upserted {
        let mut upserted = Upserted::default();
        let mut parts: Vec<Vec<usize>> = vec![(0..entities.len()).collect()];
        while let Some(part) = parts.pop() {
            let lost = |rows: Vec<usize>, reason: String| {
                rows.into_iter().map(move |row| RowFault {
                    row,
                    reason: reason.clone(),
                })
            };
            if let Some(error) = &upserted.fatal {
                upserted.faults.extend(lost(part, error.to_string()));
                continue;
            }
            let Err((rows, error)) = self.write_part(collection, entities, part).await else {
                continue;
            };
            match error.verdict() {
                Verdict::Split if rows.len() > 1 => {
                    tracing::debug!(rows = rows.len(), "too large for one message: halved");
                    let (first, second) = rows.split_at(rows.len() / 2);
                    parts.extend([second.to_vec(), first.to_vec()]);
                }
                Verdict::Split => {
                    let bytes: usize = rows.iter().map(|row| encoded_bytes(&entities[*row])).sum();
                    let reason =
                        format!("its row takes {bytes} bytes, more than Milvus takes in a message");
                    upserted.faults.extend(lost(rows, reason));
                }
                Verdict::RetryPart(_) => {
                    let reason = "Milvus takes the batch and keeps leaving its row out";
                    upserted.faults.extend(lost(rows, reason.to_owned()));
                }
                Verdict::Retry | Verdict::Pause | Verdict::Reload | Verdict::Stop => {
                    upserted.faults.extend(lost(rows, error.to_string()));
                    upserted.fatal = Some(error);
                }
            }
        }
        upserted
    }

    /// Writes some rows of a batch in one message; on failure, says which of
    /// them are not written.
    async fn write_part(
        &self,
        collection: &str,
        entities: &[Entity],
        mut rows: Vec<usize>,
    ) -> Result<(), (Vec<usize>, StoreError)> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut tries = self.tries();
        let mut refusals = 0;
        let mut request = upsert_request(collection, entities, &rows);
        loop {
            let error = match self.upsert_once(collection, request.clone()).await {
                Ok(()) => {
                    tries.succeeded();
                    return Ok(());
                }
                Err(error) => error,
            };
            if let Verdict::RetryPart(refused) = error.verdict() {
                rows = refused.into_iter().map(|place| rows[place]).collect();
                request = upsert_request(collection, entities, &rows);
                refusals += 1;
                if refusals == PART_TRIES {
                    return Err((rows, error));
                }
            }
            if let Err(error) = tries.wait(error).await {
                return Err((rows, error));
            }
        }
    }

    async fn upsert_once(
        &self,
        collection: &str,
        request: UpsertRequest,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "write a batch";
        let sent = request.num_rows as usize;
        let _turn = self.turn(collection).await?;
        let mut stub = self.stub.clone();
        let reply = self.call_once(OPERATION, stub.upsert(request)).await?;
        self.check(OPERATION, reply.status.as_ref())
            .map_err(|error| match error {
                StoreError::Server {
                    code: code::COLLECTION_NOT_FOUND,
                    ..
                } => StoreError::CollectionMissing {
                    collection: collection.to_owned(),
                    known: Vec::new(),
                },
                other => other,
            })?;
        // A batch can fail in part under a status that says OK.
        let mut rows: Vec<usize> = reply.err_index.iter().map(|row| *row as usize).collect();
        rows.retain(|row| *row < sent);
        rows.sort_unstable();
        rows.dedup();
        if rows.is_empty() && usize::try_from(reply.upsert_cnt) != Ok(sent) {
            // It does not say which.
            rows = (0..sent).collect();
        }
        if rows.is_empty() {
            return Ok(());
        }
        Err(StoreError::PartialWrite {
            written: reply.upsert_cnt,
            sent,
            rows,
        })
    }
}

impl Store {
    /// Deletes the rows of `ids`, all that share one; ids that the collection
    /// does not hold are none the less gone.
    ///
    /// # Errors
    /// The server refused.
    pub async fn delete_rows(&self, collection: &str, ids: &[ImageId]) -> Result<(), StoreError> {
        const OPERATION: &str = "delete rows";
        let _turn = self.turn(collection).await?;
        let request = DeleteRequest {
            collection_name: collection.to_owned(),
            expr: filter::any_of(ID, ids),
            ..Default::default()
        };
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.delete(request).await
            })
            .await?;
        self.check(OPERATION, reply.status.as_ref())
    }
}

fn upsert_request(collection: &str, entities: &[Entity], rows: &[usize]) -> UpsertRequest {
    let entities: Vec<&Entity> = rows.iter().map(|row| &entities[*row]).collect();
    UpsertRequest {
        collection_name: collection.to_owned(),
        fields_data: columns(&entities),
        num_rows: u32::try_from(rows.len()).expect("a batch is bounded by bytes; this is a bug"),
        ..Default::default()
    }
}

fn columns(entities: &[&Entity]) -> Vec<FieldData> {
    let texts = |name, text: fn(&ImageRecord) -> &str| {
        let data = entities
            .iter()
            .map(|e| text(&e.record).to_owned())
            .collect();
        scalars(
            name,
            DataType::VarChar,
            Data::StringData(StringArray { data }),
        )
    };
    let numbers = |name, number: fn(&ImageRecord) -> i64| {
        let data = entities.iter().map(|e| number(&e.record)).collect();
        scalars(name, DataType::Int64, Data::LongData(LongArray { data }))
    };
    let attributes = entities
        .iter()
        .map(|e| json_bytes(&e.record.attributes))
        .collect();
    vec![
        texts(ID, |record| record.id.as_str()),
        texts(PATH, |record| &record.path),
        texts(DISPLAY_NAME, |record| &record.display_name),
        texts(CONTENT_HASH, |record| &record.content_hash),
        numbers(BYTES, |record| record.bytes),
        numbers(MODIFIED, |record| record.modified),
        numbers(DETAILS_HASH, ImageRecord::details),
        scalars(
            ATTRIBUTES,
            DataType::Json,
            Data::JsonData(JsonArray { data: attributes }),
        ),
        vectors(entities),
    ]
}

fn scalars(name: &str, data_type: DataType, data: Data) -> FieldData {
    FieldData {
        r#type: data_type as i32,
        field_name: name.to_owned(),
        field: Some(Field::Scalars(ScalarField {
            data: Some(data),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn vectors(entities: &[&Entity]) -> FieldData {
    let dimension = entities.first().map_or(0, |entity| entity.embedding.len());
    let mut data = Vec::with_capacity(dimension * entities.len());
    for entity in entities {
        data.extend_from_slice(&entity.embedding);
    }
    FieldData {
        r#type: DataType::FloatVector as i32,
        field_name: EMBEDDING.to_owned(),
        field: Some(Field::Vectors(VectorField {
            dim: i64::try_from(dimension).expect("dimensions are small; this is a bug"),
            data: Some(vector_field::Data::FloatVector(FloatArray { data })),
            ..Default::default()
        })),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn the_estimate_is_an_upper_bound_and_a_close_one() {
        let entity = |n: usize| Entity {
            record: ImageRecord {
                id: ImageId::new("s", &n.to_string()),
                path: "/pictures/a.jpg".repeat(1 + n % 7),
                display_name: "Red handbag".to_owned(),
                content_hash: "0".repeat(64),
                bytes: i64::MAX,
                modified: i64::MAX,
                attributes: serde_json::from_str("{\"colour\":\"red\"}").unwrap(),
            },
            embedding: vec![0.5; 320],
        };
        let entities: Vec<Entity> = (0..50).map(entity).collect();
        let estimate: usize = entities.iter().map(encoded_bytes).sum();
        let request = UpsertRequest {
            fields_data: columns(&entities.iter().collect::<Vec<_>>()),
            ..Default::default()
        };
        let encoded = request.encoded_len();
        assert!(encoded <= estimate, "{encoded} <= {estimate}");
        assert!(
            estimate < encoded * 11 / 10,
            "{estimate} close to {encoded}"
        );
    }
}
