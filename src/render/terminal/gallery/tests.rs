//! What the galleries write, and where a terminal puts it.

use super::super::super::samples::{Sample, hit};
use super::super::super::thumbnail::Thumbnail;
use super::super::CellPixels;
use super::*;

fn terminal(protocol: Protocol, columns: usize) -> Terminal {
    Terminal {
        screen: Screen {
            width: Some(columns),
            colour: false,
        },
        rows: Some(24),
        cell: CellPixels::default(),
        protocol,
    }
}

const BLOCKS: Protocol = Protocol::Blocks { true_colour: true };

fn picture(width: u32, height: u32) -> Thumbnail {
    Thumbnail {
        width,
        height,
        bytes: vec![7; (width * height * 3) as usize],
    }
}

fn written(gallery: Gallery, sample: &Sample, pictures: Vec<Shown>) -> String {
    let mut out = Vec::new();
    let view = sample.view();
    gallery
        .write(&view, &[], pictures.into_iter(), &mut out)
        .unwrap();
    String::from_utf8(out).unwrap()
}

/// A terminal that knows what the galleries use: text, the cursor, and where
/// pictures were drawn.
#[derive(Default)]
struct Fake {
    lines: Vec<Vec<char>>,
    cursor: (usize, usize),
    saved: (usize, usize),
    /// Line and column of each picture.
    drawn: Vec<(usize, usize)>,
    /// Picture cells that text was written over.
    wiped: usize,
    size: Cells,
}

impl Fake {
    fn read(text: &str, size: Cells) -> Self {
        let mut fake = Self {
            size,
            ..Self::default()
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\n' => fake.cursor = (fake.cursor.0 + 1, 0),
                '\r' => fake.cursor.1 = 0,
                '\x1b' => rest = fake.escape(rest),
                c => fake.put(c),
            }
        }
        fake
    }

    fn escape<'a>(&mut self, rest: &'a str) -> &'a str {
        if let Some(rest) = rest.strip_prefix('7') {
            self.saved = self.cursor;
            return rest;
        }
        if let Some(rest) = rest.strip_prefix('8') {
            self.cursor = self.saved;
            return rest;
        }
        if rest.starts_with(['P', '_']) {
            if rest.starts_with('P') || rest.starts_with("_Ga=T") {
                self.drawn.push(self.cursor);
                // Some terminals leave the cursor below a picture.
                self.cursor = (self.cursor.0 + 3, 0);
            }
            return &rest[rest.find("\x1b\\").unwrap() + 2..];
        }
        let rest = rest.strip_prefix('[').unwrap();
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        let number = rest[..end].parse().unwrap_or(1);
        match &rest[end..=end] {
            "A" => self.cursor.0 -= number,
            "C" => self.cursor.1 += number,
            "m" => {}
            other => panic!("{other}"),
        }
        &rest[end + 1..]
    }

    fn put(&mut self, c: char) {
        let (line, column) = self.cursor;
        self.wiped += self
            .drawn
            .iter()
            .filter(|(top, left)| {
                (*top..top + self.size.rows as usize).contains(&line)
                    && (*left..left + self.size.columns as usize).contains(&column)
            })
            .count();
        self.lines
            .resize(self.lines.len().max(line + 1), Vec::new());
        let row = &mut self.lines[line];
        row.resize(row.len().max(column + 1), ' ');
        row[column] = c;
        self.cursor.1 += 1;
    }

    fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| {
            let line: String = line.iter().collect();
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<String>>().join("\n")
    }
}

fn sample() -> Sample {
    let mut sample = Sample::of(vec![
        hit(1, "Red Handbag"),
        hit(2, "Blue Running Shoe with a name that is long"),
        hit(3, "Green Umbrella"),
    ]);
    sample.hits[0]
        .attributes
        .insert("colour".to_owned(), serde_json::json!("red"));
    sample
}

#[test]
fn pictures_stand_beside_their_text() {
    let gallery = Gallery::new(terminal(Protocol::Sixel, 60), false);
    assert_eq!(gallery.pixels(), (160, 160));
    let pictures = vec![
        Ok(picture(160, 160)),
        Err("gone".to_owned()),
        Ok(picture(80, 100)),
    ];
    let text = written(gallery, &sample(), pictures);
    let fake = Fake::read(
        &text,
        Cells {
            columns: 8,
            rows: 5,
        },
    );
    assert_eq!(fake.drawn, [(3, 0), (16, 0)]);
    assert_eq!(fake.wiped, 0);
    insta::assert_snapshot!("rows_sixel_60", fake.text());
}

#[test]
fn a_grid_fills_the_width() {
    let gallery = Gallery::new(terminal(Protocol::Kitty, 60), true);
    assert_eq!(gallery.pixels(), (290, 300));
    let pictures = vec![
        Ok(picture(290, 200)),
        Ok(picture(100, 290)),
        Err("gone".to_owned()),
    ];
    let text = written(gallery, &sample(), pictures);
    let fake = Fake::read(
        &text,
        Cells {
            columns: 10,
            rows: 10,
        },
    );
    assert_eq!(fake.drawn, [(3, 0), (3, 31)]);
    assert_eq!(fake.wiped, 0);
    insta::assert_snapshot!("grid_kitty_60", fake.text());
}

#[test]
fn nothing_is_wider_than_the_screen() {
    for columns in 6..120 {
        for is_grid in [false, true] {
            let gallery = Gallery::new(terminal(BLOCKS, columns), is_grid);
            let (width, height) = gallery.pixels();
            let wide = Ok(picture(width, height.div_ceil(2)));
            let pictures = vec![wide, Err("it is gone".to_owned()), Ok(picture(1, 1))];
            let text = written(gallery, &sample(), pictures);
            let fake = Fake::read(&text, Cells::default());
            for line in fake.lines {
                assert!(
                    line.len() <= columns.max(18),
                    "{columns} {is_grid}: {line:?}"
                );
            }
        }
    }
}

#[test]
fn a_picture_fits_the_lines_of_the_screen() {
    for rows in [1, 5, 10, 24] {
        let mut terminal = terminal(Protocol::Sixel, 200);
        terminal.rows = Some(rows);
        for is_grid in [false, true] {
            let (_, height) = Gallery::new(terminal, is_grid).pixels();
            assert!(height <= (rows.saturating_sub(4)).max(2) * 20);
        }
    }
}

#[test]
fn pictures_that_end_early_end_the_answer() {
    let gallery = Gallery::new(terminal(BLOCKS, 80), true);
    let text = written(gallery, &sample(), vec![Ok(picture(2, 2))]);
    assert!(
        text.contains("Red Handbag") && !text.contains("Blue"),
        "{text}"
    );
}

#[test]
fn weights_are_short() {
    let texts = [1.0, 0.5, -0.25, 1.0 / 3.0].map(weight_text);
    assert_eq!(texts, ["1", "0.5", "-0.25", "0.333"]);
}
