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
fn eight(bytes: [u8; 2]) -> u8 {
    let value = u32::from(u16::from_ne_bytes(bytes));
    u8::try_from((value + 128) / 257).expect("65535 + 128 over 257 is 255; this is a bug")
}

/// `value` with opacity `alpha` on white, rounded as Pillow's `BLEND` does.
fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    let sum = value * alpha + 255 * (255 - alpha) + 128;
    u8::try_from(((sum >> 8) + sum) >> 8).expect("a mean of two bytes is a byte; this is a bug")
}
