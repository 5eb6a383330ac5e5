//! Repairs of single characters: ligatures, widths, quotes, line ends, and what
//! terminals and old word processors left behind.

use super::{charmap, python};

/// The text with every character in its plain form, without terminal escapes and
/// control characters.
pub(super) fn simplify(text: &str) -> String {
    without_controls(&without_escapes(&plain(text)))
}

/// Control characters U+0080 to U+009F as the Windows-1252 characters of the same
/// byte, as browsers read them.
pub(super) fn mend_c1(text: &str) -> String {
    text.chars().map(charmap::windows_1252).collect()
}

fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push('\n');
            }
            c if c.is_ascii() => out.push(c),
            c => push_plain(charmap::windows_1252(c), &mut out),
        }
    }
    out
}

fn push_plain(c: char, out: &mut String) {
    if let Some(letters) = ligature(c) {
        out.push_str(letters);
        return;
    }
    match c {
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => out.push('\''),
        '\u{201c}'..='\u{201f}' => out.push('"'),
        '\u{2028}' | '\u{2029}' => out.push('\n'),
        '\u{3000}' => out.push(' '),
        '\u{ffe3}' => out.push_str(" \u{304}"),
        '\u{ff01}'..='\u{ffef}' => out.push(usual_width(c)),
        c => out.push(c),
    }
}

/// The letters of a Latin ligature or digraph. Those used on purpose, such as æ,
/// stay. The list is that of ftfy 6.3.1, Apache-2.0 (see `LICENSE-ftfy.txt`).
fn ligature(c: char) -> Option<&'static str> {
    Some(match c {
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ŉ' => "'n",
        'Ǳ' => "DZ",
        'ǲ' => "Dz",
        'ǳ' => "dz",
        'Ǆ' => "DŽ",
        'ǅ' => "Dž",
        'ǆ' => "dž",
        'Ǉ' => "LJ",
        'ǈ' => "Lj",
        'ǉ' => "lj",
        'Ǌ' => "NJ",
        'ǋ' => "Nj",
        'ǌ' => "nj",
        'ﬀ' => "ff",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        'ﬃ' => "ffi",
        'ﬄ' => "ffl",
        'ﬅ' => "ſt",
        'ﬆ' => "st",
        _ => return None,
    })
}

/// A character of the half-width and full-width block in its usual width.
fn usual_width(c: char) -> char {
    let offset = u32::from(c) - 0xff01;
    if offset < WIDE_REST {
        return char::from_u32(0x21 + offset).unwrap_or(c);
    }
    let mut rest = USUAL.chars();
    usize::try_from(offset - WIDE_REST)
        .ok()
        .and_then(|place| rest.nth(place))
        .unwrap_or(c)
}

/// Full-width ASCII is this many characters from U+FF01 on; then comes [`USUAL`].
const WIDE_REST: u32 = 0x5e;

/// The usual forms of U+FF5F to U+FFEE; unassigned ones are themselves.
const USUAL: &str = "\
    ⦅⦆。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセ\
    ソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u{3099}\
    \u{309a}\u{1160}\u{1100}\u{1101}\u{11aa}\u{1102}\u{11ac}\u{11ad}\u{1103}\u{1104}\
    \u{1105}\u{11b0}\u{11b1}\u{11b2}\u{11b3}\u{11b4}\u{11b5}\u{111a}\u{1106}\u{1107}\
    \u{1108}\u{1121}\u{1109}\u{110a}\u{110b}\u{110c}\u{110d}\u{110e}\u{110f}\u{1110}\
    \u{1111}\u{1112}\u{ffbf}\u{ffc0}\u{ffc1}\u{1161}\u{1162}\u{1163}\u{1164}\u{1165}\
    \u{1166}\u{ffc8}\u{ffc9}\u{1167}\u{1168}\u{1169}\u{116a}\u{116b}\u{116c}\u{ffd0}\
    \u{ffd1}\u{116d}\u{116e}\u{116f}\u{1170}\u{1171}\u{1172}\u{ffd8}\u{ffd9}\u{1173}\
    \u{1174}\u{1175}\u{ffdd}\u{ffde}\u{ffdf}¢£¬\u{20}¦¥₩\u{ffe7}│←↑→↓■○";

/// Removes terminal escapes for colours and the like: ESC, `[`, digits and
/// semicolons, a letter.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let after = part.trim_start_matches(|c| c == ';' || python::is_digit(c));
        if let Some(after) = after.strip_prefix(|c: char| c.is_ascii_alphabetic()) {
            out.push_str(after);
        } else {
            // The ESC of a sequence that is none goes with the controls.
            out.push('[');
            out.push_str(part);
        }
    }
    out
}

fn without_controls(text: &str) -> String {
    text.chars().filter(|c| !is_control(*c)).collect()
}

/// Characters without meaning in plain text. White space stays, and so do the
/// controls of writing direction and of joining.
fn is_control(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{b}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_table_is_whole() {
        assert_eq!(USUAL.chars().count(), 0xffef - 0xff5f);
        assert_eq!(
            simplify("\u{ff21}\u{ff5e}\u{ff5f}\u{ffee}\u{ffef}"),
            "A~\u{2985}\u{25cb}\u{ffef}"
        );
        assert_eq!(
            simplify("\u{ffa1}\u{ffe6}\u{ff9f}"),
            "\u{1100}\u{20a9}\u{309a}"
        );
    }

    #[test]
    fn escapes_go_whole_or_leave_their_text() {
        assert_eq!(simplify("\u{1b}[1;31mred\u{1b}[0m"), "red");
        assert_eq!(simplify("\u{1b}[1;31"), "[1;31");
        assert_eq!(simplify("\u{1b}\u{1b}[m[m"), "[m");
        assert_eq!(simplify("\u{1b}[\u{1b}[Kx"), "[x");
    }
}
