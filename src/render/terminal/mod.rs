//! The answer with its pictures, drawn in the terminal.
//!
//! A picture is drawn from a cursor that was saved, over lines that were made
//! before, so that nothing scrolls while it is drawn; then the cursor is put
//! back, and the text written beside or below. That holds for every protocol,
//! whatever a terminal does with its cursor after a picture.

mod blocks;
mod gallery;
mod protocol;
mod sixel;

pub use gallery::Gallery;
pub(super) use gallery::weight_text;
pub use protocol::Protocol;

use super::screen::Screen;

/// Columns and rows of characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cells {
    /// Across.
    pub columns: u32,
    /// Down.
    pub rows: u32,
}

/// Pixels of one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellPixels {
    /// Across; at least 1.
    pub width: u32,
    /// Down; at least 1.
    pub height: u32,
}

impl Default for CellPixels {
    /// Those of DEC's VT340, for terminals that do not say.
    fn default() -> Self {
        Self {
            width: 10,
            height: 20,
        }
    }
}

/// A terminal that can draw.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Width and colours of its text.
    pub screen: Screen,
    /// Lines, where they are known.
    pub rows: Option<u32>,
    /// Size of its characters.
    pub cell: CellPixels,
    /// How it draws.
    pub protocol: Protocol,
}

/// Columns where the width is not known.
const USUAL_WIDTH: usize = 80;

impl Terminal {
    fn width(&self) -> usize {
        self.screen.width.unwrap_or(USUAL_WIDTH)
    }

    /// Pixels that one character shows.
    fn cell(&self) -> CellPixels {
        match self.protocol {
            Protocol::Blocks { .. } => CellPixels {
                width: 1,
                height: 2,
            },
            _ => self.cell,
        }
    }

    /// The characters that a picture covers.
    fn size_of(&self, width: u32, height: u32) -> Cells {
        let cell = self.cell();
        Cells {
            columns: width.div_ceil(cell.width),
            rows: height.div_ceil(cell.height),
        }
    }
}
