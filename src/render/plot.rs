//! Curves of labelled points as SVG: readable on white and on black, as a file
//! of its own or inside a page.

use std::io::{self, Write};

use super::html::{Style, escape};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 56.0;

/// Width that a character of a label takes at most, in the label's size.
const CHARACTER: f64 = 7.0;
const LABEL_HEIGHT: f64 = 14.0;

/// How a plot looks: its colours are told apart in daylight, at night, and by
/// the colour-blind.
pub const PLOT_STYLE: Style = Style {
    css: include_str!("plot.css"),
    sha256: "Y0AfMWQVmTXnVp8UGnNt/+Wwz+v1bQFtbGn1D2uZTxQ=",
};

/// The scale reaches down to this at least: a difference of 0.001 shall not
/// look like a cliff.
const LEAST_TOP: f64 = 0.95;

/// Colours of [`PLOT_STYLE`]; more curves begin again.
const COLOURS: usize = 5;

/// Curves over one another.
#[derive(Debug, Clone)]
pub struct Plot<'a> {
    /// What it shows.
    pub title: &'a str,
    /// What goes right, with its unit; on a scale of powers.
    pub x: &'a str,
    /// What goes up; 1 is the most that it can be.
    pub y: &'a str,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// Points that belong together, from left to right.
#[derive(Debug, Clone)]
pub struct Curve {
    /// What they are of.
    pub name: String,
    /// The points.
    pub points: Vec<Point>,
}

/// A labelled point.
#[derive(Debug, Clone)]
pub struct Point {
    /// Above 0.
    pub x: f64,
    /// A worse x that happens too: a faint line reaches there.
    pub tail: f64,
    /// From 0 to 1.
    pub y: f64,
    /// What is beside it.
    pub label: String,
}

/// Where numbers come to lie.
struct Scales {
    x: (f64, f64),
    y: (f64, f64),
}

/// A rectangle that a label, or a point, takes.
#[derive(Clone, Copy)]
struct Space {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Space {
    fn meets(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    fn is_inside(&self) -> bool {
        self.x >= LEFT
            && self.x + self.width <= WIDTH
            && self.y >= TOP - LABEL_HEIGHT
            && self.y + self.height <= HEIGHT - BOTTOM
    }
}

impl Scales {
    fn of(plot: &Plot<'_>) -> Self {
        let points = || plot.curves.iter().flat_map(|curve| &curve.points);
        let least = |numbers: &mut dyn Iterator<Item = f64>| numbers.fold(f64::INFINITY, f64::min);
        let low = least(&mut points().map(|point| point.x));
        let high = points()
            .map(|point| point.x.max(point.tail))
            .fold(0.0, f64::max);
        let (low, high) = if low.is_finite() && low > 0.0 {
            (low, high)
        } else {
            (1.0, 10.0)
        };
        // Room at both ends, also where there is one point only.
        let x = (low / 1.25, high * 1.25);
        let least_y = least(&mut points().map(|point| point.y)).min(LEAST_TOP);
        let step = step(1.0 - least_y);
        let y = ((least_y / step).floor() * step - step).max(0.0);
        Self { x, y: (y, 1.0) }
    }

    fn x(&self, x: f64) -> f64 {
        let (low, high) = self.x;
        LEFT + (x / low).ln() / (high / low).ln() * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, y: f64) -> f64 {
        let (low, high) = self.y;
        HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    }

    /// Round numbers within: 1, 2 and 5 times the powers of 10, and more where
    /// those are too few.
    fn x_ticks(&self) -> Vec<f64> {
        let (low, high) = self.x;
        let within = |digits: &[f64]| -> Vec<f64> {
            let powers = (-6..9).map(|power| 10f64.powi(power));
            let ticks = powers.flat_map(|power| digits.iter().map(move |digit| digit * power));
            ticks.filter(|tick| (low..=high).contains(tick)).collect()
        };
        let coarse = within(&[1.0, 2.0, 5.0]);
        if coarse.len() > 2 {
            coarse
        } else {
            within(&[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0])
        }
    }

