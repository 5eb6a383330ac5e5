//! Reading rows by their ids: what they say, and their vectors.

use std::collections::HashMap;

use milvus::proto::common::ConsistencyLevel;
use milvus::proto::milvus::{QueryRequest, QueryResults};

use super::columns::Columns;
use super::connect::Store;
use super::error::StoreError;
use super::filter;
use super::schema::{BYTES, CONTENT_HASH, DETAILS_HASH, EMBEDDING, ID, MODIFIED, PATH, pair};
use super::search::{Scope, named};
use crate::entity::{Embedding, ImageId, PathKey};

pub(super) const OPERATION: &str = "read rows";

/// What a collection holds of a picture, as far as planning needs it: 56 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldRow {
    /// Second part of the id.
    pub key: PathKey,
    /// First half of the BLAKE3 of the file's bytes.
    pub content: ContentKey,
    /// Size of the file in bytes.
    pub bytes: i64,
    /// Modification time, in microseconds since 1970.
    pub modified: i64,
    /// [`details_hash`](crate::entity::details_hash) of the row.
    pub details: i64,
}

/// First 128 bits of a BLAKE3 of a file's bytes: two of 10^12 files share them
/// with probability 1e-15.
pub type ContentKey = [u8; 16];

/// [`ContentKey`] of a hash in hexadecimal; zeros where it is none.
pub fn content_key(hash: &str) -> ContentKey {
    let digits = hash.get(..32).unwrap_or_default();
    u128::from_str_radix(digits, 16)
        .unwrap_or_default()
        .to_be_bytes()
}

/// A row with its vector.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldVector {
    /// Absolute path at the time of ingest.
    pub path: String,
    /// BLAKE3 of the file's bytes, in hexadecimal.
    pub content_hash: String,
    /// The vector.
    pub embedding: Embedding,
}

impl Store {
    /// What the collection holds of `ids`, at Strong consistency; ids that it
    /// does not hold are absent.
    ///
    /// # Errors
    /// As for [`count_rows`](Self::count_rows).
    pub async fn held_rows_of(
        &self,
        collection: &str,
        ids: &[ImageId],
    ) -> Result<HashMap<ImageId, HeldRow>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let fields = [ID, CONTENT_HASH, BYTES, MODIFIED, DETAILS_HASH];
        let reply = self
            .query(collection, filter::any_of(ID, ids), &fields, None)
            .await?;
        Ok(rows_of(&columns(&reply))?.into_iter().collect())
    }

    /// Vectors of `ids`, with path and content hash, at Strong consistency;
    /// ids that the collection does not hold are absent.
    ///
    /// # Errors
    /// As for [`count_rows`](Self::count_rows).
    pub async fn held_vectors(
        &self,
        collection: &str,
        ids: &[ImageId],
    ) -> Result<HashMap<ImageId, HeldVector>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let fields = [ID, PATH, CONTENT_HASH, EMBEDDING];
        let reply = self
            .query(collection, filter::any_of(ID, ids), &fields, None)
            .await?;
        let columns = columns(&reply);
        if columns.is_empty() {
            return Ok(HashMap::new());
        }
        let (numbers, dimension) = columns.vectors(EMBEDDING)?;
        let vectors = numbers.chunks_exact(dimension.max(1));
        let ids = columns.texts(ID)?;
        ids.iter()
            .zip(vectors)
            .enumerate()
            .map(|(row, (id, vector))| {
                let held = HeldVector {
                    path: columns.text(PATH, row)?,
                    content_hash: columns.text(CONTENT_HASH, row)?,
                    embedding: vector.to_vec(),
                };
                Ok((ImageId::from_stored(id.clone()), held))
            })
            .collect()
    }

    /// Paths of `ids`, at Strong consistency; ids that the collection does not
    /// hold are absent.
    ///
    /// # Errors
    /// As for [`count_rows`](Self::count_rows).
    pub async fn held_paths(
        &self,
        collection: &str,
        ids: &[ImageId],
    ) -> Result<Vec<(ImageId, String)>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let reply = self
            .query(collection, filter::any_of(ID, ids), &[ID, PATH], None)
            .await?;
        let columns = columns(&reply);
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let rows = columns.texts(ID)?.iter().zip(columns.texts(PATH)?);
        Ok(rows
            .map(|(id, path)| (ImageId::from_stored(id.clone()), path.clone()))
            .collect())
    }

    pub(super) async fn query(
        &self,
        collection: &str,
        filter: String,
        fields: &[&str],
        limit: Option<usize>,
    ) -> Result<QueryResults, StoreError> {
        let all = Scope::default();
        self.query_in(collection, (filter, &all), fields, limit)
            .await
    }

    /// Rows for which `filter` holds, in the scope's partitions; the scope's
    /// own filter is a part of it already.
    pub(super) async fn query_in(
        &self,
        collection: &str,
        (expr, scope): (String, &Scope),
        fields: &[&str],
        limit: Option<usize>,
    ) -> Result<QueryResults, StoreError> {
        let request = QueryRequest {
            collection_name: collection.to_owned(),
            partition_names: scope.partitions.clone(),
            expr,
            output_fields: fields.iter().map(|&field| field.to_owned()).collect(),
            query_params: limit.iter().map(|limit| pair("limit", limit)).collect(),
            consistency_level: ConsistencyLevel::Strong as i32,
            ..Default::default()
        };
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.query(request).await
            })
            .await?;
        self.check(OPERATION, reply.status.as_ref())
            .map_err(|error| filter::blame(named(error, collection), &scope.filter))?;
        Ok(reply)
    }
}

pub(super) fn columns(reply: &QueryResults) -> Columns<'_> {
    Columns {
        operation: OPERATION,
        fields: &reply.fields_data,
    }
}

/// Rows by id; those whose id is none of ours are left out.
pub(super) fn rows_of(columns: &Columns<'_>) -> Result<Vec<(ImageId, HeldRow)>, StoreError> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, hashes) = (columns.texts(ID)?, columns.texts(CONTENT_HASH)?);
    let bytes = columns.longs(BYTES)?;
    let (modified, details) = (columns.longs(MODIFIED)?, columns.longs(DETAILS_HASH)?);
    let shortest = [hashes.len(), bytes.len(), modified.len(), details.len()];
    if shortest.iter().any(|length| *length != ids.len()) {
        return Err(columns.malformed("a row is missing"));
    }
    let rows = ids.iter().enumerate().filter_map(|(row, id)| {
        let id = ImageId::from_stored(id.clone());
        let held = HeldRow {
            key: id.key()?,
            content: content_key(&hashes[row]),
            bytes: bytes[row],
            modified: modified[row],
            details: details[row],
        };
        Some((id, held))
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_what_it_says() {
        assert_eq!(size_of::<HeldRow>(), 56);
    }
}
