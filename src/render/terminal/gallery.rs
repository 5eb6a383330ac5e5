//! Pictures beside their text, or in a grid.

use std::io::{self, Write};

use super::super::hits_table::{found_in, score_text, write_heading};
use super::super::records::plain;
use super::super::screen::Screen;
use super::super::text::{cut_end, printable, width, wrap};
use super::super::thumbnail::Shown;
use super::super::view::{AnswerView, PartView};
use super::protocol::{Art, Protocol};
use super::{Cells, Terminal};
use crate::entity::Hit;

/// Columns between two pictures, and between a picture and its text.
const GAP: usize = 2;

/// Columns of a picture in a grid, about; the rest of the line is shared out.
const GRID_COLUMNS: usize = 24;

/// Lines of text below a picture in a grid.
const CAPTION_LINES: usize = 2;

/// Text beside a picture needs as many columns, or stands below.
const TEXT_COLUMNS: usize = 24;

/// How an answer's pictures are laid out.
#[derive(Debug, Clone, Copy)]
pub struct Gallery {
    terminal: Terminal,
    is_grid: bool,
    /// What a picture may cover.
    frame: Cells,
}

/// A picture, or what stands in its place, and the text that belongs to it.
struct Tile {
    art: Art,
    size: Cells,
    text: Vec<String>,
}

impl Gallery {
    /// Lays out for a terminal.
    pub fn new(terminal: Terminal, is_grid: bool) -> Self {
        let all = terminal.width();
        let columns = if is_grid {
            let count = ((all + GAP) / (GRID_COLUMNS + GAP)).max(1);
            (all + GAP) / count - GAP
        } else {
            // Half blocks need more room to show as much.
            let wanted = match terminal.protocol {
                Protocol::Blocks { .. } => 24,
                _ => 16,
            };
            if all < wanted + GAP + TEXT_COLUMNS {
                all.min(wanted)
            } else {
                wanted
            }
        };
        let columns = u32::try_from(columns.clamp(4, 60)).unwrap_or(4);
        let cell = terminal.cell();
        let square = (columns * cell.width).div_ceil(cell.height).max(1);
        // With the text below it a picture must fit, or it scrolls away.
        let most = terminal
            .rows
            .map_or(u32::MAX, |rows| rows.saturating_sub(4).max(2));
        let frame = Cells {
            columns,
            rows: square.min(most),
        };
        Self {
            terminal,
            is_grid,
            frame,
        }
    }

    /// Width and height, in pixels, that a thumbnail may have.
    pub fn pixels(&self) -> (u32, u32) {
        let cell = self.terminal.cell();
        (
            self.frame.columns * cell.width,
            self.frame.rows * cell.height,
        )
    }

    /// Writes the question's pictures, each with its part, and the answer with
    /// one of `pictures` a hit. Ends early where `pictures` do.
    ///
    /// # Errors
    /// `out` refused.
    pub fn write(
        &self,
        view: &AnswerView<'_>,
        question: &[(usize, Shown)],
        pictures: impl Iterator<Item = Shown>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let parts = question.iter().filter_map(|(part, shown)| {
            let part = view.query.parts.get(*part)?;
            Some(self.tile(shown, self.part_text(part)))
        });
        let parts: Vec<Tile> = parts.collect();
        for line in parts.chunks(self.per_line()) {
            self.write_beside(line, out)?;
        }
        write_heading(view, self.terminal.screen, out)?;
        writeln!(out)?;
        let tiles = view.hits.iter().zip(pictures).map(|(hit, shown)| {
            let text = if self.is_grid {
                self.caption(hit, view)
            } else {
                self.description(hit, view)
            };
            self.tile(&shown, text)
        });
        if !self.is_grid {
            for tile in tiles {
                self.write_row(&tile, out)?;
                out.flush()?;
            }
            return Ok(());
        }
        let mut line = Vec::new();
        for tile in tiles {
            line.push(tile);
            if line.len() == self.per_line() {
                self.write_beside(&line, out)?;
                out.flush()?;
                line.clear();
            }
        }
        self.write_beside(&line, out)
    }

    fn screen(&self) -> Screen {
        self.terminal.screen
    }

