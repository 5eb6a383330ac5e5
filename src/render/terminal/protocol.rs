//! How a picture is said to a terminal.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::thumbnail::Thumbnail;
use super::{Cells, blocks, sixel};

/// A way to draw pictures that a terminal may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// kitty's, which Ghostty and Konsole know too. Takes PNG files.
    /// <https://sw.kovidgoyal.net/kitty/graphics-protocol/>
    Kitty,
    /// iTerm2's, which `WezTerm`, mintty and VS Code know too. Takes files.
    /// <https://iterm2.com/documentation-images.html>
    Iterm2,
    /// DEC's, of 1983, which xterm, foot, mlterm and Windows Terminal know.
    /// Takes pixels.
    Sixel,
    /// Two pixels a character, which every terminal with colours knows. Takes
    /// pixels.
    Blocks {
        /// 24-bit colours rather than 256.
        true_colour: bool,
    },
}

/// What a picture is on the screen.
#[derive(Debug)]
pub(super) enum Art {
    /// Drawn from the cursor on, over what is there.
    Drawn(String),
    /// Lines of characters.
    Lines(Vec<String>),
}

/// Characters of base64 in one escape sequence of kitty's, at most.
const CHUNK: usize = 4096;

impl Protocol {
    /// A picture in the terminal's words.
    pub(super) fn art(self, picture: &Thumbnail, size: Cells) -> Art {
        match self {
            Self::Kitty => Art::Drawn(kitty(&picture.bytes, size)),
            Self::Iterm2 => Art::Drawn(iterm2(&picture.bytes, size)),
            Self::Sixel => Art::Drawn(sixel::encode(picture)),
            Self::Blocks { true_colour } => Art::Lines(blocks::lines(picture, true_colour)),
        }
    }
}

/// A PNG in pieces; the cursor stays, and the terminal answers nothing. Only
/// the width is given, so that the terminal keeps the shape.
fn kitty(png: &[u8], size: Cells) -> String {
    let data = STANDARD.encode(png);
    let mut out = String::new();
    let mut pieces = data.as_bytes().chunks(CHUNK).peekable();
    let mut keys = format!("a=T,f=100,q=2,C=1,c={},", size.columns);
    while let Some(piece) = pieces.next() {
        let more = u8::from(pieces.peek().is_some());
        let piece = String::from_utf8_lossy(piece);
        let _never = write!(out, "\x1b_G{keys}m={more};{piece}\x1b\\").is_err();
        keys.clear();
    }
    out
}

fn iterm2(file: &[u8], size: Cells) -> String {
    let Cells { columns, rows } = size;
    let (length, data) = (file.len(), STANDARD.encode(file));
    format!(
        "\x1b]1337;File=inline=1;size={length};width={columns};height={rows};preserveAspectRatio=1;doNotMoveCursor=1:{data}\x07"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Cells = Cells {
        columns: 16,
        rows: 7,
    };

    fn file() -> Thumbnail {
        Thumbnail {
            width: 160,
            height: 140,
            bytes: (0..=255u8).cycle().take(10_000).collect(),
        }
    }

    fn drawn(protocol: Protocol) -> String {
        match protocol.art(&file(), SIZE) {
            Art::Drawn(text) => text,
            Art::Lines(lines) => panic!("{lines:?}"),
        }
    }

    #[test]
    fn kitty_gets_the_file_in_pieces() {
        let text = drawn(Protocol::Kitty);
        let mut data = String::new();
        let sequences: Vec<&str> = text.split_inclusive("\x1b\\").collect();
        assert_eq!(sequences.len(), 4);
        for (index, sequence) in sequences.iter().enumerate() {
            let inner = sequence.strip_prefix("\x1b_G").unwrap();
            let (keys, piece) = inner
                .strip_suffix("\x1b\\")
                .unwrap()
                .split_once(';')
                .unwrap();
            assert_eq!(
                keys.contains("a=T,f=100,q=2,C=1,c=16"),
                index == 0,
                "{keys}"
            );
            assert!(keys.ends_with(if index < 3 { "m=1" } else { "m=0" }));
            assert!(piece.len() <= 4096);
            data += piece;
        }
        assert_eq!(STANDARD.decode(data).unwrap(), file().bytes);
    }

    #[test]
    fn iterm2_gets_the_file_whole() {
        let text = drawn(Protocol::Iterm2);
        let inner = text.strip_prefix("\x1b]1337;File=").unwrap();
        let (keys, data) = inner.strip_suffix('\x07').unwrap().split_once(':').unwrap();
        assert!(keys.contains("size=10000;width=16;height=7"), "{keys}");
        assert_eq!(STANDARD.decode(data).unwrap(), file().bytes);
    }
}
