//! Texts as they show: escaped, measured, shortened.

/// Whether a character would move a terminal's cursor, or turn the direction of
/// writing for what comes after it.
pub(super) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text that cannot move a terminal's cursor: control characters, and the
/// ones that turn the direction of writing, are written as escapes.
pub fn printable(text: &str) -> String {
    if !text.contains(is_hostile) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|c| {
            let escaped = is_hostile(c).then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}
