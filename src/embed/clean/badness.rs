//! Whether text looks as if it had been decoded in the wrong encoding.
//!
//! Some 400 characters occur in such text. They fall into kinds, and [`RULES`]
//! names the neighbours that are next to impossible in right text: a small
//! accented letter before a currency sign, say.
//!
//! The kinds and the rules are data of ftfy 6.3.1 (`ftfy/badness.py`), copyright
//! 2023 Robyn Speer, Apache-2.0 (see `LICENSE-ftfy.txt`), in a form of our own.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::python;

const C1: u32 = 1;
const BAD: u32 = 1 << 1;
const LAW: u32 = 1 << 2;
const CURRENCY: u32 = 1 << 3;
/// Punctuation that opens something.
const START: u32 = 1 << 4;
/// Punctuation that closes something.
const END: u32 = 1 << 5;
const NUMERIC: u32 = 1 << 6;
/// Letters of which faces are made, and which stand next to anything.
const FACES: u32 = 1 << 7;
const UPPER_ACCENTED: u32 = 1 << 8;
const LOWER_ACCENTED: u32 = 1 << 9;
const UPPER_COMMON: u32 = 1 << 10;
const LOWER_COMMON: u32 = 1 << 11;
const BOX: u32 = 1 << 12;
/// Characters of every context.
const COMMON: u32 = 1 << 13;
const LOWER_LATIN: u32 = 1 << 14;
const UPPER_LATIN: u32 = 1 << 15;
/// White space.
const SPACE: u32 = 1 << 16;
/// A letter, a digit or an underscore.
const WORD: u32 = 1 << 17;
/// All but unaccented Latin letters.
const NOT_LATIN: u32 = 1 << 18;
/// All but line ends.
const IN_LINE: u32 = 1 << 19;

const ACCENTED: u32 = UPPER_ACCENTED | LOWER_ACCENTED;
const LATIN: u32 = UPPER_LATIN | LOWER_LATIN;
const SIGNS: u32 = CURRENCY | NUMERIC;
const MARKS: u32 = START | END;
const MISREAD: u32 = C1 | BAD | MARKS | CURRENCY;

/// The characters of each kind; a hyphen stands for a range.
const KINDS: [(u32, &str); 16] = [
    (COMMON, "\u{a0}\u{ad}·´–—―…’"),
    (C1, "\u{80}-\u{9f}"),
    (BAD, "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\u{fffd}ªº"),
    (LAW, "¶§"),
    (CURRENCY, "¢£¥₧€"),
    (START, "¡«¿©΄΅‘‚“„•‹\u{f8ff}"),
    (END, "®»˝”›™"),
    (NUMERIC, "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№"),
    (FACES, "Ò-ÖÙ-Üò-öø-üŐŌŪŲ°"),
    (
        UPPER_ACCENTED,
        "À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ",
    ),
    (LOWER_ACCENTED, "ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґﬁﬂ"),
    (UPPER_COMMON, "ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я"),
    (LOWER_COMMON, "α-ωάέήίΰа-џ"),
    (BOX, "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓"),
    (LOWER_LATIN, "a-z"),
    (UPPER_LATIN, "A-Z"),
];

/// One character of a rule: of one of the kinds, or one of those listed.
#[derive(Debug, Clone, Copy)]
struct Place {
    kinds: u32,
    listed: &'static str,
}

const fn kind(kinds: u32) -> Place {
    either(kinds, "")
}

const fn one_of(listed: &'static str) -> Place {
    either(0, listed)
}

const fn either(kinds: u32, listed: &'static str) -> Place {
    Place { kinds, listed }
}

/// Arabic, as Windows-1252.
const ARABIC: Place = either(COMMON | CURRENCY | BAD | NUMERIC | START, "ŸŠ®°µ»");

