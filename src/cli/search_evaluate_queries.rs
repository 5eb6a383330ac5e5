//! Queries whose right answers are known: from a file, or stored pictures.

use std::path::Path;

use anyhow::anyhow;
use serde_json::Value;

use super::failure::Failure;
use super::search_question::{self as parts, PartArg};
use crate::catalog::{Asked as Line, AskedKind, Queries, is_address};
use crate::entity::ImageId;
use crate::evaluate::Asked;
use crate::evaluate::asking::Batch;
use crate::evaluate::metrics::Grade;
use crate::evaluate::relevance::{Relevance, text_of};
use crate::search::{Content, Part, Question};

/// Queries that are embedded and asked together.
pub(super) const AT_ONCE: usize = 64;

/// The field that names right answers.
const RELEVANT: &str = "relevant";

/// What stands between right answers in a CSV.
const BETWEEN: char = '|';

/// A query, not yet read.
#[derive(Debug)]
pub(super) struct Known {
    /// Line of the file; 0 for a stored picture.
    line: u64,
    parts: Vec<PartArg>,
    /// As reports name it.
    pub(super) asked: Asked,
}

/// The queries of a file, and what is right by `columns`, or by the field
/// `relevant` where there are none.
pub(super) fn read(
    path: &Path,
    columns: Option<&[String]>,
) -> Result<Vec<(Known, Relevance)>, Failure> {
    let queries = Queries::open(path)?;
    let folder = queries.folder().to_owned();
    let mut known = Vec::new();
    for line in queries {
        let line = line?.map_err(|bad| {
            at(
                path,
                bad.line,
                &bad.reason,
                "put it right, or take the line out",
            )
        })?;
        let parts = parts::parts_of(&line, &folder);
        let relevance = match columns {
            Some([]) => Relevance::Named(Vec::new()),
            Some(columns) => alike(path, &line, columns)?,
            None => named(path, &line)?,
        };
        let names: Vec<&str> = line.parts.iter().map(|(_, value)| value.as_str()).collect();
        known.push((Known::new(line.line, names.join(" + "), parts), relevance));
    }
    if known.is_empty() {
        return Err(Failure::new(
            anyhow!("there are no queries in {}", path.display()),
            "write one a line; `search evaluate --help` says how",
        ));
    }
    Ok(known)
}

/// Stored pictures as queries.
pub(super) fn stored(pictures: Vec<(ImageId, String)>) -> Vec<(Known, Relevance)> {
    let each = pictures.into_iter().map(|(id, path)| {
        let part = PartArg {
            kind: AskedKind::Id,
            value: id.as_str().to_owned(),
            weight: 1.0,
        };
        let mut known = Known::new(0, path.clone(), vec![part]);
        known.asked.picture = Some(path);
        (known, Relevance::LikeStored(id))
    });
    each.collect()
}

/// What the line says is right.
fn named(path: &Path, line: &Line) -> Result<Relevance, Failure> {
    let wrong = |what: &str| {
        at(
            path,
            line.line,
            what,
            "name the ids or paths of the right pictures: in JSONL a list, or an object of grades; in CSV separated by |. Or let attributes say what is right: --relevant-by",
        )
    };
    let Some(value) = line.fields.get(RELEVANT) else {
        return Err(wrong("it has no field `relevant`"));
    };
    let text = |value: &Value| {
        let text = text_of(value).filter(|_| value.is_string());
        text.ok_or_else(|| wrong("one of the `relevant` is no text"))
    };
    let names: Vec<(String, Grade)> = match value {
        Value::Null => Vec::new(),
        Value::String(names) => {
            let names = names.split(BETWEEN).map(str::trim);
            let names = names.filter(|name| !name.is_empty());
            names.map(|name| (name.to_owned(), 1)).collect()
        }
        Value::Array(names) => {
            let names = names.iter().map(|name| Ok((text(name)?, 1)));
            names.collect::<Result<_, Failure>>()?
        }
        Value::Object(grades) => {
            let grades = grades.iter().map(|(name, grade)| {
                let grade = grade.as_u64().and_then(|grade| Grade::try_from(grade).ok());
                let grade = grade.ok_or_else(|| wrong("a grade is no whole number from 0 on"))?;
                Ok((name.clone(), grade))
            });
            grades.collect::<Result<_, Failure>>()?
        }
        Value::Bool(_) | Value::Number(_) => return Err(wrong("`relevant` is no text")),
    };
    Ok(Relevance::Named(names))
}

/// The line's own values of the columns; of a stored picture without them, its
/// attributes.
fn alike(path: &Path, line: &Line, columns: &[String]) -> Result<Relevance, Failure> {
    let value = |column: &String| line.fields.get(column).and_then(text_of);
    if let Some(values) = columns.iter().map(value).collect::<Option<Vec<String>>>() {
        return Ok(Relevance::Alike(values));
    }
    match &line.parts[..] {
        [(AskedKind::Id, id)] if columns.iter().all(|column| value(column).is_none()) => {
            Ok(Relevance::LikeStored(ImageId::from_stored(id.clone())))
        }
        _ => {
            let missing = columns.iter().find(|column| value(column).is_none());
            Err(at(
                path,
                line.line,
                &format!("it has no `{}`", missing.map_or("", String::as_str)),
                "give the query that column, or name other columns with --relevant-by",
            ))
        }
    }
}

fn at(path: &Path, line: u64, what: &str, hint: &str) -> Failure {
    Failure::new(anyhow!("{}, line {line}: {what}", path.display()), hint)
}

impl Known {
    fn new(line: u64, name: String, parts: Vec<PartArg>) -> Self {
        let picture = parts
            .iter()
            .find(|part| matches!(part.kind, AskedKind::Image) && !is_address(&part.value));
        Self {
            line,
            asked: Asked {
                name,
                picture: picture.map(|part| part.value.clone()),
            },
            parts,
        }
    }

    /// Whether it asks with words.
    pub(super) fn has_text(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part.kind, AskedKind::Text | AskedKind::NotText))
    }

    /// Whether it asks with a picture's file.
    pub(super) fn has_image(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part.kind, AskedKind::Image | AskedKind::NotImage))
    }
}

/// Reads and fetches the pictures of some queries. One that cannot be read
/// keeps its reason.
pub(super) async fn batch(first: usize, known: &[Known]) -> Batch {
    let mut batch = Batch {
        first,
        ..Batch::default()
    };
    for query in known {
        let read = match &query.parts[..] {
            // An id needs neither file nor network.
            [only] if only.kind == AskedKind::Id => Ok(Question {
                parts: vec![Part {
                    content: Content::Stored(ImageId::from_stored(only.value.clone())),
                    weight: 1.0,
                }],
            }),
            all => parts::question(all).await,
        };
        batch.queries.push(match read {
            Ok(question) => {
                batch.questions.push(question);
                Ok(batch.questions.len() - 1)
            }
            Err(failure) => Err(match query.line {
                0 => failure.into_parts().0,
                line => format!("line {line}: {}", failure.into_parts().0),
            }),
        });
    }
    batch
}
