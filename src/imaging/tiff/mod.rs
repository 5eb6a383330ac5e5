//! TIFF: the first page, by the `tiff` crate's decompression, chunk by chunk.
//!
//! Grey of 1, 2, 4, 8 and 16 bits, palettes, RGB, CMYK (Pillow's rounding),
//! YCbCr and `CIELab`, with and without alpha, in strips or tiles, interleaved or
//! in planes; `BigTIFF` too. JPEG within TIFF goes to the decoder of JPEG files.
//! Refused: floating-point samples, 32 bits and more, 12 bits, and
//! compressions beside LZW, Deflate, `PackBits`, CCITT group 4 and JPEG.

mod directory;
mod samples;
mod strips;

use std::io::ErrorKind;

use image::metadata::Orientation;
use tiff::decoder::{ChunkType, Decoder, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError, TiffFormatError};

use self::directory::Meaning;
use self::samples::{Alpha, Inks};
use self::strips::Strips;
use super::deadline::{Deadline, TimedReader};
use super::decode::{OVERHEAD_BYTES, RgbImage, check_size};
use super::error::{DecodeError, Report};
use super::jpeg::Told;
use super::{colour, orient};
use crate::catalog::Format;
use crate::config::ImageLimits;

const FORMAT: Format = Format::Tiff;

/// Most samples of a pixel: inks, alpha, and one more.
const MAX_SAMPLES: usize = 6;

/// Compression of strips that are JPEGs without their tables.
const JPEG: u16 = 7;

/// Decodes the first page.
pub(super) fn decode(
    bytes: &[u8],
    limits: &ImageLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let rewritten = directory::rewritten(bytes);
    let (copy, meaning) = rewritten.unwrap_or_else(|| (bytes.to_vec(), Meaning::Plain));
    let turned = with_bits_in_order(copy, deadline).map_err(fault)?;
    let decoder = Decoder::new(TimedReader::new(&turned, deadline)).map_err(fault)?;
    let mut page = Page::open(decoder, meaning, limits)?;
    let orientation: Option<u8> = page.tag(Tag::Orientation);
    let samples = page.samples(&turned, limits, deadline)?;
    let pixels = page.inks.to_rgb(&samples, page.per_pixel, page.alpha);
    let image = RgbImage {
        width: page.width,
        height: page.height,
        pixels,
    };
    let orientation = orientation.and_then(Orientation::from_exif);
    Ok(orient::upright(
        image,
        orientation.unwrap_or(Orientation::NoTransforms),
    ))
}

/// Turns every byte of the strips where their bits are stored last first.
fn with_bits_in_order(mut bytes: Vec<u8>, deadline: Deadline) -> Result<Vec<u8>, TiffError> {
    let mut decoder = Decoder::new(TimedReader::new(&bytes, deadline))?;
    let is_turned = decoder.find_tag_unsigned::<u16>(Tag::FillOrder)? == Some(2);
    if !is_turned || decoder.find_tag_unsigned(Tag::Compression)? == Some(JPEG) {
        return Ok(bytes);
    }
    let starts = decoder.get_tag_u64_vec(Tag::StripOffsets)?;
    let lengths = decoder.get_tag_u64_vec(Tag::StripByteCounts)?;
    let mut end = 0;
    for (start, length) in starts.into_iter().zip(lengths) {
        // Each byte once, though strips overlap.
        let start = usize::try_from(start)?.max(end);
        end = start.max(start.saturating_add(usize::try_from(length)?));
        for byte in bytes.iter_mut().take(end).skip(start) {
            *byte = byte.reverse_bits();
        }
    }
    Ok(bytes)
}

struct Page<'a> {
    decoder: Decoder<TimedReader<'a>>,
    width: u32,
    height: u32,
    inks: Inks,
    alpha: Alpha,
    per_pixel: usize,
    bits: u8,
    is_signed: bool,
    is_planar: bool,
    is_jpeg: bool,
}

impl<'a> Page<'a> {
    /// Reads the tags; allocates no more than they are long.
    fn open(
        mut decoder: Decoder<TimedReader<'a>>,
        meaning: Meaning,
        limits: &ImageLimits,
    ) -> Result<Self, DecodeError> {
        let (width, height) = decoder.dimensions().map_err(fault)?;
        let count = check_size(width, height, limits)?;
        let kind = decoder.colortype().map_err(fault)?;
        let mut page = Self {
            decoder,
            width,
            height,
            inks: Inks::Rgb,
            alpha: Alpha::None,
            per_pixel: 1,
            bits: kind.bit_depth(),
            is_signed: false,
            is_planar: false,
            is_jpeg: false,
        };
        page.per_pixel = page.tag(Tag::SamplesPerPixel).unwrap_or(1);
        page.is_planar = page.tag(Tag::PlanarConfiguration) == Some(2_u16);
        page.is_jpeg = page.tag(Tag::Compression) == Some(JPEG);
        page.inks = page.find_inks(kind, meaning)?;
        if page.per_pixel < page.inks.count() || page.per_pixel > MAX_SAMPLES {
            return Err(unsupported(&format!("{} samples a pixel", page.per_pixel)));
        }
        page.alpha = page.find_alpha()?;
        page.check_samples()?;
        let mut caps = Limits::default();
        caps.decoding_buffer_size = 2 * MAX_SAMPLES * count;
        caps.intermediate_buffer_size = caps
            .decoding_buffer_size
            .saturating_add(usize::try_from(OVERHEAD_BYTES).unwrap_or(usize::MAX));
        caps.ifd_value_size = caps.intermediate_buffer_size;
        page.decoder = page.decoder.with_limits(caps);
        Ok(page)
    }

