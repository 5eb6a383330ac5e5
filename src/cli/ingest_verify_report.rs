//! What `ingest --verify` found, for people and for scripts.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::ingest_report::amount;
use crate::ingest::{Difference, DifferenceKind, Report, Verification};
use crate::render::printable;

/// Version of the JSON document.
const JSON_VERSION: u32 = 1;

/// Differences of a kind that people are shown.
const SHOWN: u64 = 10;

/// What a repair did.
#[derive(Debug)]
pub(super) struct Repair {
    /// Rows deleted, for good or to be written anew.
    pub(super) deleted: u64,
    /// The run that wrote.
    pub(super) report: Report,
}

impl Repair {
    /// It on one line.
    pub(super) fn line(&self) -> String {
        let counts = self.report.counts;
        format!(
            "repaired: {} deleted, {} upserted, {} copied, {} updated",
            amount(self.deleted, "row", "rows"),
            counts.upserted,
            counts.moved,
            counts.updated
        )
    }
}

/// Everything that is told.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) collection: &'a str,
    pub(super) model: &'a str,
    pub(super) verification: &'a Verification,
    pub(super) repair: Option<&'a Repair>,
    /// Whether a repair was asked for.
    pub(super) repairs: bool,
}

/// One JSON object on one line; after a repair, what it left.
pub(super) fn write_json(view: &View<'_>, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Repaired {
        deleted: u64,
        upserted: u64,
        moved: u64,
        updated: u64,
    }
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        collection: &'a str,
        model: &'a str,
        clean: bool,
        interrupted: bool,
        pictures: u64,
        rows: u64,
        #[serde(flatten)]
        counts: &'a BTreeMap<DifferenceKind, u64>,
        rejected: u64,
        elsewhere: u64,
        sampled: u64,
        least_cosine: Option<f64>,
        repaired: Option<Repaired>,
        differences: &'a [Difference],
        elapsed_seconds: f64,
    }
    let found = view.verification;
    let document = Document {
        version: JSON_VERSION,
        collection: view.collection,
        model: view.model,
        clean: found.is_clean(),
        interrupted: found.interrupted,
        pictures: found.pictures,
        rows: found.rows,
        counts: &found.counts,
        rejected: found.rejected,
        elsewhere: found.elsewhere,
        sampled: found.sampled,
        least_cosine: found.least_cosine,
        repaired: view.repair.map(|repair| Repaired {
            deleted: repair.deleted,
            upserted: repair.report.counts.upserted,
            moved: repair.report.counts.moved,
            updated: repair.report.counts.updated,
        }),
        differences: &found.differences,
        elapsed_seconds: found.elapsed.as_secs_f64(),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// A few lines: the first differences of each kind.
pub(super) fn write_text(view: &View<'_>, out: &mut impl Write) -> io::Result<()> {
    let found = view.verification;
    writeln!(
        out,
        "{} and {} in `{}` by {}, {:.1} s",
        amount(found.pictures, "picture", "pictures"),
        amount(found.rows, "row", "rows"),
        view.collection,
        view.model,
        found.elapsed.as_secs_f64()
    )?;
    for (kind, count) in found.counts.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "  {count} {}", title(*kind))?;
        let of_kind = found.differences.iter().filter(|found| found.kind == *kind);
        for difference in of_kind.take(usize::try_from(SHOWN).unwrap_or(usize::MAX)) {
            let path = printable(&difference.path.to_string_lossy());
            writeln!(out, "    {path}: {}", printable(&difference.detail))?;
        }
        if *count > SHOWN {
            writeln!(
                out,
                "    and {} more (--format json lists them)",
                count - SHOWN
            )?;
        }
    }
    if let Some(cosine) = found.least_cosine {
        let sampled = amount(found.sampled, "picture", "pictures");
        writeln!(out, "  {sampled} embedded again: least cosine {cosine:.6}")?;
    }
    let others = [
        (found.rejected, "rejected: no row is expected of them"),
        (
            found.elsewhere,
            "rows of pictures outside of these folders, or passed over in them",
        ),
    ];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "  {count} {what}")?;
    }
    let verdict = match (found.interrupted, found.is_clean(), view.repairs) {
        (true, ..) => "  interrupted: not all was compared",
        (false, true, _) => "  clean: the collection holds what the disk does",
        (false, false, false) => "  not clean: --repair puts it right",
        (false, false, true) => "  not clean",
    };
    writeln!(out, "{verdict}")
}

fn title(kind: DifferenceKind) -> &'static str {
    match kind {
        DifferenceKind::Missing => "missing: pictures without a row",
        DifferenceKind::Extra => "extra: rows without a picture",
        DifferenceKind::Stale => "stale: rows that differ from their files",
        DifferenceKind::Duplicate => "duplicate: keys that several rows have",
        DifferenceKind::Vector => "wrong vectors",
        DifferenceKind::Unread => "could not be looked at",
    }
}
