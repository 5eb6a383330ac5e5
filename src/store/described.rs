//! Reading what rows say of their pictures, without the vectors.

use super::columns::Columns;
use super::connect::Store;
use super::error::StoreError;
use super::ranges::{KeyRange, PAGE_ROWS, Pages};
use super::schema::{ATTRIBUTES, CONTENT_HASH, ID, PATH};
use super::search::Scope;
use crate::entity::{Attributes, ImageId};

/// Rows of a page are longer than those that planning reads.
const LONGER: u128 = 4;

/// What a row says of its picture.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedRow {
    /// Primary key.
    pub id: ImageId,
    /// Path at the time of ingest.
    pub path: String,
    /// BLAKE3 of the file's bytes, in hexadecimal.
    pub content_hash: String,
    /// Further columns of the names table.
    pub attributes: Attributes,
}

impl Store {
    /// Hands every row of `scope` to `take`, without its vector, in no order,
    /// at Strong consistency.
    ///
    /// # Errors
    /// The collection is missing or not loaded, the filter cannot be parsed,
    /// or the server failed.
    pub async fn described_rows(
        &self,
        collection: &str,
        scope: &Scope,
        mut take: impl FnMut(DescribedRow),
    ) -> Result<(), StoreError> {
        for prefix in self.sources(collection, scope).await? {
            let count = self
                .count_range(collection, (&prefix, scope), KeyRange::ALL)
                .await?;
            let pages = Pages {
                collection,
                prefix: &prefix,
                scope,
                ranges: KeyRange::ALL.split(u128::from(count) * LONGER / PAGE_ROWS + 1),
                fields: &[ID, PATH, CONTENT_HASH, ATTRIBUTES],
            };
            self.read_pages(pages, |columns| {
                rows_of(columns)?.into_iter().for_each(&mut take);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

fn rows_of(columns: &Columns<'_>) -> Result<Vec<DescribedRow>, StoreError> {
    let ids = columns.texts(ID)?.iter().enumerate();
    ids.map(|(row, id)| {
        Ok(DescribedRow {
            id: ImageId::from_stored(id.clone()),
            path: columns.text(PATH, row)?,
            content_hash: columns.text(CONTENT_HASH, row)?,
            attributes: columns.object(ATTRIBUTES, row)?,
        })
    })
    .collect()
}
