//! Labels ranked for a picture or a text.

use std::io::{self, Write};

use serde::Serialize;

use super::records::write_record;
use super::table::{Align, Table};
use super::view::{LabelView, LabelsView, PartView};

/// Version of the JSON that [`write_labels_json`] writes.
const JSON_VERSION: u32 = 1;

/// Rank, score, share and label.
///
/// # Errors
/// `out` refused.
pub fn write_labels_table(view: &LabelsView<'_>, out: &mut impl Write) -> io::Result<()> {
    let labels = match view.labels.len() {
        1 => "1 label".to_owned(),
        labels => format!("{labels} labels"),
    };
    writeln!(
        out,
        "{labels} by {}; score: cosine, larger is nearer",
        view.model
    )?;
    let shares = view.labels.iter().any(|label| label.probability.is_some());
    let mut header = vec![("#", Align::Right), ("score", Align::Right)];
    if shares {
        header.push(("share", Align::Right));
    }
    header.push(("label", Align::Left));
    let mut table = Table::new(&header);
    for label in view.labels {
        let share = label
            .probability
            .map(|share| format!("{:.1}%", share * 100.0));
        let before = [label.rank.to_string(), format!("{:.4}", label.score)];
        let cells = before.into_iter().chain(share);
        table.row(cells.chain([label.label.clone()]));
    }
    table.write(out)
}

/// One JSON object on one line.
///
/// # Errors
/// `out` refused.
pub fn write_labels_json(view: &LabelsView<'_>, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        model: &'a str,
        query: &'a [PartView],
        labels: &'a [LabelView],
    }
    let document = Document {
        version: JSON_VERSION,
        model: view.model,
        query: view.query,
        labels: view.labels,
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// One object a label, each on a line.
///
/// # Errors
/// `out` refused.
pub fn write_labels_jsonl(view: &LabelsView<'_>, out: &mut impl Write) -> io::Result<()> {
    for label in view.labels {
        serde_json::to_writer(&mut *out, label)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// A header and a record a label.
///
/// # Errors
/// `out` refused.
pub fn write_labels_csv(view: &LabelsView<'_>, out: &mut impl Write) -> io::Result<()> {
    let header = ["rank", "score", "probability", "label"];
    write_record(header.into_iter().map(Into::into), out)?;
    for label in view.labels {
        let share = label.probability.map(|share| share.to_string());
        let cells = [
            label.rank.to_string().into(),
            label.score.to_string().into(),
            share.unwrap_or_default().into(),
            label.label.as_str().into(),
        ];
        write_record(cells.into_iter(), out)?;
    }
    Ok(())
}

/// One label a line.
///
/// # Errors
/// `out` refused.
pub fn write_labels(view: &LabelsView<'_>, out: &mut impl Write) -> io::Result<()> {
    for label in view.labels {
        writeln!(out, "{}", label.label)?;
    }
    Ok(())
}
