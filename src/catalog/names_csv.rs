//! CSV as shops write it: any of three separators, commas nobody quoted,
//! quotes nobody closed.

use csv::{ByteRecord, Position, ReaderBuilder};
use serde_json::{Number, Value};
use std::io::Cursor;

use super::names::{BadRow, RawRow, RawTable};

/// A quoted field may span lines; one that spans more than this is a quote
/// that was never closed.
const MAX_LINES_A_ROW: u64 = 50;

/// Reads a table with a header.
pub(super) fn read(bytes: &[u8]) -> RawTable {
    let separator = guess_separator(bytes);
    let mut rows = Rows::new(bytes, separator);
    let mut table = RawTable::default();
    let Some((_, header)) = rows.next() else {
        return table;
    };
    table.columns = header
        .iter()
        .map(|column| String::from_utf8_lossy(column).trim().to_owned())
        .collect();
    let width = table.columns.len();
    let mut texts: Vec<(u64, Vec<String>)> = Vec::new();
    while let Some((line, record)) = rows.next_of(width) {
        match fit(&record, width, separator) {
            Ok((values, mended)) => {
                table.mended += u64::from(mended);
                texts.push((line, values));
            }
            Err(reason) => table.bad.push(BadRow { line, reason }),
        }
    }
    let numeric: Vec<bool> = (0..width)
        .map(|column| is_numeric(texts.iter().map(|(_, values)| values[column].as_str())))
        .collect();
    table.rows = texts
        .into_iter()
        .map(|(line, values)| RawRow {
            line,
            values: values
                .into_iter()
                .zip(&numeric)
                .map(|(text, numeric)| typed(text, *numeric))
                .collect(),
        })
        .collect();
    table
}

/// Records with the line at which they start.
struct Rows<'a> {
    bytes: &'a [u8],
    reader: csv::Reader<Cursor<&'a [u8]>>,
}

impl<'a> Rows<'a> {
    fn new(bytes: &'a [u8], separator: u8) -> Self {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(Cursor::new(bytes));
        Self { bytes, reader }
    }

    fn next(&mut self) -> Option<(u64, ByteRecord)> {
        let mut record = ByteRecord::new();
        // Reading bytes from memory, of any width, has no error to give.
        let more = self.reader.read_byte_record(&mut record).unwrap_or(false);
        let line = record.position().map_or(0, Position::line);
        more.then_some((line, record))
    }

    /// The next record. Where it spans lines and does not fit, a quote was
    /// left open: its first line alone is refused, and reading goes on with
    /// the second, so that no other row is swallowed.
    fn next_of(&mut self, width: usize) -> Option<(u64, ByteRecord)> {
        let (line, record) = self.next()?;
        let after = self.reader.position().clone();
        let start = record.position().map_or(0, offset);
        let raw = &self.bytes[start..offset(&after).min(self.bytes.len())];
        let quotes = count(raw, b'"');
        let spanned = after.line().saturating_sub(line);
        let closed =
            record.len() == width && quotes.is_multiple_of(2) && spanned <= MAX_LINES_A_ROW;
        if spanned <= 1 || closed {
            return Some((line, record));
        }
        let first_line = raw.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let mut second = Position::new();
        second
            .set_byte((start + first_line + 1) as u64)
            .set_line(line + 1);
        // A seek in memory cannot fail.
        self.reader.seek(second).ok()?;
        Some((line, ByteRecord::new()))
    }
}

fn offset(position: &Position) -> usize {
    usize::try_from(position.byte()).unwrap_or(usize::MAX)
}

/// The separator that the header holds most of; a comma where there is none.
fn guess_separator(bytes: &[u8]) -> u8 {
    let header = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    // Of equals the last wins: the comma.
    let best = b"\t;,"
        .iter()
        .max_by_key(|separator| count(header, **separator));
    best.copied().unwrap_or(b',')
}

#[expect(clippy::naive_bytecount, reason = "a line; not worth a crate")]
fn count(bytes: &[u8], wanted: u8) -> usize {
    bytes.iter().filter(|byte| **byte == wanted).count()
}

/// Values beside the columns; what is too much belongs to the last one, whose
/// separators nobody quoted.
fn fit(record: &ByteRecord, width: usize, separator: u8) -> Result<(Vec<String>, bool), String> {
    if record.is_empty() {
        return Err("a quote is opened and never closed".to_owned());
    }
    if record.len() < width {
        return Err(format!("it has {} of {width} columns", record.len()));
    }
    let mut values = Vec::with_capacity(width);
    for (index, field) in record.iter().enumerate() {
        let text =
            std::str::from_utf8(field).map_err(|_| format!("column {} is not UTF-8", index + 1))?;
        match values.last_mut() {
            Some(last) if index >= width => {
                *last = format!("{last}{}{text}", char::from(separator));
            }
            _ => values.push(text.to_owned()),
        }
    }
    let values = values.iter().map(|value| value.trim().to_owned()).collect();
    Ok((values, record.len() > width))
}

/// Whether a column is one of numbers: every value that is not empty reads as
/// one and is written the way we would write it, so `007` is a text.
fn is_numeric<'a>(values: impl Iterator<Item = &'a str>) -> bool {
    let mut any = false;
    for value in values.filter(|value| !value.is_empty()) {
        if number(value).is_none() {
            return false;
        }
        any = true;
    }
    any
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit());
    let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if !plain || padded {
        return None;
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) if text.contains('.') => Number::from_f64(text.parse().ok()?),
        Err(_) => None,
    }
}

fn typed(text: String, numeric: bool) -> Value {
    if numeric && let Some(number) = number(&text) {
        return Value::Number(number);
    }
    if text.is_empty() {
        Value::Null
    } else {
        Value::String(text)
    }
}
