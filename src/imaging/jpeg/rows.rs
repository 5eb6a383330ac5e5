//! Samples of the components, a row of units at a time, and the rows of
//! pixels that they make.
//!
//! Upsampling downwards looks at the row above and the row below: the last row
//! of samples is kept for the next row of units, and the last row of pixels
//! waits for it (libjpeg's context rows, `jdmainct.c`). Beyond the first and
//! the last row that count, they repeat (`set_bottom_pointers`).

use super::colour::Colours;
use super::frame::{Component, Frame};
use super::idct;
use super::upsample::{self, Upsampling};

/// Makes pixels of blocks.
#[derive(Debug)]
pub(super) struct Rows {
    bands: Vec<Band>,
    colours: Colours,
    width: usize,
    height: usize,
    /// Rows of pixels in a row of units.
    unit_height: usize,
    /// Whether the last row of pixels must wait.
    has_context: bool,
    units_high: usize,
    /// Rows of pixels that are done.
    done: usize,
}

/// The samples of one component that are at hand.
#[derive(Debug)]
struct Band {
    component: Component,
    upsampling: Upsampling,
    quantisation: [i16; 64],
    /// Rows of pixels for each of samples.
    down: usize,
    stride: usize,
    /// The row before, then those of a row of units.
    samples: Vec<u8>,
    /// A row at full size.
    row: Vec<u8>,
    sums: Vec<u16>,
}

impl Rows {
    /// `quantisation` has a table for each component.
    pub(super) fn new(frame: &Frame, colours: Colours, quantisation: &[[i16; 64]]) -> Self {
        let bands = frame.components.iter().zip(quantisation);
        let bands: Vec<Band> = bands
            .map(|(component, table)| Band::new(component, frame, table))
            .collect();
        Self {
            has_context: bands.iter().any(|band| band.upsampling.needs_context()),
            bands,
            colours,
            width: frame.width,
            height: frame.height,
            unit_height: 8 * frame.v_max,
            units_high: frame.units_high,
            done: 0,
        }
    }

    /// Takes the block at `x`, `y` of those that component `index` has in this
    /// row of units; `is_flat` if its first coefficient is all there is.
    pub(super) fn put(
        &mut self,
        index: usize,
        at: (usize, usize),
        block: &[i16; 64],
        is_flat: bool,
    ) {
        let band = &mut self.bands[index];
        let (x, y) = at;
        if x >= band.component.blocks_wide {
            return;
        }
        let start = (1 + 8 * y) * band.stride + 8 * x;
        let out = &mut band.samples[start..];
        if is_flat {
            let sample = idct::flat_sample(block[0], band.quantisation[0]);
            for row in out.chunks_mut(band.stride).take(8) {
                row[..8].fill(sample);
            }
        } else {
            idct::samples(block, &band.quantisation, out, band.stride);
        }
    }

    /// Writes the rows of pixels that row `unit` of units has completed into
    /// `pixels`, the whole picture.
    pub(super) fn finish(&mut self, unit: usize, pixels: &mut [u8]) {
        let end = if unit + 1 == self.units_high {
            self.height
        } else {
            (unit + 1) * self.unit_height - usize::from(self.has_context)
        };
        let bytes = 3 * self.width;
        for y in self.done..end {
            for band in &mut self.bands {
                band.make_row(unit, y);
            }
            let empty: &[u8] = &[];
            let mut rows = [empty; 4];
            for (row, band) in rows.iter_mut().zip(&self.bands) {
                *row = band.made_row(unit, y);
            }
            let rows = &rows[..self.bands.len()];
            self.colours
                .convert(rows, &mut pixels[y * bytes..(y + 1) * bytes]);
        }
        self.done = end;
        for band in &mut self.bands {
            let last = band.samples.len() - band.stride;
            band.samples.copy_within(last.., 0);
        }
    }
}

impl Band {
    fn new(component: &Component, frame: &Frame, quantisation: &[i16; 64]) -> Self {
        let stride = 8 * frame.padded(component).0;
        let full = 8 * frame.units_wide * frame.h_max;
        Self {
            upsampling: Upsampling::of(component, frame),
            quantisation: *quantisation,
            down: frame.v_max / component.v,
            stride,
            samples: vec![0; stride * (1 + 8 * component.v)],
            row: vec![0; full],
            sums: vec![0; stride],
            component: component.clone(),
        }
    }

    /// Row `y` of the component while row `unit` of units is at hand.
    fn samples(&self, unit: usize, y: usize) -> &[u8] {
        let index = 1 + y - unit * 8 * self.component.v;
        &self.samples[index * self.stride..][..self.component.width]
    }

    /// Brings the samples for row `y` of pixels to full size.
    fn make_row(&mut self, unit: usize, y: usize) {
        if self.upsampling == Upsampling::None {
            return;
        }
        let mut row = std::mem::take(&mut self.row);
        let mut sums = std::mem::take(&mut self.sums);
        let near = y / self.down;
        let is_below = y % 2 == 1;
        let far = if is_below {
            (near + 1).min(self.component.height - 1)
        } else {
            near.saturating_sub(1)
        };
        let near = self.samples(unit, near);
        match self.upsampling {
            Upsampling::None => {}
            Upsampling::Wider => upsample::wider(near, &mut row),
            Upsampling::Higher => {
                upsample::higher(near, self.samples(unit, far), is_below, &mut row);
            }
            Upsampling::Both => {
                upsample::both(near, self.samples(unit, far), &mut sums, &mut row);
            }
            Upsampling::Repeat(times) => upsample::repeat(near, times, &mut row),
        }
        (self.row, self.sums) = (row, sums);
    }

    /// What [`Self::make_row`] made.
    fn made_row(&self, unit: usize, y: usize) -> &[u8] {
        match self.upsampling {
            Upsampling::None => self.samples(unit, y),
            _ => &self.row,
        }
    }
}
