//! Reading a source's rows by ranges of their keys.
//!
//! No server is trusted to sort, to page or to iterate: keys are hashes, spread
//! evenly, so that ranges of them are pages of a known size.

use milvus::proto::milvus::QueryResults;
use tokio::task::JoinSet;

use super::columns::Columns;
use super::connect::Store;
use super::error::StoreError;
use super::filter;
use super::rows::{HeldRow, columns, rows_of};
use super::schema::{
    ATTRIBUTES, BYTES, CONTENT_HASH, DETAILS_HASH, DISPLAY_NAME, EMBEDDING, ID, MODIFIED, PATH,
};
use super::search::Scope;
use crate::entity::{Entity, ImageId, ImageRecord, PathKey};

/// Rows that one page is meant to have, without vectors; about 160 bytes each.
pub(super) const PAGE_ROWS: u128 = 4096;

/// Bytes that a page of whole rows is meant to have.
const PAGE_BYTES: usize = 4 << 20;

/// About what a row takes beside its vector.
const ROW_BYTES: usize = 512;

/// Most rows of one answer. Milvus 2.3 allows no more.
const MOST_ROWS: usize = 16_384;

/// Pages asked for at once. A read at Strong consistency waits for the
/// server's clock (200 ms on 2.3.5), whatever its size.
const PAGES_IN_FLIGHT: usize = 4;

/// A row with everything that it says.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeRow {
    /// The row as it would be written.
    pub entity: Entity,
    /// [`details_hash`](crate::entity::details_hash) that is stored with it.
    pub details: i64,
}

/// A part of a source's keys, both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyRange {
    first: u128,
    last: u128,
}

impl KeyRange {
    pub(super) const ALL: Self = Self {
        first: 0,
        last: u128::MAX,
    };

    /// `parts` ranges of the same size. Keys are hashes, so each has about as
    /// many rows.
    pub(super) fn split(self, parts: u128) -> Vec<Self> {
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

    fn filter(self, prefix: &str, scope: &Scope) -> String {
        let id = |key: u128| filter::quote(&format!("{prefix}{key:032x}"));
        let own = format!("{ID} >= {} and {ID} <= {}", id(self.first), id(self.last));
        filter::both(&own, &scope.filter)
    }
}

/// What is read page by page.
pub(super) struct Pages<'a> {
    pub(super) collection: &'a str,
    /// What the ids begin with.
    pub(super) prefix: &'a str,
    pub(super) scope: &'a Scope,
    pub(super) ranges: Vec<KeyRange>,
    pub(super) fields: &'static [&'static str],
}

impl Store {
    /// Number of rows whose ids begin with `prefix`, at Strong consistency;
    /// rows that share a key count each.
    ///
    /// # Errors
    /// The collection is missing or not loaded, or the server failed.
    pub async fn count_rows(&self, collection: &str, prefix: &str) -> Result<u64, StoreError> {
        let all = Scope::default();
        self.count_range(collection, (prefix, &all), KeyRange::ALL)
            .await
    }

    /// Number of rows in `scope`, at Strong consistency.
    ///
    /// # Errors
    /// As for [`count_rows`](Self::count_rows), or the filter cannot be parsed.
    pub async fn count_scope(&self, collection: &str, scope: &Scope) -> Result<u64, StoreError> {
        // Milvus counts without a filter, or with one that is true of all rows.
        self.count(collection, scope.filter.clone(), scope).await
    }

