//! Writing rows: columns out of entities, one upsert a batch.

use milvus::proto::milvus::{DeleteRequest, UpsertRequest};
use milvus::proto::schema::field_data::Field;
use milvus::proto::schema::scalar_field::Data;
use milvus::proto::schema::{
    DataType, FieldData, FloatArray, JsonArray, LongArray, ScalarField, StringArray, VectorField,
    vector_field,
};

use super::connect::Store;
use super::error::StoreError;
use super::filter;
use super::retry::with_retry;
use super::schema::{
    ATTRIBUTES, BYTES, CONTENT_HASH, DETAILS_HASH, DISPLAY_NAME, EMBEDDING, ID, MODIFIED, PATH,
};
use crate::entity::{Attributes, Entity, ImageId, ImageRecord};

/// Bytes that a row takes in a request beside its texts and its vector: the
/// tags and lengths of nine fields and three 64-bit numbers, rounded up.
const ROW_OVERHEAD_BYTES: usize = 108;

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

impl Store {
    /// Writes rows, replacing those with the same id. Ids must not repeat in
    /// `entities`. Sent again after a transient fault: the keys are
    /// deterministic, so a row that was written already is written anew.
    ///
    /// # Errors
    /// The server refused, or did not acknowledge every row.
    ///
    /// # Panics
    /// With more rows than 32 bits count.
    pub async fn upsert(&self, collection: &str, entities: &[Entity]) -> Result<(), StoreError> {
        const OPERATION: &str = "write a batch";
        if entities.is_empty() {
            return Ok(());
        }
        let sent = entities.len();
        let request = UpsertRequest {
            collection_name: collection.to_owned(),
            fields_data: columns(entities),
            num_rows: u32::try_from(sent).expect("a batch is bounded by bytes; this is a bug"),
            ..Default::default()
        };
        with_retry(self.retry, || async {
            let (mut stub, request) = (self.stub.clone(), request.clone());
            let reply = self.call_once(OPERATION, stub.upsert(request)).await?;
            self.check(OPERATION, reply.status.as_ref())?;
            // A batch can fail in part under a status that says OK.
            let written = if reply.err_index.is_empty() {
                reply.upsert_cnt
            } else {
                reply.upsert_cnt - i64::try_from(reply.err_index.len()).unwrap_or(i64::MAX)
            };
            if usize::try_from(written) == Ok(sent) {
                Ok(())
            } else {
                Err(StoreError::PartialWrite { written, sent })
            }
        })
        .await
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

fn columns(entities: &[Entity]) -> Vec<FieldData> {
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

fn vectors(entities: &[Entity]) -> FieldData {
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
            fields_data: columns(&entities),
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
