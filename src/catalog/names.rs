//! The table of names: display names and attributes, joined to pictures.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::names_error::{BadRow, NamesError};
use super::source::Candidate;
use super::{names_csv, names_jsonl};
use crate::entity::Attributes;

/// Columns that are looked for, in this order, to join rows to pictures.
pub const KEY_COLUMNS: &[&str] = &[
    "path",
    "file",
    "filename",
    "file_name",
    "image",
    "image_path",
    "image_file",
    "image_name",
    "id",
    "sku",
];

/// Columns that are looked for, in this order, as the display name.
pub const NAME_COLUMNS: &[&str] = &["productDisplayName", "display_name", "name", "title"];

/// Columns given by the user instead of being looked for.
#[derive(Debug, Clone, Default)]
pub struct NamesOptions {
    /// Column that joins rows to pictures.
    pub key_column: Option<String>,
    /// Column that holds the display name.
    pub name_column: Option<String>,
}

/// A row as a file format gives it: values beside the table's columns.
#[derive(Debug)]
pub(super) struct RawRow {
    pub(super) line: u64,
    pub(super) values: Vec<Value>,
    /// Column of each value, where the row does not have them all: a thousand
    /// kinds of attributes in a million rows would be a billion nulls.
    pub(super) places: Option<Vec<usize>>,
}

/// A table as a file format gives it.
#[derive(Debug, Default)]
pub(super) struct RawTable {
    pub(super) columns: Vec<String>,
    /// Columns whose texts are numbers; empty where values have types.
    pub(super) numeric: Vec<bool>,
    pub(super) rows: Vec<RawRow>,
    pub(super) bad: Vec<BadRow>,
    /// Rows whose last column held unquoted separators, put together again.
    pub(super) mended: u64,
}

#[derive(Debug)]
struct Row {
    /// Line at which it starts, from 1.
    line: u64,
    display_name: Option<String>,
    attributes: Attributes,
    used: AtomicBool,
}

/// Display names and attributes by key: relative path, file name or file stem.
#[derive(Debug)]
pub struct NamesTable {
    rows: HashMap<String, Row>,
    /// Rows that could not be used.
    pub bad_rows: Vec<BadRow>,
    /// Rows whose last column held unquoted separators, put together again.
    pub mended_rows: u64,
    /// Column that joins rows to pictures.
    pub key_column: String,
    /// Column that holds the display name.
    pub name_column: String,
}

