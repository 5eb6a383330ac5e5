//! Files of an evaluation, and the pictures in them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;

use super::failure::Failure;
use crate::config::ImageLimits;
use crate::evaluate::page::Picture;
use crate::imaging::{Thumbnailer, decode, to_jpeg};

/// Longest side of a picture on a page: twice what it is shown at.
const SIDE: u32 = 176;

/// Writes a file.
pub(super) fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    let written = File::create(path).map(BufWriter::new).and_then(|mut out| {
        content(&mut out)?;
        out.flush()
    });
    written
        .with_context(|| format!("cannot write {}", path.display()))
        .map_err(|error| Failure::new(error, "name a file in a folder that can be written"))
}

/// Thumbnails by path; a picture that cannot be read has none.
#[derive(Default)]
pub(super) struct Pictures {
    made: HashMap<String, Option<Picture>>,
    thumbnailer: Thumbnailer,
}

impl Pictures {
    /// The picture at a path.
    pub(super) fn get(&mut self, path: &str) -> Option<Picture> {
        if let Some(made) = self.made.get(path) {
            return made.clone();
        }
        let picture = self.make(path);
        self.made.insert(path.to_owned(), picture.clone());
        picture
    }

    fn make(&mut self, path: &str) -> Option<Picture> {
        let limits = ImageLimits::default();
        let file = std::fs::metadata(path).ok()?;
        if !file.is_file() || file.len() > limits.max_file_bytes {
            return None;
        }
        let image = decode(&std::fs::read(path).ok()?, &limits).ok()?;
        let bytes = to_jpeg(&self.thumbnailer.fit(image, SIDE, SIDE));
        Some(Picture {
            media_type: "image/jpeg",
            bytes,
        })
    }
}
