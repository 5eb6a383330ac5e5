//! Huffman tables (ITU T.81, annexes C and F.2.2.3).

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "what entries of the tables are made of has been held against their ranges"
)]

use super::bits::Bits;
use super::fault::Fault;

/// Bits that are looked up at once. At 10 the four tables of a picture take
/// 24 kB, which stay in the first cache; nine codes of ten are shorter.
const LOOKUP_BITS: u32 = 10;

/// A code for each of up to 256 symbols.
#[derive(Debug)]
pub(super) struct Table {
    /// For the next bits, where a code and the value behind it fit in: the
    /// value, the zeros before it, and the bits of both. 0 where they do not.
    whole: [i32; 1 << LOOKUP_BITS],
    /// For the next bits, where a code fits in: its length and its symbol.
    short: [u16; 1 << LOOKUP_BITS],
    /// For each length, the first code that is longer, of 16 bits.
    limits: [u32; 17],
    /// For each length, what leads from a code to its symbol.
    offsets: [i32; 17],
    symbols: [u8; 256],
}

/// A code and the value behind it, as [`Table::whole`] holds them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole(i32);

impl Whole {
    fn new(value: i32, run: u32, bits: u32) -> Self {
        Self((value << 16) | ((run << 8) | bits).cast_signed())
    }

    pub(super) fn value(self) -> i32 {
        self.0 >> 16
    }

    /// Zeros before the value.
    pub(super) fn run(self) -> usize {
        usize::from((self.0 >> 8).cast_unsigned() as u8)
    }

    /// Bits that it takes.
    pub(super) fn bits(self) -> u32 {
        u32::from(self.0.cast_unsigned() as u8)
    }
}

impl Table {
    /// From the number of codes of each length and the symbols in order of
    /// their codes (annex C).
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8], is_dc: bool) -> Result<Self, Fault> {
        let bad = || Fault::malformed("an impossible Huffman table");
        if symbols.len() > 256 || (is_dc && symbols.iter().any(|&symbol| symbol > 15)) {
            return Err(bad());
        }
        let mut table = Self {
            whole: [0; 1 << LOOKUP_BITS],
            short: [0; 1 << LOOKUP_BITS],
            limits: [0; 17],
            offsets: [0; 17],
            symbols: [0; 256],
        };
        table.symbols[..symbols.len()].copy_from_slice(symbols);
        let (mut code, mut at) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            table.offsets[length as usize] = at as i32 - code.cast_signed();
            for _ in 0..count {
                if code >> length != 0 {
                    return Err(bad());
                }
                table.look_up(code, length, symbols[at]);
                code += 1;
                at += 1;
            }
            table.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        table.pair_with_values();
        Ok(table)
    }

    fn look_up(&mut self, code: u32, length: u32, symbol: u8) {
        if length <= LOOKUP_BITS {
            let spare = LOOKUP_BITS - length;
            let first = (code << spare) as usize;
            let entry = (length as u16) << 8 | u16::from(symbol);
            self.short[first..first + (1 << spare)].fill(entry);
        }
    }

    fn pair_with_values(&mut self) {
        for (next, (whole, short)) in (0u32..).zip(self.whole.iter_mut().zip(&self.short)) {
            let (length, symbol) = (u32::from(short >> 8), u32::from(short & 255));
            let (run, size) = (symbol >> 4, symbol & 15);
            if length > 0 && size > 0 && length + size <= LOOKUP_BITS {
                let behind = next >> (LOOKUP_BITS - length - size);
                let value = extend(behind & ((1 << size) - 1), size);
                *whole = Whole::new(value, run, length + size).0;
            }
        }
    }

    /// The next code with its value, if both are short; taken from `bits`,
    /// which hold at least 16.
    #[inline]
    pub(super) fn whole(&self, bits: &mut Bits<'_>) -> Option<Whole> {
        let whole = Whole(self.whole[bits.peek(LOOKUP_BITS) as usize]);
        bits.skip(whole.bits());
        (whole.0 != 0).then_some(whole)
    }

    /// The next symbol; taken from `bits`, which hold at least 16.
    #[inline]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Fault> {
        let short = self.short[bits.peek(LOOKUP_BITS) as usize];
        if short == 0 {
            return self.long_symbol(bits);
        }
        bits.skip(u32::from(short >> 8));
        Ok(short as u8)
    }

    #[cold]
    fn long_symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Fault> {
        let next = bits.peek(16);
        for length in LOOKUP_BITS + 1..=16 {
            if next < self.limits[length as usize] {
                bits.skip(length);
                let code = (next >> (16 - length)).cast_signed();
                let at = code + self.offsets[length as usize];
                return Ok(self.symbols[(at & 255) as usize]);
            }
        }
        Err(bits.fault("a code that is not in the Huffman table"))
    }

    /// The value behind a DC code (annex F.2.2.1).
    #[inline]
    pub(super) fn difference(&self, bits: &mut Bits<'_>) -> Result<i32, Fault> {
        bits.fill();
        if let Some(whole) = self.whole(bits) {
            return Ok(whole.value());
        }
        let size = u32::from(self.symbol(bits)?);
        Ok(if size == 0 { 0 } else { bits.value(size) })
    }
}