impl NamesTable {
    /// Reads a CSV (or TSV, or with semicolons) with a header, or JSONL, told
    /// apart by the first byte.
    ///
    /// Keys and display names are texts. Any other column of a CSV is one of
    /// numbers where all its values are plain digits (`12.50`, not `007`, `+1`
    /// or `1e5`); JSON has types of its own.
    ///
    /// # Errors
    /// The file cannot be read, is empty, is no UTF-8, or has no column for key
    /// or name. A single bad row is no error: it stands in
    /// [`bad_rows`](Self::bad_rows).
    pub fn read(path: &Path, options: &NamesOptions) -> Result<Self, NamesError> {
        let owned = || path.to_owned();
        let bytes = std::fs::read(path).map_err(|source| NamesError::Read {
            path: owned(),
            source,
        })?;
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let raw = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => return Err(NamesError::Empty { path: owned() }),
            // It opens a JSON array: as a CSV it would be one of nonsense.
            Some(b'[') => return Err(NamesError::NotJsonl { path: owned() }),
            Some(b'{') => names_jsonl::read(bytes),
            Some(_) => names_csv::read(bytes).map_err(|fault| NamesError::Header {
                path: owned(),
                fault,
            })?,
        };
        if raw.columns.is_empty() {
            return Err(NamesError::NotJsonl { path: owned() });
        }
        Self::join(path, raw, options)
    }

    fn join(path: &Path, raw: RawTable, options: &NamesOptions) -> Result<Self, NamesError> {
        let no_column = |what, flag| NamesError::NoColumn {
            path: path.to_owned(),
            what,
            flag,
            columns: raw.columns.clone(),
        };
        let name = find_column(&raw.columns, options.name_column.as_deref(), NAME_COLUMNS)
            .ok_or_else(|| no_column("display name", "--names-column"))?;
        let key = find_column(&raw.columns, options.key_column.as_deref(), KEY_COLUMNS)
            .or_else(|| (options.key_column.is_none() && name != 0).then_some(0))
            .ok_or_else(|| no_column("key", "--names-key"))?;
        let mut table = Self {
            rows: HashMap::with_capacity(raw.rows.len()),
            bad_rows: raw.bad,
            mended_rows: raw.mended,
            key_column: raw.columns[key].clone(),
            name_column: raw.columns[name].clone(),
        };
        let mut first_lines: HashMap<String, u64> = HashMap::new();
        for mut row in raw.rows {
            let line = row.line;
            // A key `2.10` is not 2.1, and a title "1984" no amount: both stay texts.
            let numeric = raw.numeric.iter().enumerate();
            for (index, _) in numeric.filter(|(i, numeric)| **numeric && *i != key && *i != name) {
                row.values[index] = names_csv::as_number(row.values[index].take());
            }
            match table.add(row, &raw.columns, (key, name)) {
                Ok(key) => {
                    first_lines.insert(key, line);
                }
                Err(Refused::NoKey) => table.refuse(line, "it has no key".to_owned()),
                Err(Refused::Repeated(key)) => {
                    let first = first_lines.get(&key).copied().unwrap_or_default();
                    table.refuse(line, format!("the key {key:?} stands on line {first} too"));
                }
            }
        }
        table.bad_rows.sort_by_key(|row| row.line);
        Ok(table)
    }

    fn refuse(&mut self, line: u64, reason: String) {
        self.bad_rows.push(BadRow { line, reason });
    }

    fn add(
        &mut self,
        row: RawRow,
        columns: &[String],
        (key, name): (usize, usize),
    ) -> Result<String, Refused> {
        let mut display_name = None;
        let mut row_key = String::new();
        let mut attributes = Attributes::new();
        for (position, value) in row.values.into_iter().enumerate() {
            let index = row.places.as_ref().map_or(position, |of| of[position]);
            let column = &columns[index];
            let text = as_text(&value);
            if index == key {
                row_key = normal_key(&text);
            }
            if index == name {
                display_name = (!text.is_empty()).then_some(text);
            } else if index != key && !is_empty(&value) {
                attributes.insert(column.clone(), value);
            }
        }
        if row_key.is_empty() {
            return Err(Refused::NoKey);
        }
        if self.rows.contains_key(&row_key) {
            return Err(Refused::Repeated(row_key));
        }
        self.rows.insert(
            row_key.clone(),
            Row {
                line: row.line,
                display_name,
                attributes,
                used: AtomicBool::new(false),
            },
        );
        Ok(row_key)
    }

    /// Display name and attributes of a picture: of the row whose key is its
    /// relative path, else its file name, else its stem.
    pub fn lookup(&self, candidate: &Candidate) -> (Option<&str>, Option<&Attributes>) {
        match self.row_of(candidate) {
            Some(row) => {
                row.used.store(true, Ordering::Relaxed);
                (row.display_name.as_deref(), Some(&row.attributes))
            }
            None => (None, None),
        }
    }

    /// Line at which a picture's row starts, from 1.
    pub fn line_of(&self, candidate: &Candidate) -> Option<u64> {
        self.row_of(candidate).map(|row| row.line)
    }

    fn row_of(&self, candidate: &Candidate) -> Option<&Row> {
        let file_name = candidate.relative.rsplit('/').next().unwrap_or_default();
        [candidate.relative.as_str(), file_name, stem(file_name)]
            .into_iter()
            .find_map(|key| self.rows.get(key))
    }

    /// Rows that could be read.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row could be read.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows that no picture was looked up for so far.
    pub fn unused(&self) -> usize {
        let unused = |row: &&Row| !row.used.load(Ordering::Relaxed);
        self.rows.values().filter(unused).count()
    }

    /// Line and key of the first rows that no picture was looked up for so
    /// far, `most` of them.
    pub fn unused_rows(&self, most: usize) -> Vec<(u64, &str)> {
        let rows = self.rows.iter();
        let unused = rows.filter(|(_, row)| !row.used.load(Ordering::Relaxed));
        let mut unused: Vec<(u64, &str)> =
            unused.map(|(key, row)| (row.line, key.as_str())).collect();
        unused.sort_unstable();
        unused.truncate(most);
        unused
    }
}

