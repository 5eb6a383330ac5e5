//! The answer for people: a table that fits, and where the time went.

use std::io::{self, Write};

use super::screen::Screen;
use super::text::{cut_end, printable, width, wrap};
use super::view::{AnswerView, CollectionView, ExplainView, ScoreKind, SearchView};
use crate::entity::Hit;

/// Spaces between two columns.
const GAP: usize = 2;

/// A name or a path in fewer columns says nothing: each hit then takes a line
/// for its name and one for its path.
const NARROWEST: usize = 16;

/// Rank, score, display name and path, under a line that says how the score
/// sorts; of several collections also where each hit was found.
///
/// # Errors
/// `out` refused.
pub fn write_table(view: &AnswerView<'_>, screen: Screen, out: &mut impl Write) -> io::Result<()> {
    write_heading(view, screen, out)?;
    if view.hits.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = view.hits.iter().map(|hit| Row::new(hit, view)).collect();
    let layout = Layout::new(&rows, screen.width);
    if let Some(widths) = &layout.flexible {
        layout.write_header(widths, screen, out)?;
    }
    for row in &rows {
        match &layout.flexible {
            Some(widths) => layout.write_row(row, widths, screen, out)?,
            None => layout.write_stacked(row, screen, out)?,
        }
    }
    Ok(())
}

/// What was found where, how the score sorts, and what was not asked.
///
/// # Errors
/// `out` refused.
pub(super) fn write_heading(
    view: &AnswerView<'_>,
    screen: Screen,
    out: &mut impl Write,
) -> io::Result<()> {
    let columns = screen.width.unwrap_or(usize::MAX);
    for line in wrap(&printable(&summary(view)), columns) {
        writeln!(out, "{line}")?;
    }
    for left_out in view.collections.iter().filter_map(left_out) {
        for line in wrap(&printable(&left_out), columns) {
            writeln!(out, "{}", screen.warning(line))?;
        }
    }
    Ok(())
}

/// What was found where, and how the score sorts.
fn summary(view: &AnswerView<'_>) -> String {
    let asked = view.collections.iter().filter(|c| c.left_out.is_none());
    let asked: Vec<String> = asked
        .map(|collection| format!("`{}` by {}", collection.name, collection.model))
        .collect();
    let (asked, score) = (asked.join(", "), score_kind(view.score));
    let found = found(view.hits.len());
    format!("{found} in {asked}; score: {score}")
}

/// How many hits there are.
pub(super) fn found(hits: usize) -> String {
    match hits {
        0 => "nothing found".to_owned(),
        1 => "1 hit".to_owned(),
        hits => format!("{hits} hits"),
    }
}

/// A score's name, and how it sorts.
pub(super) fn score_kind(score: ScoreKind) -> String {
    let sorts = if score.larger_is_nearer() {
        "larger is nearer"
    } else {
        "smaller is nearer"
    };
    format!("{}, {sorts}", score.as_str())
}

/// Why a collection was not asked, where it was not.
pub fn left_out(collection: &CollectionView) -> Option<String> {
    let reason = collection.left_out.as_ref()?;
    Some(format!("left out: `{}`: {reason}", collection.name))
}

/// A score with the places that tell it from its neighbours: reciprocal ranks
/// lie close together, and distances of long vectors are large.
pub(super) fn score_text(score: f32, kind: ScoreKind) -> String {
    match kind {
        ScoreKind::Fused => format!("{score:.5}"),
        ScoreKind::Metric(_) if score.abs() >= 1000.0 => format!("{score:.1}"),
        ScoreKind::Metric(_) => format!("{score:.4}"),
    }
}

/// The collections that a fused hit comes from, with its place in each.
pub(super) fn found_in(hit: &Hit) -> String {
    let found = hit.found_in.iter();
    let found: Vec<String> = found
        .map(|found| format!("{} #{}", found.collection, found.rank))
        .collect();
    found.join(", ")
}

/// A hit's cells.
struct Row<'a> {
    rank: String,
    score: String,
    name: String,
    found: String,
    path: &'a str,
}

impl<'a> Row<'a> {
    fn new(hit: &'a Hit, view: &AnswerView<'_>) -> Self {
        Self {
            rank: hit.rank.to_string(),
            score: score_text(hit.score, view.score),
            name: printable(&hit.display_name),
            found: printable(&found_in(hit)),
            path: &hit.path,
        }
    }
}

