//! Files that end too early, or ask for more than they say, found before they
//! are decoded.
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

/// A WebP without what follows its chunks; `None` where one of them does not
/// lie within the file.
///
/// The decoder does not look: it allocates what a chunk's header promises, takes
/// of the last one what is there, and up to 18 bytes behind it for another's
/// header.
pub(super) fn webp_chunks(bytes: &[u8]) -> Option<&[u8]> {
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
    bytes.get(..end)?;
    Some(&bytes[..at.min(bytes.len())])
}

/// Whether a frame of a WebP is larger than the whole picture, as the headers
/// say.
///
/// The decoder finds out when it has decoded the frame: 490 bytes that call
/// themselves 96 x 64 took 400 MB.
pub(super) fn webp_has_larger_frame(bytes: &[u8]) -> bool {
    // A file of one chunk has no other size than its frame's.
    let Some((b"VP8X", _, rest)) = bytes.get(12..).and_then(first_chunk) else {
        return false;
    };
    // The decoder reads them here, however short the chunk says that it is.
    let length = |at: usize| {
        let [low, middle, high] = *bytes.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes([low, middle, high, 0]) + 1)
    };
    let (Some(width), Some(height)) = (length(24), length(27)) else {
        return false;
    };
    // Of the two formats the one whose decoder does not compare it first.
    let is_larger = |data| lossy_size(data).is_some_and(|size| size.0 > width || size.1 > height);
    chunks(rest).any(|(name, data)| match name {
        b"VP8 " => is_larger(data),
        // An animation's frames have chunks of their own, behind 16 bytes. What
        // follows one of transparency is decoded under any name.
        b"ANMF" => chunks(data.get(16..).unwrap_or_default()).any(|(_, data)| is_larger(data)),
        _ => false,
    })
}

/// Name and data.
type Chunk<'a> = (&'a [u8; 4], &'a [u8]);

/// Width and height of a frame in the lossy format, which has this start code. A
/// side that is cut off may be of any size: the decoder reads beyond the chunk.
fn lossy_size(data: &[u8]) -> Option<(u32, u32)> {
    data.get(3..)?.strip_prefix(&[0x9D, 0x01, 0x2A])?;
    let side = |at: usize| {
        let side = data.get(at..).and_then(<[u8]>::first_chunk);
        side.map_or(u32::MAX, |side| {
            u32::from(u16::from_le_bytes(*side) & 0x3FFF)
        })
    };
    Some((side(6), side(8)))
}

fn chunks(mut bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let (name, data, rest) = first_chunk(bytes)?;
        bytes = rest;
        Some((name, data))
    })
}

/// Name and data of the first chunk, and what follows it.
fn first_chunk(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (name, behind) = bytes.split_first_chunk()?;
    let (size, behind) = behind.split_first_chunk()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    let (data, behind) = behind.split_at(size.min(behind.len()));
    Some((name, data, behind.get(size % 2..).unwrap_or_default()))
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
        assert_eq!(webp_chunks(odd), Some(&odd[..]));
        assert_eq!(webp_chunks(&odd[..odd.len() - 1]), None);
        assert_eq!(webp_chunks(&odd[..14]), None);
        assert_eq!(webp_chunks(b"RIFF"), None);
        let endless = b"RIFF\xFF\xFF\xFF\xFFWEBPVP8 \xFF\xFF\xFF\xFF";
        assert_eq!(webp_chunks(endless), None);
    }

    #[test]
    fn what_follows_a_webp_is_none_of_it() {
        let odd = b"RIFF\x12\0\0\0WEBPVP8 \x05\0\0\0.....\0";
        let followed = [&odd[..], b"EXIF\xFF\xFF\xFF\xFF"].concat();
        assert_eq!(webp_chunks(&followed), Some(&odd[..]));
    }

    #[test]
    fn no_frame_of_a_webp_is_larger_than_the_picture() {
        let chunk = |name: &[u8], data: &[u8]| {
            let size = u32::try_from(data.len()).unwrap().to_le_bytes();
            [name, &size, data, &[0][..data.len() % 2]].concat()
        };
        let file = |chunks: &[Vec<u8>]| chunk(b"RIFF", &[b"WEBP", &chunks.concat()[..]].concat());
        // 96 x 64, less one of each.
        let canvas = chunk(b"VP8X", &[0, 0, 0, 0, 95, 0, 0, 63, 0, 0]);
        // The upper two bits are a scale.
        let frame = |width: u8, height: u8| {
            let bytes = [0, 0, 0, 0x9D, 1, 0x2A, width, 0x40, height, 0x80];
            chunk(b"VP8 ", &bytes)
        };
        // Decoded all the same.
        let misnamed = |frame: &[u8]| [b"VP6 ", &frame[4..]].concat();
        let animated = |frame: Vec<u8>| {
            let before = chunk(b"ALPH", &[1, 2, 3]);
            chunk(b"ANMF", &[vec![0; 16], before, frame].concat())
        };
        let other = chunk(b"EXIF", b"odd");
        for (width, height, is_larger) in [(96, 64, false), (97, 64, true), (96, 65, true)] {
            let frame = frame(width, height);
            let still = file(&[canvas.clone(), other.clone(), frame.clone()]);
            assert_eq!(webp_has_larger_frame(&still), is_larger);
            for frame in [misnamed(&frame), frame] {
                let moving = file(&[canvas.clone(), other.clone(), animated(frame)]);
                assert_eq!(webp_has_larger_frame(&moving), is_larger);
            }
        }
        // A header of no bytes, and two empty chunks that make it one of 1 x 1.
        let short = [&b"VP8X\0\0\0\0"[..], &[0; 16]].concat();
        assert!(webp_has_larger_frame(&file(&[short, frame(2, 1)])));
        let cut_off = chunk(b"VP8 ", &frame(1, 1)[8..17]);
        assert!(webp_has_larger_frame(&file(&[
            canvas.clone(),
            animated(cut_off)
        ])));
        assert!(!webp_has_larger_frame(&file(&[frame(97, 97)])));
        for length in 0..40 {
            let still = file(&[canvas.clone(), frame(97, 64)]);
            assert!(!webp_has_larger_frame(&still[..length]), "{length}");
        }
        for file in ["lossy.webp", "animated.webp"] {
            let bytes = fixtures::bytes(&format!("images/{file}"));
            assert!(!webp_has_larger_frame(&bytes), "{file}");
        }
    }
}