/// The signed value that `size` bits stand for (annex F.2.2.1, figure F.12).
#[inline]
pub(super) fn extend(bits: u32, size: u32) -> i32 {
    let value = bits.cast_signed();
    if bits >> (size - 1) == 0 {
        value - ((1 << size) - 1)
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with `count` codes of each of the lengths.
    fn lengths(pairs: &[(usize, u8)]) -> Result<Table, Fault> {
        let mut counts = [0; 16];
        for &(length, count) in pairs {
            counts[length - 1] = count;
        }
        let symbols: Vec<u8> = (0..=255).collect();
        let used = counts.iter().map(|&count| usize::from(count)).sum();
        Table::new(&counts, &symbols[..used], false)
    }

    #[test]
    fn codes_of_every_length_find_their_symbols() {
        // One code of each length: 0, 10, 110, and so on.
        let every: Vec<_> = (1..=16).map(|length| (length, 1)).collect();
        let table = lengths(&every).unwrap();
        for symbol in 0..16u8 {
            let code = !(u32::MAX >> symbol);
            let data = (u64::from(code) << 32).to_be_bytes();
            let stuffed = data.iter().flat_map(|&byte| match byte {
                0xFF => vec![0xFF, 0],
                byte => vec![byte],
            });
            let stuffed: Vec<u8> = stuffed.collect();
            let mut bits = Bits::new(&stuffed, 0);
            bits.fill();
            assert_eq!(table.symbol(&mut bits), Ok(symbol), "{code:032b}");
        }
        let mut bits = Bits::new(b"\xFF\0\xFF\0\xFF\0\xFF\0", 0);
        bits.fill();
        let reason = "a code that is not in the Huffman table";
        assert_eq!(table.symbol(&mut bits), Err(Fault::malformed(reason)));
    }

    #[test]
    fn a_short_code_and_its_value_are_found_at_once() {
        let table = Table::standard(false, 0);
        // Run 0, size 2: code 01; value 11 is 3, 00 is -3 (table K.5).
        for (data, value) in [(0b0111_0000, 3), (0b0100_0000, -3), (0b0110_0000, 2)] {
            let data = [data; 8];
            let mut bits = Bits::new(&data, 0);
            bits.fill();
            let whole = table.whole(&mut bits).unwrap();
            assert_eq!((whole.value(), whole.run(), whole.bits()), (value, 0, 4));
        }
    }

    #[test]
    fn values_are_as_table_f_1_has_them() {
        for (bits, size, value) in [(0, 1, -1), (1, 1, 1), (0, 2, -3), (1, 2, -2), (3, 2, 3)] {
            assert_eq!(extend(bits, size), value);
        }
        assert_eq!(extend(0, 15), -32_767);
        assert_eq!(extend(0x7FFF, 15), 32_767);
    }

    #[test]
    fn tables_that_cannot_be_are_refused() {
        assert!(lengths(&[(1, 2)]).is_ok());
        assert!(lengths(&[(1, 3)]).is_err());
        assert!(lengths(&[(1, 2), (16, 1)]).is_err());
        assert!(lengths(&[(2, 3), (3, 3)]).is_err());
        let mut counts = [0; 16];
        counts[3] = 1;
        assert!(Table::new(&counts, &[15], true).is_ok());
        assert!(Table::new(&counts, &[16], true).is_err());
    }
}
