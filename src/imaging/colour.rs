//! From what the decoders give to three bytes a pixel.
//!
//! Works in place, so that no second buffer of a large picture is needed.

use image::ColorType;

/// Turns `pixels` of type `colour` into RGB; `None` for types that do not come
/// from the formats that are decoded (floating point).
///
/// - Sixteen bits become eight by rounding `value * 255 / 65535`. (Pillow cuts
///   16-bit grey off at 255, which leaves a white picture.)
/// - Alpha is straight, and laid on white with Pillow's rounding, to the bit as
///   `Image.new("RGB", size, "white").paste(image, mask=alpha)`.
pub(super) fn to_rgb(pixels: Vec<u8>, colour: ColorType) -> Option<Vec<u8>> {
    Some(match colour {
        ColorType::Rgb8 => pixels,
        ColorType::L8 => spread(&pixels),
        ColorType::La8 => spread(&shrink(pixels, |[l, a]: [u8; 2]| [on_white(l, a)])),
        ColorType::L16 => spread(&shrink(pixels, |bytes: [u8; 2]| [eight(bytes)])),
        ColorType::La16 => spread(&shrink(pixels, |[l0, l1, a0, a1]: [u8; 4]| {
            [on_white(eight([l0, l1]), eight([a0, a1]))]
        })),
        ColorType::Rgba8 => shrink(pixels, |[r, g, b, a]: [u8; 4]| {
            [on_white(r, a), on_white(g, a), on_white(b, a)]
        }),
        ColorType::Rgb16 => shrink(pixels, |[r0, r1, g0, g1, b0, b1]: [u8; 6]| {
            [eight([r0, r1]), eight([g0, g1]), eight([b0, b1])]
        }),
        ColorType::Rgba16 => shrink(pixels, |[r0, r1, g0, g1, b0, b1, a0, a1]: [u8; 8]| {
            let a = eight([a0, a1]);
            [
                on_white(eight([r0, r1]), a),
                on_white(eight([g0, g1]), a),
                on_white(eight([b0, b1]), a),
            ]
        }),
        _ => return None,
    })
}

/// Grey to three equal bytes.
fn spread(grey: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(grey.len() * 3);
    rgb.extend(grey.iter().flat_map(|&l| [l, l, l]));
    rgb
}

/// Replaces every `FROM` bytes by the fewer that `convert` makes of them.
fn shrink<const FROM: usize, const TO: usize>(
    mut pixels: Vec<u8>,
    convert: impl Fn([u8; FROM]) -> [u8; TO],
) -> Vec<u8> {
    let count = pixels.len() / FROM;
    for index in 0..count {
        let mut pixel = [0; FROM];
        pixel.copy_from_slice(&pixels[index * FROM..][..FROM]);
        pixels[index * TO..][..TO].copy_from_slice(&convert(pixel));
    }
    pixels.truncate(count * TO);
    pixels
}

/// The nearest eight-bit value of a sixteen-bit one in the machine's order.
pub(super) fn eight(bytes: [u8; 2]) -> u8 {
    let value = u32::from(u16::from_ne_bytes(bytes));
    u8::try_from((value + 128) / 257).expect("65535 + 128 over 257 is 255; this is a bug")
}

/// `value` with opacity `alpha` on white, rounded as Pillow's `BLEND` does.
pub(super) fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    let sum = value * alpha + 255 * (255 - alpha) + 128;
    u8::try_from(((sum >> 8) + sum) >> 8).expect("a mean of two bytes is a byte; this is a bug")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_the_nearest_throughout() {
        for value in 0..=255u8 {
            for alpha in 0..=255u8 {
                let (v, a) = (f64::from(value), f64::from(alpha));
                let exact = (v * a + 255.0 * (255.0 - a)) / 255.0;
                assert!((f64::from(on_white(value, alpha)) - exact).abs() <= 0.5);
            }
        }
        for value in 0..=u16::MAX {
            let exact = f64::from(value) / 257.0;
            let rounded = f64::from(eight(value.to_ne_bytes()));
            assert!((rounded - exact).abs() <= 0.5, "{value}");
        }
    }

    #[test]
    fn every_type_becomes_three_bytes() {
        let wide =
            |values: &[u16]| -> Vec<u8> { values.iter().flat_map(|v| v.to_ne_bytes()).collect() };
        let clear = [255, 255, 255];
        for (pixels, colour, expected) in [
            (vec![1, 2, 3], ColorType::Rgb8, [1, 2, 3]),
            (vec![7], ColorType::L8, [7, 7, 7]),
            (vec![7, 255], ColorType::La8, [7, 7, 7]),
            (vec![7, 0], ColorType::La8, clear),
            (vec![1, 2, 3, 255], ColorType::Rgba8, [1, 2, 3]),
            (vec![1, 2, 3, 0], ColorType::Rgba8, clear),
            (vec![0, 100, 255, 128], ColorType::Rgba8, [127, 177, 255]),
            (wide(&[257]), ColorType::L16, [1, 1, 1]),
            (wide(&[65535, 65535]), ColorType::La16, clear),
            (wide(&[0, 257, 65535]), ColorType::Rgb16, [0, 1, 255]),
            (wide(&[514, 0, 257, 65535]), ColorType::Rgba16, [2, 0, 1]),
            (wide(&[514, 0, 257, 0]), ColorType::Rgba16, clear),
        ] {
            let twice = pixels.repeat(2);
            let rgb = to_rgb(twice, colour).unwrap();
            assert_eq!(rgb, expected.repeat(2), "{colour:?}");
        }
        assert_eq!(to_rgb(vec![0; 12], ColorType::Rgb32F), None);
    }
}
