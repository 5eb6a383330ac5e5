//! Blocks of a sequential scan (ITU T.81, annex F.2.2).

use super::bits::Bits;
use super::fault::Fault;
use super::huffman::Table;
use super::markers::ZIGZAG;

/// Reads the coefficients of a block into `block`, which is zero, row by row;
/// returns whether all but the first are zero.
#[expect(
    clippy::cast_possible_truncation,
    reason = "libjpeg keeps 16 bits of what only a damaged file makes longer"
)]
pub(super) fn block(
    bits: &mut Bits<'_>,
    dc: &Table,
    ac: &Table,
    prediction: &mut i32,
    block: &mut [i16; 64],
) -> Result<bool, Fault> {
    *prediction = prediction.wrapping_add(dc.difference(bits)?);
    block[0] = *prediction as i16;
    let mut at = 1;
    while at < 64 {
        bits.fill();
        let value;
        if let Some(whole) = ac.whole(bits) {
            at += whole.run();
            value = whole.value();
        } else {
            let symbol = ac.symbol(bits)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if run < 15 {
                    break;
                }
                at += 16;
                continue;
            }
            at += run;
            value = bits.value(size);
        }
        let Some(&place) = ZIGZAG.get(at) else {
            return Err(bits.fault("a coefficient beyond the end of its block"));
        };
        block[usize::from(place & 63)] = value as i16;
        at += 1;
    }
    Ok(at == 1)
}
