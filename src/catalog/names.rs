//! The table of names: display names and attributes, joined to pictures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::names_csv;
use super::source::Candidate;
use crate::entity::{Attributes, Hint};

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

/// A row that could not be used, with its line in the file (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Line at which the row starts.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a table cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The file cannot be read.
    #[error("cannot read the names table {}", path.display())]
    Read {
        /// The table.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no header, or no row.
    #[error("the names table {} is empty", path.display())]
    Empty {
        /// The table.
        path: PathBuf,
    },
    /// A column is not there.
    #[error("the names table {} has no column for the {what}", path.display())]
    NoColumn {
        /// The table.
        path: PathBuf,
        /// `display name` or `key`.
        what: &'static str,
        /// Flag that names it.
        flag: &'static str,
        /// Columns that it has.
        columns: Vec<String>,
    },
}

impl Hint for NamesError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => None,
            Self::Empty { .. } => Some(
                "it needs a header line, then a row a picture (CSV), or an object a line (JSONL)"
                    .to_owned(),
            ),
            Self::NoColumn { flag, columns, .. } => Some(format!(
                "name one of its columns with {flag}: {}",
                columns.join(", ")
            )),
        }
    }
}

/// A row as a file format gives it: values beside the table's columns.
#[derive(Debug)]
pub(super) struct RawRow {
    pub(super) line: u64,
    pub(super) values: Vec<Value>,
}

/// A table as a file format gives it.
#[derive(Debug, Default)]
pub(super) struct RawTable {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<RawRow>,
    pub(super) bad: Vec<BadRow>,
    /// Rows whose last column held unquoted separators, put together again.
    pub(super) mended: u64,
}

#[derive(Debug)]
struct Row {
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
    /// # Errors
    /// The file cannot be read, is empty, or has no column for key or name. A
    /// single bad row is no error: it stands in [`bad_rows`](Self::bad_rows).
    pub fn read(path: &Path, options: &NamesOptions) -> Result<Self, NamesError> {
        let bytes = std::fs::read(path).map_err(|source| NamesError::Read {
            path: path.to_owned(),
            source,
        })?;
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let raw = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => None,
            Some(b'{') => Some(read_jsonl(bytes)),
            Some(_) => Some(names_csv::read(bytes)),
        };
        match raw {
            Some(raw) if !raw.columns.is_empty() => Self::join(path, raw, options),
            _ => Err(NamesError::Empty {
                path: path.to_owned(),
            }),
        }
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
        for row in raw.rows {
            let line = row.line;
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
        for (index, (column, value)) in columns.iter().zip(row.values).enumerate() {
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
        let file_name = candidate.relative.rsplit('/').next().unwrap_or_default();
        let row = [candidate.relative.as_str(), file_name, stem(file_name)]
            .into_iter()
            .find_map(|key| self.rows.get(key));
        match row {
            Some(row) => {
                row.used.store(true, Ordering::Relaxed);
                (row.display_name.as_deref(), Some(&row.attributes))
            }
            None => (None, None),
        }
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

/// One object a line; its keys are the columns, in order of appearance.
fn read_jsonl(bytes: &[u8]) -> RawTable {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::ImageId;
    use serde_json::json;

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
