//! CSV as shops write it: any of three separators, any line ends, commas nobody
//! quoted, quotes nobody closed.
//!
//! A column is one of numbers where every value that is not empty is written as
//! plain digits: an optional minus, whole part, optional decimals. `12.50` is a
//! number, since prices are written so; `007`, `+1`, `.5`, `1e5` and more digits
//! than a number keeps are texts, and make a text of their whole column.

use std::collections::HashMap;
use std::io::Cursor;

use csv::{ByteRecord, Position, ReaderBuilder};
use serde_json::{Number, Value};

use super::names::{RawRow, RawTable};
use super::names_error::{BadRow, HeaderFault};

/// A quoted field may span lines; one that spans more than this is a quote
/// that was never closed.
const MAX_LINES_A_ROW: usize = 50;

const NEVER_CLOSED: &str = "a quote is opened and never closed";

/// Reads a table with a header. Values are texts; which columns are numbers
/// stands beside them.
pub(super) fn read(bytes: &[u8]) -> Result<RawTable, HeaderFault> {
    let separator = guess_separator(bytes);
    let mut rows = Rows::new(bytes, separator);
    let mut table = RawTable::default();
    let Some(header) = rows.next() else {
        return Ok(table);
    };
    table.columns = columns(&header, rows.quoting(&header))?;
    let width = table.columns.len();
    while let Some((line, record)) = rows.next_of(width) {
        let values = record.and_then(|record| fit(&record, &table.columns, separator));
        match values {
            Ok((values, mended)) => {
                table.mended += u64::from(mended);
                let places = None;
                table.rows.push(RawRow {
                    line,
                    values,
                    places,
                });
            }
            Err(reason) => table.bad.push(BadRow { line, reason }),
        }
    }
    drop_repeated_columns(&mut table, header.line);
    table.numeric = (0..table.columns.len())
        .map(|column| is_numeric(table.rows.iter().map(|row| &row.values[column])))
        .collect();
    Ok(table)
}

/// Of columns with one name the first is kept, since attributes go by name. The
/// others are reported, unless they are empty, as behind `id,name,,` they are.
fn drop_repeated_columns(table: &mut RawTable, header_line: u64) {
    let mut first_places = HashMap::new();
    let mut kept = Vec::with_capacity(table.columns.len());
    for (index, column) in table.columns.iter().enumerate() {
        let first = *first_places.entry(column.as_str()).or_insert(index);
        kept.push(first == index);
        if first != index && table.rows.iter().any(|row| row.values[index] != "") {
            let (this, first) = (index + 1, first + 1);
            table.bad.push(BadRow {
                line: header_line,
                reason: format!(
                    "column {this} is called {column:?}, as column {first} is: only the first is used, rename one"
                ),
            });
        }
    }
    if kept.iter().all(|kept| *kept) {
        return;
    }
    keep(&mut table.columns, &kept);
    for row in &mut table.rows {
        keep(&mut row.values, &kept);
    }
}

fn keep<T>(items: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    items.retain(|_| kept.next().is_some_and(|kept| *kept));
}

fn columns(header: &Record, quoting: Quoting) -> Result<Vec<String>, HeaderFault> {
    let column = |cell: &[u8]| match std::str::from_utf8(cell) {
        // UTF-16 without its mark is valid UTF-8, with a NUL in every letter.
        Ok(text) if !text.contains('\0') => Ok(text.trim().to_owned()),
        _ => Err(HeaderFault::NotUtf8),
    };
    let columns = header.cells.iter().map(column).collect();
    if quoting == Quoting::Open || (header.breaks > 0 && quoting == Quoting::Sloppy) {
        return Err(HeaderFault::OpenQuote { line: header.line });
    }
    columns
}

/// A record, and where it stands in the bytes.
struct Record {
    /// Line at which it starts, from 1.
    line: u64,
    /// Line breaks inside it.
    breaks: usize,
    start: usize,
    end: usize,
    cells: ByteRecord,
}

struct Rows<'a> {
    bytes: &'a [u8],
    separator: u8,
    /// What ends a line: `\n`, or `\r` where there is no `\n` at all.
    newline: u8,
    reader: csv::Reader<Cursor<&'a [u8]>>,
    /// Where the record read last starts, and its line.
    counted: (usize, u64),
}

impl<'a> Rows<'a> {
    fn new(bytes: &'a [u8], separator: u8) -> Self {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(Cursor::new(bytes));
        let newline = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
        Self {
            bytes,
            separator,
            newline,
            reader,
            counted: (0, 1),
        }
    }

