//! The summary of an ingest, for people and for scripts.

use std::io::{self, Write};

use serde::Serialize;

use crate::catalog::NamesTable;
use crate::ingest::Report;

/// Version of the JSON summary.
const JSON_VERSION: u32 = 1;

/// What the summary says of the names table; taken before the run owns it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamesFacts {
    rows: usize,
    unreadable: usize,
    mended: u64,
}

impl NamesFacts {
    pub(super) fn new(table: &NamesTable) -> Self {
        Self {
            rows: table.len(),
            unreadable: table.bad_rows.len(),
            mended: table.mended_rows,
        }
    }
}

/// Everything that the summary tells.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) collection: &'a str,
    pub(super) model: &'a str,
    pub(super) dry_run: bool,
    pub(super) report: &'a Report,
    pub(super) names: Option<NamesFacts>,
}

/// One JSON object on one line. `discovered` is the sum of the seven counts
/// after it, and all that there is where the run was `complete`.
pub(super) fn write_json(view: &View<'_>, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        collection: &'a str,
        model: &'a str,
        discovered: u64,
        upserted: u64,
        moved: u64,
        updated: u64,
        unchanged: u64,
        rejected: u64,
        failed: u64,
        cancelled: u64,
        pruned: u64,
        complete: bool,
        elapsed_seconds: f64,
    }
    let counts = view.report.counts;
    let document = Document {
        version: JSON_VERSION,
        collection: view.collection,
        model: view.model,
        discovered: counts.discovered,
        upserted: counts.upserted,
        moved: counts.moved,
        updated: counts.updated,
        unchanged: counts.unchanged,
        rejected: counts.rejected,
        failed: counts.failed,
        cancelled: counts.cancelled,
        pruned: counts.pruned,
        complete: view.report.complete,
        elapsed_seconds: view.report.elapsed.as_secs_f64(),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// A few lines; counts that are zero are left out.
pub(super) fn write_text(view: &View<'_>, out: &mut impl Write) -> io::Result<()> {
    let counts = view.report.counts;
    writeln!(
        out,
        "{} in `{}` by {}, {:.1} s",
        amount(counts.discovered, "picture", "pictures"),
        view.collection,
        view.model,
        view.report.elapsed.as_secs_f64()
    )?;
    if view.report.complete && counts.discovered > 0 && counts.unchanged == counts.discovered {
        writeln!(
            out,
            "  nothing to do: the collection holds all of them as they are"
        )?;
    } else {
        let [written, moved, updated] = written(view.dry_run);
        let lines = [
            (counts.upserted, written),
            (counts.moved, moved),
            (counts.updated, updated),
            (counts.unchanged, "unchanged"),
            (counts.rejected, "rejected"),
            (counts.failed, "failed"),
        ];
        for (count, what) in lines.into_iter().filter(|(count, _)| *count > 0) {
            writeln!(out, "  {count} {what}")?;
        }
    }
    if let Some(left) = left(view.report) {
        writeln!(out, "  {left}: run the same command again for the rest")?;
    }
    if counts.pruned > 0 {
        let pruned = if view.dry_run {
            "would be pruned"
        } else {
            "pruned"
        };
        writeln!(
            out,
            "  {} {pruned}: their files are gone",
            amount(counts.pruned, "row", "rows")
        )?;
    }
    let (hidden, others) = (counts.skipped_hidden, counts.skipped_not_images);
    if hidden + others > 0 {
        writeln!(out, "  passed over: {hidden} hidden, {others} not pictures")?;
    }
    if let Some(names) = view.names {
        // Of pictures that were not found nothing is known.
        let unused = view.report.unused_names;
        write_names(names, if view.report.complete { unused } else { 0 }, out)?;
    }
    Ok(())
}

/// What an early end left for another run, if it did.
fn left(report: &Report) -> Option<String> {
    match (report.counts.cancelled, report.complete) {
        (0, true) => report.interrupted.then(|| "interrupted".to_owned()),
        (0, false) => Some("ended before all pictures were found".to_owned()),
        (cancelled, true) => Some(format!("{cancelled} cancelled")),
        (cancelled, false) => Some(format!(
            "{cancelled} cancelled, and not all pictures were found"
        )),
    }
}

/// What becomes of what is written.
fn written(dry_run: bool) -> [&'static str; 3] {
    if dry_run {
        [
            "would be upserted",
            "moved or copied: would take their vectors along",
            "would be updated",
        ]
    } else {
        [
            "upserted",
            "moved or copied: vectors taken along",
            "updated: vectors kept",
        ]
    }
}

fn write_names(names: NamesFacts, unused: usize, out: &mut impl Write) -> io::Result<()> {
    let unused = unused as u64;
    write!(out, "  names: {}", amount(names.rows as u64, "row", "rows"))?;
    let lines = [
        (names.unreadable as u64, "unreadable"),
        (names.mended, "with unquoted separators, mended"),
        (unused, "without a picture"),
    ];
    for (count, what) in lines.into_iter().filter(|(count, _)| *count > 0) {
        write!(out, ", {count} {what}")?;
    }
    writeln!(out)?;
    Ok(())
}

pub(super) fn amount(count: u64, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}
