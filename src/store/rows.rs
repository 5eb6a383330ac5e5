//! Reading rows by their keys: what a source's rows say, and their vectors.

use std::collections::HashMap;

use milvus::proto::common::ConsistencyLevel;
use milvus::proto::milvus::{QueryRequest, QueryResults};
use tokio::task::JoinSet;

use super::columns::Columns;
use super::connect::Store;
use super::error::StoreError;
use super::filter;
use super::schema::{BYTES, CONTENT_HASH, DETAILS_HASH, EMBEDDING, ID, MODIFIED, PATH, pair};
use super::search::named;
use crate::entity::{Embedding, ImageId, PathKey};

const OPERATION: &str = "read rows";

/// Rows that one page is meant to have; about 160 bytes each.
const PAGE_ROWS: u128 = 4096;

/// Most rows of one answer. Milvus 2.3 allows no more.
const MOST_ROWS: usize = 16_384;

/// Pages asked for at once. A read at Strong consistency waits for the
/// server's clock (200 ms on 2.3.5), whatever its size.
const PAGES_IN_FLIGHT: usize = 4;

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

/// A part of a source's keys, both ends included.
#[derive(Debug, Clone, Copy)]
struct KeyRange {
    first: u128,
    last: u128,
}

impl KeyRange {
    const ALL: Self = Self {
        first: 0,
        last: u128::MAX,
    };

    /// `parts` ranges of the same size. Keys are hashes, so each has about as
    /// many rows.
    fn split(self, parts: u128) -> Vec<Self> {
        let step = (self.last - self.first) / parts;
        (0..parts)
            .map(|part| Self {
                first: self.first + part * step + u128::from(part > 0),
                last: if part + 1 == parts {
                    self.last
                } else {
                    self.first + (part + 1) * step
                },
            })
            .collect()
    }

    fn filter(self, prefix: &str) -> String {
        let id = |key: u128| filter::quote(&format!("{prefix}{key:032x}"));
        format!("{ID} >= {} and {ID} <= {}", id(self.first), id(self.last))
    }
}

impl Store {
    /// Number of rows whose ids begin with `prefix`, at Strong consistency;
    /// rows that share a key count each.
    ///
    /// # Errors
    /// The collection is missing or not loaded, or the server failed.
    pub async fn count_rows(&self, collection: &str, prefix: &str) -> Result<u64, StoreError> {
        let filter = KeyRange::ALL.filter(prefix);
        let reply = self.query(collection, filter, &["count(*)"], None).await?;
        let columns = columns(&reply);
        let counts = columns.longs("count(*)")?;
        let count = counts.first().copied().unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Every row whose id begins with `prefix`, sorted by key, each key once,
    /// at Strong consistency.
    ///
    /// Pages are ranges of keys: no server is trusted to sort, and one with
    /// more rows than an answer takes is split and asked for again.
    ///
    /// # Errors
    /// As for [`count_rows`](Self::count_rows).
    pub async fn held_rows(
        &self,
        collection: &str,
        prefix: &str,
    ) -> Result<Vec<HeldRow>, StoreError> {
        let count = self.count_rows(collection, prefix).await?;
        let mut rows = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
        let mut waiting = KeyRange::ALL.split(u128::from(count) / PAGE_ROWS + 1);
        let mut pages = JoinSet::new();
        loop {
            while pages.len() < PAGES_IN_FLIGHT
                && let Some(range) = waiting.pop()
            {
                let (store, collection) = (self.clone(), collection.to_owned());
                let filter = range.filter(prefix);
                pages.spawn(async move { (range, store.page(&collection, filter).await) });
            }
            let Some(page) = pages.join_next().await else {
                break;
            };
            let (range, page) =
                page.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            let page = page?;
            if page.len() >= MOST_ROWS {
                waiting.extend(range.split(2));
            } else {
                rows.extend(page);
            }
        }
        rows.sort_unstable_by_key(|row| row.key);
        rows.dedup_by_key(|row| row.key);
        Ok(rows)
    }

    async fn page(&self, collection: &str, filter: String) -> Result<Vec<HeldRow>, StoreError> {
        let fields = [ID, CONTENT_HASH, BYTES, MODIFIED, DETAILS_HASH];
        let reply = self
            .query(collection, filter, &fields, Some(MOST_ROWS))
            .await?;
        rows_of(&columns(&reply)).map(|rows| rows.into_iter().map(|(_, row)| row).collect())
    }

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

    async fn query(
        &self,
        collection: &str,
        filter: String,
        fields: &[&str],
        limit: Option<usize>,
    ) -> Result<QueryResults, StoreError> {
        let request = QueryRequest {
            collection_name: collection.to_owned(),
            expr: filter,
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
            .map_err(|error| named(error, collection))?;
        Ok(reply)
    }
}

fn columns(reply: &QueryResults) -> Columns<'_> {
    Columns {
        operation: OPERATION,
        fields: &reply.fields_data,
    }
}

/// Rows by id; those whose id is none of ours are left out.
fn rows_of(columns: &Columns<'_>) -> Result<Vec<(ImageId, HeldRow)>, StoreError> {
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
    use proptest::prelude::*;

    #[test]
    fn a_row_takes_what_it_says() {
        assert_eq!(size_of::<HeldRow>(), 56);
    }

    proptest! {
        #[test]
        fn parts_cover_the_whole_and_do_not_overlap(
            a: u128, b: u128, parts in 1..2000u128,
        ) {
            let whole = KeyRange { first: a.min(b), last: a.max(b) };
            prop_assume!(whole.last - whole.first > parts * 2);
            let ranges = whole.split(parts);
            prop_assert_eq!(ranges.len() as u128, parts);
            prop_assert_eq!(ranges[0].first, whole.first);
            prop_assert_eq!(ranges.last().unwrap().last, whole.last);
            for pair in ranges.windows(2) {
                prop_assert_eq!(pair[0].last + 1, pair[1].first);
            }
        }
    }
}
