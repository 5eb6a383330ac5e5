//! An evaluation as one page of HTML that needs no network: the means, and the
//! queries that went best and worst with their pictures.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::bootstrap::Interval;
use super::metrics::Measure;
use super::report::{about, difference, interval, mark, p_value};
use super::{Answer, Asked, Evaluation, Shown, System};
use crate::render::html::{DataUri, Style, escape, write_end, write_start_with};

/// Queries that a section shows.
const MOST: usize = 8;

/// How what only this page has looks.
const STYLE: Style = Style {
    css: include_str!("page.css"),
    sha256: "w6rzsr7qJ1SDKy6QKFFD+Tn1DtP/Iq0z17GwzF+WySE=",
};

/// A picture as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Such as `image/jpeg`.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What there is to see at a path.
pub type Pictures<'a> = dyn FnMut(&str) -> Option<Picture> + 'a;

/// Queries that are shown together, and why.
struct Section {
    title: &'static str,
    about: &'static str,
    queries: Vec<usize>,
}

/// Writes the page; `pictures` gives what stands at a path, as a data URI.
///
/// # Errors
/// `out` refused.
pub fn write_page(
    evaluation: &Evaluation,
    pictures: &mut Pictures<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    write_start_with("Evaluation", "queries", &[STYLE], out)?;
    writeln!(
        out,
        "<h1>Evaluation</h1>\n<p>{}.</p>",
        escape(&about(evaluation))
    )?;
    if evaluation.summary.counted == 0 {
        writeln!(out, "<p>No query can be judged.</p>")?;
    } else {
        write_means(evaluation, out)?;
    }
    if !evaluation.summary.pairs.is_empty() {
        write_pairs(evaluation, out)?;
    }
    writeln!(out, "<div id=\"queries\">")?;
    let mut album = Album {
        pictures,
        numbers: HashMap::new(),
    };
    for section in sections(evaluation) {
        if section.queries.is_empty() {
            continue;
        }
        writeln!(
            out,
            "<section>\n<h2>{}</h2>\n<p>{} Green: right. Dashed: wrong.</p>",
            section.title, section.about
        )?;
        for query in section.queries {
            write_query(evaluation, query, &mut album, out)?;
        }
        writeln!(out, "</section>")?;
    }
    writeln!(out, "</div>")?;
    write_end(out)
}

fn write_means(evaluation: &Evaluation, out: &mut impl Write) -> io::Result<()> {
    let summary = &evaluation.summary;
    write!(out, "<div class=\"scroll\">\n<table>\n<thead><tr><th></th>")?;
    for system in &evaluation.systems {
        write!(out, "<th scope=\"col\">{}</th>", escape(&system.name()))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for (place, measure) in summary.measures.iter().enumerate() {
        write!(out, "<tr><th scope=\"row\">{measure}</th>")?;
        for (system, means) in summary.means.iter().enumerate() {
            let Some(mean) = means.get(place) else {
                write!(out, "<td>-</td>")?;
                continue;
            };
            write!(
                out,
                "<td>{} <span class=\"mark\">{}</span>{}</td>",
                interval(mean),
                mark(summary.standing(system, place)),
                bar(mean),
            )?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>\n</div>")?;
    let marks = if evaluation.systems.len() > 1 {
        " <span class=\"mark\">*</span> best; <span class=\"mark\">~</span> less than the best, and it may be by chance."
    } else {
        ""
    };
    writeln!(
        out,
        "<p class=\"soft\">Mean, and where 95 % of the means of resampled queries lie.{marks}</p>"
    )
}

/// The mean as a bar from 0 to 1, its interval as a line over it.
fn bar(interval: &Interval) -> String {
    let [mean, low, high] = [interval.mean, interval.low, interval.high].map(|share| share * 100.0);
    let range = high - low;
    format!(
        "<svg class=\"interval\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" y=\"2\" width=\"100\" height=\"6\"/><rect class=\"mean\" y=\"2\" width=\"{mean:.1}\" height=\"6\"/><rect class=\"range\" x=\"{low:.1}\" y=\"4.5\" width=\"{range:.1}\" height=\"1\"/><rect class=\"range\" x=\"{low:.1}\" width=\"0.6\" height=\"10\"/><rect class=\"range\" x=\"{:.1}\" width=\"0.6\" height=\"10\"/></svg>",
        high - 0.6
    )
}

fn write_pairs(evaluation: &Evaluation, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "<details>\n<summary>Every two collections compared</summary>\n<div class=\"scroll\">\n<table>\n<thead><tr><th></th><th>first</th><th>second</th><th>first less second</th><th>p</th></tr></thead>\n<tbody>"
    )?;
    for pair in &evaluation.summary.pairs {
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            evaluation.summary.measures[pair.measure],
            escape(&evaluation.systems[pair.a].name()),
            escape(&evaluation.systems[pair.b].name()),
            difference(&pair.difference.difference),
            escape(&p_value(pair.corrected)),
        )?;
    }
    writeln!(
        out,
        "</tbody>\n</table>\n</div>\n<p class=\"soft\">p: two-sided paired randomisation test, with Holm's correction over the pairs of a measure.</p>\n</details>"
    )
}

/// The queries that went worst, those that the systems disagree on, and the
/// ones that went best, each query once.
fn sections(evaluation: &Evaluation) -> [Section; 3] {
    let precision = |query: usize| -> Option<Vec<f64>> {
        let answers = evaluation.systems.iter().map(|s| s.answers.get(query));
        let judged = answers.map(|answer| answer?.judged.as_ref());
        judged
            .map(|judged| judged.map(|j| j.measure(Measure::AveragePrecision)))
            .collect()
    };
    let mut left: Vec<(usize, Vec<f64>)> = (0..evaluation.queries.len())
        .filter_map(|query| Some((query, precision(query)?)))
        .collect();
    // A third each, where there are few.
    let most = MOST.min(left.len().div_ceil(3));
    let mut take = |rank: &dyn Fn(&[f64]) -> f64, fit: &dyn Fn(&[f64]) -> bool| {
        take(&mut left, most, rank, fit)
    };
    let worst = take(&|values| -values.iter().sum::<f64>(), &|_| true);
    let spread = |values: &[f64]| {
        let largest = values.iter().copied().fold(0.0, f64::max);
        largest - values.iter().copied().fold(1.0, f64::min)
    };
    let split = take(&spread, &|values| spread(values) > 0.0);
    let best = take(&|values| values.iter().sum(), &|_| true);
    [
        Section {
            title: "Worst queries",
            about: "Least average precision.",
            queries: worst,
        },
        Section {
            title: "Where they differ",
            about: "Largest difference in average precision between two collections.",
            queries: split,
        },
        Section {
            title: "Best queries",
            about: "Largest average precision.",
            queries: best,
        },
    ]
}

/// Takes the queries whose `rank` is largest, among those that `fit`; equal
/// ones in the order of the file.
fn take(
    left: &mut Vec<(usize, Vec<f64>)>,
    most: usize,
    rank: &dyn Fn(&[f64]) -> f64,
    fit: &dyn Fn(&[f64]) -> bool,
) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> = left
        .iter()
        .filter(|(_, values)| fit(values))
        .map(|(query, values)| (rank(values), *query))
        .collect();
    order.sort_by(|a, b| match b.0.total_cmp(&a.0) {
        Ordering::Equal => a.1.cmp(&b.1),
        unequal => unequal,
    });
    let taken: Vec<usize> = order
        .into_iter()
        .take(most)
        .map(|(_, query)| query)
        .collect();
    left.retain(|(query, _)| !taken.contains(query));
    taken
}

