//! Plain tables that line up, whatever the script of the text in them.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::text::printable;

/// Side at which a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells under a header.
#[derive(Debug)]
pub struct Table {
    header: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn new(header: &[(&str, Align)]) -> Self {
        Self {
            header: header
                .iter()
                .map(|(name, align)| ((*name).to_owned(), *align))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, a cell a column. Control characters are made visible.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| printable(&cell)).collect());
    }

    /// Writes the header and the rows.
    ///
    /// # Errors
    /// `out` refused.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let header: Vec<String> = self.header.iter().map(|(name, _)| name.clone()).collect();
        let widths: Vec<usize> = (0..header.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                let widest = cells.map(|cell| cell.width()).max().unwrap_or(0);
                widest.max(header[column].width())
            })
            .collect();
        for row in std::iter::once(&header).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.header) {
                let space = " ".repeat(width - cell.width());
                match align {
                    Align::Left => line.extend([cell, &space, "  "]),
                    Align::Right => line.extend([&space, cell, "  "]),
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_width_and_controls_are_escaped() {
        let mut table = Table::new(&[
            ("n", Align::Right),
            ("name", Align::Left),
            ("p", Align::Left),
        ]);
        table.row(["1".to_owned(), "你好".to_owned(), "a".to_owned()]);
        table.row(["10".to_owned(), "é\u{1b}[31m".to_owned(), "b".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let expected = " n  name         p\n 1  你好         a\n10  é\\u{1b}[31m  b\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
