//! Markers and the segments behind them (ITU T.81, annex B).

use super::fault::Fault;
use super::frame::{Frame, Scan};
use super::huffman::Table;

/// Coefficients are sent from low to high frequencies (ITU T.81, figure A.6):
/// the place in an 8 x 8 block, row by row, of each one that is sent.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// What the marker that was read asks for.
#[derive(Debug)]
pub(super) enum Step {
    /// Entropy-coded data begin here.
    Scan(Scan),
    /// No more data.
    End,
}

/// Everything that segments have set so far.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Quantisation, row by row.
    pub(super) quantisation: [Option<Box<[u16; 64]>>; 4],
    pub(super) dc: [Option<Box<Table>>; 4],
    pub(super) ac: [Option<Box<Table>>; 4],
    /// Units between two restart markers; 0 for none.
    pub(super) restart_interval: usize,
    pub(super) frame: Option<Frame>,
    pub(super) has_jfif: bool,
    /// The transform that an Adobe segment names.
    pub(super) adobe: Option<u8>,
    /// The camera's notes, of all segments one behind the other, as Pillow
    /// reads them.
    pub(super) exif: Vec<u8>,
    /// A frame of a motion JPEG: may lack Huffman tables.
    is_avi: bool,
}

/// Reads marker after marker.
#[derive(Debug)]
pub(super) struct Markers<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Markers<'a> {
    /// Reads up to the next scan, or to the end of the picture.
    ///
    /// Bytes that belong to no segment are passed over, as libjpeg does
    /// (`jdmarker.c`, `next_marker`): cameras and old programs leave some.
    pub(super) fn next_step(&mut self, tables: &mut Tables) -> Result<Step, Fault> {
        loop {
            let marker = self.marker()?;
            match marker {
                // Stand alone: TEM, RSTn.
                0x01 | 0xD0..=0xD7 => {}
                0xD8 => return Err(Fault::malformed("a second picture begins within the first")),
                0xD9 => return Ok(Step::End),
                0xDA => {
                    let frame = tables.frame.as_ref();
                    let frame = frame.ok_or_else(|| Fault::malformed("a scan before its frame"))?;
                    let scan = Scan::parse(self.segment()?, frame)?;
                    if tables.is_avi {
                        tables.fill_in_the_standard_ones();
                    }
                    return Ok(Step::Scan(scan));
                }
                _ => {
                    let segment = self.segment()?;
                    tables.take(marker, segment)?;
                }
            }
        }
    }

    /// The next marker's code.
    fn marker(&mut self) -> Result<u8, Fault> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let skip = rest.iter().position(|&byte| byte == 0xFF);
            self.at += skip.ok_or(Fault::Truncated)?;
            let rest = &self.bytes[self.at..];
            let skip = rest.iter().position(|&byte| byte != 0xFF);
            self.at += skip.ok_or(Fault::Truncated)? + 1;
            let code = self.bytes[self.at - 1];
            if code != 0 {
                return Ok(code);
            }
        }
    }

    /// What stands behind a marker, without its length.
    fn segment(&mut self) -> Result<&'a [u8], Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (length, rest) = rest.split_first_chunk().ok_or(Fault::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let inner = length
            .checked_sub(2)
            .ok_or_else(|| Fault::malformed("a segment is shorter than its own length"))?;
        self.at += length;
        rest.get(..inner).ok_or(Fault::Truncated)
    }
}

impl Tables {
    fn take(&mut self, marker: u8, segment: &[u8]) -> Result<(), Fault> {
        match marker {
            0xC4 => self.define_huffman(segment),
            0xDB => self.define_quantisation(segment),
            0xDD => {
                let interval = segment.try_into().map_err(|_| short("DRI"))?;
                self.restart_interval = usize::from(u16::from_be_bytes(interval));
                Ok(())
            }
            0xC0..=0xC2 => {
                if self.frame.is_some() {
                    return Err(Fault::malformed("a second frame within the picture"));
                }
                self.frame = Some(Frame::parse(marker, segment)?);
                Ok(())
            }
            0xC3 | 0xC7 | 0xCB | 0xCF => Err(Fault::unsupported("lossless coding")),
            0xC5 | 0xC6 | 0xCD | 0xCE | 0xDE | 0xDF => {
                Err(Fault::unsupported("hierarchical coding"))
            }
            0xC9 | 0xCA | 0xCC => Err(Fault::unsupported("arithmetic coding")),
            0xDC => Err(Fault::unsupported("the height is given behind the picture")),
            0xE0 => {
                self.has_jfif |= segment.len() >= 14 && segment.starts_with(b"JFIF\0");
                self.is_avi |= segment.starts_with(b"AVI1");
                Ok(())
            }
            0xE1 => {
                self.exif
                    .extend_from_slice(segment.strip_prefix(b"Exif\0\0").unwrap_or_default());
                Ok(())
            }
            0xEE => {
                // `jdmarker.c`, `examine_app14`: twelve bytes, the last is it.
                if let Some(&transform) = segment.get(11)
                    && segment.starts_with(b"Adobe")
                {
                    self.adobe = Some(transform);
                }
                Ok(())
            }
            // Comments, other notes, and what nobody has defined.
            _ => Ok(()),
        }
    }

    /// Annex B.2.4.1.
    fn define_quantisation(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        while let Some((&head, rest)) = segment.split_first() {
            let table = self.quantisation.get_mut(usize::from(head & 15));
            let table = table.ok_or_else(|| Fault::malformed("a fifth quantisation table"))?;
            let mut values = Box::new([0; 64]);
            segment = match head >> 4 {
                0 => {
                    let (bytes, rest) =
                        rest.split_first_chunk::<64>().ok_or_else(|| short("DQT"))?;
                    for (&at, &byte) in ZIGZAG.iter().zip(bytes) {
                        values[usize::from(at)] = u16::from(byte);
                    }
                    rest
                }
                1 => {
                    let (bytes, rest) = rest
                        .split_first_chunk::<128>()
                        .ok_or_else(|| short("DQT"))?;
                    for (&at, &pair) in ZIGZAG.iter().zip(bytes.as_chunks().0) {
                        values[usize::from(at)] = u16::from_be_bytes(pair);
                    }
                    rest
                }
                _ => return Err(Fault::malformed("quantisation of neither 8 nor 16 bits")),
            };
            *table = Some(values);
        }
        Ok(())
    }

    /// Annex B.2.4.2.
    fn define_huffman(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        while let Some((&head, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(|| short("DHT"))?;
            let symbols: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols).ok_or_else(|| short("DHT"))?;
            let is_dc = match head >> 4 {
                0 => true,
                1 => false,
                _ => return Err(Fault::malformed("a Huffman table of neither DC nor AC")),
            };
            let tables = if is_dc { &mut self.dc } else { &mut self.ac };
            let table = tables.get_mut(usize::from(head & 15));
            let table = table.ok_or_else(|| Fault::malformed("a fifth Huffman table"))?;
            *table = Some(Box::new(Table::new(counts, symbols, is_dc)?));
            segment = rest;
        }
        Ok(())
    }

    /// Frames of motion JPEGs leave out the tables of annex K.3.
    fn fill_in_the_standard_ones(&mut self) {
        for index in 0..2 {
            self.dc[index].get_or_insert_with(|| Box::new(Table::standard(true, index)));
            self.ac[index].get_or_insert_with(|| Box::new(Table::standard(false, index)));
        }
    }
}

#[cold]
fn short(segment: &str) -> Fault {
    Fault::malformed(format!("a {segment} segment of a wrong length"))
}