/// Columns of each part of the table.
struct Layout {
    rank: usize,
    score: usize,
    has_found: bool,
    /// Of name, where it was found, and path; nothing where they do not fit
    /// beside each other.
    flexible: Option<[usize; 3]>,
    width: Option<usize>,
}

impl Layout {
    fn new(rows: &[Row<'_>], available: Option<usize>) -> Self {
        let widest = |title: &str, cell: fn(&Row<'_>) -> usize| {
            rows.iter().map(cell).max().unwrap_or(0).max(title.len())
        };
        let rank = widest("#", |row| row.rank.len());
        let score = widest("score", |row| row.score.len());
        let has_found = rows.iter().any(|row| !row.found.is_empty());
        let natural = [
            widest("name", |row| width(&row.name)),
            if has_found {
                widest("found in", |row| width(&row.found))
            } else {
                0
            },
            widest("path", |row| width(&printable(row.path))),
        ];
        let columns = if has_found { 3 } else { 2 };
        let taken = rank + score + GAP * (1 + columns);
        let flexible = match available {
            None => Some(natural),
            Some(all) => {
                let left = all.saturating_sub(taken);
                let fits = natural.iter().sum::<usize>() <= left;
                (fits || left >= NARROWEST * columns).then(|| share(natural, left))
            }
        };
        Self {
            rank,
            score,
            has_found,
            flexible,
            width: available,
        }
    }

    fn write_header(
        &self,
        widths: &[usize; 3],
        screen: Screen,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let (rank, score) = (self.rank, self.score);
        let mut line = format!(
            "{:>rank$}  {:>score$}  {}",
            "#",
            "score",
            padded("name", widths[0])
        );
        if self.has_found {
            line = format!("{line}  {}", padded("found in", widths[1]));
        }
        writeln!(out, "{}", screen.faint(format!("{line}  path")))
    }

    fn write_row(
        &self,
        row: &Row<'_>,
        widths: &[usize; 3],
        screen: Screen,
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.write_numbers(row, screen, out)?;
        let name = cut_end(&row.name, widths[0]);
        let space = " ".repeat(widths[0] - width(&name));
        write!(out, "  {}{space}", screen.strong(name))?;
        if self.has_found {
            let found = cut_end(&row.found, widths[1]);
            write!(out, "  {}", padded(&found, widths[1]))?;
        }
        writeln!(out, "  {}", screen.path(row.path, widths[2]))
    }

    /// A line for the name, one for each of what else there is.
    fn write_stacked(&self, row: &Row<'_>, screen: Screen, out: &mut impl Write) -> io::Result<()> {
        let all = self.width.unwrap_or(usize::MAX);
        let indent = (self.rank + GAP).min(all / 4);
        self.write_numbers(row, screen, out)?;
        let left = all.saturating_sub(self.rank + self.score + 2 * GAP);
        if left >= NARROWEST.min(width(&row.name)) {
            writeln!(out, "  {}", screen.strong(cut_end(&row.name, left)))?;
        } else {
            let name = cut_end(&row.name, all - indent);
            writeln!(out, "\n{:indent$}{}", "", screen.strong(name))?;
        }
        if self.has_found {
            let found = cut_end(&row.found, all - indent);
            writeln!(out, "{:indent$}{found}", "")?;
        }
        writeln!(out, "{:indent$}{}", "", screen.path(row.path, all - indent))
    }

    fn write_numbers(&self, row: &Row<'_>, screen: Screen, out: &mut impl Write) -> io::Result<()> {
        let rank = screen.faint(format!("{:>1$}", row.rank, self.rank));
        let score = screen.number(format!("{:>1$}", row.score, self.score));
        write!(out, "{rank}  {score}")
    }
}

/// Shares columns out: none gets more than it wants, and none is cut below an
/// equal share, so that long paths do not starve the names.
fn share(wanted: [usize; 3], mut left: usize) -> [usize; 3] {
    let mut given = [0; 3];
    let mut order = [0, 1, 2];
    order.sort_by_key(|&column| wanted[column]);
    for (index, &column) in order.iter().enumerate() {
        given[column] = wanted[column].min(left / (order.len() - index));
        left -= given[column];
    }
    given
}

fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Where the time went, and how each collection was searched.
///
/// # Errors
/// `out` refused.
pub fn write_explain(
    explain: &ExplainView,
    screen: Screen,
    out: &mut impl Write,
) -> io::Result<()> {
    let total: f64 = explain.steps.iter().map(|step| step.milliseconds).sum();
    writeln!(out, "where the time went: {total:.1} ms")?;
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let names = widest(&mut explain.steps.iter().map(|step| width(&step.step)));
    let time = |milliseconds: f64| format!("{milliseconds:.1}");
    let times = widest(&mut explain.steps.iter().map(|s| time(s.milliseconds).len()));
    for step in &explain.steps {
        let number = format!("{:>times$}", time(step.milliseconds));
        let name = padded(&printable(&step.step), names);
        writeln!(out, "  {name}  {} ms", screen.number(number))?;
    }
    for search in &explain.searches {
        let columns = screen.width.unwrap_or(usize::MAX);
        for line in wrap(&printable(&how(search)), columns) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// How a collection was searched, in a sentence.
fn how(search: &SearchView) -> String {
    let requests = match search.requests {
        1 => "1 request".to_owned(),
        several => format!("{several} requests"),
    };
    format!(
        "`{}`: {} {}, {}, consistency {}, {requests}",
        search.collection,
        search.index,
        search.parameters,
        exactness(search),
        search.consistency,
    )
}

/// Whether every vector was compared, in a word.
pub(super) fn exactness(search: &SearchView) -> &'static str {
    if search.exact { "exact" } else { "approximate" }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Sample, hit};
    use super::*;

    fn table(sample: &Sample, screen: Screen) -> String {
        let mut out = Vec::new();
        write_table(&sample.view(), screen, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn at(columns: usize) -> Screen {
        Screen {
            width: Some(columns),
            colour: false,
        }
    }

    #[test]
    fn a_table_fits_its_screen() {
        let sample = Sample::of_the_world();
        for columns in [40, 80, 200] {
            let table = table(&sample, at(columns));
            for line in table.lines() {
                assert!(width(line) <= columns, "{columns}: {line}");
            }
            insta::assert_snapshot!(format!("table_{columns}"), table);
        }
        insta::assert_snapshot!("table_unknown", table(&sample, Screen::default()));
    }

    #[test]
    fn a_fused_answer_says_where_each_hit_comes_from() {
        let sample = Sample::fused();
        insta::assert_snapshot!("fused_120", table(&sample, at(120)));
        insta::assert_snapshot!("fused_40", table(&sample, at(40)));
    }

    #[test]
    fn no_screen_is_too_narrow() {
        for sample in [Sample::of_the_world(), Sample::fused()] {
            for columns in 0..90 {
                let table = table(&sample, at(columns));
                assert!(table.contains("0."), "{columns}");
            }
            for columns in 20..200 {
                for line in table(&sample, at(columns)).lines() {
                    assert!(width(line) <= columns, "{columns}: {line}");
                }
            }
        }
    }

    #[test]
    fn colours_change_no_column() {
        let sample = Sample::of_the_world();
        for columns in [30, 100] {
            let colour = Screen {
                width: Some(columns),
                colour: true,
            };
            let coloured = table(&sample, colour);
            assert!(coloured.contains("\x1b]8;;file:///home/ada/%E5%9B%BE"));
            assert_eq!(without_escapes(&coloured), table(&sample, at(columns)));
        }
    }

    fn without_escapes(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, escape)) = rest.split_once('\x1b') {
            plain.push_str(before);
            let end = match escape.strip_prefix(']') {
                Some(_) => escape.find("\x1b\\").unwrap() + 2,
                None => escape.find('m').unwrap() + 1,
            };
            rest = &escape[end..];
        }
        plain + rest
    }

    #[test]
    fn scores_are_read_at_a_glance() {
        use crate::entity::MetricType::{Cosine, L2};
        let text = |score, metric| score_text(score, ScoreKind::Metric(metric));
        assert_eq!(text(0.312_345, Cosine), "0.3123");
        assert_eq!(text(-0.01, Cosine), "-0.0100");
        assert_eq!(text(12_345.67, L2), "12345.7");
        assert_eq!(score_text(0.032_522, ScoreKind::Fused), "0.03252");
    }

    #[test]
    fn nothing_found_is_said() {
        assert_eq!(
            table(&Sample::of(Vec::new()), at(100)),
            "nothing found in `fashion_clip` by clip-vit-b-32; score: COSINE, larger is nearer\n"
        );
    }

    #[test]
    fn the_time_is_told_by_step() {
        let sample = Sample::of(vec![hit(1, "a")]).explained();
        let mut out = Vec::new();
        write_explain(sample.view().explain.unwrap(), at(80), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
