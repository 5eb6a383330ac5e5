//! Files of questions: plain lines, JSONL or CSV, read one after the other.
//!
//! A line is a text. In JSONL and CSV the fields `text`, `image`, `id`,
//! `not_text` and `not_image` make the question (a list where there are several,
//! in JSONL); every other field is kept beside it, for whoever reads the answer.
//! Memory does not grow with the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::StringRecord;
use serde_json::Value;

use super::names_csv::guess_separator;
use crate::entity::{Attributes, Hint};

/// Longest line: no question is longer, and a file that is none has one.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Parts of a question, by the name of their field.
const FIELDS: [(&str, AskedKind); 5] = [
    ("text", AskedKind::Text),
    ("image", AskedKind::Image),
    ("id", AskedKind::Id),
    ("not_text", AskedKind::NotText),
    ("not_image", AskedKind::NotImage),
];

/// What a part of a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedKind {
    /// Words.
    Text,
    /// Path or address of a picture.
    Image,
    /// Id of a stored picture.
    Id,
    /// Words that are not looked for.
    NotText,
    /// A picture that is not looked for.
    NotImage,
}

/// A question of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Line on which it begins, from 1.
    pub line: u64,
    /// Its parts, at least one.
    pub parts: Vec<(AskedKind, String)>,
    /// The other fields.
    pub fields: Attributes,
}

/// A line that is no question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadQuestion {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

/// Why a file of questions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum QueriesError {
    /// The system refuses.
    #[error("cannot read the questions in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A CSV without any column that asks.
    #[error("the questions in {} have no column text, image or id", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// Columns that it has.
        found: Vec<String>,
    },
}

impl Hint for QueriesError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => "check the path and its permissions".to_owned(),
            Self::NoColumn { found, .. } => format!(
                "its header says {}: name one of them text, image or id",
                found.join(", ")
            ),
        })
    }
}

/// The questions of a file, in order.
pub struct Queries {
    path: PathBuf,
    lines: Lines,
}

impl std::fmt::Debug for Queries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queries")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

type Input = Box<dyn BufRead + Send>;

enum Lines {
    Plain(Input, u64),
    Json(Input, u64),
    Csv(Vec<String>, csv::StringRecordsIntoIter<Input>),
}

impl Queries {
    /// Opens a file; `-` is standard input. `.csv` is CSV with a header,
    /// `.jsonl`, `.ndjson` and what begins with `{` is JSONL, all else lines.
    ///
    /// # Errors
    /// It cannot be read, or a CSV has no column that asks.
    pub fn open(path: &Path) -> Result<Self, QueriesError> {
        let unreadable = |source| QueriesError::Read {
            path: path.to_owned(),
            source,
        };
        let mut input: Input = if path == Path::new("-") {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(path).map_err(unreadable)?))
        };
        let head = input.fill_buf().map_err(unreadable)?;
        let bom = head.starts_with(b"\xef\xbb\xbf");
        let first = head.iter().skip(if bom { 3 } else { 0 });
        let first = first.copied().find(|byte| !byte.is_ascii_whitespace());
        let separator = guess_separator(head);
        if bom {
            input.consume(3);
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        let lines = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("csv" | "tsv") => csv_lines(path, input, separator)?,
            Some("jsonl" | "ndjson" | "json") => Lines::Json(input, 0),
            _ if first == Some(b'{') => Lines::Json(input, 0),
            _ => Lines::Plain(input, 0),
        };
        Ok(Self {
            path: path.to_owned(),
            lines,
        })
    }

    /// Folder from which the paths of its pictures count: its own, or the
    /// working folder for standard input.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    fn read(&mut self) -> io::Result<Option<Result<Asked, BadQuestion>>> {
        match &mut self.lines {
            Lines::Plain(input, number) => {
                let line = next_line(input, number)?;
                Ok(line.map(|(line, text)| {
                    Ok(Asked {
                        line,
                        parts: vec![(AskedKind::Text, text?.trim().to_owned())],
                        fields: Attributes::new(),
                    })
                }))
            }
            Lines::Json(input, number) => {
                let line = next_line(input, number)?;
                Ok(line.map(|(line, text)| of_json(line, &text?)))
            }
            Lines::Csv(columns, records) => Ok(match records.next() {
                None => None,
                Some(Ok(record)) => Some(of_record(columns, &record)),
                Some(Err(error)) if error.is_io_error() => return Err(error.into()),
                Some(Err(error)) => Some(Err(BadQuestion {
                    line: error.position().map_or(0, csv::Position::line),
                    reason: error.to_string(),
                })),
            }),
        }
    }
}