    fn columns(&self) -> usize {
        self.frame.columns as usize
    }

    /// Pictures that fit beside each other.
    fn per_line(&self) -> usize {
        ((self.terminal.width() + GAP) / (self.columns() + GAP)).max(1)
    }

    /// Columns of the text beside a picture; nothing where it stands below.
    fn text_columns(&self) -> Option<usize> {
        let left = self.terminal.width().checked_sub(self.columns() + GAP)?;
        (left >= TEXT_COLUMNS).then_some(left)
    }

    fn tile(&self, shown: &Shown, text: Vec<String>) -> Tile {
        match shown {
            Ok(picture) => {
                let size = self.terminal.size_of(picture.width, picture.height);
                Tile {
                    art: self.terminal.protocol.art(picture, size),
                    size,
                    text,
                }
            }
            Err(reason) => {
                let lines = self.placeholder(reason);
                Tile {
                    size: Cells {
                        columns: self.frame.columns,
                        rows: u32::try_from(lines.len()).unwrap_or(1),
                    },
                    art: Art::Lines(lines),
                    text,
                }
            }
        }
    }

    /// A box that says why no picture is there.
    fn placeholder(&self, reason: &str) -> Vec<String> {
        let inner = self.columns() - 2;
        let line = "─".repeat(inner);
        let mut lines = vec![format!("╭{line}╮")];
        let rows = (self.frame.rows as usize).saturating_sub(2).clamp(1, 3);
        for text in wrap(&printable(reason), inner).iter().take(rows) {
            let text = cut_end(text, inner);
            let space = inner - width(&text);
            let (left, right) = (" ".repeat(space / 2), " ".repeat(space.div_ceil(2)));
            lines.push(format!("│{left}{text}{right}│"));
        }
        lines.push(format!("╰{line}╯"));
        let faint = lines.into_iter().map(|line| self.screen().faint(line));
        faint.collect()
    }

    fn part_text(&self, part: &PartView) -> Vec<String> {
        let name = part.value.rsplit('/').next().unwrap_or(&part.value);
        let name = printable(name);
        let kind = if part.weight < 0.0 { "not" } else { "query" };
        let kind = match weight_text(part.weight).as_str() {
            "1" => kind.to_owned(),
            weight => format!("{kind} × {weight}"),
        };
        vec![
            self.screen().number(cut_end(&kind, self.columns())),
            self.screen().strong(cut_end(&name, self.columns())),
        ]
    }

    /// What stands below a picture in a grid.
    fn caption(&self, hit: &Hit, view: &AnswerView<'_>) -> Vec<String> {
        let score = score_text(hit.score, view.score);
        let number = format!("{}  {score}", hit.rank);
        vec![
            self.screen().number(cut_end(&number, self.columns())),
            self.screen()
                .strong(cut_end(&printable(&hit.display_name), self.columns())),
        ]
    }

    /// What stands beside a picture, or below it.
    fn description(&self, hit: &Hit, view: &AnswerView<'_>) -> Vec<String> {
        let columns = self.text_columns().unwrap_or(self.terminal.width());
        let screen = self.screen();
        let some = |text: &str, most: usize| {
            let lines = wrap(&printable(text), columns);
            let lines = lines.into_iter().take(most);
            let cut = lines.map(|line| cut_end(&line, columns).into_owned());
            cut.collect::<Vec<String>>()
        };
        let score = score_text(hit.score, view.score);
        let widest = view
            .hits
            .last()
            .map_or(0, |last| last.rank.to_string().len());
        let rank = screen.faint(format!("{:>widest$}", hit.rank));
        let mut text = vec![format!("{rank}  {}", screen.number(score))];
        let names = some(&hit.display_name, 2);
        text.extend(names.into_iter().map(|line| screen.strong(line)));
        if !hit.found_in.is_empty() {
            text.extend(some(&found_in(hit), 2));
        }
        let facts = hit.attributes.iter();
        let facts: Vec<String> = facts
            .map(|(name, value)| format!("{name} {}", plain(value)))
            .collect();
        if !facts.is_empty() {
            text.extend(some(&facts.join(" · "), 2));
        }
        text.push(screen.path(&hit.path, columns));
        text
    }