    /// A tag's number; broken ones count as missing.
    fn tag<T: TryFrom<u64>>(&mut self, tag: Tag) -> Option<T> {
        let value = self.decoder.find_tag_unsigned::<u64>(tag).ok()??;
        T::try_from(value).ok()
    }

    fn tags(&mut self, tag: Tag) -> Result<Vec<u16>, DecodeError> {
        let values = self.decoder.find_tag_unsigned_vec(tag).map_err(fault)?;
        Ok(values.unwrap_or_default())
    }

    fn find_inks(&mut self, kind: ColorType, meaning: Meaning) -> Result<Inks, DecodeError> {
        Ok(match (meaning, kind) {
            (Meaning::Palette, _) => {
                let map = self.tags(Tag::ColorMap)?;
                let third = map.len() / 3;
                let high = |value: u16| value.to_be_bytes()[0];
                let colour = |at: usize| [0, third, 2 * third].map(|from| high(map[from + at]));
                Inks::Palette((0..third).map(colour).collect())
            }
            (Meaning::Lab, _) => Inks::Lab,
            (_, ColorType::Gray(_) | ColorType::GrayA(_) | ColorType::Multiband { .. }) => {
                let is_inverted = meaning == Meaning::WhiteIsZero;
                Inks::Grey { is_inverted }
            }
            (_, ColorType::RGB(_) | ColorType::RGBA(_)) => Inks::Rgb,
            (_, ColorType::CMYK(_) | ColorType::CMYKA(_)) => Inks::Cmyk,
            (_, ColorType::YCbCr(_)) => Inks::YCbCr,
            (_, other) => return Err(unsupported(&format!("{other:?}"))),
        })
    }

    fn find_alpha(&mut self) -> Result<Alpha, DecodeError> {
        if self.per_pixel == self.inks.count() {
            return Ok(Alpha::None);
        }
        Ok(match self.tags(Tag::ExtraSamples)?.first() {
            Some(1) => Alpha::Associated,
            Some(2) => Alpha::Straight,
            // Some programs forget to say that the fourth of RGB is alpha.
            None if matches!(self.inks, Inks::Rgb) => Alpha::Straight,
            _ => Alpha::None,
        })
    }

    /// Whether the samples are of a kind that is read.
    fn check_samples(&mut self) -> Result<(), DecodeError> {
        for format in self.tags(Tag::SampleFormat)? {
            match format {
                2 => self.is_signed = true,
                3 => return Err(unsupported("its samples are floating-point numbers")),
                _ => {}
            }
        }
        let bits = self.bits;
        let is_narrow = matches!(self.inks, Inks::Palette(_) | Inks::Lab);
        match bits {
            8 => Ok(()),
            1 | 2 | 4 if self.inks.count() == 1 => Ok(()),
            16 if !is_narrow && !self.is_jpeg => Ok(()),
            _ => Err(unsupported(&format!("{bits} bits a sample"))),
        }
    }

    /// All samples, of eight bits, pixel by pixel.
    fn samples(
        &mut self,
        bytes: &[u8],
        limits: &ImageLimits,
        deadline: Deadline,
    ) -> Result<Vec<u8>, DecodeError> {
        let (width, height) = (self.width as usize, self.height as usize);
        let (wide, high) = self.decoder.chunk_dimensions();
        let (wide, high) = (wide.max(1) as usize, high.max(1) as usize);
        let (across, down) = (width.div_ceil(wide), height.div_ceil(high));
        let planes = if self.is_planar { self.per_pixel } else { 1 };
        let strips = if self.is_jpeg {
            Some(self.jpegs(bytes)?)
        } else {
            None
        };
        let mut samples = vec![0; width * height * self.per_pixel];
        for index in 0..planes * across * down {
            let (plane, chunk) = (index / (across * down), index % (across * down));
            let (left, top) = (chunk % across * wide, chunk / across * high);
            let each = self.per_pixel / planes;
            let (rows, stride) = match &strips {
                Some(strips) => strips.decode(index, each, limits, deadline)?,
                None => self.chunk(index)?,
            };
            let columns = wide.min(width - left);
            let bits = if strips.is_some() { 8 } else { self.bits };
            if (columns * each * usize::from(bits)).div_ceil(8) > stride {
                return Err(malformed("a strip is too narrow"));
            }
            let needed = high.min(height - top);
            if rows.len() < needed.saturating_mul(stride) {
                return Err(DecodeError::Truncated { format: FORMAT });
            }
            for (y, row) in rows.chunks_exact(stride).take(needed).enumerate() {
                let start = ((top + y) * width + left) * self.per_pixel + plane;
                let out = &mut samples[start..];
                let values = (0..columns * each).map(|at| self.sample(row, at, bits));
                if planes > 1 {
                    let spots = out.iter_mut().step_by(self.per_pixel);
                    spots.zip(values).for_each(|(place, value)| *place = value);
                } else {
                    out.iter_mut()
                        .zip(values)
                        .for_each(|(place, value)| *place = value);
                }
            }
        }
        Ok(samples)
    }