    /// Where the next record starts, and its line. The reader's own position
    /// stands before line ends that it passes over (empty lines, the `\n` of
    /// `\r\n`), so the start is sought behind them, and lines are counted here.
    fn start(&mut self) -> (usize, u64) {
        let read_to = offset(self.reader.position()).min(self.bytes.len());
        let passed_over = self.bytes[read_to..]
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        let start = read_to + passed_over;
        let (counted, line) = self.counted;
        let line = line + count(&self.bytes[counted..start], self.newline) as u64;
        self.counted = (start, line);
        self.counted
    }

    /// The next record.
    fn next(&mut self) -> Option<Record> {
        let (start, line) = self.start();
        let mut cells = ByteRecord::new();
        // Reading bytes from memory, of any width, has no error to give.
        if !self.reader.read_byte_record(&mut cells).unwrap_or(false) {
            return None;
        }
        let end = offset(self.reader.position()).clamp(start, self.bytes.len());
        let raw = &self.bytes[start..end];
        let body = raw.strip_suffix(&[self.newline]).unwrap_or(raw);
        Some(Record {
            line,
            breaks: count(body, self.newline),
            start,
            end,
            cells,
        })
    }

    /// The next record, or why it is none. Where one spans lines and does not
    /// fit, its first line alone is refused, and reading goes on with the
    /// second, so that an open quote swallows no other row.
    fn next_of(&mut self, width: usize) -> Option<(u64, Result<ByteRecord, String>)> {
        let (start, line) = self.start();
        let reason = if self.is_left_open(start) {
            NEVER_CLOSED.to_owned()
        } else {
            let record = self.next()?;
            let quoting = self.quoting(&record);
            if quoting == Quoting::Open || (record.breaks > 0 && quoting == Quoting::Sloppy) {
                NEVER_CLOSED.to_owned()
            } else if record.breaks > 0 && record.cells.len() != width {
                format!(
                    "it spans {} lines and has {} of {width} columns",
                    record.breaks + 1,
                    record.cells.len()
                )
            } else {
                return Some((line, Ok(record.cells)));
            }
        };
        let first_line = self.bytes[start..]
            .iter()
            .position(|byte| *byte == self.newline);
        let second_line = first_line.map_or(self.bytes.len(), |length| start + length + 1);
        let mut position = Position::new();
        position.set_byte(second_line as u64);
        // A seek in memory cannot fail.
        self.reader.seek(position).ok()?;
        Some((line, Err(reason)))
    }

    /// Whether the record from `start` on spans too many lines. It is told
    /// before the record is read: where each of a million lines opens a quote,
    /// each would otherwise be read to the end of the file.
    fn is_left_open(&self, start: usize) -> bool {
        let mut quotes = Quotes::new(self.separator);
        let mut breaks = 0;
        for &byte in &self.bytes[start..] {
            quotes.read(byte);
            if !matches!(byte, b'\r' | b'\n') {
                continue;
            }
            breaks += usize::from(byte == self.newline);
            if !quotes.is_open() || breaks > MAX_LINES_A_ROW {
                return quotes.is_open();
            }
        }
        false
    }

    fn quoting(&self, record: &Record) -> Quoting {
        Quoting::of(&self.bytes[record.start..record.end], self.separator)
    }
}

fn offset(position: &Position) -> usize {
    usize::try_from(position.byte()).unwrap_or(usize::MAX)
}

/// How a record's quotes are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// Every quote that opens a field closes it.
    Clean,
    /// Text follows a closing quote: `"Best" shirt`; or the quote that closes a
    /// field was meant to open one of another row.
    Sloppy,
    /// The file ends inside a quoted field.
    Open,
}

impl Quoting {
    fn of(raw: &[u8], separator: u8) -> Self {
        let mut quotes = Quotes::new(separator);
        for &byte in raw {
            quotes.read(byte);
        }
        match quotes {
            _ if quotes.is_open() => Self::Open,
            Quotes { sloppy: true, .. } => Self::Sloppy,
            _ => Self::Clean,
        }
    }
}

/// Follows the quotes of a record, byte by byte, as the reader does.
struct Quotes {
    separator: u8,
    at: At,
    /// Whether text followed a closing quote.
    sloppy: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    FieldStart,
    Bare,
    Quoted,
    AfterQuote,
}

impl Quotes {
    fn new(separator: u8) -> Self {
        Self {
            separator,
            at: At::FieldStart,
            sloppy: false,
        }
    }

    fn read(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::Quoted, b'"') => At::AfterQuote,
            (At::Quoted, _) | (At::FieldStart | At::AfterQuote, b'"') => At::Quoted,
            (_, b'\r' | b'\n') => At::FieldStart,
            (_, byte) if byte == self.separator => At::FieldStart,
            (At::AfterQuote, _) => {
                self.sloppy = true;
                At::Bare
            }
            (At::FieldStart | At::Bare, _) => At::Bare,
        };
    }

    fn is_open(&self) -> bool {
        self.at == At::Quoted
    }
}