    fn y_ticks(&self) -> Vec<f64> {
        let (low, high) = self.y;
        let step = step(high - low);
        let ticks = (0..32u8).map(|n| high - f64::from(n) * step);
        ticks.take_while(|tick| *tick > low - step / 2.0).collect()
    }
}

/// A round step that goes four to ten times into a span.
fn step(span: f64) -> f64 {
    let steps = [
        0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
    ];
    let fits = steps.into_iter().find(|step| span / step <= 8.0);
    fits.unwrap_or(0.2)
}

/// Writes a file of SVG.
///
/// # Errors
/// `out` refused.
pub fn write_svg(plot: &Plot<'_>, out: &mut impl Write) -> io::Result<()> {
    write_plot(plot, &format!("<style>{}</style>", PLOT_STYLE.css), out)
}

/// Writes the plot into a page that has [`PLOT_STYLE`].
///
/// # Errors
/// `out` refused.
pub fn write_figure(plot: &Plot<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<figure>")?;
    write_plot(plot, "", out)?;
    writeln!(out, "</figure>")
}

fn write_plot(plot: &Plot<'_>, style: &str, out: &mut impl Write) -> io::Result<()> {
    let scales = Scales::of(plot);
    let title = escape(plot.title);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n{style}\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n<text class=\"title\" x=\"{LEFT}\" y=\"22\">{title}</text>",
    )?;
    write_axes(plot, &scales, out)?;
    let points = plot.curves.iter().flat_map(|curve| &curve.points);
    let mut taken: Vec<Space> = points
        .flat_map(|point| {
            let (x, y) = (scales.x(point.x), scales.y(point.y));
            let tail = Space {
                x,
                y: y - 1.0,
                width: scales.x(point.tail.max(point.x)) - x,
                height: 2.0,
            };
            [around(x, y), tail]
        })
        .collect();
    for (curve, colour) in plot.curves.iter().zip((0..COLOURS).cycle()) {
        write_curve((curve, colour), &scales, &mut taken, out)?;
    }
    if plot.curves.len() > 1 {
        write_legend(plot, out)?;
    }
    writeln!(out, "</svg>")
}

fn write_axes(plot: &Plot<'_>, scales: &Scales, out: &mut impl Write) -> io::Result<()> {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for tick in scales.y_ticks() {
        let y = scales.y(tick);
        writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"soft\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            short(tick)
        )?;
    }
    for tick in scales.x_ticks() {
        let x = scales.x(tick);
        writeln!(
            out,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/><text class=\"soft\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            bottom + 18.0,
            short(tick)
        )?;
    }
    writeln!(
        out,
        "<text text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n<text text-anchor=\"middle\" transform=\"translate(16 {:.1}) rotate(-90)\">{}</text>",
        f64::midpoint(LEFT, right),
        HEIGHT - 12.0,
        escape(plot.x),
        f64::midpoint(TOP, bottom),
        escape(plot.y),
    )
}

fn write_curve(
    (curve, colour): (&Curve, usize),
    scales: &Scales,
    taken: &mut Vec<Space>,
    out: &mut impl Write,
) -> io::Result<()> {
    let places: Vec<(f64, f64)> = curve
        .points
        .iter()
        .map(|point| (scales.x(point.x), scales.y(point.y)))
        .collect();
    let line: Vec<String> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    writeln!(
        out,
        "<g class=\"curve c{colour}\"><title>{}</title><polyline class=\"line\" points=\"{}\"/>",
        escape(&curve.name),
        line.join(" ")
    )?;
    for (point, (x, y)) in curve.points.iter().zip(places) {
        if point.tail > point.x {
            writeln!(
                out,
                "<line class=\"tail\" x1=\"{x:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                scales.x(point.tail)
            )?;
        }
        let space = place(&point.label, (x, y), taken);
        taken.push(space);
        writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            space.x,
            space.y + LABEL_HEIGHT - 3.0,
            escape(&point.label)
        )?;
    }
    writeln!(out, "</g>")
}

