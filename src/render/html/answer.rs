//! The answer of a search as a page.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::super::hits_table::{exactness, found, left_out, score_kind, score_text};
use super::super::records::plain;
use super::super::terminal::weight_text;
use super::super::thumbnail::{Shown, Thumbnail};
use super::super::view::{AnswerView, ExplainView, PartKind, PartView};
use super::page::{DataUri, FileUri, escape, write_end, write_start};
use crate::entity::{Hit, MetricType};
use crate::render::ScoreKind;

/// Characters of the page's title, which is the question.
const TITLE_CHARACTERS: usize = 80;

/// Writes a page of the question, and of the answer with one of `pictures`, JPEG
/// files, a hit. Ends early where `pictures` do.
///
/// # Errors
/// `out` refused.
pub fn write_answer(
    view: &AnswerView<'_>,
    question: &[(usize, Shown)],
    pictures: impl Iterator<Item = Shown>,
    out: &mut impl Write,
) -> io::Result<()> {
    write_start(&title(view), "answer", out)?;
    write_question(view, question, out)?;
    let found = found(view.hits.len());
    writeln!(out, "<h2 id=\"answer\" tabindex=\"-1\">{found}</h2>")?;
    write_where(view, out)?;
    if view.hits.is_empty() {
        writeln!(
            out,
            "<p class=\"nothing\">No stored picture answers this question.</p>"
        )?;
    } else {
        writeln!(out, "<ol class=\"hits\">")?;
        let best = view.hits.first().map_or(1.0, |hit| hit.score);
        for (hit, shown) in view.hits.iter().zip(pictures) {
            write_hit(hit, &shown, &Scale { view, best }, out)?;
        }
        writeln!(out, "</ol>")?;
    }
    if let Some(explain) = view.explain {
        write_explain(explain, out)?;
    }
    write_end(out)
}

/// The question in a line.
fn title(view: &AnswerView<'_>) -> String {
    let parts = view.query.parts.iter().map(|part| {
        let not = if part.weight < 0.0 { "not " } else { "" };
        format!("{not}{}", short(part))
    });
    let title = parts.collect::<Vec<String>>().join(" + ");
    let mut cut: String = title.chars().take(TITLE_CHARACTERS).collect();
    if cut.len() < title.len() {
        cut.push('…');
    }
    cut
}

/// A part in a word or some.
fn short(part: &PartView) -> &str {
    match part.kind {
        PartKind::Text | PartKind::Id => &part.value,
        PartKind::Image if part.value == "-" => "picture",
        PartKind::Image => part.value.rsplit('/').next().unwrap_or(&part.value),
    }
}

fn write_question(
    view: &AnswerView<'_>,
    question: &[(usize, Shown)],
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "<h1>Looking for</h1>\n<ul class=\"question\">")?;
    let is_alone = view.query.parts.len() == 1;
    for (index, part) in view.query.parts.iter().enumerate() {
        let shown = question.iter().find(|(part, _)| *part == index);
        write_part(part, shown.map(|(_, shown)| shown), is_alone, out)?;
    }
    writeln!(out, "</ul>")?;
    if let Some(filter) = &view.query.filter {
        let filter = escape(filter);
        writeln!(
            out,
            "<p class=\"soft\">Only where <code>{filter}</code></p>"
        )?;
    }
    if view.query.offset > 0 {
        let offset = view.query.offset;
        writeln!(
            out,
            "<p class=\"soft\">The first {offset} were passed over</p>"
        )?;
    }
    Ok(())
}

/// The collections that were asked, how scores sort, and what was not asked.
fn write_where(view: &AnswerView<'_>, out: &mut impl Write) -> io::Result<()> {
    let asked = view.collections.iter().filter(|c| c.left_out.is_none());
    let asked: Vec<String> = asked
        .map(|asked| format!("<b>{}</b> by {}", escape(&asked.name), escape(&asked.model)))
        .collect();
    let (asked, score) = (asked.join(", "), score_kind(view.score));
    let score = escape(&score);
    writeln!(out, "<p class=\"soft\">in {asked} · score: {score}</p>")?;
    for left_out in view.collections.iter().filter_map(left_out) {
        writeln!(out, "<p class=\"note\">{}</p>", escape(&left_out))?;
    }
    Ok(())
}

fn write_part(
    part: &PartView,
    shown: Option<&Shown>,
    is_alone: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let is_against = part.weight < 0.0;
    let kind = match (part.kind, is_against) {
        (PartKind::Text, false) => "words",
        (PartKind::Text, true) => "not these words",
        (PartKind::Image, false) => "picture",
        (PartKind::Image, true) => "not this picture",
        (PartKind::Id, false) => "stored picture",
        (PartKind::Id, true) => "not this stored picture",
    };
    let class = match (part.kind, is_against) {
        (PartKind::Text, false) => "part words",
        (PartKind::Text, true) => "part words against",
        (_, false) => "part",
        (_, true) => "part against",
    };
    write!(out, "<li class=\"{class}\">")?;
    if part.kind == PartKind::Text {
        let words = escape(&part.value);
        write!(out, "<blockquote dir=\"auto\">{words}</blockquote>")?;
    } else {
        if let Some(Ok(picture)) = shown {
            write_image(picture, &format!("query picture {}", short(part)), out)?;
        }
        write!(out, "<span dir=\"auto\">{}</span>", escape(short(part)))?;
        if let Some(Err(reason)) = shown {
            write!(out, "<span class=\"soft\">{}</span>", escape(reason))?;
        }
    }
    let weight = match weight_text(part.weight).as_str() {
        "1" if is_alone => String::new(),
        weight => format!("<span>weight {weight}</span>"),
    };
    writeln!(
        out,
        "<div class=\"kind\"><span>{kind}</span>{weight}</div></li>"
    )
}