fn write_query(
    evaluation: &Evaluation,
    query: usize,
    album: &mut Album<'_, '_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let asked: &Asked = &evaluation.queries[query];
    let picture = asked.picture.as_deref();
    let picture = picture.and_then(|path| album.show(path, "the query"));
    let picture = picture.unwrap_or_default();
    writeln!(
        out,
        "<article class=\"query\">\n<header>{picture}<h3>{}</h3></header>",
        escape(&asked.name)
    )?;
    for system in &evaluation.systems {
        let answer = &system.answers[query];
        writeln!(
            out,
            "<h4>{}</h4>\n<ol class=\"judged\">",
            heading(system, answer)
        )?;
        for (shown, rank) in answer.shown.iter().zip(1..) {
            write_hit(shown, rank, album, out)?;
        }
        writeln!(out, "</ol>")?;
    }
    writeln!(out, "</article>")
}

fn heading(system: &System, answer: &Answer) -> String {
    let mut heading = escape(&system.name()).to_string();
    if let Some(judged) = &answer.judged {
        let found = judged.grades().iter().filter(|grade| **grade > 0).count();
        let precision = judged.measure(Measure::AveragePrecision);
        // Writing to a String cannot fail.
        let _never = write!(
            heading,
            ": average precision {precision:.3}, {found} of {} found",
            judged.relevant()
        )
        .is_err();
    }
    heading
}

fn write_hit(
    shown: &Shown,
    rank: usize,
    album: &mut Album<'_, '_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let class = if shown.grade > 0 { "right" } else { "wrong" };
    let name = shown.path.rsplit('/').next().unwrap_or(&shown.path);
    let frame = album.show(&shown.path, name);
    let frame = frame.unwrap_or_else(|| escape(name).to_string());
    writeln!(
        out,
        "<li class=\"{class}\" title=\"{}\"><div class=\"frame\">{frame}</div>{rank} · {:.3}</li>",
        escape(&shown.path),
        shown.score
    )
}

/// Pictures of a page. Each stands in it once, however often it is shown.
struct Album<'a, 'b> {
    pictures: &'a mut Pictures<'b>,
    /// Its number, where it is in the page; `None` where there is none.
    numbers: HashMap<String, Option<usize>>,
}

impl Album<'_, '_> {
    /// The picture at a path.
    fn show(&mut self, path: &str, alt: &str) -> Option<String> {
        let content = if let Some(number) = self.numbers.get(path) {
            format!("<use href=\"#p{}\"/>", (*number)?)
        } else {
            let picture = (self.pictures)(path);
            let number = self.numbers.len();
            self.numbers
                .insert(path.to_owned(), picture.is_some().then_some(number));
            let Picture { media_type, bytes } = picture?;
            let bytes = &bytes;
            let source = DataUri { media_type, bytes };
            format!("<image id=\"p{number}\" width=\"1\" height=\"1\" href=\"{source}\"/>")
        };
        let alt = escape(alt);
        Some(format!(
            "<svg class=\"photo\" viewBox=\"0 0 1 1\" role=\"img\" aria-label=\"{alt}\">{content}</svg>"
        ))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_style_sheet_is_the_one_that_the_page_allows() {
        assert_eq!(STANDARD.encode(Sha256::digest(STYLE.css)), STYLE.sha256);
        assert!(!STYLE.css.contains("url(") && !STYLE.css.contains("@import"));
    }
}
