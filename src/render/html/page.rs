//! A page that stands alone: one file, no scripts, nothing fetched.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::text::is_hostile;

/// A style sheet, allowed in a page by its hash and no other: nothing that
/// slips into a page can dress itself up.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The sheet.
    pub css: &'static str,
    /// Its SHA-256 in base64. A test says what stands here.
    pub sha256: &'static str,
}

/// The style sheet of every page: dark and light, phone and desktop.
const STYLE: Style = Style {
    css: include_str!("style.css"),
    sha256: "ReHzqmDpRhSQtDjy2GZ4tBUgc7pBSDDvPwiKaFn/5Uw=",
};

/// Writes everything before the content of `<main>`.
///
/// `title` is the page's, `skip_to` the id of the part that a person at a
/// keyboard wants first.
///
/// # Errors
/// `out` refused.
pub fn write_start(title: &str, skip_to: &str, out: &mut impl Write) -> io::Result<()> {
    write_start_with(title, skip_to, &[], out)
}

/// [`write_start`] of a page that has style sheets of its own.
///
/// # Errors
/// `out` refused.
pub fn write_start_with(
    title: &str,
    skip_to: &str,
    styles: &[Style],
    out: &mut impl Write,
) -> io::Result<()> {
    let (title, version) = (escape(title), env!("CARGO_PKG_VERSION"));
    let styles = || std::iter::once(&STYLE).chain(styles);
    let allowed: Vec<String> = styles()
        .map(|style| format!("'sha256-{}'", style.sha256))
        .collect();
    let sheets: Vec<String> = styles()
        .map(|style| format!("<style>{}</style>", style.css))
        .collect();
    let (allowed, sheets) = (allowed.join(" "), sheets.join("\n"));
    write!(
        out,
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src {allowed}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="milvus-image-search {version}">
<link rel="icon" href="data:,">
<title>{title}</title>
{sheets}
</head>
<body>
<a class="skip" href="#{skip_to}">Skip to the answer</a>
<main>
"##
    )
}

/// Writes everything after the content of `<main>`.
///
/// # Errors
/// `out` refused.
pub fn write_end(out: &mut impl Write) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(
        out,
        "</main>\n<footer>Written by milvus-image-search {version}. Everything on this page is in this one file.</footer>\n</body>\n</html>"
    )
}

/// A text that stands for itself in HTML, between tags as in quoted attributes.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(&'a str);

/// Makes a text stand for itself. What would turn the direction of writing, or
/// is a control character, shows as an escape such as `\u{202e}`.
pub fn escape(text: &str) -> Escaped<'_> {
    Escaped(text)
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if is_hostile(c) => write!(f, "{}", c.escape_default())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Bytes of a file as an address that holds them.
#[derive(Debug, Clone, Copy)]
pub struct DataUri<'a> {
    /// Such as `image/jpeg`.
    pub media_type: &'a str,
    /// The file.
    pub bytes: &'a [u8],
}

impl fmt::Display for DataUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data:{};base64,", self.media_type)?;
        // A multiple of three, so that the pieces join without padding.
        self.bytes
            .chunks(3 << 10)
            .try_for_each(|piece| f.write_str(&STANDARD.encode(piece)))
    }
}

/// The address of a file on this machine. Every byte that could mean something
/// else in an address or in HTML is percent-encoded.
#[derive(Debug, Clone, Copy)]
pub struct FileUri<'a>(pub &'a str);

impl fmt::Display for FileUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("file://")?;
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
                f.write_char(char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::render::PLOT_STYLE;

    #[test]
    fn the_style_sheet_is_the_one_that_the_page_allows() {
        for style in [STYLE, PLOT_STYLE] {
            assert_eq!(STANDARD.encode(Sha256::digest(style.css)), style.sha256);
            for outside in ["url(", "@import", "http:", "https:", "</"] {
                assert!(!style.css.contains(outside), "{outside}");
            }
        }
    }

    #[test]
    fn what_would_be_markup_or_turn_the_text_is_text() {
        let hostile = "<script>alert(\"1\")</script> & 'x' \u{202e}gpj\u{0}";
        assert_eq!(
            escape(hostile).to_string(),
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; \\u{202e}gpj\\u{0}"
        );
        assert_eq!(escape("שלום 你好 👩‍👧").to_string(), "שלום 你好 👩‍👧");
    }

    #[test]
    fn addresses_of_files_are_encoded() {
        let uri = FileUri("/a b/100%/é?#\"<.jpg").to_string();
        assert_eq!(uri, "file:///a%20b/100%25/%C3%A9%3F%23%22%3C.jpg");
    }

    proptest! {
        #[test]
        fn data_come_back(bytes in prop::collection::vec(any::<u8>(), 0..8000)) {
            let uri = DataUri { media_type: "image/png", bytes: &bytes }.to_string();
            let data = uri.strip_prefix("data:image/png;base64,").unwrap();
            prop_assert_eq!(STANDARD.decode(data).unwrap(), bytes);
        }

        #[test]
        fn no_text_leaves_its_place(text in any::<String>()) {
            let escaped = escape(&text).to_string();
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            prop_assert!(!escaped.contains(is_hostile));
        }
    }
}
