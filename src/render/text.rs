//! Texts as they show: escaped, measured, shortened.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for what was left out.
const ELLIPSIS: &str = "…";

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

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text's beginning, in at most `columns`.
pub(super) fn cut_end(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return text.into();
    }
    let head = beginning(text, columns.saturating_sub(1));
    format!("{head}{}", &ELLIPSIS[..ELLIPSIS.len() * columns.min(1)]).into()
}

/// A path in at most `columns`: its middle goes, and the file's name stays
/// whole where it can.
pub(super) fn cut_middle(path: &str, columns: usize) -> Cow<'_, str> {
    if width(path) <= columns {
        return path.into();
    }
    let Some(room) = columns.checked_sub(1) else {
        return "".into();
    };
    let name = path.rfind('/').map_or(path, |slash| &path[slash..]);
    let tail = end(path, width(name).clamp(room.div_ceil(2), room));
    let head = beginning(path, room - width(tail));
    format!("{head}{ELLIPSIS}{tail}").into()
}

/// Words in lines of at most `columns`; a word that is longer has a line to
/// itself, and more columns.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn beginning(text: &str, columns: usize) -> &str {
    let fits = |place: &usize| width(&text[..*place]) <= columns;
    let last = places(text).take_while(fits).last();
    &text[..last.unwrap_or(0)]
}

fn end(text: &str, columns: usize) -> &str {
    // A path's end is short; its beginning may be thousands of characters.
    let first = places(text).find(|place| width(&text[*place..]) <= columns);
    &text[first.unwrap_or(text.len())..]
}

/// Where a text may be cut: not inside what shows as one character.
fn places(text: &str) -> impl Iterator<Item = usize> {
    let mut before = None;
    let mut flags = 0;
    text.char_indices()
        .filter_map(move |(place, c)| {
            let is_flag = matches!(c, '\u{1f1e6}'..='\u{1f1ff}');
            flags = if is_flag { flags + 1 } else { 0 };
            let joins = c.width() == Some(0)
                || matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
                || before == Some('\u{200d}')
                || (is_flag && flags % 2 == 0);
            before = Some(c);
            (!joins).then_some(place)
        })
        .chain([text.len()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_lose_their_middle_and_keep_their_name() {
        let path = "/home/ada/pictures/fashion/red-handbag.jpg";
        for (columns, expected) in [
            (42, path),
            (30, "/home/ada/pic…/red-handbag.jpg"),
            (20, "/ho…/red-handbag.jpg"),
            (16, "…red-handbag.jpg"),
            (6, "…g.jpg"),
            (1, "…"),
            (0, ""),
        ] {
            assert_eq!(cut_middle(path, columns), expected);
        }
        assert_eq!(cut_middle("/aaaaaaaaaaaaaaaaaaaaaaaa/b", 11), "/aaaa…aaa/b");
    }

    #[test]
    fn nothing_is_cut_inside_what_shows_as_one_character() {
        assert_eq!(cut_end("红色手提包", 6), "红色…");
        assert_eq!(cut_end("e\u{301}te\u{301}", 2), "e\u{301}…");
        let family = "👩‍👩‍👧👍🏽🇫🇷🇩🇪";
        assert_eq!(cut_end(family, 8), family);
        assert_eq!(cut_end(family, 7), "👩‍👩‍👧👍🏽🇫🇷…");
        assert_eq!(cut_end(family, 4), "👩‍👩‍👧…");
        assert_eq!(cut_end(family, 2), "…");
    }

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("a verylongword b", 4), ["a", "verylongword", "b"]);
        assert_eq!(wrap("", 4), [""]);
    }

    proptest! {
        #[test]
        fn what_is_cut_fits(text in "[a-zé你👩‍/\u{301}🇩]{0,40}", columns in 0usize..30) {
            for cut in [cut_end(&text, columns), cut_middle(&text, columns)] {
                prop_assert!(width(&cut) <= columns || cut == text, "{cut:?}");
            }
        }
    }
}