/// The separator that the header holds most of outside of quotes; a comma where
/// there is none.
pub(super) fn guess_separator(bytes: &[u8]) -> u8 {
    let mut counts = [(b'\t', 0), (b';', 0), (b',', 0)];
    let mut quoted = false;
    let begun = bytes.iter().skip_while(|byte| byte.is_ascii_whitespace());
    for byte in begun {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            _ if quoted => {}
            _ => {
                for (_, count) in counts.iter_mut().filter(|(known, _)| known == byte) {
                    *count += 1;
                }
            }
        }
    }
    // Of equals the last wins: the comma.
    let best = counts.into_iter().max_by_key(|(_, count)| *count);
    best.map_or(b',', |(separator, _)| separator)
}

#[expect(clippy::naive_bytecount, reason = "a line; not worth a crate")]
fn count(bytes: &[u8], wanted: u8) -> usize {
    bytes.iter().filter(|byte| **byte == wanted).count()
}

/// Values beside the columns; what is too much belongs to the last one, whose
/// separators nobody quoted.
fn fit(
    record: &ByteRecord,
    columns: &[String],
    separator: u8,
) -> Result<(Vec<Value>, bool), String> {
    let width = columns.len();
    if record.len() < width {
        return Err(format!("it has {} of {width} columns", record.len()));
    }
    let mut values: Vec<String> = Vec::with_capacity(width);
    for (index, field) in record.iter().enumerate() {
        let column = || &columns[index.min(width - 1)];
        let text = std::str::from_utf8(field).map_err(|_| {
            format!(
                "column {:?} is not UTF-8: save the table as UTF-8",
                column()
            )
        })?;
        if text.contains('\0') {
            return Err(format!("column {:?} holds a NUL byte", column()));
        }
        match values.last_mut() {
            Some(last) if index >= width => {
                last.push(char::from(separator));
                last.push_str(text);
            }
            _ => values.push(text.to_owned()),
        }
    }
    let values = values.iter().map(|value| Value::from(value.trim()));
    Ok((values.collect(), record.len() > width))
}

fn is_numeric<'a>(values: impl Iterator<Item = &'a Value>) -> bool {
    let mut any = false;
    for text in values.filter_map(Value::as_str).filter(|t| !t.is_empty()) {
        if number(text).is_none() {
            return false;
        }
        any = true;
    }
    any
}

/// A value of a column of numbers.
pub(super) fn as_number(value: Value) -> Value {
    value.as_str().and_then(number).map_or(value, Value::Number)
}

