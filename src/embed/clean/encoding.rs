//! Text that was UTF-8, but was decoded as something else, decoded rightly.

use super::{badness, characters, charmap, embedded, utf8};

/// The text, decoded rightly as often as it was decoded wrongly.
pub(super) fn fix(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(next) = step(&text).filter(|next| *next != text) {
        text = next;
    }
    text
}

/// One wrong decoding undone; none where the text looks right or nothing fits.
/// Every step leaves fewer characters, or fewer control characters.
fn step(text: &str) -> Option<String> {
    if text.is_ascii() || !badness::is_bad(text) {
        return None;
    }
    charmap::all()
        .iter()
        .find_map(|charmap| undo(text, charmap))
        .or_else(|| Some(embedded::fix(text)).filter(|fixed| fixed != text))
        .or_else(|| Some(characters::mend_c1(text)))
}

/// The text, were it UTF-8 that was decoded as this encoding.
fn undo(text: &str, charmap: &charmap::Charmap) -> Option<String> {
    let mut bytes = charmap.encode(text)?;
    if charmap.spaces {
        bytes = utf8::with_no_break_spaces(&bytes);
    }
    if charmap.sloppy {
        bytes = utf8::with_replacements(&bytes);
    }
    utf8::decode(&bytes)
}
