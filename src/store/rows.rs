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
use super::verdict::Verdict;
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
    /// [`details_hash`](crate::entity::details_hash) of the row; none that a
    /// picture has, where several rows share the key.
    pub details: i64,
}

impl HeldRow {
    /// Makes it differ from every picture, so that it is written anew: an upsert
    /// replaces all rows of its key. Milvus 2.3.5 leaves two where it is killed
    /// in an upsert.
    pub(super) fn doubt(&mut self) {
        self.details = !self.details;
    }
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
    /// does not hold are absent. Where several rows share an id, none says what
    /// a picture does.
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
        let filter = filter::any_of(ID, ids);
        let all = Scope::default();
        // Boxed, since both together would make large futures of all callers.
        let rows = Box::pin(self.query(collection, filter.clone(), &fields, None));
        let (reply, count) =
            tokio::try_join!(rows, Box::pin(self.count(collection, filter, &all)))?;
        let mut rows: HashMap<ImageId, HeldRow> = rows_of(&columns(&reply))?.into_iter().collect();
        if count > rows.len() as u64 {
            // Which of them are doubled is not worth asking.
            rows.values_mut().for_each(HeldRow::doubt);
        }
        Ok(rows)
    }

    /// Number of rows, those that share a key counted each.
    pub(super) async fn count(
        &self,
        collection: &str,
        filter: String,
        scope: &Scope,
    ) -> Result<u64, StoreError> {
        let reply = self
            .query_in(collection, (filter, scope), &["count(*)"], None)
            .await?;
        let columns = columns(&reply);
        let counts = columns.longs("count(*)")?;
        let count = counts.first().copied().unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
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
        let mut tries = self.tries();
        loop {
            let reply: QueryResults = self
                .call(OPERATION, request.clone(), |mut stub, request| async move {
                    stub.query(request).await
                })
                .await?;
            let error = match self.check(OPERATION, reply.status.as_ref()) {
                Ok(()) => return Ok(reply),
                Err(error) => error,
            };
            if !self.reloads || error.verdict() != Verdict::Reload {
                let error = named(error, collection);
                return Err(filter::blame(error, &scope.filter));
            }
            tracing::info!(collection, "not loaded any more: loading it again");
            self.load(collection).await?;
            tries.wait(error).await?;
        }
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
