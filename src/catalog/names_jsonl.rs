//! JSONL: one object a line.

use std::collections::HashMap;

use serde_json::Value;

use super::names::{RawRow, RawTable};
use super::names_error::BadRow;
use crate::entity::Attributes;

/// Reads a table whose columns are the keys of its objects, in order of
/// appearance. Values keep the types that they have.
pub(super) fn read(bytes: &[u8]) -> RawTable {
    let mut table = RawTable::default();
    let mut positions: HashMap<String, usize> = HashMap::new();
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
        let mut values = vec![Value::Null; positions.len()];
        for (column, value) in object {
            let next = positions.len();
            let position = *positions.entry(column.clone()).or_insert(next);
            if position == next {
                table.columns.push(column);
                values.push(value);
            } else {
                values[position] = value;
            }
        }
        table.rows.push(RawRow {
            line: number,
            values,
        });
    }
    table
}