    /// What the ids of each source in `scope` begin with.
    pub(super) async fn sources(
        &self,
        collection: &str,
        scope: &Scope,
    ) -> Result<Vec<String>, StoreError> {
        let mut found: Vec<String> = Vec::new();
        loop {
            let others: Vec<String> = found
                .iter()
                .map(|prefix| {
                    let own = KeyRange::ALL.filter(prefix, &Scope::default());
                    format!("not ({own})")
                })
                .collect();
            let any = format!("{ID} >= \"\"");
            let own = others.iter().fold(any, |all, one| filter::both(&all, one));
            let filter = filter::both(&own, &scope.filter);
            let reply = self
                .query_in(collection, (filter, scope), &[ID], Some(1))
                .await?;
            let columns = columns(&reply);
            if columns.is_empty() {
                return Ok(found);
            }
            match columns.texts(ID)?.first().and_then(|id| id.get(..13)) {
                Some(prefix) if !found.iter().any(|known| known == prefix) => {
                    found.push(prefix.to_owned());
                }
                _ => return Ok(found),
            }
        }
    }

    pub(super) async fn count_range(
        &self,
        collection: &str,
        (prefix, scope): (&str, &Scope),
        range: KeyRange,
    ) -> Result<u64, StoreError> {
        self.count(collection, range.filter(prefix, scope), scope)
            .await
    }

