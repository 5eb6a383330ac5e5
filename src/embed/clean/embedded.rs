//! Stretches of wrongly decoded UTF-8 within text that is otherwise right.
//!
//! The characters that look like bytes of UTF-8 are data of ftfy 6.3.1
//! (`ftfy/chardata.py`), copyright 2023 Robyn Speer, Apache-2.0 (see
//! `LICENSE-ftfy.txt`).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{badness, encoding};

/// Looks like the first byte of a character of two,
const FIRST_OF_2: u32 = 1;
/// of three,
const FIRST_OF_3: u32 = 2;
/// of four bytes.
const FIRST_OF_4: u32 = 4;
/// Looks like a later byte.
const LATER: u32 = 8;
/// Looks like a later byte, and seldom stands for itself beside one.
const SURELY_LATER: u32 = 16;

/// What each character looks like; a hyphen stands for a range.
const CLUES: &[(u32, &str)] = &[
    (FIRST_OF_2, "ĂÂÄĀÅÃÆĆČÇĎĐÉĚÊËĖÈĒĘÐĞĢÍÎÏİÌĪĶĹĻ"),
    (FIRST_OF_2, "ŁŃŇŅÑÓÔÖŐÒŌØÕŘŚŠŞŢÞÚÛÜŰÙŪŲŮÝŹŽŻß"),
    (FIRST_OF_2, "×ΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫάέήίВГ"),
    (FIRST_OF_2, "ДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"),
    (FIRST_OF_3, "áăâäàāąåãæćčçďéěêëėèēęęģíîïìīįķĺ"),
    (FIRST_OF_3, "ļŕźΰαβγδεζηθικλμνξοабвгдежзийклм"),
    (FIRST_OF_3, "ноп"),
    (FIRST_OF_4, "đðğóšπσру"),
    (
        LATER | SURELY_LATER,
        "\u{80}-¿ĄÆĽŁØŖŚŠŞŤŸŹŽŻŒąæƒľłøŗśšşťźžż",
    ),
    (LATER | SURELY_LATER, "œˆˇ˘˛˜˝΄΅ΆΈΉΊΌΎΏЁЂЃЄЅІЇЈЉЊЋЌЎЏёђ"),
    (LATER | SURELY_LATER, "ѓєѕіїјљњћќўџҐґ†‡‰‹›€№™"),
    (LATER, "–—―‘’‚“”„•…"),
    // A space can have been a no-break space.
    (LATER, " "),
];

/// The text with every such stretch decoded rightly.
pub(super) fn fix(text: &str) -> String {
    let chars: Vec<(char, u32)> = text.chars().map(|c| (c, clues(c))).collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        // Not from the middle of a garble: a part decoded makes the rest worse.
        let open = at == 0 || chars[at - 1].1 & SURELY_LATER == 0;
        let length = if open { stretch(&chars[at..]) } else { 0 };
        let end = at + length.max(1);
        let part: String = chars[at..end].iter().map(|(c, _)| *c).collect();
        // A text that is one stretch was tried as a whole already.
        if length > 0 && length < chars.len() && badness::is_bad(&part) {
            out.push_str(&encoding::fix(&part));
        } else {
            out.push_str(&part);
        }
        at = end;
    }
    out
}

/// How many characters at the start look like whole characters of UTF-8.
fn stretch(chars: &[(char, u32)]) -> usize {
    let mut length = 0;
    while let Some(more) = character(&chars[length..]) {
        length += more;
    }
    length
}

/// How many characters look like one character of UTF-8, if some do.
fn character(chars: &[(char, u32)]) -> Option<usize> {
    let (_, first) = chars.first()?;
    let later = chars[1..]
        .iter()
        .take_while(|(_, clues)| clues & LATER != 0);
    let later = later.take(3).count();
    [(FIRST_OF_2, 1), (FIRST_OF_3, 2), (FIRST_OF_4, 3)]
        .into_iter()
        .find(|(clue, needed)| first & clue != 0 && later >= *needed)
        .map(|(_, needed)| needed + 1)
}

fn clues(c: char) -> u32 {
    static TABLE: LazyLock<HashMap<char, u32>> = LazyLock::new(|| badness::table(CLUES));
    TABLE.get(&c).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stretch_is_decoded() {
        assert_eq!(fix("日本 â€” été"), "日本 — été");
        assert_eq!(fix("日本 été"), "日本 été");
    }

    #[test]
    fn a_text_of_one_stretch_is_left() {
        assert_eq!(fix("â€”"), "â€”");
    }
}