impl Iterator for Queries {
    /// A fault of the file ends it; one of a line does not.
    type Item = Result<Result<Asked, BadQuestion>, QueriesError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(question) => question.map(Ok),
            Err(source) => Some(Err(QueriesError::Read {
                path: self.path.clone(),
                source,
            })),
        }
    }
}

fn csv_lines(path: &Path, input: Input, separator: u8) -> Result<Lines, QueriesError> {
    let unreadable = |error: csv::Error| QueriesError::Read {
        path: path.to_owned(),
        source: error.into(),
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .from_reader(input);
    let header = reader.headers().map_err(unreadable)?;
    let columns: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let asks = |column: &String| FIELDS.iter().any(|(name, _)| name == column);
    if !columns.iter().any(asks) {
        return Err(QueriesError::NoColumn {
            path: path.to_owned(),
            found: columns,
        });
    }
    Ok(Lines::Csv(columns, reader.into_records()))
}

type Line = (u64, Result<String, BadQuestion>);

/// The next line that is not blank, and its number.
fn next_line(input: &mut Input, number: &mut u64) -> io::Result<Option<Line>> {
    loop {
        *number += 1;
        let line = *number;
        let bad = |reason: &str| BadQuestion {
            line,
            reason: reason.to_owned(),
        };
        let mut bytes = Vec::new();
        let read = input
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        if bytes.last() != Some(&b'\n') && read as u64 == MAX_LINE_BYTES {
            pass_over_line(input)?;
            return Ok(Some((line, Err(bad("it is longer than 1 MiB")))));
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"));
        return Ok(Some((line, text)));
    }
}

/// Reads to the end of the line, without keeping it.
fn pass_over_line(input: &mut Input) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (read, ended) = (end.map_or(buffer.len(), |end| end + 1), end.is_some());
        input.consume(read);
        if ended || read == 0 {
            return Ok(());
        }
    }
}

fn of_json(line: u64, text: &str) -> Result<Asked, BadQuestion> {
    let bad = |reason: String| BadQuestion { line, reason };
    let mut fields: Attributes = serde_json::from_str(text)
        .map_err(|error| bad(format!("it is not a JSON object: {error}")))?;
    let mut parts = Vec::new();
    for (name, kind) in FIELDS {
        let values = match fields.remove(name) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(values)) => values,
            Some(one) => vec![one],
        };
        for value in values {
            match value {
                Value::String(text) => parts.push((kind, text)),
                other => return Err(bad(format!("`{name}` is {other}, and must be a text"))),
            }
        }
    }
    asked(line, parts, fields)
}

fn of_record(columns: &[String], record: &StringRecord) -> Result<Asked, BadQuestion> {
    let line = record.position().map_or(0, csv::Position::line);
    let (mut parts, mut fields) = (Vec::new(), Attributes::new());
    for (column, value) in columns.iter().zip(record) {
        match FIELDS.iter().find(|(name, _)| name == column) {
            Some(_) if value.trim().is_empty() => {}
            Some((_, kind)) => parts.push((*kind, value.to_owned())),
            None => {
                fields.insert(column.clone(), value.into());
            }
        }
    }
    asked(line, parts, fields)
}

