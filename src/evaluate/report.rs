//! An evaluation as a table for people, as JSON for scripts, and query by query.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::bootstrap::{Interval, RESAMPLES};
use super::metrics::{Judged, Measure};
use super::summary::{Pair, Standing};
use super::{Answer, Evaluation, Shown};
use crate::render::{Align, Table};

/// Version of the JSON that [`write_json`] and [`write_queries`] write.
const JSON_VERSION: u32 = 1;

/// Systems side by side in one table; more take tables of their own.
const ABREAST: usize = 3;

/// A table of means, and one of the differences in mAP.
///
/// # Errors
/// `out` refused.
pub fn write_table(evaluation: &Evaluation, out: &mut impl Write) -> io::Result<()> {
    let summary = &evaluation.summary;
    writeln!(out, "{}\n", about(evaluation))?;
    if summary.counted == 0 {
        return writeln!(out, "no query can be judged");
    }
    let systems: Vec<usize> = (0..evaluation.systems.len()).collect();
    for abreast in systems.chunks(ABREAST) {
        let names: Vec<String> = abreast
            .iter()
            .map(|system| evaluation.systems[*system].name())
            .collect();
        let header = names.iter().map(|name| (name.as_str(), Align::Left));
        let header: Vec<_> = std::iter::once(("", Align::Left)).chain(header).collect();
        let mut table = Table::new(&header);
        for (place, measure) in summary.measures.iter().enumerate() {
            let cells = abreast.iter().map(|system| {
                let mean = summary.means[*system].get(place);
                let mean = mean.map_or("-".to_owned(), interval);
                format!("{mean} {}", mark(summary.standing(*system, place)))
            });
            table.row(std::iter::once(measure.to_string()).chain(cells));
        }
        table.write(out)?;
        writeln!(out)?;
    }
    writeln!(
        out,
        "mean [95 % of the means of {RESAMPLES} resamples of the queries]"
    )?;
    if systems.len() > 1 {
        writeln!(
            out,
            "* best; ~ less than the best, and it may be by chance\n"
        )?;
        differences(evaluation).write(out)?;
        writeln!(
            out,
            "p: two-sided paired randomisation test, Holm's correction over the pairs"
        )?;
    }
    Ok(())
}

/// What was asked of how many, and what is left out.
pub(super) fn about(evaluation: &Evaluation) -> String {
    let collections = counted(evaluation.systems.len(), "collection", "collections");
    let queries = counted(evaluation.queries.len(), "query", "queries");
    let depth = counted(evaluation.depth, "hit", "hits");
    let not_asked = evaluation.not_asked();
    let irrelevant = evaluation.left_out() - not_asked;
    let mut left_out = Vec::new();
    if irrelevant > 0 {
        left_out.push(match irrelevant {
            1 => "1 query has nothing relevant".to_owned(),
            many => format!("{many} queries have nothing relevant"),
        });
    }
    if not_asked > 0 {
        let count = counted(not_asked, "query", "queries");
        left_out.push(format!("{count} cannot be asked of every collection"));
    }
    let left_out = match left_out.len() {
        0 => String::new(),
        _ => format!("; {}: left out of the means", left_out.join(", ")),
    };
    format!("{queries}, {collections}, the first {depth} of each{left_out}")
}

fn differences(evaluation: &Evaluation) -> Table {
    let name = Measure::AveragePrecision.to_string();
    let mut table = Table::new(&[
        (&name, Align::Left),
        ("less that of", Align::Left),
        ("difference", Align::Left),
        ("p", Align::Right),
    ]);
    let measures = &evaluation.summary.measures;
    let pairs = evaluation.summary.pairs.iter();
    for pair in pairs.filter(|pair| measures[pair.measure] == Measure::AveragePrecision) {
        table.row([
            evaluation.systems[pair.a].name(),
            evaluation.systems[pair.b].name(),
            difference(&pair.difference.difference),
            p_value(pair.corrected),
        ]);
    }
    table
}

pub(super) fn interval(interval: &Interval) -> String {
    let Interval { mean, low, high } = interval;
    format!("{mean:.3} [{low:.3}, {high:.3}]")
}

pub(super) fn difference(interval: &Interval) -> String {
    let Interval { mean, low, high } = interval;
    format!("{mean:+.3} [{low:+.3}, {high:+.3}]")
}

pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

pub(super) fn mark(standing: Standing) -> &'static str {
    match standing {
        Standing::Best => "*",
        Standing::NotToldApart => "~",
        Standing::Alone | Standing::Worse => "",
    }
}

pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// One JSON object on one line.
///
/// # Errors
/// `out` refused.
pub fn write_json(evaluation: &Evaluation, out: &mut impl Write) -> io::Result<()> {
    let summary = &evaluation.summary;
    let systems = evaluation.systems.iter().zip(&summary.means);
    let systems = systems.map(|(system, means)| {
        let means = summary.measures.iter().zip(means).map(|(measure, mean)| {
            let Interval { mean, low, high } = mean;
            (
                measure.to_string(),
                json!({"mean": mean, "low": low, "high": high}),
            )
        });
        json!({
            "collection": system.collection,
            "model": system.model,
            "measures": means.collect::<Map<_, _>>(),
        })
    });
    let pair = |pair: &Pair| {
        let Interval { mean, low, high } = pair.difference.difference;
        json!({
            "a": evaluation.systems[pair.a].collection,
            "b": evaluation.systems[pair.b].collection,
            "measure": summary.measures[pair.measure].to_string(),
            "difference": mean,
            "low": low,
            "high": high,
            "p": pair.difference.p,
            "p_holm": pair.corrected,
        })
    };
    let document = json!({
        "version": JSON_VERSION,
        "queries": evaluation.queries.len(),
        "counted": summary.counted,
        "left_out": evaluation.left_out(),
        "not_asked": evaluation.not_asked(),
        "limit": evaluation.depth,
        "systems": systems.collect::<Value>(),
        "pairs": summary.pairs.iter().map(pair).collect::<Value>(),
    });
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// One JSON object a query and system, each on a line of its own: the queries
/// in order, of each the systems in order.
///
/// # Errors
/// `out` refused.
pub fn write_queries(evaluation: &Evaluation, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        version: u32,
        query: usize,
        name: &'a str,
        collection: &'a str,
        relevant: usize,
        measures: Option<Map<String, Value>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<&'a str>,
        hits: Vec<Value>,
    }
    for (place, asked) in evaluation.queries.iter().enumerate() {
        for system in &evaluation.systems {
            let Some(answer) = system.answers.get(place) else {
                continue;
            };
            let line = Line {
                version: JSON_VERSION,
                query: place + 1,
                name: &asked.name,
                collection: &system.collection,
                relevant: answer.judged.as_ref().map_or(0, Judged::relevant),
                measures: measures(answer, &evaluation.summary.measures),
                problem: answer.problem.as_deref(),
                hits: answer.shown.iter().zip(1..).map(hit).collect(),
            };
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

fn measures(answer: &Answer, measures: &[Measure]) -> Option<Map<String, Value>> {
    let judged = answer.judged.as_ref()?;
    let values = measures
        .iter()
        .map(|measure| (measure.to_string(), json!(judged.measure(*measure))));
    Some(values.collect())
}

fn hit((shown, rank): (&Shown, usize)) -> Value {
    json!({
        "rank": rank,
        "id": shown.id,
        "path": shown.path,
        "score": shown.score,
        "grade": shown.grade,
    })
}
