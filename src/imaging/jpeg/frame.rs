//! Frame and scan headers (ITU T.81, annexes B.2.2 and B.2.3).

use super::fault::Fault;

/// Most blocks in one unit of a scan of several components (annex B.2.3).
const MAX_UNIT_BLOCKS: usize = 10;

/// What is said of the whole picture.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) is_progressive: bool,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) components: Vec<Component>,
    /// Largest sampling factors of the components.
    pub(super) h_max: usize,
    pub(super) v_max: usize,
    /// Units of a scan of all components.
    pub(super) units_wide: usize,
    pub(super) units_high: usize,
}

/// One of one, three or four.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Sampling factors: blocks in a unit, across and down.
    pub(super) h: usize,
    pub(super) v: usize,
    pub(super) quantisation: usize,
    /// Samples that count; more are coded.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Blocks that hold them.
    pub(super) blocks_wide: usize,
    pub(super) blocks_high: usize,
}

impl Frame {
    pub(super) fn parse(marker: u8, segment: &[u8]) -> Result<Self, Fault> {
        let wrong = || Fault::malformed("a frame header of a wrong length");
        let (head, rest) = segment.split_first_chunk::<6>().ok_or_else(wrong)?;
        let [precision, y1, y0, x1, x0, count] = *head;
        if precision != 8 {
            return Err(Fault::unsupported(format!("{precision} bits a sample")));
        }
        let (triples, tail) = rest.as_chunks::<3>();
        if triples.len() != usize::from(count) || !tail.is_empty() {
            return Err(wrong());
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Fault::unsupported(format!("{count} components")));
        }
        let mut frame = Self {
            is_progressive: marker == 0xC2,
            width: usize::from(u16::from_be_bytes([x1, x0])),
            height: usize::from(u16::from_be_bytes([y1, y0])),
            components: triples
                .iter()
                .copied()
                .map(Component::parse)
                .collect::<Result<_, _>>()?,
            h_max: 1,
            v_max: 1,
            units_wide: 0,
            units_high: 0,
        };
        if let [single] = frame.components.as_mut_slice() {
            // Sampling is relative, and a lone component's units are blocks.
            (single.h, single.v) = (1, 1);
        }
        frame.measure()?;
        Ok(frame)
    }

    /// Sizes from sampling factors (annex A.1.1).
    fn measure(&mut self) -> Result<(), Fault> {
        for component in &self.components {
            self.h_max = self.h_max.max(component.h);
            self.v_max = self.v_max.max(component.v);
        }
        self.units_wide = self.width.div_ceil(8 * self.h_max);
        self.units_high = self.height.div_ceil(8 * self.v_max);
        for component in &mut self.components {
            if !self.h_max.is_multiple_of(component.h) || !self.v_max.is_multiple_of(component.v) {
                return Err(Fault::unsupported("sampling in fractions"));
            }
            component.width = (self.width * component.h).div_ceil(self.h_max);
            component.height = (self.height * component.v).div_ceil(self.v_max);
            component.blocks_wide = component.width.div_ceil(8);
            component.blocks_high = component.height.div_ceil(8);
        }
        Ok(())
    }

    /// Blocks across and down with those that fill up the last units.
    pub(super) fn padded(&self, component: &Component) -> (usize, usize) {
        (self.units_wide * component.h, self.units_high * component.v)
    }
}

impl Component {
    fn parse([id, sampling, quantisation]: [u8; 3]) -> Result<Self, Fault> {
        let (h, v) = (usize::from(sampling >> 4), usize::from(sampling & 15));
        if !(1..=4).contains(&h) || !(1..=4).contains(&v) {
            return Err(Fault::malformed(format!("a sampling of {h} x {v}")));
        }
        Ok(Self {
            id,
            h,
            v,
            quantisation: usize::from(quantisation),
            width: 0,
            height: 0,
            blocks_wide: 0,
            blocks_high: 0,
        })
    }
}

/// What is said of one pass over the picture.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    /// First and last coefficient, in the order of sending.
    pub(super) first: usize,
    pub(super) last: usize,
    /// Bits below which the coefficients were known before (0: unknown), and
    /// are known afterwards.
    pub(super) high: u8,
    pub(super) low: u8,
}

/// A component in a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Which of the frame's components.
    pub(super) component: usize,
    /// Which Huffman tables.
    pub(super) dc: usize,
    pub(super) ac: usize,
}

impl Scan {
    pub(super) fn parse(segment: &[u8], frame: &Frame) -> Result<Self, Fault> {
        let wrong = || Fault::malformed("a scan header of a wrong length");
        let (&count, rest) = segment.split_first().ok_or_else(wrong)?;
        let (pairs, tail) = rest
            .split_at_checked(2 * usize::from(count))
            .ok_or_else(wrong)?;
        let &[first, last, approximation] = tail else {
            return Err(wrong());
        };
        let mut parts: Vec<Part> = Vec::with_capacity(4);
        for &[id, tables] in pairs.as_chunks().0 {
            let known = frame.components.iter().enumerate();
            // Of components of the same name the next that is not in yet, as
            // `jdmarker.c`, `get_sos`.
            let mut free = known.filter(|(index, component)| {
                component.id == id && parts.iter().all(|part| part.component != *index)
            });
            let (component, _) = free.next().ok_or_else(|| {
                Fault::malformed(format!("component {id} of a scan is not in the frame"))
            })?;
            let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            parts.push(Part { component, dc, ac });
        }
        let scan = Self {
            parts,
            first: usize::from(first),
            last: usize::from(last),
            high: approximation >> 4,
            low: approximation & 15,
        };
        scan.check(frame)?;
        Ok(scan)
    }

    fn check(&self, frame: &Frame) -> Result<(), Fault> {
        if self.parts.is_empty() {
            return Err(Fault::malformed("a scan of no component"));
        }
        let blocks = |part: &Part| {
            let component = &frame.components[part.component];
            component.h * component.v
        };
        if self.parts.len() > 1 && self.parts.iter().map(blocks).sum::<usize>() > MAX_UNIT_BLOCKS {
            return Err(Fault::malformed("more than 10 blocks in a unit"));
        }
        // Sequential scans say 0 to 63; libjpeg takes others for that.
        let in_order = match (self.first, self.last) {
            (0, last) => last == 0,
            (first, last) => first <= last && last < 64 && self.parts.len() == 1,
        };
        let refines = self.high == 0 || self.high == self.low + 1;
        if frame.is_progressive && !(in_order && refines && self.low <= 13) {
            return Err(Fault::malformed(format!(
                "a progressive scan of coefficients {} to {}, bits {} to {}",
                self.first, self.last, self.high, self.low
            )));
        }
        Ok(())
    }
}