    /// Rows of a strip or tile, and the bytes of each.
    fn chunk(&mut self, index: usize) -> Result<(Vec<u8>, usize), DecodeError> {
        let index = u32::try_from(index).map_err(|_| malformed("too many strips"))?;
        let count = match self.decoder.get_chunk_type() {
            ChunkType::Strip => self.decoder.strip_count(),
            ChunkType::Tile => self.decoder.tile_count(),
        };
        if index >= count.map_err(fault)? {
            return Err(malformed("strips are missing"));
        }
        let layout = self.decoder.image_chunk_buffer_layout(index);
        let layout = layout.map_err(fault)?;
        let most = 2 * MAX_SAMPLES * self.width as usize * self.height as usize;
        let overhead = usize::try_from(OVERHEAD_BYTES).unwrap_or(usize::MAX);
        if layout.len > most.saturating_add(overhead) {
            return Err(DecodeError::TooMuchMemory { format: FORMAT });
        }
        let mut rows = vec![0; layout.len];
        self.decoder
            .read_chunk_bytes(index, &mut rows)
            .map_err(fault)?;
        let stride = layout.row_stride.map_or(rows.len(), usize::from);
        Ok((rows, stride))
    }

    /// Sample `at` of a row; indices as they are, all else scaled to 0-255.
    fn sample(&self, row: &[u8], at: usize, bits: u8) -> u8 {
        match bits {
            8 => row[at],
            16 => {
                let pair = [row[2 * at], row[2 * at + 1]];
                if self.is_signed {
                    let value = i16::from_ne_bytes(pair).max(0).cast_unsigned();
                    colour::eight((value * 2).to_ne_bytes())
                } else {
                    colour::eight(pair)
                }
            }
            _ => {
                let bits = usize::from(bits);
                let shift = 8 - bits - at * bits % 8;
                let most = u8::MAX >> (8 - bits);
                let value = row[at * bits / 8] >> shift & most;
                let is_index = matches!(self.inks, Inks::Palette(_));
                if is_index {
                    value
                } else {
                    value * (255 / most)
                }
            }
        }
    }

    /// Where the strips' JPEGs are; their samples are RGB or grey afterwards.
    fn jpegs<'b>(&mut self, bytes: &'b [u8]) -> Result<Strips<'b>, DecodeError> {
        let (starts, lengths) = match self.decoder.get_chunk_type() {
            ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
            ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
        };
        let mut list = |tag| self.decoder.get_tag_u64_vec(tag).map_err(fault);
        let ranges = list(starts)?.into_iter().zip(list(lengths)?).collect();
        let tables = self.decoder.find_tag(Tag::JPEGTables).map_err(fault)?;
        let tables = tables.map(tiff::decoder::ifd::Value::into_u8_vec);
        let tables = tables.transpose().map_err(fault)?.unwrap_or_default();
        let told = match self.inks {
            Inks::YCbCr if !self.is_planar => Told::YCbCr,
            Inks::Cmyk if !self.is_planar => Told::Inks,
            _ => Told::Plain,
        };
        if told != Told::Plain {
            // What the decoder of JPEG gives.
            self.inks = Inks::Rgb;
            self.per_pixel = 3;
        }
        Ok(Strips {
            bytes,
            ranges,
            tables,
            told,
        })
    }
}

fn unsupported(reason: &str) -> DecodeError {
    DecodeError::Unsupported {
        format: FORMAT,
        source: Report::new(reason),
    }
}

fn malformed(reason: &str) -> DecodeError {
    DecodeError::Malformed {
        format: FORMAT,
        source: Report::new(reason),
    }
}

fn fault(error: TiffError) -> DecodeError {
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let source = Report::new(&innermost.to_string());
    match error {
        TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format: FORMAT }
        }
        _ if source.tells_of_the_end() => DecodeError::Truncated { format: FORMAT },
        TiffError::UnsupportedError(_) => DecodeError::Unsupported {
            format: FORMAT,
            source,
        },
        TiffError::FormatError(TiffFormatError::InvalidDimensions(width, height)) => {
            DecodeError::NoPixels { width, height }
        }
        TiffError::LimitsExceeded => DecodeError::TooMuchMemory { format: FORMAT },
        _ => DecodeError::Malformed {
            format: FORMAT,
            source,
        },
    }
}
