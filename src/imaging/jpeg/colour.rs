//! From a JPEG's components to RGB.
//!
//! ITU T.871 (JFIF) defines YCbCr; the numbers are rounded as `jdcolor.c`
//! (`build_ycc_rgb_table`, `ycc_rgb_convert`, `ycck_cmyk_convert`) does, with 16
//! bits behind the point.

use wide::{i16x8, i32x8, u8x16, u32x4};

use super::frame::Frame;
use super::markers::Tables;

/// What the file around a JPEG says of its components: in a TIFF its own
/// markers do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Told {
    /// Samples as they are: grey, RGB, or one plane of anything.
    Plain,
    /// Luma and two differences.
    YCbCr,
    /// Inks, not inverted.
    Inks,
}

/// What the components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Grey,
    Rgb,
    YCbCr,
    /// Inks, stored inverted as Adobe writes them and Pillow reads them.
    Cmyk,
    /// Inks as they are, as TIFF stores them.
    PlainCmyk,
    /// Inks again, three of them as YCbCr.
    Ycck,
}

impl Colours {
    /// What was told, else guesses as `jdapimin.c`, `default_decompress_parms`.
    pub(super) fn of(frame: &Frame, tables: &Tables, told: Option<Told>) -> Self {
        match (told, frame.components.len()) {
            (Some(Told::YCbCr), 3) => return Self::YCbCr,
            (Some(Told::Inks), 4) => return Self::PlainCmyk,
            (Some(Told::Plain), 3) => return Self::Rgb,
            _ => {}
        }
        let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
        match (ids.as_slice(), tables.adobe) {
            ([_], _) => Self::Grey,
            ([_, _, _], Some(0)) | (b"RGB", None) if !tables.has_jfif => Self::Rgb,
            ([_, _, _], _) => Self::YCbCr,
            (_, None | Some(0)) => Self::Cmyk,
            (_, Some(_)) => Self::Ycck,
        }
    }

    /// Turns a row of components at full size into three bytes a pixel.
    pub(super) fn convert(self, rows: &[&[u8]], out: &mut [u8]) {
        if let (Self::YCbCr | Self::Ycck, [y, cb, cr, ..]) = (self, rows) {
            from_ycc(y, cb, cr, out);
        }
        let pixels = out.as_chunks_mut::<3>().0;
        match (self, rows) {
            (Self::YCbCr, _) => {}
            (Self::Rgb, [r, g, b]) => {
                for (pixel, ((&r, &g), &b)) in pixels.iter_mut().zip(r.iter().zip(*g).zip(*b)) {
                    *pixel = [r, g, b];
                }
            }
            (Self::Ycck, [_, _, _, k]) => {
                // `jdcolor.c` leaves the inks' opposite, and that is what they
                // are inverted.
                for (pixel, &k) in pixels.iter_mut().zip(*k) {
                    *pixel = pixel.map(|ink| under(ink, k));
                }
            }
            (Self::Cmyk, [c, m, y, k]) => {
                let inks = c.iter().zip(*m).zip(y.iter().zip(*k));
                for (pixel, ((&c, &m), (&y, &k))) in pixels.iter_mut().zip(inks) {
                    *pixel = [c, m, y].map(|ink| under(255 - ink, k));
                }
            }
            (Self::PlainCmyk, [c, m, y, k]) => {
                let inks = c.iter().zip(*m).zip(y.iter().zip(*k));
                for (pixel, ((&c, &m), (&y, &k))) in pixels.iter_mut().zip(inks) {
                    *pixel = [c, m, y].map(|ink| under(ink, 255 - k));
                }
            }
            // Grey, and what the frame's header does not let pass.
            (_, rows) => {
                for (pixel, &l) in pixels.iter_mut().zip(rows.iter().copied().flatten()) {
                    *pixel = [l; 3];
                }
            }
        }
    }
}

/// A colour of so much ink, on paper that black leaves so much of: Pillow's
/// `Convert.c`, `cmyk2rgb`, on inks inverted.
fn under(ink: u8, light: u8) -> u8 {
    let product = u32::from(ink) * u32::from(light) + 128;
    let taken = ((product >> 8) + product) >> 8;
    u8::try_from(u32::from(light).saturating_sub(taken)).expect("less than a byte; this is a bug")
}

/// Pixels that are converted side by side.
const LANES: usize = 16;

fn from_ycc(y: &[u8], cb: &[u8], cr: &[u8], out: &mut [u8]) {
    let (mut y, mut cb, mut cr, mut out) = (y, cb, cr, out);
    // Each step writes two bytes too many, which the next one overwrites.
    while out.len() >= 3 * LANES + 2
        && let (Some((luma, more_y)), Some((blue, more_cb)), Some((red, more_cr))) = (
            y.split_first_chunk(),
            cb.split_first_chunk(),
            cr.split_first_chunk(),
        )
    {
        interleave(lanes_from_ycc(luma, blue, red), out);
        (y, cb, cr) = (more_y, more_cb, more_cr);
        out = &mut out[3 * LANES..];
    }
    let left = out.len() / 3;
    let padded = |row: &[u8]| {
        let mut lanes = [0; LANES];
        lanes[..left].copy_from_slice(&row[..left]);
        lanes
    };
    let mut last = [0; 3 * LANES + 2];
    interleave(
        lanes_from_ycc(&padded(y), &padded(cb), &padded(cr)),
        &mut last,
    );
    out.copy_from_slice(&last[..3 * left]);
}

