//! What the collection holds of a source, in memory: 61 bytes a row.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::entity::{ImageId, PathKey};
use crate::store::{ContentKey, HeldRow};

/// The rows of one source, as they were when the run first met it.
#[derive(Debug)]
pub(super) struct Known {
    prefix: String,
    /// Sorted by key: 56 bytes each.
    rows: Vec<HeldRow>,
    /// Places in `rows`, sorted by content: 4 bytes each.
    by_content: Vec<u32>,
    /// Whether the picture of the row was found: 1 byte each.
    found: Vec<AtomicBool>,
}

impl Known {
    /// Takes `rows`, sorted by key, of the ids that begin with `prefix`.
    pub(super) fn new(prefix: String, rows: Vec<HeldRow>) -> Self {
        let places = u32::try_from(rows.len()).expect("a source has under 2^32 rows");
        let mut by_content: Vec<u32> = (0..places).collect();
        by_content.sort_unstable_by_key(|&place| rows[place as usize].content);
        let found = rows.iter().map(|_| AtomicBool::new(false)).collect();
        Self {
            prefix,
            rows,
            by_content,
            found,
        }
    }

    /// The row with `key`; marks its picture as found.
    pub(super) fn find(&self, key: PathKey) -> Option<HeldRow> {
        let place = self.rows.binary_search_by_key(&key, |row| row.key).ok()?;
        self.found[place].store(true, Ordering::Relaxed);
        Some(self.rows[place])
    }

    /// Ids of the rows with that content.
    pub(super) fn with_content(&self, content: ContentKey) -> impl Iterator<Item = ImageId> {
        let row = |place: &u32| &self.rows[*place as usize];
        let first = self
            .by_content
            .partition_point(|place| row(place).content < content);
        let rows = self.by_content[first..].iter().map(row);
        rows.take_while(move |row| row.content == content)
            .map(|row| ImageId::from_key(&self.prefix, row.key))
    }

    /// Keys of all rows, sorted.
    pub(super) fn keys(&self) -> Vec<PathKey> {
        self.rows.iter().map(|row| row.key).collect()
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Ids of the rows whose pictures were not found.
    pub(super) fn missing(&self) -> impl Iterator<Item = ImageId> {
        let rows = self.rows.iter().zip(&self.found);
        rows.filter(|(_, found)| !found.load(Ordering::Relaxed))
            .map(|(row, _)| ImageId::from_key(&self.prefix, row.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_key_and_by_content() {
        let row = |key: u8, content: u8| HeldRow {
            key: [key; 16],
            content: [content; 16],
            bytes: 1,
            modified: 2,
            details: 3,
        };
        let known = Known::new("s-".to_owned(), vec![row(1, 9), row(2, 7), row(5, 9)]);
        assert_eq!(known.find([2; 16]), Some(row(2, 7)));
        assert_eq!(known.find([3; 16]), None);
        let id = |key: u8| ImageId::from_key("s-", [key; 16]);
        let with = |content: u8| {
            let mut ids: Vec<_> = known.with_content([content; 16]).collect();
            ids.sort();
            ids
        };
        assert_eq!(with(7), [id(2)]);
        assert_eq!(with(9), [id(1), id(5)]);
        assert_eq!(with(8), []);
        assert_eq!(known.keys(), [[1; 16], [2; 16], [5; 16]]);
        assert_eq!(known.missing().collect::<Vec<_>>(), [id(1), id(5)]);
        assert_eq!(known.len(), 3);
    }

    #[test]
    fn a_row_takes_at_most_64_bytes() {
        let row = size_of::<HeldRow>() + size_of::<u32>() + size_of::<AtomicBool>();
        assert!(row <= 64, "{row}");
    }
}
