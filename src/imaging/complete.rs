//! Files that end too early, found before they are decoded.
//!
//! Some decoders fill up what is missing with grey and call it done. A vector
//! of half a picture is worse than none, because nobody would notice.

use crate::catalog::Format;

/// Whether the file holds its picture to the end, as far as its structure
/// tells. What is not of the form expected counts as complete: the decoder
/// says better what is wrong with it.
pub(super) fn is_complete(format: Format, bytes: &[u8]) -> bool {
    match format {
        Format::Jpeg => jpeg_has_end(bytes),
        Format::WebP => webp_has_its_chunks(bytes),
        // Their decoders refuse files that end too early.
        Format::Png | Format::Gif | Format::Bmp | Format::Tiff => true,
    }
}

/// A JPEG must have an end marker behind the start of its first scan. The
/// decoder is lenient and fills up with grey.
///
/// Within a scan the byte FF is always followed by 00 or a restart marker, so
/// the pair FF D9 can only be the end marker. Thumbnails bring end markers of
/// their own, but lie in segments before the first scan. Bytes behind the end
/// marker are common (further pictures, comments of web servers) and harmless.
fn jpeg_has_end(bytes: &[u8]) -> bool {
    let Some(scan) = jpeg_first_scan(bytes) else {
        return true;
    };
    // From the back: in a whole file without a tail it is the last pair.
    bytes[scan..]
        .windows(2)
        .rev()
        .any(|pair| pair == [0xFF, 0xD9])
}

/// Where the first scan starts; `None` if that is not to be found.
fn jpeg_first_scan(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        // Fill bytes may stand before a marker.
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
        at += bytes[at..].iter().position(|&byte| byte != 0xFF)?;
        let marker = bytes[at];
        at += 1;
        if matches!(marker, 0x00 | 0x01 | 0xD0..=0xD8) {
            continue;
        }
        if marker == 0xDA {
            return Some(at);
        }
        let length = bytes.get(at..at + 2)?;
        at += usize::from(u16::from_be_bytes([length[0], length[1]]));
    }
}

/// Every chunk of a WebP must lie within the file.
fn webp_has_its_chunks(bytes: &[u8]) -> bool {
    let size_at = |at: usize| {
        let size = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize)
    };
    let Some(riff) = size_at(4) else {
        return false;
    };
    let end = riff.saturating_add(8);
    let mut at = 12;
    while at + 8 <= end {
        let Some(size) = size_at(at + 4) else {
            return false;
        };
        at = at.saturating_add(8).saturating_add(size);
        if at > bytes.len() {
            return false;
        }
        // Chunks are padded to even sizes; writers forget the last pad.
        at += size & 1;
    }
    true
}
