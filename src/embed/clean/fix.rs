//! `ftfy.fix_text`: all repairs of a text, line by line.
//!
//! Lines are mended apart from one another, so that one bad line does not decide
//! over a good one. References are decoded until a line has a literal `<`: from
//! there on the text is taken for real HTML, and keeps them.

use icu_normalizer::ComposingNormalizer;

use super::{characters, encoding, html};

/// The most characters that are mended at once.
const LONGEST: usize = 1_000_000;

/// The whole text, mended.
pub(super) fn text(text: &str) -> String {
    let mut references = true;
    let mut out = String::with_capacity(text.len());
    for segment in text.split_inclusive('\n').flat_map(pieces) {
        references &= !segment.contains('<');
        out.push_str(&mend(segment, references));
    }
    out
}

/// A line, cut into pieces of at most [`LONGEST`] characters.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let end = rest
            .char_indices()
            .nth(LONGEST)
            .map_or(rest.len(), |(end, _)| end);
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Repairs until there is nothing to repair: one repair can lay bare the next.
/// Each shortens the text or makes it plainer, so the rounds end.
fn mend(segment: &str, references: bool) -> String {
    let mut text = segment.to_owned();
    loop {
        let mut next = if references {
            html::unescape_certain(&text)
        } else {
            text.clone()
        };
        next = characters::simplify(&encoding::fix(&next));
        next = ComposingNormalizer::new_nfc().normalize(&next).into_owned();
        if next == text {
            return text;
        }
        text = next;
    }
}
