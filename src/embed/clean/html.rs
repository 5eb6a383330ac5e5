//! Character references of HTML: `&eacute;`, `&#233;`, `&#xE9;`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::charmap;

/// The longest name that is looked at, in characters.
const LONGEST_NAME: usize = 32;
/// The longest name or number that [`unescape_certain`] looks at.
const LONGEST_CERTAIN: usize = 24;

/// What a named reference stands for.
#[derive(Debug)]
struct Named {
    value: String,
    /// Whether it is a reference also without its semicolon.
    bare: bool,
}

/// All references decoded, as Python's `html.unescape` does: those without their
/// semicolon too, where HTML has them.
pub(super) fn unescape(text: &str) -> String {
    replace(text, |after| numeric(after).or_else(|| named(after)))
}

/// Only those references decoded that cannot be meant literally, as ftfy does:
/// they have their semicolon. Names in capitals, which HTML does not know, are
/// decoded to capitals: `&EACUTE;`.
pub(super) fn unescape_certain(text: &str) -> String {
    replace(text, |after| {
        let (hash, body) = match after.strip_prefix('#') {
            Some(body) => ("#", body),
            None => ("", after),
        };
        let (name, _) = body.split_once(';')?;
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain || name.is_empty() || name.len() > LONGEST_CERTAIN {
            return None;
        }
        let length = hash.len() + name.len() + 1;
        let value = if hash.is_empty() {
            certain(name)?
        } else {
            let (value, used) = numeric(after)?;
            (used == length && value != ";").then_some(value)?
        };
        Some((value, length))
    })
}

/// Replaces what `decode` finds behind an ampersand: a value, and how many bytes
/// it stands for.
fn replace(text: &str, decode: impl Fn(&str) -> Option<(String, usize)>) -> String {
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some((value, length)) = decode(part) {
            out.push_str(&value);
            out.push_str(&part[length..]);
        } else {
            out.push('&');
            out.push_str(part);
        }
    }
    out
}

/// A numeric reference: what it stands for, and its length with the semicolon.
fn numeric(after: &str) -> Option<(String, usize)> {
    let body = after.strip_prefix('#')?;
    let (digits, radix) = match body.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (body, 10),
    };
    let rest = digits.trim_start_matches(|c: char| c.is_digit(radix));
    let digits = &digits[..digits.len() - rest.len()];
    if digits.is_empty() {
        return None;
    }
    let number = digits.chars().filter_map(|c| c.to_digit(radix));
    let number = number.fold(0_u32, |number, digit| {
        number.saturating_mul(radix).saturating_add(digit)
    });
    let rest = rest.strip_prefix(';').unwrap_or(rest);
    Some((numbered(number), after.len() - rest.len()))
}

/// What a number stands for: Windows-1252 where it is a C1 control, nothing
/// where it is no character of HTML, U+FFFD where it is none at all.
fn numbered(number: u32) -> String {
    match number {
        0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef => String::new(),
        0 => '\u{fffd}'.into(),
        _ => match char::from_u32(number) {
            None => '\u{fffd}'.into(),
            Some(_) if number & 0xfffe == 0xfffe => String::new(),
            Some(c) => charmap::windows_1252(c).into(),
        },
    }
}

/// A named reference: what it stands for, and its length with the semicolon.
/// Without semicolon it is the longest name that the text begins with.
fn named(after: &str) -> Option<(String, usize)> {
    let name = after
        .char_indices()
        .nth(LONGEST_NAME)
        .map_or(after, |(end, _)| &after[..end]);
    let end = name.find(['\t', '\n', '\u{c}', ' ', '<', '#', ';']);
    let name = &name[..end.unwrap_or(name.len())];
    if after[name.len()..].starts_with(';')
        && let Some(named) = NAMES.get(name)
    {
        return Some((named.value.clone(), name.len() + 1));
    }
    let (value, length) = bare(name)?;
    Some((value.to_owned(), length))
}

/// The longest name at the start that needs no semicolon, and its length.
fn bare(name: &str) -> Option<(&'static str, usize)> {
    (2..=name.len()).rev().find_map(|length| {
        let named = NAMES.get(name.get(..length)?)?;
        named.bare.then_some((named.value.as_str(), length))
    })
}

/// What a name stands for, that or its small letters being one of HTML's.
fn certain(name: &str) -> Option<String> {
    if let Some(named) = NAMES.get(name) {
        return Some(named.value.clone());
    }
    // `&AMPLE;` is `&AMP` and "LE;" to HTML, so it is not certain.
    if name.contains(|c: char| c.is_ascii_lowercase()) || bare(name).is_some() {
        return None;
    }
    let named = NAMES.get(name.to_ascii_lowercase().as_str())?;
    Some(named.value.to_uppercase())
}

/// The names without their semicolon, from `entities.txt`.
static NAMES: LazyLock<HashMap<&str, Named>> = LazyLock::new(|| {
    let lines = include_str!("entities.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#'));
    let entries = lines.flat_map(str::split_whitespace);
    entries.filter_map(entry).collect()
});

/// One entry, `name=code`, `name*=code` or `name=code+code`.
fn entry(text: &str) -> Option<(&str, Named)> {
    let (name, codes) = text.split_once('=')?;
    let value = codes
        .split('+')
        .map(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?))
        .collect::<Option<String>>()?;
    let plain = name.strip_suffix('*');
    let named = Named {
        value,
        bare: plain.is_some(),
    };
    Some((plain.unwrap_or(name), named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(NAMES.len(), 2125);
        assert_eq!(NAMES.values().filter(|named| named.bare).count(), 106);
    }

    #[test]
    fn references_are_pythons() {
        for (text, expected) in [
            ("&amp &ampx; &amp;amp;", "& &x; &amp;"),
            ("&notit; &notin; &not", "\u{ac}it; \u{2209} \u{ac}"),
            ("&#65;&#65a&#x41;&#X41g", "AAaAAg"),
            (
                "&#0;&#1;&#128;&#129;&#xd800;&#x110000;",
                "\u{fffd}\u{20ac}\u{81}\u{fffd}\u{fffd}",
            ),
            ("&#x1fffe;&#xfdd0;&#13;&#99999999999999;", "\r\u{fffd}"),
            ("&;&#;&#x;& &&unknown;", "&;&#;&#x;& &&unknown;"),
            ("&CounterClockwiseContourIntegral;", "\u{2233}"),
        ] {
            assert_eq!(unescape(text), expected, "{text}");
        }
    }

    #[test]
    fn only_certain_references_are_certain() {
        for (text, expected) in [
            ("&eacute;&EACUTE;&eACUTE;&SZLIG;", "\u{e9}\u{c9}&eACUTE;SS"),
            ("&amp &not &#65 &#65;", "&amp &not &#65 A"),
            ("&#65a; &#59; &#x; &#1;", "&#65a; &#59; &#x; "),
            (
                "&CounterClockwiseContourIntegral;",
                "&CounterClockwiseContourIntegral;",
            ),
        ] {
            assert_eq!(unescape_certain(text), expected, "{text}");
        }
    }
}