/// Red is `y + 1.402 cr`, green `y - 0.34414 cb - 0.71414 cr`, blue
/// `y + 1.772 cb`. The factors times 65536 are 91881, 22554, 46802 and 116130;
/// whole parts are taken off so that what is left fits in 16 bits.
#[inline]
fn lanes_from_ycc(y: &[u8; LANES], cb: &[u8; LANES], cr: &[u8; LANES]) -> [u8x16; 3] {
    let halves = |row: &[u8; LANES]| {
        let row = u8x16::new(*row);
        [i16x8::from_u8x16_low(row), i16x8::from_u8x16_high(row)]
    };
    let (y, cb, cr) = (halves(y), halves(cb), halves(cr));
    let mut halves = [[i16x8::ZERO; 2]; 3];
    let half = i32x8::splat(1 << 15);
    for index in 0..2 {
        let y = y[index];
        let cb = cb[index] - i16x8::splat(128);
        let cr = cr[index] - i16x8::splat(128);
        let green = cb.mul_widen(i16x8::splat(-22_554)) + cr.mul_widen(i16x8::splat(18_734));
        halves[0][index] = y + cr + rounded(cr, 26_345);
        halves[1][index] = y - cr + i16x8::from_i32x8_saturate((green + half) >> 16);
        halves[2][index] = y + cb + cb + rounded(cb, -14_942);
    }
    halves.map(|[low, high]| u8x16::narrow_i16x8(low, high))
}

/// `value * factor / 65536`, rounded up at the half. `value` has 9 bits, so that
/// there is room to double it, and the product's last bit is the rounding.
#[inline]
fn rounded(value: i16x8, factor: i16) -> i16x8 {
    let doubled = i16x8::mul_keep_high(value + value, i16x8::splat(factor));
    (doubled + i16x8::ONE) >> 1
}

/// Writes 16 pixels, and two bytes of nothing behind them.
#[inline]
fn interleave([red, green, blue]: [u8x16; 3], out: &mut [u8]) {
    let out: &mut [u8; 3 * LANES + 2] = (&mut out[..3 * LANES + 2])
        .try_into()
        .expect("it is of that length; this is a bug");
    let none = u8x16::ZERO;
    for (index, (rg, b)) in [
        (u8x16::unpack_low(red, green), u8x16::unpack_low(blue, none)),
        (
            u8x16::unpack_high(red, green),
            u8x16::unpack_high(blue, none),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        // Pixels of even and of odd place, three bytes of four.
        let (rg, b) = (words(rg), words(b));
        let even: u32x4 = (rg & u32x4::splat(0xFFFF)) | ((b & u32x4::splat(0xFF)) << 16);
        let odd: u32x4 = (rg >> 16) | (b & u32x4::splat(0xFF_0000));
        let low: u32x4 = even | (odd << 24);
        let high: u32x4 = odd >> 8;
        for (lane, (low, high)) in low.to_array().into_iter().zip(high.to_array()).enumerate() {
            let pair = u64::from(low) | u64::from(high) << 32;
            let at = 24 * index + 6 * lane;
            out[at..at + 8].copy_from_slice(&pair.to_le_bytes());
        }
    }
}

#[inline]
fn words(bytes: u8x16) -> u32x4 {
    let bytes = bytes.to_array();
    let words = bytes.as_chunks().0;
    u32x4::new([0, 1, 2, 3].map(|index| u32::from_le_bytes(words[index])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the tables of `jdcolor.c` are built.
    fn expected(y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
        let half = 1 << 15;
        let red = y + ((91_881 * cr + half) >> 16);
        let green = y + ((-22_554 * cb - 46_802 * cr + half) >> 16);
        let blue = y + ((116_130 * cb + half) >> 16);
        [red, green, blue].map(|value| u8::try_from(value.clamp(0, 255)).unwrap())
    }

    #[test]
    fn every_chroma_is_as_the_tables_have_it() {
        for cb in 0..=255u8 {
            for y in [0, 1, 77, 128, 200, 255] {
                let cr: Vec<u8> = (0..=255).collect();
                let mut out = vec![0; 3 * 256];
                from_ycc(&[y; 256], &[cb; 256], &cr, &mut out);
                for (cr, pixel) in cr.into_iter().zip(out.as_chunks::<3>().0) {
                    assert_eq!(*pixel, expected(y, cb, cr), "{y} {cb} {cr}");
                }
            }
        }
    }

    #[test]
    fn rows_of_every_length_are_filled_to_the_end() {
        for length in 0..70u8 {
            let row: Vec<u8> = (0..length).collect();
            let mut out = vec![7; 3 * row.len()];
            from_ycc(&row, &vec![90; row.len()], &vec![200; row.len()], &mut out);
            for (&y, pixel) in row.iter().zip(out.as_chunks::<3>().0) {
                assert_eq!(*pixel, expected(y, 90, 200));
            }
        }
    }

    #[test]
    fn inks_darken_what_black_leaves() {
        assert_eq!(under(0, 255), 255);
        assert_eq!(under(255, 255), 0);
        assert_eq!(under(0, 100), 100);
        assert_eq!(under(255, 100), 0);
        assert_eq!(under(128, 100), 50);
        let rows: [&[u8]; 4] = [&[255], &[155], &[0], &[200]];
        let mut out = [0; 3];
        Colours::Cmyk.convert(&rows, &mut out);
        assert_eq!(out, [200, 122, 0]);
    }
}
