//! From the first marker to the last pixel.

use super::super::deadline::Deadline;
use super::colour::{Colours, Told};
use super::fault::Fault;
use super::frame::{Frame, Scan};
use super::markers::{Markers, Step, Tables};
use super::rows::Rows;
use super::scan::{Pass, Plane};

/// Most scans of one picture. libjpeg's own progressive files have 10, those of
/// optimisers seldom 20; each goes over the whole picture though it be a few
/// bytes long, so that thousands of them would keep a processor for hours.
const MAX_SCANS: usize = 100;

/// A JPEG whose headers are read, up to its first scan.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    markers: Markers<'a>,
    tables: Tables,
    frame: Frame,
    first_scan: Scan,
    told: Option<Told>,
}

impl<'a> Picture<'a> {
    /// Reads the headers; allocates no more than they are long.
    pub(super) fn read(bytes: &'a [u8], told: Option<Told>) -> Result<Self, Fault> {
        if !bytes.starts_with(b"\xFF\xD8") {
            return Err(Fault::malformed("no start marker"));
        }
        let mut markers = Markers { bytes, at: 2 };
        let mut tables = Tables::default();
        match markers.next_step(&mut tables)? {
            Step::End => Err(Fault::malformed("the picture ends before its first scan")),
            Step::Scan(first_scan) => {
                let frame = tables.frame.clone();
                let frame = frame.expect("a scan is read by its frame; this is a bug");
                Ok(Self {
                    markers,
                    tables,
                    frame,
                    first_scan,
                    told,
                })
            }
        }
    }

    /// Width and height; either may be zero.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.frame.width, self.frame.height)
    }

    /// The camera's notes; empty if there are none.
    pub(super) fn exif(&self) -> &[u8] {
        &self.tables.exif
    }

    /// Decodes the picture, which has pixels, to three bytes each.
    pub(super) fn pixels(self, deadline: Deadline) -> Result<Vec<u8>, Fault> {
        let mut pixels = vec![0; 3 * self.frame.width * self.frame.height];
        if !self.frame.is_progressive && self.first_scan.parts.len() == self.frame.components.len()
        {
            self.at_once(&mut pixels)?;
        } else {
            self.in_scans(&mut pixels, deadline)?;
        }
        Ok(pixels)
    }

    /// All in one scan. What comes behind it is of no concern.
    fn at_once(self, pixels: &mut [u8]) -> Result<(), Fault> {
        let mut progress = Progress::new(&self.frame);
        progress.begin(&self.first_scan, &self.frame, &self.tables)?;
        let colours = Colours::of(&self.frame, &self.tables, self.told);
        let mut rows = Rows::new(&self.frame, colours, &progress.quantisation());
        let source = (self.markers.bytes, self.markers.at);
        let pass = Pass::new(source, &self.frame, &self.first_scan, &self.tables)?;
        pass.into_pixels(&mut rows, pixels)
    }

    /// In scans of some components, or of some bits of the coefficients: these
    /// are kept, at two bytes each, until all are there.
    fn in_scans(mut self, pixels: &mut [u8], deadline: Deadline) -> Result<(), Fault> {
        let frame = self.frame;
        let mut progress = Progress::new(&frame);
        let mut planes: Vec<Plane> = frame
            .components
            .iter()
            .map(|component| {
                let (wide, high) = frame.padded(component);
                let blocks = vec![[0; 64]; wide * high];
                Plane { blocks, wide }
            })
            .collect();
        let mut scan = self.first_scan;
        for count in 1.. {
            if count > MAX_SCANS {
                return Err(Fault::malformed(format!("more than {MAX_SCANS} scans")));
            }
            if deadline.has_passed() {
                return Err(Fault::Late);
            }
            progress.begin(&scan, &frame, &self.tables)?;
            let source = (self.markers.bytes, self.markers.at);
            let pass = Pass::new(source, &frame, &scan, &self.tables)?;
            self.markers.at = pass.into_planes(&mut planes)?;
            if !frame.is_progressive && progress.is_complete() {
                break;
            }
            match self.markers.next_step(&mut self.tables)? {
                Step::Scan(next) => scan = next,
                Step::End => break,
            }
        }
        if !progress.is_complete() {
            return Err(Fault::malformed(
                "the scans end before the picture is whole",
            ));
        }
        let colours = Colours::of(&frame, &self.tables, self.told);
        render(
            &frame,
            &planes,
            Rows::new(&frame, colours, &progress.quantisation()),
            pixels,
        );
        Ok(())
    }
}

fn render(frame: &Frame, planes: &[Plane], mut rows: Rows, pixels: &mut [u8]) {
    for unit in 0..frame.units_high {
        for (index, (component, plane)) in frame.components.iter().zip(planes).enumerate() {
            for down in 0..component.v {
                let start = (unit * component.v + down) * plane.wide;
                for (x, block) in plane.blocks[start..][..plane.wide].iter().enumerate() {
                    let is_flat = block[1..].iter().fold(0, |all, &value| all | value) == 0;
                    rows.put(index, (x, down), block, is_flat);
                }
            }
        }
        rows.finish(unit, pixels);
    }
}

/// How much of each component has been sent.
#[derive(Debug)]
struct Progress(Vec<Sent>);

#[derive(Debug)]
struct Sent {
    /// The table at the component's first scan: later ones do not count
    /// (`jdinput.c`, `latch_quant_tables`).
    quantisation: Option<[i16; 64]>,
    /// For each coefficient the bits that are missing; none if it was never
    /// sent.
    missing: [Option<u8>; 64],
}

impl Progress {
    fn new(frame: &Frame) -> Self {
        let sent = |_| Sent {
            quantisation: None,
            missing: [None; 64],
        };
        Self(frame.components.iter().map(sent).collect())
    }

    /// Takes note of a scan.
    fn begin(&mut self, scan: &Scan, frame: &Frame, tables: &Tables) -> Result<(), Fault> {
        for part in &scan.parts {
            let sent = &mut self.0[part.component];
            if sent.quantisation.is_none() {
                let index = frame.components[part.component].quantisation;
                let table = tables.quantisation.get(index).and_then(Option::as_deref);
                let table =
                    table.ok_or_else(|| Fault::malformed("a quantisation table is missing"))?;
                sent.quantisation = Some(table.map(u16::cast_signed));
            }
            if !frame.is_progressive {
                sent.missing = [Some(0); 64];
                continue;
            }
            if scan.first > 0 && sent.missing[0].is_none() {
                return Err(Fault::malformed("a progressive scan out of order"));
            }
            for missing in &mut sent.missing[scan.first..=scan.last] {
                if missing.unwrap_or(0) != scan.high {
                    return Err(Fault::malformed("a progressive scan out of order"));
                }
                *missing = Some(scan.low);
            }
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        let mut all = self.0.iter().flat_map(|sent| &sent.missing);
        all.all(|&missing| missing == Some(0))
    }

    /// The tables of components that have been sent.
    fn quantisation(&self) -> Vec<[i16; 64]> {
        self.0.iter().filter_map(|sent| sent.quantisation).collect()
    }
}
