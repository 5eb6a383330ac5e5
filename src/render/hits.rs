//! The answer of a search, for people, for scripts and for pipes.

use std::io::{self, Write};

use serde::Serialize;

use super::table::{Align, Table};
use super::view::{AnswerView, CollectionView, ExplainView, QueryView};
use crate::entity::Hit;

/// Version of the JSON that [`write_json`] writes.
const JSON_VERSION: u32 = 1;

/// Rank, score, display name and path, under a line that says how the score
/// sorts.
///
/// # Errors
/// `out` refused.
pub fn write_table(view: &AnswerView<'_>, out: &mut impl Write) -> io::Result<()> {
    let sorts = if view.score.larger_is_nearer() {
        "larger is nearer"
    } else {
        "smaller is nearer"
    };
    let asked = view.collections.iter().filter(|c| c.left_out.is_none());
    let asked: Vec<String> = asked
        .map(|collection| format!("`{}` by {}", collection.name, collection.model))
        .collect();
    writeln!(
        out,
        "{} in {}; score: {}, {sorts}",
        match view.hits.len() {
            0 => "nothing found".to_owned(),
            1 => "1 hit".to_owned(),
            hits => format!("{hits} hits"),
        },
        asked.join(", "),
        view.score.as_str(),
    )?;
    if view.hits.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[
        ("#", Align::Right),
        ("score", Align::Right),
        ("name", Align::Left),
        ("path", Align::Left),
    ]);
    for hit in view.hits {
        table.row([
            hit.rank.to_string(),
            format!("{:.4}", hit.score),
            hit.display_name.clone(),
            hit.path.clone(),
        ]);
    }
    table.write(out)
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
