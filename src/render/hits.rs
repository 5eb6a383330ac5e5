//! The answer of a search, for people, for scripts and for pipes.

use std::io::{self, Write};

use serde::Serialize;

use super::table::{Align, Table};
use crate::entity::{Hit, MetricType};

/// Version of the JSON that [`write_json`] writes.
const JSON_VERSION: u32 = 1;

/// The question, as it is told back.
#[derive(Debug, Clone, Serialize)]
pub struct QueryView {
    /// Words, where some were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// File of the picture, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Most hits.
    pub limit: usize,
    /// Filter expression, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct HitsView<'a> {
    /// Collection that was searched.
    pub collection: &'a str,
    /// Model that filled it.
    pub model: &'a str,
    /// The question.
    pub query: &'a QueryView,
    /// How scores sort.
    pub metric: MetricType,
    /// Nearest first.
    pub hits: &'a [Hit],
}

/// Rank, score, display name and path, under a line that says how the score
/// sorts.
///
/// # Errors
/// `out` refused.
pub fn write_table(view: &HitsView<'_>, out: &mut impl Write) -> io::Result<()> {
    let sorts = if view.metric.larger_is_nearer() {
        "larger is nearer"
    } else {
        "smaller is nearer"
    };
    writeln!(
        out,
        "{} in `{}` by {}; score: {}, {sorts}",
        match view.hits.len() {
            0 => "nothing found".to_owned(),
            1 => "1 hit".to_owned(),
            hits => format!("{hits} hits"),
        },
        view.collection,
        view.model,
        view.metric,
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
pub fn write_paths(view: &HitsView<'_>, end: u8, out: &mut impl Write) -> io::Result<()> {
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
pub fn write_json(view: &HitsView<'_>, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        collection: &'a str,
        model: &'a str,
        query: &'a QueryView,
        hits: &'a [Hit],
    }
    let document = Document {
        version: JSON_VERSION,
        collection: view.collection,
        model: view.model,
        query: view.query,
        hits: view.hits,
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}
