//! Headers of pictures of any size, in every format, with next to no pixels
//! behind them.

/// Headers that ask for gigabytes, by a name that ends in their side; those of
/// 14,000 are within the default limit, and have no data.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let mut bombs = Vec::new();
    for side in [20_000, 65_500] {
        bombs.extend(headers(side).map(|(name, bytes)| (format!("{name}-{side}"), bytes)));
    }
    let within = headers(14_000)
        .into_iter()
        .filter(|(name, _)| *name != "gif");
    bombs.extend(within.map(|(name, bytes)| (format!("{name}-14000"), bytes)));
    bombs
}

/// Square pictures of that side, by format and kind.
pub(crate) fn headers(side: u16) -> [(&'static str, Vec<u8>); 9] {
    let (little, big) = (side.to_le_bytes(), side.to_be_bytes());
    let wide_little = u32::from(side).to_le_bytes();
    let wide_big = u32::from(side).to_be_bytes();
    let canvas = u32::from(side).saturating_sub(1).to_le_bytes();
    let png = |kind: u8| {
        let start = b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR";
        let mut bytes = [&start[..], &wide_big, &wide_big, &[8, kind, 0, 0, 0]].concat();
        let sum = crc(&bytes[12..]).to_be_bytes();
        bytes.extend(sum);
        bytes.extend([0; 60]);
        bytes
    };
    let bmp = |bits: u8| {
        let start = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0";
        let rest = [1, 0, bits, 0];
        [&start[..], &wide_little, &wide_little, &rest, &[0; 1200]].concat()
    };
    let frame = b"\xFF\xD8\xFF\xC0\0\x0B\x08";
    let scan = b"\x01\x01\x11\0\xFF\xDA\0\x08\x01\x01\0\0\x3F\0\0\0\xFF\xD9";
    let gif = b"\0\0\0\x2C\0\0\0\0\x01\0\x01\0\0\x02\0;";
    let webp = b"RIFF\x1E\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0";
    [
        ("png-grey", png(0)),
        ("png-rgb", png(2)),
        ("png-rgba", png(6)),
        ("bmp-24", bmp(24)),
        ("bmp-8", bmp(8)),
        ("tiff", tiff(wide_little)),
        ("jpeg", [&frame[..], &big, &big, scan].concat()),
        ("gif", [&b"GIF89a"[..], &little, &little, gif].concat()),
        (
            "webp",
            [&webp[..], &canvas[..3], &canvas[..3], &[0; 16]].concat(),
        ),
    ]
}

/// The checksum of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum))
    })
}

/// The first directory of a grey TIFF.
fn tiff(side: [u8; 4]) -> Vec<u8> {
    let entry =
        |tag: u16, value: [u8; 4]| [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value].concat();
    [
        b"II\x2A\0\x08\0\0\0\x06\0".to_vec(),
        entry(256, side),
        entry(257, side),
        entry(258, [8, 0, 0, 0]),
        entry(262, [1, 0, 0, 0]),
        entry(273, [8, 0, 0, 0]),
        entry(279, [8, 0, 0, 0]),
        vec![0; 8],
    ]
    .concat()
}
