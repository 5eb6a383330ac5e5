//! Pictures as sixels: columns of six pixels, of 256 colours.
//!
//! The colours are chosen for each picture by median cut over 15-bit colours.
//! Crates that write sixels bring quantisers of thousands of lines for the last
//! bit of fidelity; a thumbnail of 200 pixels shows no difference.
//! <https://vt100.net/docs/vt3xx-gp/chapter14.html>

use std::fmt::Write as _;

use super::super::thumbnail::Thumbnail;

/// Colours of a picture, at most.
const COLOURS: usize = 256;

/// Values of a channel, when colours are counted.
const STEPS: usize = 32;

/// Rows of pixels in a band.
const BAND: usize = 6;

/// The escape sequence that draws a picture from the cursor on.
pub(super) fn encode(picture: &Thumbnail) -> String {
    let (palette, pixels) = quantise(&picture.bytes);
    let width = picture.width as usize;
    let mut out = format!("\x1bP0;1;0q\"1;1;{width};{}", picture.height);
    for (index, colour) in palette.iter().enumerate() {
        let [r, g, b] = colour.map(|byte| (u32::from(byte) * 100 + 127) / 255);
        let _never = write!(out, "#{index};2;{r};{g};{b}").is_err();
    }
    for band in pixels.chunks(width * BAND) {
        write_band(band, width, palette.len(), &mut out);
    }
    out + "\x1b\\"
}

/// Six rows: a pass for each colour in them.
fn write_band(band: &[u8], width: usize, colours: usize, out: &mut String) {
    let mut is_used = vec![false; colours];
    for &colour in band {
        is_used[usize::from(colour)] = true;
    }
    for colour in (0..colours).filter(|&colour| is_used[colour]) {
        let _never = write!(out, "#{colour}").is_err();
        let column = |x: usize| {
            let rows = band[x..].iter().step_by(width).enumerate();
            let bits = rows.map(|(row, &pixel)| u8::from(usize::from(pixel) == colour) << row);
            char::from(b'?' + bits.sum::<u8>())
        };
        let mut x = 0;
        while x < width {
            let sixel = column(x);
            let run = (x..width).take_while(|&x| column(x) == sixel).count();
            let _never = match run {
                1..4 => (0..run).try_for_each(|_| out.write_char(sixel)),
                _ => write!(out, "!{run}{sixel}"),
            }
            .is_err();
            x += run;
        }
        out.push('$');
    }
    out.push('-');
}

/// A colour of 15 bits, and the pixels that have it.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    /// Steps of red, green and blue.
    place: [usize; 3],
    count: usize,
    /// Of the pixels' bytes.
    sum: [usize; 3],
}

/// Colours, and the number of each pixel's colour.
fn quantise(rgb: &[u8]) -> (Vec<[u8; 3]>, Vec<u8>) {
    let place = |pixel: &[u8]| {
        let step = |byte: u8| usize::from(byte) * STEPS / 256;
        [step(pixel[0]), step(pixel[1]), step(pixel[2])]
    };
    let number = |place: [usize; 3]| (place[0] * STEPS + place[1]) * STEPS + place[2];
    let mut bins = vec![Bin::default(); STEPS * STEPS * STEPS];
    for pixel in rgb.chunks_exact(3) {
        let bin = &mut bins[number(place(pixel))];
        bin.place = place(pixel);
        bin.count += 1;
        for (sum, &byte) in bin.sum.iter_mut().zip(pixel) {
            *sum += usize::from(byte);
        }
    }
    bins.retain(|bin| bin.count > 0);
    let boxes = cut(&mut bins);
    let mut colours = vec![0; STEPS * STEPS * STEPS];
    let mut palette = Vec::with_capacity(boxes.len());
    for (index, bins) in (0..=u8::MAX).zip(boxes) {
        for bin in bins.iter() {
            colours[number(bin.place)] = index;
        }
        palette.push(mean(bins));
    }
    let pixels = rgb.chunks_exact(3);
    let pixels = pixels.map(|pixel| colours[number(place(pixel))]).collect();
    (palette, pixels)
}

/// Cuts the box with the most pixels over the longest side at the median,
/// until there are as many boxes as colours.
fn cut(bins: &mut [Bin]) -> Vec<&mut [Bin]> {
    let mut boxes = vec![bins];
    while boxes.len() < COLOURS {
        let weight = |bins: &[Bin]| {
            let count: usize = bins.iter().map(|bin| bin.count).sum();
            longest_side(bins).1 * count
        };
        let heaviest = (0..boxes.len()).max_by_key(|&index| weight(boxes[index]));
        let Some(heaviest) = heaviest.filter(|&index| weight(boxes[index]) > 0) else {
            break;
        };
        let bins = boxes.swap_remove(heaviest);
        let (channel, _) = longest_side(bins);
        bins.sort_unstable_by_key(|bin| bin.place[channel]);
        let half = bins.iter().map(|bin| bin.count).sum::<usize>() / 2;
        let mut seen = 0;
        let before_half = bins.iter().take_while(|bin| {
            seen += bin.count;
            seen <= half
        });
        let middle = before_half.count().clamp(1, bins.len() - 1);
        let (low, high) = bins.split_at_mut(middle);
        boxes.extend([low, high]);
    }
    boxes
}

