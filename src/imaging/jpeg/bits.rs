//! The bits of a scan (ITU T.81, annexes B.1.1.5 and F.2.2.5).

use super::fault::Fault;
use super::huffman::extend;

/// Reads bits up to the next marker, and zeros from there on: whether one of
/// those was used is asked once a unit, by [`Bits::is_overrun`].
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the top.
    next: u64,
    /// How many of them count.
    count: u32,
    /// How many of them were never in the file.
    made_up: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            next: 0,
            count: 0,
            made_up: 0,
        }
    }

    /// Sees to it that there are 32 bits, which a code of 16 and a value of 15
    /// take.
    #[inline]
    pub(super) fn fill(&mut self) {
        if self.count < 32 {
            self.refill();
        }
    }

    #[inline]
    fn refill(&mut self) {
        let ahead = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk());
        if let Some(&ahead) = ahead {
            let word = u64::from_be_bytes(ahead);
            // Whether a byte is FF: the trick that finds a zero byte.
            let flipped = !word;
            let ones = flipped.wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080;
            if ones == 0 {
                // Bits beyond the whole bytes come again, at the same place.
                self.next |= word >> self.count;
                let whole = (63 - self.count) >> 3;
                self.at += whole as usize;
                self.count += whole << 3;
                return;
            }
        }
        self.refill_slowly();
    }

    #[cold]
    fn refill_slowly(&mut self) {
        // What stood below the bits that count may be of another byte.
        self.next &= !(u64::MAX.checked_shr(self.count).unwrap_or(0));
        while self.count <= 56 {
            let byte = if let Some(byte) = self.byte() {
                byte
            } else {
                self.made_up += 8;
                0
            };
            self.next |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next byte of data; none at a marker and at the end.
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        let mut after = self.at + 1;
        if byte == 0xFF {
            // Any number of FF may stand before the zero, as before a marker.
            while *self.bytes.get(after)? == 0xFF {
                after += 1;
            }
            if self.bytes[after] != 0 {
                return None;
            }
            after += 1;
        }
        self.at = after;
        Some(byte)
    }

    /// The next `count` bits, 1 to 32.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "at most 32 bits are left")]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.next >> (64 - count)) as u32
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.next <<= count;
        self.count -= count;
    }

    /// Takes `count` bits, 1 to 16.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    /// Takes a signed value of `size` bits, 1 to 16.
    #[inline]
    pub(super) fn value(&mut self, size: u32) -> i32 {
        extend(self.take(size), size)
    }

    /// Whether more bits were taken than there are.
    #[inline]
    pub(super) fn is_overrun(&self) -> bool {
        self.made_up > self.count
    }

    /// What to say of a fault here: where bits were made up, that is the
    /// reason.
    #[cold]
    pub(super) fn fault(&self, reason: &str) -> Fault {
        if !self.is_overrun() {
            return Fault::malformed(reason);
        }
        match self.marker() {
            None | Some((0xD9, _)) => Fault::Truncated,
            Some((code, _)) => {
                Fault::malformed(format!("marker FF{code:02X} within the data of a scan"))
            }
        }
    }

    /// The next marker, and where the bytes behind it begin.
    fn marker(&self) -> Option<(u8, usize)> {
        let mut at = self.at;
        loop {
            at += self
                .bytes
                .get(at..)?
                .iter()
                .position(|&byte| byte == 0xFF)?;
            at += self.bytes[at..].iter().position(|&byte| byte != 0xFF)?;
            let code = self.bytes[at];
            at += 1;
            if code != 0 {
                return Some((code, at));
            }
        }
    }

    /// Goes on behind the restart marker of number `index`, 0 to 7 (annex
    /// F.2.2.5). Bytes before it are passed over, as libjpeg does.
    pub(super) fn restart(&mut self, index: usize) -> Result<(), Fault> {
        let (code, at) = self.marker().ok_or(Fault::Truncated)?;
        if code == 0xD9 {
            return Err(Fault::Truncated);
        }
        if usize::from(code) != 0xD0 + index {
            return Err(Fault::malformed(format!(
                "marker FF{code:02X} in place of restart marker {index}"
            )));
        }
        *self = Self::new(self.bytes, at);
        Ok(())
    }

    /// Where the first byte that was not read stands.
    pub(super) fn position(&self) -> usize {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: &[u8], count: usize) -> (Vec<u32>, bool) {
        let mut bits = Bits::new(bytes, 0);
        let octets = (0..count).map(|_| {
            bits.fill();
            bits.take(8)
        });
        let octets = octets.collect();
        (octets, bits.is_overrun())
    }

    #[test]
    fn stuffed_zeros_are_left_out_and_markers_end_the_data() {
        let data = b"\x01\xFF\x00\x02\xFF\xFF\x00\x03\xFF\xD9\x04";
        let expected = vec![1, 0xFF, 2, 0xFF, 3];
        assert_eq!(taken(data, 5), (expected.clone(), false));
        let (octets, is_overrun) = taken(data, 6);
        assert_eq!((octets[5], is_overrun), (0, true));
        // The quick way and the slow one see the same.
        let long: Vec<u8> = (0..200).collect();
        let octets = long.iter().copied().map(u32::from).collect();
        assert_eq!(taken(&long, 200), (octets, false));
        assert!(taken(&long, 201).1);
    }

    #[test]
    fn restart_markers_come_in_turn() {
        let data = b"\x01\x02\xFF\xD3\x05";
        let mut bits = Bits::new(data, 0);
        bits.fill();
        assert_eq!(bits.take(8), 1);
        assert_eq!(bits.restart(3), Ok(()));
        bits.fill();
        assert_eq!(bits.take(8), 5);
        assert_eq!(bits.restart(4), Err(Fault::Truncated));
        let error = Bits::new(data, 0).restart(4).unwrap_err();
        let reason = "marker FFD3 in place of restart marker 4";
        assert_eq!(error, Fault::malformed(reason));
        assert_eq!(Bits::new(b"\xFF\xD9", 0).restart(0), Err(Fault::Truncated));
    }

    #[test]
    fn made_up_bits_are_the_reason_of_whatever_follows() {
        for (data, expected) in [
            (&b"\xFF\xD9"[..], Fault::Truncated),
            (b"", Fault::Truncated),
            (
                b"\xFF\xC4",
                Fault::malformed("marker FFC4 within the data of a scan"),
            ),
        ] {
            let mut bits = Bits::new(data, 0);
            bits.fill();
            assert_eq!(bits.fault("else"), Fault::malformed("else"));
            bits.skip(1);
            assert_eq!(bits.fault("else"), expected);
        }
    }
}
