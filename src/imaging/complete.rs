//! Files that end too early, found before they are decoded.
//!
//! PNG, GIF, BMP and TIFF need none of this: their decoders refuse every file
//! that is cut off.

/// Whether a JPEG has an end marker behind the start of its first scan.
///
/// The decoder stops at the last pixel, and would not miss it; a file without
/// it has not come whole. Within a scan the byte FF is always followed by 00 or
/// a restart marker, so the pair FF D9 can only be the end marker; thumbnails bring end markers of their own,
/// but lie in segments before the first scan. Bytes behind the end marker are
/// common (further pictures, notes of web servers) and harmless.
pub(super) fn jpeg_has_end(bytes: &[u8]) -> bool {
    let Some(scan) = first_scan(bytes) else {
        return false;
    };
    // From the back: in a whole file without a tail it is the last pair.
    let mut pairs = bytes[scan..].windows(2).rev();
    pairs.any(|pair| pair == [0xFF, 0xD9])
}

fn first_scan(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        // Any number of fill bytes may stand before a marker.
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
        at += bytes[at..].iter().position(|&byte| byte != 0xFF)?;
        let marker = bytes[at];
        at += 1;
        match marker {
            0xDA => return Some(at),
            // These stand alone.
            0x00 | 0x01 | 0xD0..=0xD8 => {}
            _ => at += usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)),
        }
    }
}

/// Whether every chunk of a WebP lies within the file.
///
/// The decoder does not look: it allocates what a chunk's header promises, and
/// takes of the last one what is there.
pub(super) fn webp_has_its_chunks(bytes: &[u8]) -> bool {
    chunks_end(bytes).is_some_and(|end| end <= bytes.len())
}

/// Where the last chunk ends, as the headers say.
fn chunks_end(bytes: &[u8]) -> Option<usize> {
    let size_at = |at: usize| {
        let size = *bytes.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(size)).ok()
    };
    let riff = size_at(4)?;
    let (mut at, mut end) = (12, 12);
    while at < riff.saturating_add(8) {
        let size = size_at(at + 4)?;
        end = at.saturating_add(8).saturating_add(size);
        // Chunks are padded to even sizes; some writers forget the last pad.
        at = end.saturating_add(size % 2);
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    #[test]
    fn a_jpeg_may_have_a_thumbnail_a_tail_and_fill_bytes() {
        let whole = fixtures::bytes("images/rgb.jpg");
        assert!(jpeg_has_end(&whole));
        assert!(jpeg_has_end(&[&whole, &b"<?php ?>"[..]].concat()));
        assert!(jpeg_has_end(&[&whole, &whole[..]].concat()));
        let filled = [&whole[..2], &[0xFF; 5], &whole[2..]].concat();
        assert!(jpeg_has_end(&filled));
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end_of_the_picture() {
        let whole = fixtures::bytes("images/rgb.jpg");
        let thumbnail = [&b"\xFF\xE1\x00\x0AExif\0\0"[..], b"\xFF\xD9"].concat();
        let with = [&whole[..2], &thumbnail, &whole[2..]].concat();
        assert!(jpeg_has_end(&with));
        assert!(!jpeg_has_end(&with[..with.len() / 2]));
        assert!(!jpeg_has_end(&with[..14]));
        assert!(!jpeg_has_end(b"\xFF\xD8\xFF"));
    }

    #[test]
    fn a_webp_may_lack_its_last_pad_but_no_byte_more() {
        let odd = b"RIFF\x11\0\0\0WEBPVP8 \x05\0\0\0.....";
        assert!(webp_has_its_chunks(odd));
        assert!(!webp_has_its_chunks(&odd[..odd.len() - 1]));
        assert!(!webp_has_its_chunks(&odd[..14]));
        assert!(!webp_has_its_chunks(b"RIFF"));
        let endless = b"RIFF\xFF\xFF\xFF\xFFWEBPVP8 \xFF\xFF\xFF\xFF";
        assert!(!webp_has_its_chunks(endless));
    }
}