/// The channel in which a box is longest, and how long it is.
fn longest_side(bins: &[Bin]) -> (usize, usize) {
    let side = |channel: usize| {
        let steps = bins.iter().map(|bin| bin.place[channel]);
        let (low, high) = steps.fold((STEPS, 0), |(low, high), step| {
            (low.min(step), high.max(step))
        });
        high.saturating_sub(low)
    };
    let longest = (0..3).max_by_key(|&channel| side(channel)).unwrap_or(0);
    (longest, side(longest))
}

fn mean(bins: &[Bin]) -> [u8; 3] {
    let count = bins.iter().map(|bin| bin.count).sum::<usize>().max(1);
    [0, 1, 2].map(|channel| {
        let sum: usize = bins.iter().map(|bin| bin.sum[channel]).sum();
        u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal draws: pixels, and nothing where nothing was drawn.
    fn decode(text: &str) -> (usize, usize, Vec<Option<[u8; 3]>>) {
        let body = text.strip_prefix("\x1bP0;1;0q\"1;1;").unwrap();
        let mut rest = body.strip_suffix("\x1b\\").unwrap();
        let number = |rest: &mut &str| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let (digits, after) = rest.split_at(end);
            *rest = after;
            digits.parse::<usize>().unwrap()
        };
        let width = number(&mut rest);
        rest = &rest[1..];
        let height = number(&mut rest);
        let mut pixels = vec![None; width * height];
        let mut palette = std::collections::HashMap::new();
        let (mut x, mut y, mut colour) = (0, 0, 0);
        while let Some(c) = rest.chars().next() {
            rest = &rest[1..];
            let mut run = 1;
            let mut sixel = c;
            match c {
                '#' => {
                    colour = number(&mut rest);
                    if rest.starts_with(";2;") {
                        let rgb = [0, 1, 2].map(|channel| {
                            rest = &rest[if channel == 0 { 3 } else { 1 }..];
                            u8::try_from(number(&mut rest) * 255 / 100).unwrap()
                        });
                        palette.insert(colour, rgb);
                    }
                    continue;
                }
                '$' => {
                    x = 0;
                    continue;
                }
                '-' => {
                    (x, y) = (0, y + 6);
                    continue;
                }
                '!' => {
                    run = number(&mut rest);
                    sixel = rest.chars().next().unwrap();
                    rest = &rest[1..];
                }
                _ => {}
            }
            let bits = u32::from(sixel) - u32::from('?');
            for _ in 0..run {
                for row in (0..6).filter(|row| bits >> row & 1 == 1) {
                    pixels[(y + row) * width + x] = Some(palette[&colour]);
                }
                x += 1;
            }
            assert!(x <= width);
        }
        (width, height, pixels)
    }

    fn drawn(width: u32, height: u32, rgb: impl Fn(u32, u32) -> [u8; 3]) -> (f64, u8) {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let bytes: Vec<u8> = places.flat_map(|(x, y)| rgb(x, y)).collect();
        let picture = Thumbnail {
            width,
            height,
            bytes: bytes.clone(),
        };
        let (w, h, pixels) = decode(&encode(&picture));
        assert_eq!((w, h), (width as usize, height as usize));
        let pixels = pixels.into_iter().flat_map(|pixel| pixel.expect("drawn"));
        let off: Vec<u8> = pixels.zip(bytes).map(|(a, b)| a.abs_diff(b)).collect();
        let sum: f64 = off.iter().map(|&off| f64::from(off)).sum();
        let count = f64::from(width * height * 3);
        (sum / count, off.into_iter().max().unwrap())
    }

    #[test]
    fn few_colours_come_back_as_they_were() {
        let (_, worst) = drawn(17, 13, |x, y| match (x + y) % 3 {
            0 => [255, 0, 0],
            1 => [0, 128, 255],
            _ => [255, 255, 255],
        });
        assert!(worst <= 3, "{worst}: hundredths are all that sixels have");
    }

    #[test]
    fn many_colours_come_back_nearly() {
        let byte = |n: u32| u8::try_from(n % 256).unwrap();
        let (mean, worst) = drawn(128, 100, |x, y| [byte(x * 2), byte(y * 2), byte(x + y)]);
        assert!(mean < 6.0, "{mean}");
        assert!(worst < 40, "{worst}");
    }

    #[test]
    fn a_single_pixel_is_a_picture() {
        let (_, worst) = drawn(1, 1, |_, _| [10, 200, 30]);
        assert!(worst <= 3);
    }
}
