//! The answer for scripts: JSON, a line a hit, CSV, and bare paths.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::view::{AnswerView, CollectionView, ExplainView, QueryView};
use crate::entity::Hit;

/// Version of the JSON that [`write_json`] writes.
const JSON_VERSION: u32 = 1;

/// Columns of [`write_csv`] that every hit has.
const COLUMNS: [&str; 7] = [
    "rank",
    "score",
    "id",
    "display_name",
    "path",
    "collection",
    "content_hash",
];

/// Column of [`write_csv`] for vectors, where some hit has one.
const VECTOR: &str = "vector";

/// One JSON object on one line.
///
/// # Errors
/// `out` refused.
pub fn write_json(view: &AnswerView<'_>, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        query: &'a QueryView,
        collections: &'a [CollectionView],
        score: &'a str,
        hits: &'a [Hit],
        #[serde(skip_serializing_if = "Option::is_none")]
        explain: Option<&'a ExplainView>,
    }
    let document = Document {
        version: JSON_VERSION,
        query: view.query,
        collections: view.collections,
        score: view.score.as_str(),
        hits: view.hits,
        explain: view.explain,
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// One JSON object a hit, each on a line of its own.
///
/// # Errors
/// `out` refused.
pub fn write_jsonl(view: &AnswerView<'_>, out: &mut impl Write) -> io::Result<()> {
    for hit in view.hits {
        serde_json::to_writer(&mut *out, hit)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// One path a hit, each followed by `end`: a newline, or NUL for names that
/// hold newlines.
///
/// # Errors
/// `out` refused.
pub fn write_paths(view: &AnswerView<'_>, end: u8, out: &mut impl Write) -> io::Result<()> {
    for hit in view.hits {
        out.write_all(hit.path.as_bytes())?;
        out.write_all(&[end])?;
    }
    Ok(())
}

/// A header and one record a hit, as RFC 4180 has it but for the ends of lines,
/// which are newlines alone: the columns that every hit has, the attributes by
/// name, the vector where one is there. An attribute that is called like one of
/// the others has `attributes.` in front.
///
/// # Errors
/// `out` refused.
pub fn write_csv(view: &AnswerView<'_>, out: &mut impl Write) -> io::Result<()> {
    let attributes = view.hits.iter().flat_map(|hit| hit.attributes.keys());
    let attributes: BTreeSet<&str> = attributes.map(String::as_str).collect();
    let has_vectors = view.hits.iter().any(|hit| hit.embedding.is_some());
    let is_taken = |name: &str| COLUMNS.contains(&name) || (has_vectors && name == VECTOR);
    let named = attributes.iter().map(|&name| {
        if is_taken(name) {
            format!("attributes.{name}").into()
        } else {
            Cow::from(name)
        }
    });
    let fixed = COLUMNS.map(Cow::from).into_iter();
    let vector = has_vectors.then_some(Cow::from(VECTOR));
    write_record(fixed.chain(named).chain(vector), out)?;
    for hit in view.hits {
        let fixed = [
            hit.rank.to_string().into(),
            hit.score.to_string().into(),
            hit.id.as_str().into(),
            hit.display_name.as_str().into(),
            hit.path.as_str().into(),
            collection(view, hit),
            hit.content_hash.as_str().into(),
        ];
        let values = attributes
            .iter()
            .map(|&name| hit.attributes.get(name).map_or("".into(), plain));
        let vector = has_vectors.then(|| match &hit.embedding {
            Some(numbers) => serde_json::to_string(numbers).unwrap_or_default().into(),
            None => Cow::from(""),
        });
        write_record(fixed.into_iter().chain(values).chain(vector), out)?;
    }
    Ok(())
}

/// Where a hit comes from; of several collections all, with `;` between.
fn collection<'a>(view: &'a AnswerView<'_>, hit: &'a Hit) -> Cow<'a, str> {
    if hit.found_in.is_empty() {
        let mut asked = view.collections.iter().filter(|c| c.left_out.is_none());
        return asked.next().map_or("", |only| only.name.as_str()).into();
    }
    let names: Vec<&str> = hit.found_in.iter().map(|f| f.collection.as_str()).collect();
    names.join(";").into()
}

/// A value as a person would write it: texts without quotes, all else as JSON.
pub(super) fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

/// One record of a CSV.
pub(super) fn write_record<'a>(
    fields: impl Iterator<Item = Cow<'a, str>>,
    out: &mut impl Write,
) -> io::Result<()> {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        if field.contains(['"', ',', '\n', '\r']) || field.trim() != field {
            write!(out, "\"{}\"", field.replace('"', "\"\""))?;
        } else {
            out.write_all(field.as_bytes())?;
        }
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::samples::{Sample, hit};
    use super::*;

    fn csv(hits: Vec<Hit>) -> String {
        let mut out = Vec::new();
        write_csv(&Sample::of(hits).view(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes());
        let records = reader.records().map(Result::unwrap);
        let owned = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
        records.map(owned).collect()
    }

    #[test]
    fn every_attribute_is_a_column() {
        let mut one = hit(1, "Red, \"bright\"");
        one.attributes.insert("colour".to_owned(), json!("red"));
        one.attributes.insert("price".to_owned(), json!(33));
        let mut two = hit(2, "two\nlines");
        two.attributes.insert("price".to_owned(), json!(null));
        two.attributes.insert("rank".to_owned(), json!([1, 2]));
        two.embedding = Some(vec![0.5, -1.0]);
        insta::assert_snapshot!(csv(vec![one, two]));
    }

    #[test]
    fn no_hits_leave_the_header() {
        assert_eq!(csv(Vec::new()), format!("{}\n", COLUMNS.join(",")));
    }

    #[test]
    fn a_line_a_hit() {
        let sample = Sample::of(vec![hit(1, "a\nb"), hit(2, "c")]);
        let mut out = Vec::new();
        write_jsonl(&sample.view(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["display_name"], "a\nb");
        assert!(lines[0].get("embedding").is_none());
    }

    proptest! {
        #[test]
        fn csv_comes_back(name: String, path: String, key: String, value: String) {
            let mut hit = hit(1, &name);
            hit.path.clone_from(&path);
            hit.attributes.insert(format!("x{key}"), json!(value));
            let records = read(&csv(vec![hit]));
            prop_assert_eq!(&records[0][7], &format!("x{key}"));
            prop_assert_eq!(&records[1][3..5], &[name, path]);
            prop_assert_eq!(&records[1][7], &value);
        }
    }
}
