//! JSONL: one object a line.

use std::collections::HashMap;

use super::names::{RawRow, RawTable};
use super::names_error::BadRow;
use crate::entity::Attributes;

/// Reads a table whose columns are the keys of its objects, in order of
/// appearance. Values keep the types that they have.
pub(super) fn read(bytes: &[u8]) -> RawTable {
    let mut table = RawTable::default();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (number, line) in (1u64..).zip(bytes.split(|byte| *byte == b'\n')) {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let object: Attributes = match serde_json::from_slice(line) {
            Ok(object) => object,
            Err(error) => {
                let reason = format!("it is not a JSON object: {error}");
                table.bad.push(BadRow {
                    line: number,
                    reason,
                });
                continue;
            }
        };
        let mut place_of = |column: String| {
            let next = known.len();
            let place = known.entry(column);
            *place.or_insert_with_key(|column| {
                table.columns.push(column.clone());
                next
            })
        };
        let cells = object.into_iter();
        let (places, values) = cells
            .map(|(column, value)| (place_of(column), value))
            .unzip();
        table.rows.push(RawRow {
            line: number,
            values,
            places: Some(places),
        });
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_row_holds_its_own_values_however_many_columns_others_have() {
        let line = |row: usize| format!("{{\"id\":{row},\"only here {row}\":true}}\n");
        let text: String = (0..100).map(line).collect();
        let table = read(text.as_bytes());
        assert_eq!(table.columns.len(), 101);
        let last = &table.rows[99];
        assert_eq!(last.values, [Value::from(99), Value::from(true)]);
        assert_eq!(last.places.as_deref(), Some(&[0, 100][..]));
        assert!(table.rows.iter().all(|row| row.values.len() == 2));
    }
}
