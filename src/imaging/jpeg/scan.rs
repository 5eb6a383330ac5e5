//! One pass over the picture (ITU T.81, annexes A.2, E.2 and G).

use super::bits::Bits;
use super::fault::Fault;
use super::frame::{Frame, Part, Scan};
use super::huffman::Table;
use super::markers::Tables;
use super::rows::Rows;
use super::{progressive, sequential};

/// Blocks of a component, for pictures that come in more than one scan.
#[derive(Debug)]
pub(super) struct Plane {
    pub(super) blocks: Vec<[i16; 64]>,
    /// Blocks in a row.
    pub(super) wide: usize,
}

/// A scan as it is read.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    bits: Bits<'a>,
    frame: &'a Frame,
    scan: &'a Scan,
    /// For each part of the scan.
    tables: Vec<Coder<'a>>,
    /// Restart markers: units between two, units to the next, and its number.
    interval: usize,
    left: usize,
    restart: usize,
    /// The last first coefficient of each part.
    predictions: [i32; 4],
    /// Blocks to come in which a progressive scan sends nothing.
    empty_blocks: u32,
}

/// What is read of a block, and with which tables.
#[derive(Debug, Clone, Copy)]
enum Coder<'a> {
    All(&'a Table, &'a Table),
    FirstDc(&'a Table),
    RefineDc,
    FirstAc(&'a Table),
    RefineAc(&'a Table),
}

impl<'a> Pass<'a> {
    /// A scan whose data begin at `at`.
    pub(super) fn new(
        (bytes, at): (&'a [u8], usize),
        frame: &'a Frame,
        scan: &'a Scan,
        tables: &'a Tables,
    ) -> Result<Self, Fault> {
        let coders = scan.parts.iter();
        let coders = coders.map(|part| Coder::of(part, frame, scan, tables));
        Ok(Self {
            bits: Bits::new(bytes, at),
            frame,
            scan,
            tables: coders.collect::<Result<_, _>>()?,
            interval: tables.restart_interval,
            left: tables.restart_interval,
            restart: 0,
            predictions: [0; 4],
            empty_blocks: 0,
        })
    }

    /// Reads a scan of all components, and makes pixels of it on the way.
    pub(super) fn into_pixels(mut self, rows: &mut Rows, pixels: &mut [u8]) -> Result<(), Fault> {
        let (frame, scan) = (self.frame, self.scan);
        let mut block = [0; 64];
        for unit in 0..frame.units_high {
            for x in 0..frame.units_wide {
                self.begin_unit()?;
                for (index, part) in scan.parts.iter().enumerate() {
                    let component = &frame.components[part.component];
                    for down in 0..component.v {
                        for across in 0..component.h {
                            block.fill(0);
                            let is_flat = self.block(index, &mut block)?;
                            let at = (x * component.h + across, down);
                            rows.put(part.component, at, &block, is_flat);
                        }
                    }
                }
                self.end_unit()?;
            }
            rows.finish(unit, pixels);
        }
        Ok(())
    }

    /// Reads a scan into the planes of its components; returns where the next
    /// marker is to be sought.
    pub(super) fn into_planes(mut self, planes: &mut [Plane]) -> Result<usize, Fault> {
        let (frame, scan) = (self.frame, self.scan);
        if let [part] = scan.parts.as_slice() {
            // Units of a lone component are its blocks, without padding.
            let component = &frame.components[part.component];
            let plane = &mut planes[part.component];
            for row in plane
                .blocks
                .chunks_exact_mut(plane.wide)
                .take(component.blocks_high)
            {
                for block in &mut row[..component.blocks_wide] {
                    self.begin_unit()?;
                    self.block(0, block)?;
                    self.end_unit()?;
                }
            }
            return Ok(self.bits.position());
        }
        for y in 0..frame.units_high {
            for x in 0..frame.units_wide {
                self.begin_unit()?;
                for (index, part) in scan.parts.iter().enumerate() {
                    let component = &frame.components[part.component];
                    let plane = &mut planes[part.component];
                    for down in 0..component.v {
                        let row = (y * component.v + down) * plane.wide;
                        let start = row + x * component.h;
                        for block in &mut plane.blocks[start..start + component.h] {
                            self.block(index, block)?;
                        }
                    }
                }
                self.end_unit()?;
            }
        }
        Ok(self.bits.position())
    }

    #[inline]
    fn begin_unit(&mut self) -> Result<(), Fault> {
        if self.interval == 0 {
            return Ok(());
        }
        if self.left == 0 {
            self.bits.restart(self.restart)?;
            self.restart = (self.restart + 1) % 8;
            self.left = self.interval;
            self.predictions = [0; 4];
            self.empty_blocks = 0;
        }
        self.left -= 1;
        Ok(())
    }

    #[inline]
    fn end_unit(&self) -> Result<(), Fault> {
        if self.bits.is_overrun() {
            return Err(self.bits.fault("the scan is too short"));
        }
        Ok(())
    }

    /// Reads a block of part `index`; returns whether a sequential one has but
    /// its first coefficient.
    #[inline]
    fn block(&mut self, index: usize, block: &mut [i16; 64]) -> Result<bool, Fault> {
        let (bits, scan) = (&mut self.bits, self.scan);
        let prediction = &mut self.predictions[index];
        let empty = &mut self.empty_blocks;
        match self.tables[index] {
            Coder::All(dc, ac) => return sequential::block(bits, dc, ac, prediction, block),
            Coder::FirstDc(dc) => progressive::first_dc(bits, dc, scan.low, prediction, block)?,
            Coder::RefineDc => progressive::refine_dc(bits, scan.low, block),
            Coder::FirstAc(ac) => progressive::first_ac(bits, ac, scan, empty, block)?,
            Coder::RefineAc(ac) => progressive::refine_ac(bits, ac, scan, empty, block)?,
        }
        Ok(false)
    }
}

impl<'a> Coder<'a> {
    fn of(part: &Part, frame: &Frame, scan: &Scan, tables: &'a Tables) -> Result<Self, Fault> {
        let table = |of: &'a [Option<Box<Table>>; 4], index: usize| {
            let table = of.get(index).and_then(Option::as_deref);
            table.ok_or_else(|| Fault::malformed("a Huffman table is missing"))
        };
        let (dc, ac) = (|| table(&tables.dc, part.dc), || table(&tables.ac, part.ac));
        Ok(match (frame.is_progressive, scan.first, scan.high) {
            (false, _, _) => Self::All(dc()?, ac()?),
            (true, 0, 0) => Self::FirstDc(dc()?),
            (true, 0, _) => Self::RefineDc,
            (true, _, 0) => Self::FirstAc(ac()?),
            (true, _, _) => Self::RefineAc(ac()?),
        })
    }
}