fn write_legend(plot: &Plot<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut x = LEFT;
    for (curve, colour) in plot.curves.iter().zip((0..COLOURS).cycle()) {
        writeln!(
            out,
            "<g class=\"curve c{colour}\"><rect x=\"{x:.1}\" y=\"36\" width=\"12\" height=\"12\" rx=\"3\"/><text x=\"{:.1}\" y=\"46\">{}</text></g>",
            x + 18.0,
            escape(&curve.name)
        )?;
        x += 40.0 + width(&curve.name);
    }
    Ok(())
}

/// The first place beside a point that nothing else takes; where there is
/// none, the first.
fn place(label: &str, (x, y): (f64, f64), taken: &[Space]) -> Space {
    let width = width(label);
    let columns = [x + 7.0, x - 7.0 - width, x - width / 2.0];
    let rows = (0..6u8).flat_map(|far| {
        let far = f64::from(far) * LABEL_HEIGHT;
        [y + 5.0 + far, y - 5.0 - LABEL_HEIGHT - far]
    });
    let mut spaces = rows.flat_map(|y| {
        columns.map(|x| Space {
            x,
            y,
            width,
            height: LABEL_HEIGHT,
        })
    });
    let first = spaces.clone().next();
    let free = spaces.find(|space| space.is_inside() && !taken.iter().any(|t| t.meets(space)));
    free.or(first).unwrap_or_else(|| around(x, y))
}

fn around(x: f64, y: f64) -> Space {
    Space {
        x: x - 5.0,
        y: y - 5.0,
        width: 10.0,
        height: 10.0,
    }
}

fn width(text: &str) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a label has few characters")]
    let columns = unicode_width::UnicodeWidthStr::width(text) as f64;
    columns * CHARACTER
}

/// As few digits as tell it.
fn short(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(name: &str, y: &[f64]) -> Curve {
        let points = y
            .iter()
            .zip([16, 32, 64, 128, 256, 512])
            .map(|(y, ef)| Point {
                x: 1.0 + f64::from(ef) / 60.0,
                tail: 1.5 + f64::from(ef) / 40.0,
                y: *y,
                label: format!("ef {ef}"),
            });
        Curve {
            name: name.to_owned(),
            points: points.collect(),
        }
    }

    fn svg(curves: Vec<Curve>) -> String {
        let plot = Plot {
            title: "Recall against latency",
            x: "median of one query, ms",
            y: "recall@10",
            curves,
        };
        let mut out = Vec::new();
        write_svg(&plot, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_point_is_drawn_with_its_label() {
        let good = sweep("a & <b>", &[0.91, 0.95, 0.98, 0.995, 1.0, 1.0]);
        let svg = svg(vec![
            good.clone(),
            sweep("other", &[0.7, 0.8, 0.9, 0.95, 0.97, 0.98]),
        ]);
        assert_eq!(svg.matches("<circle").count(), 12);
        assert_eq!(svg.matches(">ef 512<").count(), 2);
        assert!(
            svg.contains("a &amp; &lt;b&gt;") && !svg.contains("<b>"),
            "{svg}"
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn labels_do_not_lie_on_one_another() {
        let mut taken = vec![
            around(300.0, 70.0),
            around(310.0, 70.0),
            around(318.0, 70.0),
        ];
        for x in [300.0, 310.0, 318.0] {
            let label = place("ef 512", (x, 70.0), &taken);
            assert!(taken.iter().all(|t| !t.meets(&label)) && label.is_inside());
            taken.push(label);
        }
    }

    #[test]
    fn one_point_and_none_have_axes_too() {
        let one = sweep("one", &[1.0]);
        for curves in [vec![one], Vec::new()] {
            let svg = svg(curves);
            assert!(svg.matches("class=\"grid\"").count() > 3, "{svg}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
