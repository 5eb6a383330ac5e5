//! Sweeps as a table for people, as JSON for scripts, as a plot and a page.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::report::{counted, interval};
use super::sweep::{GOOD_RECALL, Sweep, SweepPoint};
use crate::render::html::{escape, write_end, write_start_with};
use crate::render::{Align, Curve, PLOT_STYLE, Plot, Point, Table, write_figure, write_svg};

/// Version of the JSON that [`write_json`] writes.
const JSON_VERSION: u32 = 1;

/// A table a collection, each with what to make of it.
///
/// # Errors
/// `out` refused.
pub fn write_table(sweeps: &[Sweep], out: &mut impl Write) -> io::Result<()> {
    for (place, sweep) in sweeps.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}\n", about(sweep))?;
        let recall = recall_name(sweep);
        let parameter = sweep.parameter.unwrap_or("setting");
        let mut table = Table::new(&[
            (parameter, Align::Right),
            (&recall, Align::Left),
            ("worst", Align::Right),
            ("median ms", Align::Right),
            ("95 % ms", Align::Right),
            ("too few hits", Align::Right),
        ]);
        for point in &sweep.points {
            table.row(cells(point));
        }
        table.write(out)?;
        writeln!(out, "\n{}", verdict(sweep))?;
        if let Some(doubt) = doubt(sweep) {
            writeln!(out, "{doubt}")?;
        }
    }
    Ok(())
}

fn cells(point: &SweepPoint) -> [String; 6] {
    [
        point
            .value
            .map_or("-".to_owned(), |value| value.to_string()),
        interval(&point.recall),
        format!("{:.3}", point.least),
        format!("{:.2}", milliseconds(point.median)),
        format!("{:.2}", milliseconds(point.p95)),
        point.short.to_string(),
    ]
}

/// What was measured.
fn about(sweep: &Sweep) -> String {
    format!(
        "{} of `{}` ({}; {}, {}, {}), one at a time at consistency {}, against brute force ({:.1} s)",
        counted(sweep.queries, "query", "queries"),
        sweep.collection,
        sweep.model,
        sweep.index,
        sweep.metric,
        counted(sweep.rows, "row", "rows"),
        sweep.consistency.as_str(),
        sweep.brute_force.as_secs_f64()
    )
}

/// Which setting to take.
fn verdict(sweep: &Sweep) -> String {
    match (sweep.parameter, sweep.good()) {
        (None, _) => format!("an index of type {} has no such setting", sweep.index),
        (Some(parameter), Some(point)) => format!(
            "--{parameter} {} is the least with a recall of {GOOD_RECALL} or more",
            point.value.unwrap_or_default()
        ),
        (Some(parameter), None) => format!(
            "none reaches a recall of {GOOD_RECALL}: try larger ones (--sweep), or build the index anew{}",
            if parameter == "ef" {
                " with a larger --hnsw-m"
            } else {
                " with fewer lists"
            }
        ),
    }
}

/// Why the figures are not the index's.
fn doubt(sweep: &Sweep) -> Option<String> {
    let partly = sweep.parameter.is_some() && sweep.indexed < sweep.rows;
    partly.then(|| {
        format!(
            "warning: the index is built over {} of these rows, the others are compared one by one: add --flush",
            sweep.indexed
        )
    })
}

fn recall_name(sweep: &Sweep) -> String {
    format!("recall@{}", sweep.limit)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// One JSON object on one line.
///
/// # Errors
/// `out` refused.
pub fn write_json(sweeps: &[Sweep], out: &mut impl Write) -> io::Result<()> {
    let point = |point: &SweepPoint| {
        json!({
            "value": point.value,
            "recall": point.recall.mean,
            "low": point.recall.low,
            "high": point.recall.high,
            "least": point.least,
            "median_ms": milliseconds(point.median),
            "p95_ms": milliseconds(point.p95),
            "short": point.short,
        })
    };
    let each = sweeps.iter().map(|sweep| {
        json!({
            "collection": sweep.collection,
            "model": sweep.model,
            "index": sweep.index,
            "metric": sweep.metric,
            "rows": sweep.rows,
            "indexed": sweep.indexed,
            "queries": sweep.queries,
            "limit": sweep.limit,
            "consistency": sweep.consistency.as_str(),
            "parameter": sweep.parameter,
            "brute_force_ms": milliseconds(sweep.brute_force),
            "points": sweep.points.iter().map(point).collect::<Value>(),
        })
    });
    let document = json!({"version": JSON_VERSION, "collections": each.collect::<Value>()});
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// Recall against latency, as a file of SVG.
///
/// # Errors
/// `out` refused.
pub fn write_plot(sweeps: &[Sweep], out: &mut impl Write) -> io::Result<()> {
    write_svg(&plot(sweeps, &y(sweeps)), out)
}

/// The plot and the table as one page of HTML that needs no network.
///
/// # Errors
/// `out` refused.
pub fn write_page(sweeps: &[Sweep], out: &mut impl Write) -> io::Result<()> {
    write_start_with("Recall against latency", "settings", &[PLOT_STYLE], out)?;
    writeln!(out, "<h1>Recall against latency</h1>")?;
    write_figure(&plot(sweeps, &y(sweeps)), out)?;
    writeln!(out, "<div id=\"settings\">")?;
    for sweep in sweeps {
        writeln!(
            out,
            "<section>\n<h2>{}</h2>\n<p>{}.</p>\n<div class=\"scroll\">\n<table>\n<thead><tr><th>{}</th><th>{}</th><th>worst query</th><th>median, ms</th><th>95 % below, ms</th><th>too few hits</th></tr></thead>\n<tbody>",
            escape(&sweep.collection),
            escape(&about(sweep)),
            sweep.parameter.unwrap_or("setting"),
            recall_name(sweep)
        )?;
        for point in &sweep.points {
            write!(out, "<tr>")?;
            for cell in cells(point) {
                write!(out, "<td>{cell}</td>")?;
            }
            writeln!(out, "</tr>")?;
        }
        writeln!(
            out,
            "</tbody>\n</table>\n</div>\n<p class=\"soft\">{}.</p>",
            escape(&verdict(sweep))
        )?;
        if let Some(doubt) = doubt(sweep) {
            writeln!(out, "<p>{}.</p>", escape(&doubt))?;
        }
        writeln!(out, "</section>")?;
    }
    writeln!(out, "</div>")?;
    write_end(out)
}

fn y(sweeps: &[Sweep]) -> String {
    sweeps.first().map_or("recall".to_owned(), recall_name)
}

fn plot<'a>(sweeps: &[Sweep], y: &'a str) -> Plot<'a> {
    let curves = sweeps.iter().map(|sweep| {
        let points = sweep.points.iter().map(|point| Point {
            x: milliseconds(point.median),
            tail: milliseconds(point.p95),
            y: point.recall.mean,
            label: match (sweep.parameter, point.value) {
                (Some(parameter), Some(value)) => format!("{parameter} {value}"),
                _ => sweep.index.clone(),
            },
        });
        Curve {
            name: format!("{} ({})", sweep.collection, sweep.model),
            points: points.collect(),
        }
    });
    Plot {
        title: "Recall against latency",
        x: "median of one query, ms (faint: 95 % stay below)",
        y,
        curves: curves.collect(),
    }
}