    /// A picture with its text beside it, or below where the screen is narrow.
    fn write_row(&self, tile: &Tile, out: &mut impl Write) -> io::Result<()> {
        let rows = tile.size.rows as usize;
        let is_beside = self.text_columns().is_some();
        let lines = if is_beside {
            rows.max(tile.text.len())
        } else {
            rows
        };
        draw(&[tile], lines, self.columns(), out)?;
        for line in 0..lines {
            let text = tile.text.get(line).filter(|_| is_beside);
            self.write_slice(tile, line, text.is_some(), out)?;
            if let Some(text) = text {
                write!(out, "{:GAP$}{text}", "")?;
            }
            writeln!(out)?;
        }
        if !is_beside {
            for text in &tile.text {
                writeln!(out, "{text}")?;
            }
        }
        writeln!(out)
    }

    /// Pictures beside each other, each with its text below it.
    fn write_beside(&self, tiles: &[Tile], out: &mut impl Write) -> io::Result<()> {
        if tiles.is_empty() {
            return Ok(());
        }
        let rows = tiles.iter().map(|tile| tile.size.rows as usize).max();
        let rows = rows.unwrap_or(0);
        let refs: Vec<&Tile> = tiles.iter().collect();
        draw(&refs, rows + CAPTION_LINES, self.columns(), out)?;
        let last = tiles.len() - 1;
        for line in 0..rows {
            for (index, tile) in tiles.iter().enumerate() {
                self.write_slice(tile, line, index < last, out)?;
                if index < last {
                    write!(out, "{:GAP$}", "")?;
                }
            }
            writeln!(out)?;
        }
        for line in 0..CAPTION_LINES {
            for (index, tile) in tiles.iter().enumerate() {
                let text = tile.text.get(line).map_or("", String::as_str);
                write!(out, "{text}")?;
                if index < last {
                    let space = self.columns() + GAP - shown_width(text);
                    write!(out, "{:space$}", "")?;
                }
            }
            writeln!(out)?;
        }
        writeln!(out)
    }

    /// A line of a picture's place. Over a picture that was drawn the cursor
    /// moves, as a space would wipe it out.
    fn write_slice(
        &self,
        tile: &Tile,
        line: usize,
        goes_on: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let columns = self.columns();
        let (drawn, taken) = match &tile.art {
            Art::Drawn(_) if goes_on => return write!(out, "\x1b[{columns}C"),
            Art::Drawn(_) => return Ok(()),
            Art::Lines(lines) => (lines.get(line), tile.size.columns as usize),
        };
        if let Some(drawn) = drawn {
            write!(out, "{drawn}")?;
        }
        if goes_on {
            let taken = if drawn.is_some() { taken } else { 0 };
            write!(out, "{:1$}", "", columns.saturating_sub(taken))?;
        }
        Ok(())
    }
}

/// Makes lines, and draws the pictures from the first of them on.
fn draw(tiles: &[&Tile], lines: usize, columns: usize, out: &mut impl Write) -> io::Result<()> {
    if tiles.iter().all(|tile| matches!(tile.art, Art::Lines(_))) {
        return Ok(());
    }
    write!(out, "{}\x1b[{lines}A", "\n".repeat(lines))?;
    for (index, tile) in tiles.iter().enumerate() {
        if let Art::Drawn(sequence) = &tile.art {
            write!(out, "\r")?;
            if index > 0 {
                write!(out, "\x1b[{}C", index * (columns + GAP))?;
            }
            write!(out, "\x1b7{sequence}\x1b8")?;
        }
    }
    write!(out, "\r")
}

/// Columns of a text with colours.
fn shown_width(text: &str) -> usize {
    let mut parts = text.split("\x1b[");
    let first = parts.next().map_or(0, width);
    let coloured = parts.filter_map(|part| part.split_once('m'));
    first + coloured.map(|(_, text)| width(text)).sum::<usize>()
}

/// A part's weight, as short as it can be.
pub(in crate::render) fn weight_text(weight: f64) -> String {
    let text = format!("{weight:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
