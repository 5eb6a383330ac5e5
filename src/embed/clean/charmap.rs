//! The single-byte encodings in which UTF-8 is misread.
//!
//! The Windows ones are "sloppy": a byte that the encoding leaves open is the
//! control character of the same number, and the replacement character U+FFFD,
//! what stricter programs wrote for such a byte, is byte 1A.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The byte that stands for a lost one.
pub(super) const LOST: u8 = 0x1a;

/// A single-byte encoding that has ASCII as its lower half.
#[derive(Debug)]
pub(super) struct Charmap {
    /// Whether it is sloppy, so that its bytes can have [`LOST`] ones.
    pub(super) sloppy: bool,
    /// Whether a space can be a no-break space that was taken for one. It is not
    /// in `MacRoman`, where the dash before a space looks the same.
    pub(super) spaces: bool,
    upper: HashMap<char, u8>,
}

impl Charmap {
    fn new(upper: impl Iterator<Item = char>, sloppy: bool, spaces: bool) -> Self {
        Self {
            sloppy,
            spaces,
            upper: upper.zip(0x80..=0xff).collect(),
        }
    }

    /// The text's bytes, if all its characters are in the encoding.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|c| self.byte(c)).collect()
    }

    fn byte(&self, c: char) -> Option<u8> {
        match c {
            '\u{1a}' if self.sloppy => None,
            '\u{fffd}' if self.sloppy => Some(LOST),
            c if c.is_ascii() => u8::try_from(c).ok(),
            c => self.upper.get(&c).copied(),
        }
    }
}

/// All encodings, likely ones first.
pub(super) fn all() -> &'static [Charmap] {
    static ALL: LazyLock<Vec<Charmap>> = LazyLock::new(|| {
        let latin_1 = Charmap::new((0x80..=0xff).map(char::from), false, true);
        let sloppy = SLOPPY
            .iter()
            .map(|upper| Charmap::new(upper.chars(), true, true));
        let mut all: Vec<_> = std::iter::once(latin_1).chain(sloppy).collect();
        all.push(Charmap::new(latin_2(), false, true));
        all.push(Charmap::new(MAC_ROMAN.chars(), false, false));
        all.push(Charmap::new(CP437.chars(), false, true));
        all
    });
    &ALL
}

/// A control character U+0080 to U+009F as Windows-1252 has its byte; any other
/// character as it is.
pub(super) fn windows_1252(c: char) -> char {
    let place = u32::from(c).wrapping_sub(0x80);
    match usize::try_from(place) {
        Ok(place) if place < 0x20 => SLOPPY[0].chars().nth(place).unwrap_or(c),
        _ => c,
    }
}

/// ISO-8859-2: the controls as in Latin-1, then [`LATIN_2`].
fn latin_2() -> impl Iterator<Item = char> {
    ('\u{80}'..='\u{9f}').chain(LATIN_2.chars())
}

/// Bytes 80 to FF of Windows-1252, 1251, 1250, 1253, 1254 and 1257.
const SLOPPY: [&str; 6] = [
    "\
    €\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ\
    \u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯°±²³´µ¶·¸¹º»¼½¾¿\
    ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß\
    àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ",
    "\
    ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u{98}™љ›њќћџ\
    \u{a0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{ad}®Ї°±Ііґµ¶·ё№є»јЅѕї\
    АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ\
    абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "\
    €\u{81}‚\u{83}„…†‡\u{88}‰Š‹ŚŤŽŹ\u{90}‘’“”•–—\u{98}™š›śťžź\
    \u{a0}ˇ˘Ł¤Ą¦§¨©Ş«¬\u{ad}®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż\
    ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß\
    ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙",
    "\
    €\u{81}‚ƒ„…†‡\u{88}‰\u{8a}‹\u{8c}\u{8d}\u{8e}\u{8f}\u{90}‘’“”•–—\u{98}™\u{9a}›\u{9c}\
    \u{9d}\u{9e}\u{9f}\u{a0}΅Ά£¤¥¦§¨©ª«¬\u{ad}®―°±²³΄µ¶·ΈΉΊ»Ό\
    ½ΎΏΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡÒΣΤΥΦΧΨΩΪΫά\
    έήίΰαβγδεζηθικλμνξοπρςστυφχψωϊϋό\
    ύώÿ",
    "\
    €\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}\u{8e}\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}\u{9e}Ÿ\
    \u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯°±²³´µ¶·¸¹º»¼½¾¿\
    ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙÚÛÜİŞß\
    àáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ",
    "\
    €\u{81}‚\u{83}„…†‡\u{88}‰\u{8a}‹\u{8c}¨ˇ¸\u{90}‘’“”•–—\u{98}™\u{9a}›\u{9c}¯˛\u{9f}\
    \u{a0}¡¢£¤¥¦§Ø©Ŗ«¬\u{ad}®Æ°±²³´µ¶·ø¹ŗ»¼½¾æ\
    ĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽß\
    ąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž˙",
];

/// Bytes A0 to FF of ISO-8859-2.
const LATIN_2: &str = "\
    \u{a0}Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{ad}ŽŻ°ą˛ł´ľśˇ¸šşťź˝žż\
    ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß\
    ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙";

/// Bytes 80 to FF of `MacRoman`.
const MAC_ROMAN: &str = "\
    ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü\
    †°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø\
    ¿¡¬√ƒ≈∆«»…\u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ\
    ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";

/// Bytes 80 to FF of code page 437, the one of DOS.
const CP437: &str = "\
    ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ\
    áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_has_its_128_upper_characters() {
        for charmap in all() {
            assert_eq!(charmap.upper.len(), 128, "{charmap:?}");
        }
    }

    #[test]
    fn sloppy_encodings_take_lost_bytes_and_holes() {
        let [latin_1, windows_1252, ..] = all() else {
            panic!("two encodings at least");
        };
        assert_eq!(latin_1.encode("\u{fffd}"), None);
        assert_eq!(latin_1.encode("\u{1a}\u{e9}"), Some(vec![0x1a, 0xe9]));
        assert_eq!(
            windows_1252.encode("\u{fffd}\u{81}\u{20ac}"),
            Some(vec![LOST, 0x81, 0x80])
        );
        assert_eq!(windows_1252.encode("\u{1a}"), None);
    }

    #[test]
    fn c1_controls_are_windows_1252() {
        assert_eq!(super::windows_1252('\u{85}'), '\u{2026}');
        assert_eq!(super::windows_1252('\u{81}'), '\u{81}');
        assert_eq!(super::windows_1252('\u{a0}'), '\u{a0}');
        assert_eq!(super::windows_1252('\u{7f}'), '\u{7f}');
    }
}
