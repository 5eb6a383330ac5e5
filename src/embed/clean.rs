//! Text as `OpenAI`'s CLIP and `open_clip` clean it before they tokenise it.
//!
//! The vector of a caption is only that of the reference when the tokeniser gets
//! the same characters, so [`openai`] equals, to the character, this Python with
//! ftfy 6.3.1:
//!
//! ```python
//! text = html.unescape(html.unescape(ftfy.fix_text(text)))
//! text = re.sub(r"\s+", " ", text).strip()
//! ```
//!
//! `fix` is `ftfy.fix_text`; it repairs text that was decoded in the wrong
//! encoding (`encoding`, `badness`, `embedded`, `charmap`, `utf8`) and plain
//! characters (`characters`). `html` is `html.unescape`, `python` what Python
//! calls a space, a digit or a word. Lower-casing is not done here. Everything is
//! pure: no text fails, and none panics.
//!
//! Python's Unicode is that of its version (14 for Python 3.11), ours is newer:
//! texts with characters that were assigned in between can come out in another
//! order of their combining marks.

mod badness;
mod characters;
mod charmap;
mod embedded;
mod encoding;
mod fix;
mod html;
mod python;
mod utf8;

/// The text, mended and with its runs of white space made one space.
pub(super) fn openai(text: &str) -> String {
    let text = html::unescape(&html::unescape(&fix::text(text)));
    let words = text.split(python::is_space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The text as `open_clip` cleans it for `SigLIP`: [`openai`], `_` to a space,
/// without ASCII punctuation, lower case.
pub(super) fn canonicalize(text: &str) -> String {
    let plain: String = openai(text)
        .chars()
        .map(|c| if c == '_' { ' ' } else { c })
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    let lower = plain.to_lowercase();
    let words = lower
        .split(python::is_space)
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// `tests/fixtures/clean/cases.json`: texts, and what Python makes of them.
    const CASES: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/clean/cases.json"
    ));

    /// Answers of `open_clip_torch` 3.3.0, `get_clean_fn("canonicalize")`.
    #[test]
    fn canonical_text_equals_open_clips() {
        for (text, expected) in [
            (
                "Red_Dress, Size XL!!! (50% off)",
                "red dress size xl 50 off",
            ),
            (
                "A photo   of &amp;amp; “curly” it’s",
                "a photo of curly its",
            ),
            ("ÉCOLE d'été — naïve", "école dété — naïve"),
            (".,!?", ""),
            ("_a_b_", "a b"),
            ("ＦＵＬＬ width ﬁne", "full width fine"),
            ("ΟΔΟΣ #1", "οδος 1"),
            ("", ""),
        ] {
            assert_eq!(canonicalize(text), expected, "{text}");
        }
    }

    /// Parts of which a repair is made, for texts that need many.
    const PARTS: [&str; 24] = [
        "a",
        " ",
        "\n",
        "<",
        "&",
        ";",
        "&amp",
        "&#195;",
        "é",
        "Ã",
        "â€",
        "™",
        "\u{fffd}",
        "\u{a0}",
        "\u{1a}",
        "í",
        "½",
        "À",
        "\u{80}",
        "ðŸ˜€",
        "\u{1b}[",
        "ﬃ",
        "ﾊ\u{ff9f}",
        "\r",
    ];

    #[test]
    fn texts_are_cleaned_as_in_python() {
        let cases: Value = serde_json::from_str(CASES).unwrap();
        let cases = cases.as_array().unwrap();
        assert!(cases.len() >= 400, "{} cases", cases.len());
        let wrong: Vec<String> = cases
            .iter()
            .filter_map(|case| {
                let [text, expected] = ["in", "out"].map(|key| case[key].as_str().unwrap());
                let found = openai(text);
                let group = &case["group"];
                (found != expected)
                    .then(|| format!("{group} {text:?}: {found:?}, not {expected:?}"))
            })
            .collect();
        assert!(
            wrong.is_empty(),
            "{} wrong:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }

    #[test]
    fn a_text_of_many_layers_ends() {
        assert_eq!(openai(&format!("&{}lt;", "amp;".repeat(300))), "<");
    }

    proptest! {
        #[test]
        fn any_text_comes_out_with_single_spaces(
            text in prop_oneof![
                ".*",
                vec(prop::sample::select(PARTS.to_vec()), 0..24).prop_map(|parts| parts.concat()),
                vec(any::<u8>(), 0..40).prop_map(|bytes| bytes.into_iter().map(char::from).collect()),
            ],
        ) {
            let out = openai(&text);
            prop_assert!(!out.starts_with(' ') && !out.ends_with(' ') && !out.contains("  "));
            prop_assert!(out.chars().all(|c| c == ' ' || !python::is_space(c)));
        }

        #[test]
        fn plain_ascii_only_loses_spaces(text in "[ -%'-~\t\n]*") {
            let out = openai(&text);
            prop_assert_eq!(&out, &text.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
            prop_assert_eq!(&openai(&out), &out);
        }
    }
}