    /// Every row whose id begins with `prefix`, sorted by key, each key once,
    /// at Strong consistency. One whose key several rows share says nothing that
    /// a picture does.
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
        let pages = Pages {
            collection,
            prefix,
            scope: &Scope::default(),
            ranges: KeyRange::ALL.split(u128::from(count) / PAGE_ROWS + 1),
            fields: &[ID, CONTENT_HASH, BYTES, MODIFIED, DETAILS_HASH],
        };
        self.read_pages(pages, |columns| {
            let page = rows_of(columns)?;
            rows.extend(page.into_iter().map(|(_, row)| row));
            Ok(())
        })
        .await?;
        rows.sort_unstable_by_key(|row| row.key);
        rows.dedup_by_key(|row| row.key);
        if count > rows.len() as u64 {
            let keys: Vec<PathKey> = rows.iter().map(|row| row.key).collect();
            let twice = self.keys_held_twice(collection, prefix, &keys).await?;
            tracing::debug!(keys = twice.len(), "several rows share a key");
            for key in twice {
                if let Ok(place) = rows.binary_search_by_key(&key, |row| row.key) {
                    rows[place].doubt();
                }
            }
        }
        Ok(rows)
    }

    /// Hands every row whose id begins with `prefix` to `take`, whole, in no
    /// order, at Strong consistency; some servers give a key that is stored
    /// twice once, some twice. At most four pages of about 4 MiB, by vectors
    /// of `dimension` numbers, are in memory.
    ///
    /// # Errors
    /// As for [`count_rows`](Self::count_rows).
    pub async fn whole_rows(
        &self,
        collection: &str,
        prefix: &str,
        dimension: usize,
        take: impl FnMut(WholeRow),
    ) -> Result<(), StoreError> {
        let all = Scope::default();
        self.whole_rows_of(collection, (prefix, &all), dimension, take)
            .await
    }

    /// As [`whole_rows`](Self::whole_rows), of those in a scope.
    pub(super) async fn whole_rows_of(
        &self,
        collection: &str,
        (prefix, scope): (&str, &Scope),
        dimension: usize,
        mut take: impl FnMut(WholeRow),
    ) -> Result<(), StoreError> {
        let count = self
            .count_range(collection, (prefix, scope), KeyRange::ALL)
            .await?;
        let page_rows = PAGE_BYTES / (dimension * size_of::<f32>() + ROW_BYTES) + 1;
        let pages = Pages {
            collection,
            prefix,
            scope,
            ranges: KeyRange::ALL.split(u128::from(count) / page_rows as u128 + 1),
            fields: &[
                ID,
                PATH,
                DISPLAY_NAME,
                CONTENT_HASH,
                BYTES,
                MODIFIED,
                DETAILS_HASH,
                ATTRIBUTES,
                EMBEDDING,
            ],
        };
        self.read_pages(pages, |columns| {
            whole_rows_of(columns)?.into_iter().for_each(&mut take);
            Ok(())
        })
        .await
    }

    /// Keys that more than one row has, among `keys`, which are sorted and
    /// all that there are. Found by counting, since queries hide them.
    ///
    /// # Errors
    /// As for [`count_rows`](Self::count_rows).
    pub async fn keys_held_twice(
        &self,
        collection: &str,
        prefix: &str,
        keys: &[PathKey],
    ) -> Result<Vec<PathKey>, StoreError> {
        let all = Scope::default();
        let mut twice = Vec::new();
        let mut waiting = vec![(KeyRange::ALL, keys)];
        while let Some((range, keys)) = waiting.pop() {
            let count = self.count_range(collection, (prefix, &all), range).await?;
            if count <= keys.len() as u64 {
                continue;
            }
            if let [key] = keys {
                let number = u128::from_be_bytes(*key);
                let (first, last) = (number, number);
                let own = KeyRange { first, last };
                if self.count_range(collection, (prefix, &all), own).await? > 1 {
                    twice.push(*key);
                }
                continue;
            }
            let (left, right) = keys.split_at(keys.len() / 2);
            let Some(middle) = right.first().map(|key| u128::from_be_bytes(*key)) else {
                continue; // Written since: no row was there when all were read.
            };
            let (first, last) = (range.first, range.last);
            waiting.push((
                KeyRange {
                    first: middle,
                    last,
                },
                right,
            ));
            if middle > first {
                let last = middle - 1;
                waiting.push((KeyRange { first, last }, left));
            }
        }
        Ok(twice)
    }

    /// Asks for the pages, several at once. A range with more rows than an
    /// answer takes is split and asked for again.
    pub(super) async fn read_pages(
        &self,
        wanted: Pages<'_>,
        mut take: impl FnMut(&Columns<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut waiting = wanted.ranges;
        let mut pages = JoinSet::new();
        loop {
            while pages.len() < PAGES_IN_FLIGHT
                && let Some(range) = waiting.pop()
            {
                let (store, collection) = (self.clone(), wanted.collection.to_owned());
                let (filter, scope) = (
                    range.filter(wanted.prefix, wanted.scope),
                    wanted.scope.clone(),
                );
                pages.spawn(async move {
                    let asked = (filter, &scope);
                    let page = store.query_in(&collection, asked, wanted.fields, Some(MOST_ROWS));
                    (range, page.await)
                });
            }
            let Some(page) = pages.join_next().await else {
                return Ok(());
            };
            let (range, page): (KeyRange, Result<QueryResults, StoreError>) =
                page.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            let page = page?;
            let columns = columns(&page);
            if columns.is_empty() {
                continue;
            }
            if columns.texts(ID)?.len() >= MOST_ROWS {
                waiting.extend(range.split(2));
            } else {
                take(&columns)?;
            }
        }
    }
}

fn whole_rows_of(columns: &Columns<'_>) -> Result<Vec<WholeRow>, StoreError> {
    let (ids, bytes) = (columns.texts(ID)?, columns.longs(BYTES)?);
    let (modified, details) = (columns.longs(MODIFIED)?, columns.longs(DETAILS_HASH)?);
    let (numbers, dimension) = columns.vectors(EMBEDDING)?;
    let vectors = numbers.chunks_exact(dimension.max(1));
    let shortest = [bytes.len(), modified.len(), details.len(), vectors.len()];
    if shortest.iter().any(|length| *length != ids.len()) {
        return Err(columns.malformed("a row is missing"));
    }
    let rows = ids.iter().zip(vectors).enumerate();
    rows.map(|(row, (id, vector))| {
        let record = ImageRecord {
            id: ImageId::from_stored(id.clone()),
            path: columns.text(PATH, row)?,
            display_name: columns.text(DISPLAY_NAME, row)?,
            content_hash: columns.text(CONTENT_HASH, row)?,
            bytes: bytes[row],
            modified: modified[row],
            attributes: columns.object(ATTRIBUTES, row)?,
        };
        let embedding = vector.to_vec();
        Ok(WholeRow {
            entity: Entity { record, embedding },
            details: details[row],
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
