//! What a file is, by its first bytes; what it claims to be, by its name.

use std::io::{self, Read};
use std::path::Path;

use super::open::open_file;

macro_rules! heif_remedy {
    () => {
        "convert it to JPEG (`heif-convert FILE OUT.jpg`, or the export of a photo program; phones save JPEG when set to \"most compatible\")"
    };
}

/// Formats that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG, progressive and baseline.
    Jpeg,
    /// PNG; of APNG the default image.
    Png,
    /// WebP, lossy and lossless; of an animation the first frame.
    WebP,
    /// GIF; of an animation the first frame.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF; the first page.
    Tiff,
}

/// Bytes of a file's head that [`Format::of`] looks at.
pub const HEAD_BYTES: usize = 16;

impl Format {
    /// Recognises a format by a file's first bytes, whatever its name says.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(Self::Png),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            // Two letters are little to go by: the reserved words must be zero too.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(Self::Bmp),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            _ => None,
        }
    }
}

/// What discovery makes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recognised {
    /// A picture that can be tried.
    Image(Format),
    /// Its name says picture, its content does not, or is of a kind that
    /// cannot be decoded.
    NotDecodable(&'static str),
    /// Something else: a text, a table, a sidecar.
    Other,
}

/// Extensions that promise a picture.
const IMAGE_EXTENSIONS: &[&str] = &[
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff",
];

/// Extensions of pictures in formats that are not decoded.
const FOREIGN_EXTENSIONS: &[&str] = &[
    "avif", "heic", "heif", "jxl", "jp2", "j2k", "svg", "ico", "psd", "tga", "qoi", "exr", "hdr",
    "cr2", "nef", "arw", "dng",
];

/// Why AVIF and HEIC are refused, and the way round.
const HEIF_REASON: &str = concat!("AVIF and HEIC are not decoded: ", heif_remedy!());

/// What to do with AVIF and HEIC.
pub const HEIF_REMEDY: &str = heif_remedy!();

/// Whether there is a picture at `path` that can be tried; what may not be
/// looked at may well be one.
pub fn is_picture(path: &Path) -> bool {
    match recognise(path) {
        Ok(recognised) => matches!(recognised, Recognised::Image(_)),
        // What is no regular file is told by an error of our own.
        Err(error) => error.kind() != io::ErrorKind::Other,
    }
}

/// Looks at the head of `path`.
///
/// # Errors
/// The file cannot be opened or read, or is no file any more.
pub(super) fn recognise(path: &Path) -> io::Result<Recognised> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let (file, _) = open_file(path)?;
    file.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    if let Some(format) = Format::of(&head) {
        return Ok(Recognised::Image(format));
    }
    if is_heif(&head) {
        return Ok(Recognised::NotDecodable(HEIF_REASON));
    }
    let extension = extension(path);
    Ok(if head.is_empty() && claims_image(path) {
        Recognised::NotDecodable("the file is empty")
    } else if IMAGE_EXTENSIONS.contains(&extension.as_str()) {
        Recognised::NotDecodable("the content is not JPEG, PNG, WebP, GIF, BMP or TIFF")
    } else if FOREIGN_EXTENSIONS.contains(&extension.as_str()) {
        Recognised::NotDecodable(
            "this format is not supported: convert it to JPEG, PNG, WebP, GIF, BMP or TIFF",
        )
    } else {
        Recognised::Other
    })
}

/// Whether the name of `path` promises a picture, of a format decoded or not.
pub(super) fn claims_image(path: &Path) -> bool {
    let extension = extension(path);
    [IMAGE_EXTENSIONS, FOREIGN_EXTENSIONS]
        .iter()
        .any(|known| known.contains(&extension.as_str()))
}

/// Whether a file is AVIF or HEIC, whatever its name; phones' HEIC is often
/// called `.jpg`. Decoders of either are in C, or far from whole.
pub fn is_heif(head: &[u8]) -> bool {
    const BRANDS: [&[u8; 4]; 8] = [
        b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1",
    ];
    matches!(head, [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..]
        if BRANDS.iter().any(|known| brand.starts_with(*known)))
}

fn extension(path: &Path) -> String {
    path.extension()
        .map(|extension| extension.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_the_name_only_accuses() {
        let dir = tempfile::tempdir().unwrap();
        let png = b"\x89PNG\r\n\x1a\n----";
        for (name, content, expected) in [
            ("a.png", &png[..], Recognised::Image(Format::Png)),
            ("a.jpg", &png[..], Recognised::Image(Format::Png)),
            ("a", &png[..], Recognised::Image(Format::Png)),
            ("a.csv", b"id,name", Recognised::Other),
            ("BM.txt", b"BMW makes cars", Recognised::Other),
            ("empty.txt", b"", Recognised::Other),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            assert_eq!(recognise(&path).unwrap(), expected, "{name}");
        }
        for name in ["text.JPG", "photo.heic", "empty.png", "phone.jpg"] {
            let path = dir.path().join(name);
            let content: &[u8] = match name {
                "empty.png" => b"",
                "phone.jpg" => b"\0\0\0\x18ftypheic",
                _ => b"hello",
            };
            std::fs::write(&path, content).unwrap();
            let found = recognise(&path).unwrap();
            assert!(matches!(found, Recognised::NotDecodable(_)), "{name}");
        }
    }
}