fn asked(
    line: u64,
    parts: Vec<(AskedKind, String)>,
    fields: Attributes,
) -> Result<Asked, BadQuestion> {
    let empty = parts.iter().find(|(_, value)| value.trim().is_empty());
    let reason = match (parts.is_empty(), empty) {
        (false, None) => {
            return Ok(Asked {
                line,
                parts,
                fields,
            });
        }
        (true, _) => "it has no text, image or id",
        (false, Some(_)) => "one of its parts is empty",
    };
    Err(BadQuestion {
        line,
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: impl AsRef<[u8]>) -> Vec<Result<Asked, BadQuestion>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let queries = Queries::open(&path).unwrap();
        assert_eq!(queries.folder(), folder.path());
        queries.map(Result::unwrap).collect()
    }

    fn text(question: &Result<Asked, BadQuestion>) -> (u64, &str) {
        let question = question.as_ref().unwrap();
        (question.line, &question.parts[0].1)
    }

    #[test]
    fn lines_are_texts_and_blank_ones_nothing() {
        let read = read("q.txt", "red handbag\r\n\n  \n a cat \n\u{1f600}");
        let texts: Vec<_> = read.iter().map(text).collect();
        assert_eq!(texts, [(1, "red handbag"), (4, "a cat"), (5, "\u{1f600}")]);
        assert!(super::tests::read("q.txt", "").is_empty());
    }

    #[test]
    fn what_is_no_question_is_named_and_the_rest_goes_on() {
        let mut long = vec![b'a'; 3 << 20];
        long.extend_from_slice(b"\nshort\n\xff\nlast");
        let read = read("q.txt", long);
        let bad = |line, reason: &str| {
            Err(BadQuestion {
                line,
                reason: reason.to_owned(),
            })
        };
        assert_eq!(read[0], bad(1, "it is longer than 1 MiB"));
        assert_eq!(text(&read[1]), (2, "short"));
        assert_eq!(read[2], bad(3, "it is not UTF-8"));
        assert_eq!(text(&read[3]), (4, "last"));
    }

    #[test]
    fn json_has_parts_lists_and_other_fields() {
        let lines = "{\"text\":[\"a\",\"b\"],\"image\":\"q.jpg\",\"not_text\":\"c\",\"kind\":\"bag\"}\n\
                     {\"kind\":1}\n{\"text\":7}\nno\n{\"id\":\"x\",\"text\":null}\n{\"text\":\" \"}";
        for name in ["q.jsonl", "q"] {
            let read = read(name, format!("\u{feff}{lines}"));
            let first = read[0].as_ref().unwrap();
            let parts: Vec<_> = first.parts.iter().map(|(k, v)| (*k, v.as_str())).collect();
            assert_eq!(
                parts,
                [
                    (AskedKind::Text, "a"),
                    (AskedKind::Text, "b"),
                    (AskedKind::Image, "q.jpg"),
                    (AskedKind::NotText, "c"),
                ]
            );
            assert_eq!(first.fields["kind"], "bag");
            let reason = |place: usize| read[place].as_ref().unwrap_err().reason.clone();
            assert_eq!(reason(1), "it has no text, image or id");
            assert_eq!(reason(2), "`text` is 7, and must be a text");
            assert!(reason(3).starts_with("it is not a JSON object"));
            assert_eq!(
                read[4].as_ref().unwrap().parts,
                [(AskedKind::Id, "x".to_owned())]
            );
            assert_eq!(reason(5), "one of its parts is empty");
        }
    }

    #[test]
    fn csv_has_columns_whatever_the_separator() {
        for separator in [",", ";", "\t"] {
            let lines = ["text,colour,image", "\"a; b\",red,", ",blue,q.jpg", ",,"];
            let csv = lines.join("\n").replace(',', separator);
            let read = read("q.csv", csv);
            let first = read[0].as_ref().unwrap();
            assert_eq!((first.line, &first.fields["colour"]), (2, &"red".into()));
            assert_eq!(first.parts, [(AskedKind::Text, "a; b".to_owned())]);
            assert_eq!(
                read[1].as_ref().unwrap().parts,
                [(AskedKind::Image, "q.jpg".to_owned())]
            );
            assert_eq!(
                read[2].as_ref().unwrap_err().reason,
                "it has no text, image or id"
            );
        }
    }

    #[test]
    fn a_csv_that_does_not_ask_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.csv");
        std::fs::write(&path, "query,colour\na,b\n").unwrap();
        let error = Queries::open(&path).unwrap_err();
        assert_eq!(
            error.hint().unwrap(),
            "its header says query, colour: name one of them text, image or id"
        );
    }
}
