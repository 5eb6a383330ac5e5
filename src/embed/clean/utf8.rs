//! UTF-8 as it comes back out of a wrong encoding: with bytes that were changed
//! or lost on the way, and in the dialects of Java and of old databases.

use super::charmap::LOST;

/// UTF-8 of the replacement character.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// A no-break space, the byte A0 of a longer character, is often made a plain
/// space: puts it back where a likely character comes of it.
pub(super) fn with_no_break_spaces(bytes: &[u8]) -> Vec<u8> {
    let bytes = with_a_grave(bytes);
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some(first) = rest.first() {
        let length = spaced_length(rest);
        let (taken, after) = rest.split_at(length.unwrap_or(1));
        match length {
            Some(_) => out.extend(taken.iter().map(|b| if *b == b' ' { 0xa0 } else { *b })),
            None => out.push(*first),
        }
        rest = after;
    }
    out
}

/// "Ã la" was "à la", whose two spaces became one: gives it both. The Portuguese
/// words that begin with à have no space of their own.
fn with_a_grave(bytes: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 5] = [b" ", b"quele", b"quela", b"quilo", b"s "];
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        out.push(*first);
        rest = after;
        if let (0xc3, [b' ', word @ ..]) = (*first, after)
            && !WORDS.iter().any(|known| word.starts_with(known))
        {
            out.push(0xa0);
        }
    }
    out
}

/// Length of the likely character at the start that has one space for a byte A0.
fn spaced_length(bytes: &[u8]) -> Option<usize> {
    Some(match bytes {
        [0xc2 | 0xc3 | 0xc5 | 0xce | 0xd0 | 0xd9, b' ', ..] => 2,
        [0xe2 | 0xe3, b' ', b, ..] if follows_unlike_space(*b) => 3,
        [0xe0..=0xe3, b, b' ', ..] if follows_unlike_space(*b) => 3,
        [0xf0, b' ', b, c, ..] | [0xf0, b, b' ', c, ..] | [0xf0, b, c, b' ', ..]
            if follows(*b) && follows(*c) =>
        {
            4
        }
        _ => return None,
    })
}

/// Whether the byte continues a character.
fn follows(byte: u8) -> bool {
    (0x80..=0xbf).contains(&byte)
}

/// Like [`follows`], without the bytes that are a space or a line end in Latin-1.
fn follows_unlike_space(byte: u8) -> bool {
    follows(byte) && byte != 0x85 && byte != 0xa0
}

/// A character of which bytes were lost, some shown as `?`, as U+FFFD.
pub(super) fn with_replacements(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        if let Some(length) = lossy_length(rest) {
            out.extend(REPLACEMENT);
            rest = &rest[length..];
        } else {
            out.push(*first);
            rest = &rest[1..];
        }
    }
    out
}

/// Length of the character at the start that has lost bytes.
fn lossy_length(bytes: &[u8]) -> Option<usize> {
    if surrogates_are_lossy(bytes) {
        return Some(6);
    }
    let length = match bytes.first()? {
        &LOST => return Some(1),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let after = bytes.get(1..length)?;
    let count = |is: fn(u8) -> bool| after.iter().filter(|b| is(**b)).count();
    let lost = count(|b| b == LOST);
    let asked = count(|b| b == b'?');
    let whole = count(follows);
    // A question mark can be meant; one is taken for a lost byte, two are not.
    // Of two-byte characters it is taken only for the letters of Latin-1.
    let askable = length > 2 || bytes[0] <= 0xc3;
    let sound = lost + asked + whole == after.len() && lost + asked > 0;
    (sound && asked <= usize::from(askable)).then_some(length)
}

/// Whether a pair of surrogates at the start (each three bytes of CESU-8) has
/// lost the last byte of one or both.
fn surrogates_are_lossy(bytes: &[u8]) -> bool {
    let gone = |b: u8| b == LOST || b == b'?';
    match bytes {
        [0xed, 0xa0..=0xaf, b, 0xed, 0xb0..=0xbf, e, ..] => {
            (gone(*b) || follows(*b)) && (gone(*e) || follows(*e)) && (gone(*b) || gone(*e))
        }
        _ => false,
    }
}

/// Decodes UTF-8, CESU-8 (characters beyond U+FFFF as two surrogates) and Java's
/// (the null as C0 80).
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(bytes.len());
    let mut plain = 0;
    let mut at = 0;
    while at < bytes.len() {
        let Some((c, length)) = variant(&bytes[at..]) else {
            at += 1;
            continue;
        };
        out.push_str(str::from_utf8(&bytes[plain..at]).ok()?);
        out.push(c);
        at += length;
        plain = at;
    }
    out.push_str(str::from_utf8(&bytes[plain..]).ok()?);
    Some(out)
}

/// The character at the start and its length, if it is not in plain UTF-8.
fn variant(bytes: &[u8]) -> Option<(char, usize)> {
    match bytes {
        // The line end that closes a text passes for the last byte, as in ftfy.
        [0xc0, 0x80, ..] | [0xc0, b'\n'] => Some(('\0', 2)),
        [
            0xed,
            a @ 0xa0..=0xaf,
            b @ 0x80..=0xbf,
            0xed,
            c @ 0xb0..=0xbf,
            d,
            after @ ..,
        ] if follows(*d) || (*d == b'\n' && after.is_empty()) => {
            let [a, b, c, d] = [a & 0xf, b & 0x3f, c & 0xf, d & 0x3f].map(u32::from);
            let code = 0x1_0000 + (a << 16) + (b << 10) + (c << 6) + d;
            Some((char::from_u32(code)?, 6))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_come_back_in_likely_characters_only() {
        let cases: [(&[u8], &[u8]); 6] = [
            (b"voil\xc3 le", b"voil\xc3\xa0 le"),
            (b"\xc3 quele", b"\xc3\xa0quele"),
            (b"\xc4 x", b"\xc4 x"),
            (b"\xe2 \x93", b"\xe2\xa0\x93"),
            (b"\xe2 \x85", b"\xe2 \x85"),
            (b"\xf0\x9f \x80", b"\xf0\x9f\xa0\x80"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(with_no_break_spaces(bytes), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn lost_bytes_become_one_replacement() {
        let cases: [(&[u8], &str); 8] = [
            (b"\xe2\x80\x1a", "\u{fffd}"),
            (b"\xe2??", "none"),
            (b"\xe2?\x1a", "\u{fffd}"),
            (b"\xc3?", "\u{fffd}"),
            (b"\xc4?", "none"),
            (b"\xf0\x9f\x1a\x1a", "\u{fffd}"),
            (b"\xed\xa0?\xed\xb0?", "\u{fffd}"),
            (b"a\x1a", "a\u{fffd}"),
        ];
        for (bytes, expected) in cases {
            let found = decode(&with_replacements(bytes));
            assert_eq!(found.as_deref().unwrap_or("none"), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn dialects_are_decoded() {
        let cases: [(&[u8], Option<&str>); 6] = [
            (b"a\xc0\x80b", Some("a\0b")),
            (b"\xed\xa0\xbd\xed\xb8\x80", Some("\u{1f600}")),
            (b"\xed\xa0\xbd", None),
            (b"\xed\x95\x9c", Some("\u{d55c}")),
            (b"\xc0\n", Some("\0")),
            (b"\xc0\n\n", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(decode(bytes).as_deref(), expected, "{bytes:x?}");
        }
    }
}
