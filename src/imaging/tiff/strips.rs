//! Strips and tiles of a TIFF that are JPEGs.

use super::super::deadline::Deadline;
use super::super::error::DecodeError;
use super::super::jpeg::{self, Told};
use super::{FORMAT, malformed, unsupported};
use crate::config::ImageLimits;

/// Strips or tiles that are JPEGs.
pub(super) struct Strips<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) ranges: Vec<(u64, u64)>,
    /// A JPEG of nothing but tables; may be empty.
    pub(super) tables: Vec<u8>,
    /// What the components are.
    pub(super) told: Told,
}

impl Strips<'_> {
    pub(super) fn decode(
        &self,
        index: usize,
        samples: usize,
        limits: &ImageLimits,
        deadline: Deadline,
    ) -> Result<(Vec<u8>, usize), DecodeError> {
        let range = self.ranges.get(index).copied();
        let (start, length) = range.ok_or_else(|| malformed("strips are missing"))?;
        let cut = DecodeError::Truncated { format: FORMAT };
        let find = || {
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            self.bytes.get(start..end)?.get(2..)
        };
        let Some(strip) = find() else {
            return Err(cut);
        };
        // Tables without their start and end.
        let inner = self.tables.len().saturating_sub(2);
        let tables = self.tables.get(2..inner).unwrap_or_default();
        let whole = [b"\xFF\xD8", tables, strip].concat();
        let image = jpeg::decode_told(&whole, Some(self.told), limits, deadline)?;
        let width = image.width as usize;
        match samples {
            3 => Ok((image.pixels, width * 3)),
            1 => Ok((image.pixels.iter().step_by(3).copied().collect(), width)),
            _ => Err(unsupported(&format!("JPEG of {samples} samples a pixel"))),
        }
    }
}