/// What a hit's score is held against.
struct Scale<'a> {
    view: &'a AnswerView<'a>,
    best: f32,
}

impl Scale<'_> {
    /// How near a hit is beside the best one, 0 to 100.
    fn percent(&self, score: f32) -> f32 {
        let share = match self.view.score {
            ScoreKind::Metric(MetricType::L2) if score > 0.0 => self.best / score,
            ScoreKind::Metric(MetricType::L2) => 1.0,
            _ if self.best > 0.0 => score / self.best,
            _ => 0.0,
        };
        if share.is_finite() {
            share.clamp(0.0, 1.0) * 100.0
        } else {
            0.0
        }
    }
}

fn write_hit(hit: &Hit, shown: &Shown, scale: &Scale<'_>, out: &mut impl Write) -> io::Result<()> {
    let name = escape(&hit.display_name);
    writeln!(out, "<li class=\"hit\">")?;
    let is_link = hit.path.starts_with('/');
    if is_link {
        let uri = FileUri(&hit.path);
        write!(out, "<a class=\"picture\" href=\"{uri}\">")?;
    } else {
        write!(out, "<div class=\"picture\">")?;
    }
    match shown {
        Ok(picture) => write_image(picture, &hit.display_name, out)?,
        Err(reason) => write!(
            out,
            "<span class=\"place\">no picture: {}</span>",
            escape(reason)
        )?,
    }
    let rank = hit.rank;
    write!(out, "<span class=\"rank\">{rank}</span>")?;
    writeln!(out, "{}", if is_link { "</a>" } else { "</div>" })?;
    let score = score_text(hit.score, scale.view.score);
    let kind = escape(&score_kind(scale.view.score)).to_string();
    writeln!(
        out,
        "<div class=\"about\">\n<h3 class=\"name\" dir=\"auto\" title=\"{name}\">{name}</h3>\n<p class=\"score\" title=\"{kind}\"><span>{score}</span>{}</p>",
        bar(scale.percent(hit.score)),
    )?;
    write_facts(hit, out)?;
    let path = escape(&hit.path);
    if is_link {
        let uri = FileUri(&hit.path);
        writeln!(
            out,
            "<p class=\"path\"><a href=\"{uri}\" tabindex=\"-1\">{path}</a></p>"
        )?;
    } else {
        writeln!(out, "<p class=\"path\">{path}</p>")?;
    }
    writeln!(out, "</div></li>")
}

/// Where a fused hit comes from, and the attributes.
fn write_facts(hit: &Hit, out: &mut impl Write) -> io::Result<()> {
    if !hit.found_in.is_empty() {
        writeln!(out, "<dl class=\"facts found\">")?;
        for found in &hit.found_in {
            let (collection, rank, score) = (escape(&found.collection), found.rank, found.score);
            writeln!(
                out,
                "<div title=\"score {score}\"><dt>{collection}</dt><dd>#{rank}</dd></div>"
            )?;
        }
        writeln!(out, "</dl>")?;
    }
    if hit.attributes.is_empty() {
        return Ok(());
    }
    writeln!(out, "<dl class=\"facts\">")?;
    for (name, value) in &hit.attributes {
        let (name, value) = (escape(name), plain(value));
        let value = escape(&value);
        writeln!(
            out,
            "<div title=\"{value}\"><dt dir=\"auto\">{name}</dt><dd dir=\"auto\">{value}</dd></div>"
        )?;
    }
    writeln!(out, "</dl>")
}

fn write_image(picture: &Thumbnail, alt: &str, out: &mut impl Write) -> io::Result<()> {
    let (width, height) = (picture.width, picture.height);
    let data = DataUri {
        media_type: "image/jpeg",
        bytes: &picture.bytes,
    };
    let alt = escape(alt);
    write!(
        out,
        "<img src=\"{data}\" width=\"{width}\" height=\"{height}\" alt=\"{alt}\" decoding=\"async\">"
    )
}

/// A bar that is filled so far; without a style attribute, which the page's
/// policy forbids.
fn bar(percent: f32) -> String {
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 5\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"5\"/><rect class=\"fill\" width=\"{percent:.1}\" height=\"5\"/></svg>"
    )
}

