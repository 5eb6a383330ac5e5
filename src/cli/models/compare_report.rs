//! The report of `models compare`, for people and for scripts.

use std::io::{self, Write};

use serde::Serialize;

use crate::compare::{Cosines, Kept, LEAST_IN_COMPANY, Report, Side};
use crate::entity::Stage;
use crate::render::{Align, Table, printable};

/// Version of the JSON that [`write_json`] writes.
const JSON_VERSION: u32 = 1;

#[derive(Serialize)]
struct SideView<'a> {
    model: &'a str,
    fingerprint: &'a str,
    dimension: usize,
    text: bool,
    file_bytes: u64,
    inferred_per_second: f64,
    embedded_per_second: f64,
    least_cosine_in_company: Option<f64>,
    depends_on_company: Option<bool>,
}

impl<'a> SideView<'a> {
    fn new(side: &'a Side) -> Self {
        let manifest = &side.subject.model.manifest;
        Self {
            model: &manifest.name,
            fingerprint: side.subject.fingerprint.as_str(),
            dimension: manifest.dimension,
            text: manifest.knows_text(),
            file_bytes: side.file_bytes,
            inferred_per_second: side.inferred_per_second,
            embedded_per_second: side.embedded_per_second,
            least_cosine_in_company: side.least_in_company,
            depends_on_company: side.least_in_company.map(|least| least < LEAST_IN_COMPANY),
        }
    }
}

#[derive(Serialize)]
struct CosinesView {
    mean: f64,
    first_percentile: f64,
    min: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_path: Option<String>,
}

impl CosinesView {
    fn new(cosines: &Cosines, min_path: Option<String>) -> Self {
        Self {
            mean: cosines.mean,
            first_percentile: cosines.first_percentile,
            min: cosines.min,
            min_path,
        }
    }
}

#[derive(Serialize)]
struct KeptView {
    queries: usize,
    limit: usize,
    recall: f64,
    top_1: f64,
}

impl From<Kept> for KeptView {
    fn from(kept: Kept) -> Self {
        Self {
            queries: kept.queries,
            limit: kept.limit,
            recall: kept.recall,
            top_1: kept.top_1,
        }
    }
}

#[derive(Serialize)]
struct TextsView {
    #[serde(flatten)]
    kept: KeptView,
    cut: usize,
    cosines: Option<CosinesView>,
}

#[derive(Serialize)]
struct RejectView<'a> {
    path: String,
    stage: Stage,
    reason: &'a str,
}

/// One JSON object on one line. `sampled` is `compared` and the rejected ones.
pub(super) fn write_json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        a: SideView<'a>,
        b: SideView<'a>,
        found: usize,
        sampled: usize,
        compared: usize,
        rejected: Vec<RejectView<'a>>,
        threads: usize,
        batch: usize,
        decoded_per_second: f64,
        cosines: Option<CosinesView>,
        no_cosines_because: Option<String>,
        pictures: KeptView,
        texts: Option<TextsView>,
    }
    let [a, b] = &report.sides;
    let cosines = report.cosines.as_ref();
    let rejected = report.rejected.iter().map(|problem| RejectView {
        path: problem.path.to_string_lossy().into_owned(),
        stage: problem.stage,
        reason: &problem.reason,
    });
    let document = Document {
        version: JSON_VERSION,
        a: SideView::new(a),
        b: SideView::new(b),
        found: report.found,
        sampled: report.sampled,
        compared: report.compared,
        rejected: rejected.collect(),
        threads: report.pace.workers * report.pace.threads,
        batch: report.pace.batch,
        decoded_per_second: report.decoded_per_second,
        no_cosines_because: cosines.err().map(ToString::to_string),
        cosines: cosines.ok().map(|found| {
            let path = found.min_path.to_string_lossy().into_owned();
            CosinesView::new(&found.cosines, Some(path))
        }),
        pictures: report.pictures.into(),
        texts: report.texts.map(|texts| TextsView {
            kept: texts.kept.into(),
            cut: texts.cut,
            cosines: texts
                .cosines
                .map(|cosines| CosinesView::new(&cosines, None)),
        }),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// Within 80 columns, as far as names and paths allow.
pub(super) fn write_text(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let threads = report.pace.workers * report.pace.threads;
    writeln!(
        out,
        "{} of {} pictures compared, {} rejected; {}, batches of {}\n",
        report.compared,
        report.found,
        report.rejected.len(),
        counted(threads, "thread"),
        report.pace.batch
    )?;
    sides(report).write(out)?;
    writeln!(out)?;
    kept(report).write(out)?;
    writeln!(
        out,
        "by cosine, exact, ties by path; a picture is no neighbour of itself\n"
    )?;
    match &report.cosines {
        Err(reason) => writeln!(out, "cosines of A's and B's vectors: none, {reason}"),
        Ok(found) => {
            let table = cosines(report, &found.cosines);
            table.write(out)?;
            let path = printable(&found.min_path.to_string_lossy());
            writeln!(out, "the picture that turned most:\n  {path}")
        }
    }
}

fn sides(report: &Report) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("A", Align::Right), ("B", Align::Right)]);
    let views = report.sides.each_ref().map(SideView::new);
    let mut row = |what: &str, cell: fn(&SideView<'_>) -> String| {
        table.row([what.to_owned(), cell(&views[0]), cell(&views[1])]);
    };
    row("model", |side| side.model.to_owned());
    row("fingerprint", |side| side.fingerprint.to_owned());
    row("dimension", |side| side.dimension.to_string());
    row("size of files", |side| megabytes(side.file_bytes));
    row("pictures/s, inference", |side| {
        format!("{:.1}", side.inferred_per_second)
    });
    row("pictures/s, with preprocessing", |side| {
        format!("{:.1}", side.embedded_per_second)
    });
    row("worst cosine, alone and in a batch", |side| {
        let least = side.least_cosine_in_company;
        least.map_or("-".to_owned(), cosine)
    });
    table
}

fn kept(report: &Report) -> Table {
    let recall = format!("recall@{} kept", report.pictures.limit);
    let mut table = Table::new(&[
        ("neighbours of", Align::Left),
        ("queries", Align::Right),
        (&recall, Align::Right),
        ("same nearest", Align::Right),
    ]);
    let mut row = |what: String, kept: Kept| {
        table.row([
            what,
            kept.queries.to_string(),
            format!("{:.4}", kept.recall),
            format!("{:.4}", kept.top_1),
        ]);
    };
    row("pictures".to_owned(), report.pictures);
    if let Some(texts) = report.texts {
        // As many as there are pictures, where those are few.
        let other = texts.kept.limit != report.pictures.limit;
        let note = if other {
            format!(" (recall@{})", texts.kept.limit)
        } else {
            String::new()
        };
        row(format!("texts{note}"), texts.kept);
    }
    table
}

fn cosines(report: &Report, pictures: &Cosines) -> Table {
    let mut table = Table::new(&[
        ("cosine of A's and B's vector", Align::Left),
        ("mean", Align::Right),
        ("1st percentile", Align::Right),
        ("min", Align::Right),
    ]);
    let mut row = |what: &str, cosines: &Cosines| {
        let numbers = [cosines.mean, cosines.first_percentile, cosines.min];
        let cells = numbers.map(cosine).into_iter();
        table.row(std::iter::once(what.to_owned()).chain(cells));
    };
    row("of a picture", pictures);
    if let Some(texts) = report.texts.and_then(|texts| texts.cosines) {
        row("of a text", &texts);
    }
    table
}

fn cosine(cosine: f64) -> String {
    format!("{cosine:.6}")
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
