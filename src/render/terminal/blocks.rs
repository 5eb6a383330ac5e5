//! Pictures of characters: the upper half of each shows one pixel, the lower
//! half the one below it.

use std::fmt::Write as _;

use super::super::thumbnail::Thumbnail;

/// A line for two rows of pixels, a column for each pixel in a row.
pub(super) fn lines(picture: &Thumbnail, true_colour: bool) -> Vec<String> {
    let row = picture.width as usize * 3;
    let rows: Vec<&[u8]> = picture.bytes.chunks_exact(row).collect();
    rows.chunks(2)
        .map(|two| line(two[0], two.get(1).copied(), true_colour))
        .collect()
}

fn line(upper: &[u8], lower: Option<&[u8]>, true_colour: bool) -> String {
    let mut line = String::new();
    let mut before = None;
    for (column, above) in upper.chunks_exact(3).enumerate() {
        let below = lower.map(|row| &row[column * 3..][..3]);
        if before != Some((above, below)) {
            let above = colour(above, true_colour);
            let _never = match below {
                Some(below) => {
                    let below = colour(below, true_colour);
                    write!(line, "\x1b[38;{above};48;{below}m").is_err()
                }
                None => write!(line, "\x1b[38;{above}m").is_err(),
            };
        }
        before = Some((above, below));
        line.push('▀');
    }
    line + "\x1b[0m"
}

/// The end of an SGR sequence that chooses a colour.
fn colour(rgb: &[u8], true_colour: bool) -> String {
    if true_colour {
        format!("2;{};{};{}", rgb[0], rgb[1], rgb[2])
    } else {
        format!("5;{}", nearest_of_256(rgb))
    }
}

/// Levels of a channel in the 6 x 6 x 6 colours of xterm's palette.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The nearest of xterm's 256 colours, past the first 16, which users change.
fn nearest_of_256(rgb: &[u8]) -> usize {
    let levels: Vec<usize> = rgb.iter().map(|&byte| nearest_level(byte)).collect();
    let cube = [LEVELS[levels[0]], LEVELS[levels[1]], LEVELS[levels[2]]];
    let mean = rgb.iter().map(|&byte| usize::from(byte)).sum::<usize>() / 3;
    // Greys are 8, 18, and so on to 238.
    let grey = (mean.saturating_sub(3) / 10).min(23);
    let grey_byte = u8::try_from(8 + 10 * grey).unwrap_or(u8::MAX);
    if distance(rgb, &[grey_byte; 3]) < distance(rgb, &cube) {
        232 + grey
    } else {
        16 + 36 * levels[0] + 6 * levels[1] + levels[2]
    }
}

fn nearest_level(byte: u8) -> usize {
    let off = |level: &usize| LEVELS[*level].abs_diff(byte);
    (0..LEVELS.len()).min_by_key(off).unwrap_or(0)
}

fn distance(a: &[u8], b: &[u8]) -> u32 {
    let off = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)));
    off.map(|off| off * off).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colours of each character, as numbers after 38 and 48.
    fn read(line: &str) -> Vec<Vec<u8>> {
        let mut colours = Vec::new();
        let mut now = Vec::new();
        for part in line.split('\x1b').skip(1) {
            let (codes, blocks) = part.strip_prefix('[').unwrap().split_once('m').unwrap();
            now = codes.split(';').map(|code| code.parse().unwrap()).collect();
            colours.extend(blocks.chars().map(|_| now.clone()));
        }
        assert_eq!(now, [0], "colours end with the line");
        colours
    }

    #[test]
    fn every_pixel_is_there() {
        let bytes: Vec<u8> = (0..4 * 3 * 3).map(|n| n * 7).collect();
        let picture = Thumbnail {
            width: 4,
            height: 3,
            bytes: bytes.clone(),
        };
        let lines = lines(&picture, true);
        assert_eq!(lines.len(), 2);
        for (column, codes) in read(&lines[0]).iter().enumerate() {
            let (above, below) = (&bytes[column * 3..][..3], &bytes[12 + column * 3..][..3]);
            assert_eq!(codes, &[&[38, 2], above, &[48, 2], below].concat());
        }
        for (column, codes) in read(&lines[1]).iter().enumerate() {
            assert_eq!(codes, &[&[38, 2], &bytes[24 + column * 3..][..3]].concat());
        }
    }

    #[test]
    fn the_256_colours_are_xterms() {
        for (rgb, expected) in [
            ([0, 0, 0], 16),
            ([255, 255, 255], 231),
            ([255, 0, 0], 196),
            ([95, 135, 175], 67),
            ([128, 128, 128], 244),
            ([10, 8, 7], 232),
            ([239, 238, 237], 255),
        ] {
            assert_eq!(nearest_of_256(&rgb), expected, "{rgb:?}");
        }
    }

    #[test]
    fn what_stays_the_same_is_said_once() {
        let picture = Thumbnail {
            width: 50,
            height: 2,
            bytes: [9, 8, 7].repeat(100),
        };
        let lines = lines(&picture, true);
        let expected = format!("\x1b[38;2;9;8;7;48;2;9;8;7m{}\x1b[0m", "▀".repeat(50));
        assert_eq!(lines, [expected]);
    }
}