/// The number that `text` is, where it prints back to the same digits; zeros
/// that end its decimals may go.
fn number(text: &str) -> Option<Number> {
    if let Ok(whole) = text.parse::<i64>() {
        return (whole.to_string() == text).then(|| whole.into());
    }
    let shortest = text.trim_end_matches('0').trim_end_matches('.');
    let (_, decimals) = text.split_once('.')?;
    let value: f64 = text.parse().ok()?;
    // Displayed, a float has no exponent, whatever its size.
    let prints_back = !decimals.is_empty() && value.to_string() == shortest;
    prints_back.then(|| Number::from_f64(value)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(text: &[u8]) -> Vec<(u64, String)> {
        let table = read(text).unwrap();
        let bad = table.bad.into_iter();
        bad.map(|row| (row.line, row.reason)).collect()
    }

    fn one(line: u64, reason: &str) -> Vec<(u64, String)> {
        vec![(line, reason.to_owned())]
    }

    #[test]
    fn bad_rows_stand_on_their_own_line_whatever_ends_lines() {
        for end in ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n"] {
            let lines = |rows: &[&str]| rows.join(end).into_bytes();
            let step = if end.len() % 2 == 0 && end != "\r\n" {
                2
            } else {
                1
            };
            let short = lines(&["id,name,note", "1,a,x", "2,b", "3,c,y", ""]);
            let line = 1 + 2 * step;
            assert_eq!(bad(&short), one(line, "it has 2 of 3 columns"), "{end:?}");
            let open = lines(&["id,name,note", "1,a,\"open", "2,b,x", "3,c,y", ""]);
            assert_eq!(bad(&open), one(1 + step, NEVER_CLOSED), "{end:?}");
            assert_eq!(read(&open).unwrap().rows[1].line, 1 + 3 * step, "{end:?}");
        }
    }

    #[test]
    fn empty_lines_are_not_quotes_that_never_close() {
        for text in [
            &b"\n\nid,name\n1,a\n\n\n2,b, and c\n\n"[..],
            b"id,name\r\n1,a\r\n\r\n2,b, and c\r\n\r\n",
        ] {
            let table = read(text).unwrap();
            assert_eq!(table.bad, []);
            assert_eq!(table.mended, 1);
            assert_eq!(table.rows[1].values[1], "b, and c");
        }
        assert_eq!(
            bad(b"id,name,note\n\n1,a\n"),
            one(3, "it has 2 of 3 columns")
        );
    }

    #[test]
    fn an_open_quote_is_told_from_a_quoted_row_of_many_lines() {
        let never = |lines: &[u64]| -> Vec<(u64, String)> {
            let all = lines.iter();
            all.map(|line| (*line, NEVER_CLOSED.to_owned())).collect()
        };
        // Two rows that each leave one open do not close one another's.
        assert_eq!(bad(b"id,n,x\n1,a,\"o\n2,b,\"p\n3,c,y\n"), never(&[2, 3]));
        // On the last line there is nothing to swallow; it is refused as elsewhere.
        assert_eq!(bad(b"id,n,x\n1,a,b\n2,b,\"open\n"), never(&[3]));
        assert_eq!(bad(b"id,n,x\r\n1,a,b\r\n2,\"open,x\r\n"), never(&[3]));
        // A mark of inches beside a quoted break opens nothing.
        let fine = read(b"id,n,x\n1,5\" disc,\"a\r\nb\"\n2,\"Best\" shirt,y\n").unwrap();
        assert_eq!(fine.bad, []);
        assert_eq!(fine.rows[0].values[2], "a\r\nb");
        assert_eq!(
            (fine.rows[1].line, &fine.rows[1].values[1]),
            (4, &"Best shirt".into())
        );
        let long = format!("id,n\n1,\"{}\"\n2,b\n", "\n".repeat(51));
        assert_eq!(bad(long.as_bytes())[0], (2, NEVER_CLOSED.to_owned()));
        let two_lines = "it spans 2 lines and has 2 of 3 columns";
        assert_eq!(bad(b"id,n,x\n1,\"a\nb\"\n")[0], (2, two_lines.to_owned()));
    }

    #[test]
    fn a_quote_opened_on_every_line_takes_no_longer_than_one() {
        let lines = 100_000;
        let text = format!("id,n\n{}", "a\",\"b\n".repeat(lines));
        let begun = std::time::Instant::now();
        assert_eq!(bad(text.as_bytes()).len(), lines);
        let taken = begun.elapsed();
        assert!(taken.as_secs() < 20, "{taken:?}: it was minutes");
    }

    #[test]
    fn bytes_that_are_no_text_are_named() {
        let latin = "column \"name\" is not UTF-8: save the table as UTF-8";
        assert_eq!(bad(b"id,name\n1,caf\xE9\n2,b\n"), one(2, latin));
        let nul = "column \"id\" holds a NUL byte";
        assert_eq!(bad(b"id,name\n1\0,x\n"), one(2, nul));
        let utf16: Vec<u8> = "id,name\n1,a\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for header in [&b"id,na\xEFme\n1,a\n"[..], &utf16, b"\xFF\xFEi\0"] {
            assert_eq!(read(header).err(), Some(HeaderFault::NotUtf8), "{header:?}");
        }
        for header in [&b"\nid,\"name\n1,a\n"[..], b"\nid,\"name\n1,\"a\"\n"] {
            let open = Some(HeaderFault::OpenQuote { line: 2 });
            assert_eq!(read(header).err(), open, "{header:?}");
        }
    }

    #[test]
    fn of_columns_with_one_name_the_first_is_used() {
        let table = read(b"\nid,name,size,,name,size,\n1,a,2,,b,x,\n2,c,3,,,y,\n").unwrap();
        assert_eq!(table.columns, ["id", "name", "size", ""]);
        assert_eq!(table.rows[0].values, ["1", "a", "2", ""]);
        assert_eq!(table.numeric, [true, false, true, false]);
        let told: Vec<_> = table
            .bad
            .iter()
            .map(|bad| (bad.line, bad.reason.split(',').next().unwrap()))
            .collect();
        let expected = [
            (2, "column 5 is called \"name\""),
            (2, "column 6 is called \"size\""),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn separators_are_counted_outside_of_quotes() {
        for (text, separator) in [
            ("id;\"a, b, c\"\n", b';'),
            ("\n\nid\tname\tfirst, last\n", b'\t'),
            ("id", b','),
            ("id,\"a\nb\",c;d\n", b','),
        ] {
            assert_eq!(guess_separator(text.as_bytes()), separator, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_those_that_print_back() {
        for text in [
            "0", "-7", "10", "12.50", "9.99", "0.00001", "1.00", "0.0", "-0.5",
        ] {
            assert_eq!(number(text).unwrap().as_f64(), text.parse().ok(), "{text}");
        }
        for text in [
            "",
            "-",
            "-0",
            "+1",
            "007",
            "00.5",
            ".5",
            "5.",
            "1e5",
            "1.5e3",
            "inf",
            "NaN",
            "1,5",
            "1.2.3",
            "12345678901234567890",
            "0.12345678901234567890",
            "1 000",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