enum Refused {
    NoKey,
    Repeated(String),
}

fn find_column(columns: &[String], given: Option<&str>, known: &[&str]) -> Option<usize> {
    let position = |wanted: &str| {
        let exact = columns.iter().position(|column| column == wanted);
        exact.or_else(|| columns.iter().position(|c| c.eq_ignore_ascii_case(wanted)))
    };
    match given {
        Some(given) => position(given),
        None => known.iter().find_map(|wanted| position(wanted)),
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null) || value.as_str().is_some_and(str::is_empty)
}

fn normal_key(key: &str) -> String {
    let key = key.replace('\\', "/");
    let trimmed = key.trim_start_matches("./");
    trimmed.trim_start_matches('/').to_owned()
}

fn stem(file_name: &str) -> &str {
    match file_name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => file_name,
    }
}

/// The stem of a file's name, made readable: `red_hand-bag%20v2.jpg` reads
/// `red hand bag v2`.
pub fn readable_stem(relative: &str) -> String {
    let file_name = relative.rsplit('/').next().unwrap_or_default();
    let spaced: String = stem(file_name)
        .replace("%20", " ")
        .chars()
        .map(|c| {
            if matches!(c, '_' | '-' | '+' | '.') || c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    if words.is_empty() {
        file_name.to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{Hint, ImageId};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::HashSet;
    use std::path::PathBuf;

    fn table(text: &str) -> NamesTable {
        with(text, &NamesOptions::default()).unwrap()
    }

    fn with(text: &str, options: &NamesOptions) -> Result<NamesTable, NamesError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names");
        std::fs::write(&path, text).unwrap();
        NamesTable::read(&path, options)
    }

    fn candidate(relative: &str) -> Candidate {
        Candidate {
            id: ImageId::new("s", relative),
            path: PathBuf::from(relative),
            path_text: relative.to_owned(),
            relative: relative.to_owned(),
            bytes: 0,
            modified: 0,
            source: crate::catalog::SourceName {
                name: "s".into(),
                whole: true,
            },
        }
    }

    fn name_of(table: &NamesTable, relative: &str) -> Option<String> {
        table.lookup(&candidate(relative)).0.map(str::to_owned)
    }

    #[test]
    fn joins_by_relative_path_then_file_name_then_stem() {
        let table = table("id,name\na/1.jpg,path\n1.jpg,file\n1,stem\n2,unused\n");
        assert_eq!(name_of(&table, "a/1.jpg").unwrap(), "path");
        assert_eq!(name_of(&table, "b/1.jpg").unwrap(), "file");
        assert_eq!(name_of(&table, "b/1.png").unwrap(), "stem");
        assert_eq!(name_of(&table, "3.png"), None);
        assert_eq!(table.unused(), 1);
        assert_eq!(table.unused_rows(3), [(5, "2")]);
        assert_eq!(table.line_of(&candidate("b/1.png")), Some(4));
    }

    #[test]
    fn mends_unquoted_commas_in_the_last_column() {
        let text = "id,gender,year,productDisplayName\n1,Men,2011,Turtle Men Check Navy Blue Shirt\n2,Women,2012,Bag, red, large\n3,Men\n4,\"Wo,men\",2012,Ring\n";
        let table = table(text);
        assert_eq!(name_of(&table, "2.jpg").unwrap(), "Bag, red, large");
        assert_eq!(table.mended_rows, 1);
        assert_eq!(table.bad_rows.len(), 1);
        assert_eq!(table.bad_rows[0].line, 4);
        let attributes = table.lookup(&candidate("4.jpg")).1.unwrap().clone();
        assert_eq!(
            Value::Object(attributes),
            json!({"gender": "Wo,men", "year": 2012})
        );
    }

    #[test]
    fn a_column_is_a_number_only_where_all_its_values_are() {
        let table = table("id,name,price,code,size\n1,a,10,007,1\n2,b,2.5,12,M\n");
        let attributes = table.lookup(&candidate("1.jpg")).1.unwrap().clone();
        assert_eq!(
            Value::Object(attributes),
            json!({"price": 10, "code": "007", "size": "1"})
        );
    }

    #[test]
    fn keys_and_names_stay_texts_beside_columns_of_numbers() {
        let table =
            table("id,title,price,code\n2.10,12.50,12.50,1e5\n2.1,1984,9.99,10\n3,007,,+2\n");
        assert_eq!(table.bad_rows, []);
        assert_eq!(name_of(&table, "2.10.jpg").unwrap(), "12.50");
        assert_eq!(name_of(&table, "2.1.jpg").unwrap(), "1984");
        assert_eq!(name_of(&table, "3.jpg").unwrap(), "007");
        let attributes = table.lookup(&candidate("2.10.jpg")).1.unwrap().clone();
        assert_eq!(
            Value::Object(attributes),
            json!({"price": 12.5, "code": "1e5"})
        );
    }

    #[test]
    fn tables_that_cannot_be_read_say_why_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names");
        let failure = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let error = NamesTable::read(&path, &NamesOptions::default()).unwrap_err();
            let said = error.to_string();
            let said = said.replace(path.to_str().unwrap(), "T");
            format!("{said} / {}", error.hint().unwrap())
        };
        let utf8 = "the header of the names table T is not UTF-8 text / save it as UTF-8 (a spreadsheet calls it `CSV UTF-8`)";
        assert_eq!(failure(b"id,na\xEFme\n1,a\n"), utf8);
        assert_eq!(failure(b"\xFF\xFEi\0d\0,\0"), utf8);
        assert_eq!(
            failure(b"\nid,\"name\n1,a\n"),
            "the header of the names table T opens a quote and never closes it / close the quote on line 2, or take it out"
        );
        let jsonl = "the names table T does not hold a JSON object a line / write each object on one line of its own, without commas or brackets around them";
        assert_eq!(failure(b"[\n{\"id\": 1},\n{\"id\": 2}\n]"), jsonl);
        assert_eq!(failure(b"{\n  \"id\": 1\n}"), jsonl);
        for path in [dir.path(), &dir.path().join("nowhere")] {
            let error = NamesTable::read(path, &NamesOptions::default()).unwrap_err();
            assert!(matches!(error, NamesError::Read { .. }), "{error}");
        }
    }

    #[test]
    fn a_bad_value_costs_its_own_row_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names");
        std::fs::write(&path, b"id,name\r\n1,caf\xE9\r\n2,b\0\r\n3,c\r\n").unwrap();
        let table = NamesTable::read(&path, &NamesOptions::default()).unwrap();
        assert_eq!(name_of(&table, "3.jpg").unwrap(), "c");
        let lines: Vec<u64> = table.bad_rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn a_repeated_column_is_reported_and_its_first_kept() {
        let table = table("id,name,colour,colour\n1,a,red,blue\n");
        let attributes = table.lookup(&candidate("1.jpg")).1.unwrap().clone();
        assert_eq!(Value::Object(attributes), json!({"colour": "red"}));
        assert_eq!(
            table.bad_rows,
            [BadRow {
                line: 1,
                reason: "column 4 is called \"colour\", as column 3 is: only the first is used, rename one".to_owned()
            }]
        );
    }

    proptest! {
        /// What the csv crate writes is read back, whatever its cells hold: a
        /// row has at most 4 x 12 line breaks, so it stays below the limit.
        #[test]
        fn any_table_that_is_quoted_is_read_back(
            rows in vec(vec("[\\PC,;\t\"\n\r|]{0,12}", 4), 0..8),
            separator in prop::sample::select(b",;\t".to_vec()),
            turned in 0..4_usize,
            crlf in any::<bool>(),
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new()
                .delimiter(separator)
                .terminator(terminator)
                .from_writer(Vec::new());
            let mut header = ["path", "title", "colour", "size"];
            header.rotate_left(turned);
            writer.write_record(header).unwrap();
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let mut text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let last_line = 1 + text.matches('\n').count() as u64;
            text.push_str("short\n");

            let mut table = table(&text);
            let place = |column| header.iter().position(|name| *name == column).unwrap();
            let mut seen = HashSet::new();
            for row in &rows {
                let key = normal_key(row[place("path")].trim());
                if key.is_empty() || !seen.insert(key.clone()) {
                    continue;
                }
                let name = row[place("title")].trim();
                prop_assert_eq!(name_of(&table, &key).unwrap_or_default(), name);
                let attributes = table.lookup(&candidate(&key)).1.unwrap();
                let colour = attributes.get("colour").map(as_text).unwrap_or_default();
                let colour_cell = row[place("colour")].trim();
                prop_assert!(colour == colour_cell || colour.parse::<f64>() == colour_cell.parse());
            }
            prop_assert_eq!(table.len(), seen.len());
            prop_assert_eq!(table.mended_rows, 0);
            let short = table.bad_rows.pop().unwrap();
            prop_assert_eq!(short.line, last_line);
            prop_assert_eq!(table.bad_rows.len(), rows.len() - seen.len());
        }
    }

    #[test]
    fn a_quote_that_never_closes_costs_its_own_row_alone() {
        let table = table("id,name,note\n1,a,\"open\n2,b,x\n3,c,y\n");
        assert_eq!(name_of(&table, "2.jpg").unwrap(), "b");
        assert_eq!(name_of(&table, "3.jpg").unwrap(), "c");
        assert_eq!(table.bad_rows.len(), 1);
        assert_eq!(table.bad_rows[0].line, 2);
    }

    #[test]
    fn reads_jsonl_and_says_which_line_is_bad() {
        let table = table(
            "{\"file\":\"a.jpg\",\"title\":\"A\",\"tags\":[1]}\n\nnonsense\n{\"file\":\"b.jpg\",\"colour\":\"red\"}\n{\"title\":\"no key\"}\n",
        );
        assert_eq!(name_of(&table, "x/a.jpg").unwrap(), "A");
        let attributes = table.lookup(&candidate("b.jpg")).1.unwrap().clone();
        assert_eq!(Value::Object(attributes), json!({"colour": "red"}));
        let lines: Vec<u64> = table.bad_rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [3, 5]);
    }

    #[test]
    fn columns_are_found_or_named() {
        let text = "sku;Title;What\n1;t;w\n";
        assert_eq!(name_of(&table(text), "1.jpg").unwrap(), "t");
        let options = NamesOptions {
            key_column: None,
            name_column: Some("what".to_owned()),
        };
        assert_eq!(
            name_of(&with(text, &options).unwrap(), "1.jpg").unwrap(),
            "w"
        );
        let options = NamesOptions {
            key_column: None,
            name_column: Some("nothing".to_owned()),
        };
        let error = with(text, &options).expect_err("no such column");
        assert!(
            error
                .hint()
                .unwrap()
                .contains("--names-column: sku, Title, What")
        );
        assert!(matches!(with("", &options), Err(NamesError::Empty { .. })));
        let bom = table("\u{feff}id\tname\n1\tx\n");
        assert_eq!(name_of(&bom, "1.jpg").unwrap(), "x");
    }

    #[test]
    fn repeated_keys_keep_the_first() {
        let table = table("id,name\n1,a\n1,b\n");
        assert_eq!(name_of(&table, "1.jpg").unwrap(), "a");
        assert_eq!(
            table.bad_rows[0].reason,
            "the key \"1\" stands on line 2 too"
        );
    }

    #[test]
    fn stems_become_readable() {
        for (file, name) in [
            ("a/red_hand-bag%20v2.jpg", "red hand bag v2"),
            ("IMG_1234.JPG", "IMG 1234"),
            (".jpg", "jpg"),
            ("___.png", "___.png"),
        ] {
            assert_eq!(readable_stem(file), name, "{file}");
        }
    }
}