fn write_explain(explain: &ExplainView, out: &mut impl Write) -> io::Result<()> {
    let total: f64 = explain.steps.iter().map(|step| step.milliseconds).sum();
    let longest = explain.steps.iter().map(|step| step.milliseconds);
    let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
    let mut rows = String::new();
    for step in &explain.steps {
        #[expect(clippy::cast_possible_truncation, reason = "a share of 100")]
        let share = (step.milliseconds / longest * 100.0) as f32;
        let (name, time, bar) = (escape(&step.step), step.milliseconds, bar(share));
        let _never = writeln!(
            rows,
            "<tr><td>{name}</td><td class=\"number\">{time:.1} ms</td><td>{bar}</td></tr>"
        )
        .is_err();
    }
    writeln!(
        out,
        "<details><summary>Where the time went: {total:.1} ms</summary>\n<div class=\"scroll\"><table>\n{rows}</table></div>"
    )?;
    if !explain.searches.is_empty() {
        writeln!(
            out,
            "<div class=\"scroll\"><table>\n<tr><th>collection</th><th>index</th><th>parameters</th><th>compared</th><th>consistency</th><th>requests</th></tr>"
        )?;
        for search in &explain.searches {
            let parameters = search.parameters.to_string();
            writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td class=\"number\">{}</td></tr>",
                escape(&search.collection),
                escape(&search.index),
                escape(&parameters),
                exactness(search),
                escape(&search.consistency),
                search.requests,
            )?;
        }
        writeln!(out, "</table></div>")?;
    }
    writeln!(out, "</details>")
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{Sample, hit};
    use super::*;

    fn picture() -> Thumbnail {
        Thumbnail {
            width: 3,
            height: 2,
            bytes: b"not really a JPEG".to_vec(),
        }
    }

    fn page(sample: &Sample, question: &[(usize, Shown)]) -> String {
        let mut out = Vec::new();
        let pictures = std::iter::repeat_with(|| Ok(picture()));
        write_answer(&sample.view(), question, pictures, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Without what every page has.
    fn content(page: &str) -> &str {
        let start = page.find("<main>").unwrap();
        &page[start..page.find("</main>").unwrap()]
    }

    #[test]
    fn a_page_shows_question_and_answer() {
        let mut sample = Sample::fused().explained();
        sample.query.parts.push(PartView {
            kind: PartKind::Image,
            value: "/tmp/shoe \"1\".jpg".to_owned(),
            weight: 0.5,
        });
        sample.query.parts.push(PartView {
            kind: PartKind::Text,
            value: "leather".to_owned(),
            weight: -0.25,
        });
        sample.query.filter = Some("attributes[\"price\"] < 50".to_owned());
        insta::assert_snapshot!(content(&page(&sample, &[(1, Ok(picture()))])));
    }

    #[test]
    fn hostile_names_stay_names() {
        let mut sample = Sample::of_the_world();
        let hostile = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>\u{202e}";
        sample.query.parts[0].value = hostile.to_owned();
        sample.query.filter = Some(hostile.to_owned());
        sample.collections[0].name = hostile.to_owned();
        sample.collections[0].model = hostile.to_owned();
        sample.hits[0].path = format!("/{hostile}");
        sample.hits[1].path = hostile.to_owned();
        sample.hits[2]
            .attributes
            .insert(hostile.to_owned(), serde_json::json!({ hostile: hostile }));
        let page = page(&sample, &[(0, Err(hostile.to_owned()))]);
        let images = page.matches("<img").count();
        assert_eq!(images, sample.hits.len());
        assert_eq!(page.matches("<script").count(), 0);
        assert!(!page.contains('\u{202e}'));
        // What is in a tag and not in quotes are the names of attributes.
        for tag in page.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap();
            let names: String = tag.split('"').step_by(2).collect();
            assert!(!names.contains("onerror"), "{tag}");
        }
    }

    #[test]
    fn a_picture_that_is_gone_is_told() {
        let sample = Sample::of(vec![hit(1, "Red")]);
        let mut out = Vec::new();
        let gone = std::iter::once(Err("it is gone".to_owned()));
        write_answer(&sample.view(), &[], gone, &mut out).unwrap();
        let page = String::from_utf8(out).unwrap();
        assert!(page.contains("no picture: it is gone"), "{page}");
    }

    #[test]
    fn nothing_found_is_a_page_too() {
        let page = page(&Sample::of(Vec::new()), &[]);
        assert!(content(&page).contains("nothing found"));
    }

    #[test]
    fn bars_are_full_for_the_best() {
        let sample = Sample::of(Vec::new());
        let mut view = sample.view();
        let mut percent = |score, metric, best, of: f32| {
            view.score = metric;
            let scale = Scale { view: &view, best };
            let found = scale.percent(score);
            assert!((found - of).abs() < 0.01, "{score} of {best}: {found}");
        };
        let cosine = ScoreKind::Metric(MetricType::Cosine);
        let l2 = ScoreKind::Metric(MetricType::L2);
        percent(0.5, cosine, 0.5, 100.0);
        percent(0.25, cosine, 0.5, 50.0);
        percent(-0.25, cosine, 0.5, 0.0);
        percent(-0.25, cosine, -0.2, 0.0);
        percent(0.0, l2, 0.0, 100.0);
        percent(10.0, l2, 0.0, 0.0);
        percent(10.0, l2, 5.0, 50.0);
        percent(f32::NAN, cosine, 1.0, 0.0);
    }
}
