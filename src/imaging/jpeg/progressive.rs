//! Blocks of a progressive scan (ITU T.81, annex G).

#![expect(
    clippy::cast_possible_truncation,
    reason = "libjpeg keeps 16 bits of what only a damaged file makes longer"
)]

use super::bits::Bits;
use super::fault::Fault;
use super::frame::Scan;
use super::huffman::Table;
use super::markers::ZIGZAG;

const BEYOND: &str = "a coefficient beyond the end of its block";

/// The first bits of a block's first coefficient (annex G.1.2.1).
pub(super) fn first_dc(
    bits: &mut Bits<'_>,
    dc: &Table,
    low: u8,
    prediction: &mut i32,
    block: &mut [i16; 64],
) -> Result<(), Fault> {
    *prediction = prediction.wrapping_add(dc.difference(bits)?);
    block[0] = (*prediction << low) as i16;
    Ok(())
}

/// One more bit of it.
pub(super) fn refine_dc(bits: &mut Bits<'_>, low: u8, block: &mut [i16; 64]) {
    bits.fill();
    block[0] |= (bits.take(1) << low) as i16;
}

/// The first bits of a block's other coefficients (annex G.1.2.2). `blocks` is
/// the number of blocks, this one first, in which nothing is sent.
pub(super) fn first_ac(
    bits: &mut Bits<'_>,
    ac: &Table,
    scan: &Scan,
    blocks: &mut u32,
    block: &mut [i16; 64],
) -> Result<(), Fault> {
    if *blocks > 0 {
        *blocks -= 1;
        return Ok(());
    }
    let mut at = scan.first;
    while at <= scan.last {
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
                    *blocks = run_of_blocks(bits, run) - 1;
                    return Ok(());
                }
                at += 16;
                continue;
            }
            at += run;
            value = bits.value(size);
        }
        if at > scan.last {
            return Err(bits.fault(BEYOND));
        }
        block[usize::from(ZIGZAG[at])] = (value << scan.low) as i16;
        at += 1;
    }
    Ok(())
}

/// How many blocks are ended, this one among them.
fn run_of_blocks(bits: &mut Bits<'_>, run: usize) -> u32 {
    match run as u32 {
        0 => 1,
        size => (1 << size) + bits.take(size),
    }
}

/// One more bit of them (annex G.1.2.3).
pub(super) fn refine_ac(
    bits: &mut Bits<'_>,
    ac: &Table,
    scan: &Scan,
    blocks: &mut u32,
    block: &mut [i16; 64],
) -> Result<(), Fault> {
    let mut at = scan.first;
    while *blocks == 0 && at <= scan.last {
        bits.fill();
        let symbol = ac.symbol(bits)?;
        let (run, size) = (usize::from(symbol >> 4), symbol & 15);
        // What becomes other than zero now, and the zeros passed before it.
        let (fresh, zeros) = match (size, run) {
            (0, 15) => (0, 15),
            (0, _) => {
                *blocks = run_of_blocks(bits, run);
                break;
            }
            (1, _) if bits.take(1) == 1 => (1 << scan.low, run),
            (1, _) => (-1 << scan.low, run),
            _ => return Err(bits.fault("a refinement by more than one bit")),
        };
        at = refine(bits, scan, at, zeros, block);
        if at > scan.last {
            // libjpeg lets a run of zeros end the block.
            if fresh != 0 {
                return Err(bits.fault(BEYOND));
            }
            return Ok(());
        }
        if fresh != 0 {
            block[usize::from(ZIGZAG[at])] = fresh;
        }
        at += 1;
    }
    if *blocks > 0 {
        refine(bits, scan, at, usize::MAX, block);
        *blocks -= 1;
    }
    Ok(())
}

/// Reads a bit for each coefficient from `at` on that is not zero, until
/// `zeros` zeros have been passed and another one is met; returns its place.
fn refine(
    bits: &mut Bits<'_>,
    scan: &Scan,
    from: usize,
    mut zeros: usize,
    block: &mut [i16; 64],
) -> usize {
    let bit = 1i16 << scan.low;
    for at in from..=scan.last {
        let value = &mut block[usize::from(ZIGZAG[at])];
        if *value == 0 {
            if zeros == 0 {
                return at;
            }
            zeros -= 1;
            continue;
        }
        bits.fill();
        if bits.take(1) == 1 && *value & bit == 0 {
            *value = value.wrapping_add(if *value > 0 { bit } else { -bit });
        }
    }
    scan.last + 1
}
