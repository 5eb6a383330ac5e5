//! Samples of eight bits to three bytes a pixel, as Pillow converts them.

use super::super::colour::on_white;

/// What the samples of a pixel mean.
#[derive(Debug)]
pub(super) enum Inks {
    Grey {
        is_inverted: bool,
    },
    Rgb,
    /// Red, green, blue of each index.
    Palette(Vec<[u8; 3]>),
    Cmyk,
    YCbCr,
    Lab,
}

/// What the first sample beyond the colours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    None,
    Straight,
    /// The colours are multiplied by it.
    Associated,
}

impl Inks {
    /// Samples that are colours.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Grey { .. } | Self::Palette(_) => 1,
            Self::Rgb | Self::YCbCr | Self::Lab => 3,
            Self::Cmyk => 4,
        }
    }

    /// One pixel's colour; an index beyond the palette is black, as in Pillow.
    fn rgb(&self, samples: &[u8]) -> [u8; 3] {
        match (self, samples) {
            (Self::Grey { is_inverted: false }, &[l, ..]) => [l; 3],
            (Self::Grey { is_inverted: true }, &[l, ..]) => [255 - l; 3],
            (Self::Palette(map), &[index, ..]) => {
                map.get(usize::from(index)).copied().unwrap_or_default()
            }
            (Self::Rgb, &[r, g, b, ..]) => [r, g, b],
            (Self::Cmyk, &[c, m, y, k, ..]) => [c, m, y].map(|ink| paper(ink, 255 - k)),
            (Self::YCbCr, &[y, cb, cr, ..]) => from_ycbcr([y, cb, cr].map(f32::from)),
            (Self::Lab, &[l, a, b, ..]) => from_lab(
                f32::from(l),
                f32::from(a.cast_signed()),
                f32::from(b.cast_signed()),
            ),
            _ => [0; 3],
        }
    }

    /// All pixels, of `per_pixel` samples each.
    pub(super) fn to_rgb(&self, samples: &[u8], per_pixel: usize, alpha: Alpha) -> Vec<u8> {
        let mut pixels = Vec::with_capacity(samples.len() / per_pixel * 3);
        for pixel in samples.chunks_exact(per_pixel) {
            let colour = self.rgb(pixel);
            let opacity = pixel.get(self.count()).copied().unwrap_or(255);
            pixels.extend(match alpha {
                Alpha::None => colour,
                Alpha::Straight => colour.map(|value| on_white(value, opacity)),
                Alpha::Associated => colour.map(|value| value.saturating_add(255 - opacity)),
            });
        }
        pixels
    }
}

/// What `ink` leaves of the light that black lets through (`Convert.c`,
/// `cmyk2rgb`).
fn paper(ink: u8, light: u8) -> u8 {
    let product = u32::from(ink) * u32::from(light) + 128;
    let taken = ((product >> 8) + product) >> 8;
    light.saturating_sub(u8::try_from(taken).unwrap_or(255))
}

/// ITU-R BT.601, full range, as in JPEG.
fn from_ycbcr([y, cb, cr]: [f32; 3]) -> [u8; 3] {
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [
        y + 1.402 * cr,
        y - 0.344_136 * cb - 0.714_136 * cr,
        y + 1.772 * cb,
    ]
    .map(byte)
}

/// CIE L*a*b* under D50 to sRGB: `light` 0-255 for 0-100.
fn from_lab(light: f32, green: f32, blue: f32) -> [u8; 3] {
    let y = (light * 100.0 / 255.0 + 16.0) / 116.0;
    let linear = |value: f32| {
        if value > 6.0 / 29.0 {
            value * value * value
        } else {
            (value - 4.0 / 29.0) * 108.0 / 841.0
        }
    };
    let x = 0.964_22 * linear(y + green / 500.0);
    let z = 0.825_21 * linear(y - blue / 200.0);
    let y = linear(y);
    [
        3.133_856 * x - 1.616_867 * y - 0.490_615 * z,
        -0.978_768 * x + 1.916_142 * y + 0.033_454 * z,
        0.071_945 * x - 0.228_991 * y + 1.405_243 * z,
    ]
    .map(|value| {
        let curved = if value <= 0.003_130_8 {
            12.92 * value
        } else {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        };
        byte(255.0 * curved)
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate, which cuts off what lies outside"
)]
fn byte(value: f32) -> u8 {
    value.round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_ink_gives_its_colour() {
        let map = vec![[0; 3], [9, 8, 7]];
        for (inks, samples, expected) in [
            (Inks::Grey { is_inverted: false }, vec![7], [7; 3]),
            (Inks::Grey { is_inverted: true }, vec![7], [248; 3]),
            (Inks::Palette(map), vec![1], [9, 8, 7]),
            (Inks::Rgb, vec![1, 2, 3], [1, 2, 3]),
            (Inks::Cmyk, vec![0, 255, 128, 55], [200, 0, 100]),
            (Inks::YCbCr, vec![200, 128, 128], [200; 3]),
            (Inks::YCbCr, vec![76, 85, 255], [254, 0, 0]),
            (Inks::Lab, vec![255, 0, 0], [255; 3]),
            (Inks::Lab, vec![0, 0, 0], [0; 3]),
        ] {
            let pixel = inks.to_rgb(&samples, samples.len(), Alpha::None);
            assert_eq!(pixel, expected, "{inks:?} {samples:?}");
        }
    }

    #[test]
    fn alpha_is_laid_on_white() {
        let inks = Inks::Grey { is_inverted: false };
        assert_eq!(inks.to_rgb(&[9, 0], 2, Alpha::Straight), [255; 3]);
        assert_eq!(inks.to_rgb(&[9, 0], 2, Alpha::None), [9; 3]);
        assert_eq!(inks.to_rgb(&[100, 200], 2, Alpha::Associated), [155; 3]);
    }
}
