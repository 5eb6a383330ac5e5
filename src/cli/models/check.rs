//! `models check`: one picture and one text through a model.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::config::ImageLimits;
use crate::embed::{EmbedError, Runtime, TextTower, VisionTower, norm};
use crate::imaging::{Preprocess, RgbImage, decode};
use crate::model::Model;
use crate::search::QuestionError;

/// Loads `model` and embeds one picture and one text.
pub(super) fn check(model: &Model, image: Option<&PathBuf>, text: &str) -> Result<Exit, Failure> {
    let manifest = &model.manifest;
    let fingerprint = model.verify()?;
    let needs_runtime = manifest.vision.onnx.is_some() || manifest.knows_text();
    let runtime = if needs_runtime {
        Some(Runtime::load()?)
    } else {
        None
    };
    let picture = match image {
        None => made_up_picture(),
        Some(path) => {
            let bytes = std::fs::read(path)
                .with_context(|| format!("cannot read the picture {}", path.display()))
                .map_err(|error| Failure::new(error, "check the path and its permissions"))?;
            decode(&bytes, &ImageLimits::default()).map_err(QuestionError::from)?
        }
    };
    let mut lines = vec![format!(
        "{}: {}, {}-d, fingerprint {fingerprint}",
        manifest.name,
        manifest.kind(),
        manifest.dimension
    )];
    let loading = Instant::now();
    let mut vision = VisionTower::open(model, runtime.as_ref(), 1)?;
    let loaded = loading.elapsed();
    let embedding = Instant::now();
    let mut preprocess = Preprocess::new(&manifest.vision);
    let mut tensor = vec![0.0; preprocess.tensor_len()];
    preprocess.write_tensor(&picture, &mut tensor);
    for vector in vision.embed(&tensor, 1)? {
        let vector = vector.map_err(EmbedError::Vector)?;
        lines.push(line("image", &vector, loaded, embedding.elapsed()));
    }
    if let Some(runtime) = runtime.as_ref().filter(|_| manifest.knows_text()) {
        let loading = Instant::now();
        let mut tower = TextTower::open(model, runtime, 1)?;
        let loaded = loading.elapsed();
        let embedding = Instant::now();
        for embedded in tower.embed(&[text])? {
            lines.push(line(
                "text",
                &embedded.embedding,
                loaded,
                embedding.elapsed(),
            ));
        }
    }
    terminal::print(|out| {
        use std::io::Write as _;
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    })?;
    Ok(Exit::Done)
}

fn line(what: &str, vector: &[f32], loaded: Duration, embedded: Duration) -> String {
    format!(
        "  {what:<5}  {} numbers, norm {:.4}, loaded in {:.0} ms, embedded in {:.1} ms on one thread",
        vector.len(),
        norm(vector),
        loaded.as_secs_f64() * 1e3,
        embedded.as_secs_f64() * 1e3
    )
}

/// A picture with a gradient in each channel, so that no channel is flat.
fn made_up_picture() -> RgbImage {
    let (width, height) = (320u32, 240u32);
    let pixels = (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| [x * 255 / 319, y * 255 / 239, (x + y) % 256]))
        .map(|value| u8::try_from(value).unwrap_or(u8::MAX))
        .collect();
    RgbImage {
        width,
        height,
        pixels,
    }
}
