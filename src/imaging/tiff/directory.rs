//! The first directory of a TIFF, and what is changed in it before the `tiff`
//! crate sees it.
//!
//! The crate refuses palettes and `CIELab` before it reads a sample, inverts
//! grey only at some depths, and goes through the directories of all pages.
//! Its decompression knows none of this: so in a copy of the file, which ends
//! with the first page, samples are called plain grey or RGB, and are
//! interpreted by `samples.rs`.

/// What is called otherwise in the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// As the crate reads it.
    Plain,
    /// Grey, 0 is white.
    WhiteIsZero,
    /// Indices into the colour map.
    Palette,
    /// Lightness, and two signed colour differences.
    Lab,
}

/// The copy of `bytes` for the crate, and what it hides; nothing if the header
/// is beyond reading (the crate says why).
pub(super) fn rewritten(bytes: &[u8]) -> Option<(Vec<u8>, Meaning)> {
    let mut file = File {
        bytes: bytes.to_vec(),
        is_big_endian: bytes.first() == Some(&b'M'),
    };
    let is_wide = file.number(2, 2)? == 43;
    let (first, count, entry, word) = if is_wide {
        (file.number(8, 8)?, 8, 20, 8)
    } else {
        (file.number(4, 4)?, 2, 12, 4)
    };
    let first = usize::try_from(first).ok()?;
    let entries = usize::try_from(file.number(first, count)?).ok()?;
    let start = first.checked_add(count)?;
    let end = start.checked_add(entries.checked_mul(entry)?)?;
    let mut meaning = Meaning::Plain;
    for at in (start..end).step_by(entry) {
        if file.number(at, 2)? == u64::from(PHOTOMETRIC) {
            let value = at + 4 + word;
            let (found, alias) = match file.number(value, 2)? {
                0 => (Meaning::WhiteIsZero, 1),
                3 => (Meaning::Palette, 1),
                8 => (Meaning::Lab, 2),
                _ => continue,
            };
            meaning = found;
            file.put_short(value, alias)?;
        }
    }
    // No further pages. Files that end right here lack the word, too.
    if let Some(next) = file.bytes.get_mut(end..end.checked_add(word)?) {
        next.fill(0);
    }
    Some((file.bytes, meaning))
}

/// Tag of the samples' meaning.
const PHOTOMETRIC: u16 = 262;

struct File {
    bytes: Vec<u8>,
    is_big_endian: bool,
}

impl File {
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        let field = self.bytes.get(at..at.checked_add(length)?)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if self.is_big_endian {
            field.iter().fold(0, add)
        } else {
            field.iter().rev().fold(0, add)
        })
    }

    fn put_short(&mut self, at: usize, value: u16) -> Option<()> {
        let field = self.bytes.get_mut(at..at.checked_add(2)?)?;
        field.copy_from_slice(&if self.is_big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        });
        Some(())
    }
}
