//! BMP headers that Pillow reads and the `image` crate refuses.

/// A copy that the decoder reads, and whether its rows come last first;
/// nothing where the file can be read as it is.
///
/// - A number of planes other than 1 means nothing, and becomes 1.
/// - The 64-byte header of OS/2 2 begins as the 40 bytes of Windows: the rest
///   is cut out.
/// - Run lengths from the top, which the format forbids, are read from the
///   bottom.
pub(super) fn rewritten(bytes: &[u8]) -> Option<(Vec<u8>, bool)> {
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let header = word(14)?;
    let (planes, compression) = (word(26)? & 0xFFFF, word(30)?);
    let height = word(22)?.cast_signed();
    if header < 40 {
        return None;
    }
    let is_os2 = header == 64 && compression < 3;
    let is_flipped = height < 0 && (compression == 1 || compression == 2);
    if planes == 1 && !is_os2 && !is_flipped {
        return None;
    }
    let mut copy = bytes.to_vec();
    copy[26..28].copy_from_slice(&1_u16.to_le_bytes());
    if is_flipped {
        let height = height.unsigned_abs();
        copy[22..26].copy_from_slice(&height.to_le_bytes());
    }
    if is_os2 {
        let start = word(10)?.saturating_sub(24);
        copy[10..14].copy_from_slice(&start.to_le_bytes());
        copy[14..18].copy_from_slice(&40_u32.to_le_bytes());
        // Of a file that ends within the header nothing is left to cut out.
        let end = copy.len().min(78);
        copy.drain(end.min(54)..end);
    }
    Some((copy, is_flipped))
}

/// Width and height as the header says; nothing where it says less than 0,
/// which the decoder refuses by itself (a negative height only turns the rows).
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    if word(14)? == 12 {
        // Of OS/2 1, two bytes each.
        return Some((word(18)? & 0xFFFF, word(18)? >> 16));
    }
    let width = u32::try_from(word(18)?.cast_signed()).ok()?;
    Some((width, word(22)?.cast_signed().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use image::metadata::Orientation;

    use super::super::fixtures::{bytes, picture};
    use super::super::{decode, orient};
    use super::*;
    use crate::config::ImageLimits;

    #[test]
    fn a_file_may_end_anywhere_in_its_header() {
        let mut os2 = bytes("images/rgb.bmp");
        os2[14] = 64;
        for length in 0..100 {
            let copy = rewritten(&os2[..length]);
            assert_eq!(copy.is_some(), length >= 34, "{length}");
        }
    }

    #[test]
    fn three_kinds_that_others_refuse() {
        let plain = bytes("images/rgb.bmp");
        assert_eq!(rewritten(&plain), None);
        let whole = picture("images/rgb.bmp");
        let read = |bytes: &[u8]| decode(bytes, &ImageLimits::default()).unwrap();
        let mut planes = plain.clone();
        planes[26] = 7;
        assert!(read(&planes) == whole);
        let start = u32::from_le_bytes(*plain[10..].first_chunk().unwrap()) + 24;
        let mut os2 = [&plain[..54], &[0; 24], &plain[54..]].concat();
        os2[10..14].copy_from_slice(&start.to_le_bytes());
        os2[14] = 64;
        assert!(read(&os2) == whole);
        let dot = |height: i32| {
            let mut file = b"BM\0\0\0\0\0\0\0\0\x3E\0\0\0\x28\0\0\0\x01\0\0\0".to_vec();
            file.extend(height.to_le_bytes());
            file.extend(b"\x01\0\x08\0\x01\0\0\0");
            file.extend([0; 12]);
            file.extend([2, 0, 0, 0, 0, 0, 0, 0]);
            file.extend([9, 9, 9, 0, 5, 5, 5, 0]);
            file.extend([1, 0, 0, 0, 1, 1, 0, 1]);
            read(&file)
        };
        assert!(dot(-2) == orient::upright(dot(2), Orientation::FlipVertical));
    }

    #[test]
    fn the_size_is_read_of_every_header() {
        let head = |header: u8, rest: &[u8]| [&[0; 14][..], &[header, 0, 0, 0], rest].concat();
        assert_eq!(size(&head(12, &[7, 0, 9, 0])), Some((7, 9)));
        assert_eq!(size(&head(40, &[7, 0, 0, 0, 9, 0, 0, 0])), Some((7, 9)));
        let down = [7, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF];
        assert_eq!(size(&head(40, &down)), Some((7, 2)));
        let negative = [0xFE, 0xFF, 0xFF, 0xFF, 9, 0, 0, 0];
        assert_eq!(size(&head(40, &negative)), None);
        assert_eq!(size(&head(40, &[7, 0])), None);
    }

    #[test]
    fn headers_that_break_off_are_left_alone() {
        for length in 0..30 {
            assert_eq!(rewritten(&[64; 30][..length]), None);
        }
    }
}