/// Neighbours that make text bad.
const RULES: &[&[Place]] = &[
    &[kind(C1)],
    &[kind(BAD | ACCENTED | BOX | MARKS | SIGNS | LAW), kind(BAD)],
    &[kind(LATIN), kind(LOWER_COMMON | UPPER_COMMON), kind(BAD)],
    &[kind(BAD), kind(ACCENTED | BOX | MARKS | SIGNS | LAW)],
    &[
        kind(LOWER_ACCENTED | LOWER_COMMON | BOX | END | SIGNS),
        kind(UPPER_ACCENTED),
    ],
    &[kind(BOX | END | SIGNS), kind(LOWER_ACCENTED)],
    &[kind(LOWER_ACCENTED | BOX | END), kind(CURRENCY)],
    &[kind(SPACE), kind(UPPER_ACCENTED), kind(CURRENCY)],
    &[kind(UPPER_ACCENTED | BOX), kind(NUMERIC | LAW)],
    &[
        kind(ACCENTED | BOX | CURRENCY | END),
        kind(START),
        kind(NUMERIC),
    ],
    &[kind(ACCENTED | SIGNS | BOX | LAW), kind(END), kind(START)],
    &[kind(SIGNS | BOX), kind(START)],
    &[
        kind(LOWER_LATIN),
        kind(UPPER_ACCENTED),
        kind(START | CURRENCY),
    ],
    &[kind(BOX), kind(FACES)],
    &[kind(ACCENTED | SIGNS | MARKS | LAW), kind(BOX)],
    &[kind(BOX), kind(END)],
    &[kind(ACCENTED), kind(MARKS), kind(WORD)],
    // The ligature, but not before a plain letter.
    &[one_of("Œœ"), kind(NOT_LATIN)],
    &[kind(UPPER_ACCENTED), one_of("°")],
    // Windows-1252, in two characters,
    &[
        one_of("ÂÃÎÐ"),
        either(MARKS, "€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»–—´"),
    ],
    &[one_of("×"), one_of("²³")],
    // of Arabic, in four, because they are common ones,
    &[one_of("ØÙ"), ARABIC, one_of("ØÙ"), ARABIC],
    // of alphabets of South Asia.
    &[one_of("à"), one_of("²µ¹¼½¾")],
    // MacRoman.
    &[one_of("√"), one_of("±∂†≠®™´≤≥¥µø")],
    &[one_of("≈"), one_of("°¢")],
    &[one_of("‚"), one_of("Ä"), one_of("ìîïòôúùû†°¢π")],
    &[one_of("‚"), one_of("âó"), one_of("àä°ê")],
    // Windows-1251 of punctuation, of Latin-1 or Cyrillic, and of Windows-1252.
    &[one_of("в"), one_of("Ђ")],
    &[one_of("ВГРС"), either(MISREAD, "°µ"), one_of("ВГРС")],
    &[
        one_of("Г"),
        one_of("ў"),
        one_of("В"),
        one_of("Ђ"),
        one_of("В"),
        kind(IN_LINE),
        either(LATIN, " "),
    ],
    // Windows-1252 of à and á, and of a no-break space.
    &[one_of("Ã"), one_of("\u{a0}¡")],
    &[kind(LOWER_LATIN), one_of("ÃÂ"), one_of(" ")],
    &[kind(LOWER_LATIN), kind(SPACE), one_of("ÃÂ"), one_of(" ")],
    // Â before the character that it helps to encode.
    &[
        either(LOWER_LATIN | END, ".,?!"),
        one_of("Â"),
        either(MARKS, " "),
    ],
    // Windows-1253 of punctuation, of Latin-1 or Greek.
    &[one_of("β"), one_of("€"), one_of("™\u{a0}Ά\u{ad}®°")],
    &[one_of("ΒΓΞΟ"), either(MISREAD, "°"), one_of("ΒΓΞΟ")],
    // Windows-1257 of punctuation.
    &[one_of("ā"), one_of("€")],
];

/// Beginnings that make text bad.
const BEGINNING: &[Place] = &[one_of("ÃÂ"), one_of(" ")];

/// Whether some neighbours in the text are those of wrongly decoded text.
pub(super) fn is_bad(text: &str) -> bool {
    let chars: Vec<(char, u32)> = text.chars().map(|c| (c, kinds(c))).collect();
    begins(&chars, BEGINNING)
        || (0..chars.len()).any(|at| RULES.iter().any(|rule| begins(&chars[at..], rule)))
}

fn begins(chars: &[(char, u32)], rule: &[Place]) -> bool {
    let fits = |((c, kinds), place): (&(char, u32), &Place)| {
        kinds & place.kinds != 0 || place.listed.contains(*c)
    };
    chars.len() >= rule.len() && chars.iter().zip(rule).all(fits)
}

/// All kinds that the character is of.
fn kinds(c: char) -> u32 {
    static TABLE: LazyLock<HashMap<char, u32>> = LazyLock::new(|| table(&KINDS));
    let mut kinds = TABLE.get(&c).copied().unwrap_or(0);
    for (kind, of_kind) in [
        (SPACE, python::is_space(c)),
        (WORD, python::is_word(c)),
        (NOT_LATIN, !c.is_ascii_alphabetic()),
        (IN_LINE, c != '\n'),
    ] {
        if of_kind {
            kinds |= kind;
        }
    }
    kinds
}

/// The kinds of every character that is named in the lists, where `a-z` stands
/// for a range.
pub(super) fn table(lists: &[(u32, &str)]) -> HashMap<char, u32> {
    let mut table = HashMap::new();
    for (kind, list) in lists {
        let mut chars = list.chars().peekable();
        while let Some(first) = chars.next() {
            let last = match chars.next_if_eq(&'-') {
                Some(_) => chars.next().unwrap_or(first),
                None => first,
            };
            for c in first..=last {
                *table.entry(c).or_default() |= kind;
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_spelt_out() {
        let table = table(&[(1, "a-cx"), (2, "b")]);
        let mut found: Vec<_> = table.into_iter().collect();
        found.sort_unstable();
        assert_eq!(found, [('a', 1), ('b', 3), ('c', 1), ('x', 1)]);
    }

    #[test]
    fn right_text_is_not_bad() {
        for text in [
            "",
            "Ã",
            "Ça va bien à Köln",
            "naïve café",
            "Ελλάδα",
            "Привет",
            "½ €",
            "œuvre",
        ] {
            assert!(!is_bad(text), "{text}");
        }
    }

    #[test]
    fn misread_text_is_bad() {
        for text in [
            "Ã¡", "â€™", "Ã ", "a Â b", "вЂ™", "œ.", "\u{85}", "ā€", "╬ô",
        ] {
            assert!(is_bad(text), "{text}");
        }
    }
}
