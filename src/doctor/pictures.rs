//! The stages of a picture.

use super::measure::{apart, bytes_apart, sample, sample_picture};
use super::reference::{Picture, Pixels, Reference};
use super::{DoctorError, Stage, Tower, Verdict, normalisation};
use crate::config::ImageLimits;
use crate::embed::{VisionTower, cosine, norm};
use crate::imaging::{Preprocess, RgbImage, decode};
use crate::model::{Channels, Layout, Model, Vision, hash_bytes};

/// The golden pictures. `models/golden/LICENSES.md` says whose they are.
const GOLDEN: &[(&str, &[u8])] = &[
    ("cat.png", include_bytes!("../../models/golden/cat.png")),
    (
        "coffee.jpg",
        include_bytes!("../../models/golden/coffee.jpg"),
    ),
    ("shirt.jpg", include_bytes!("../../models/golden/shirt.jpg")),
    ("shoes.png", include_bytes!("../../models/golden/shoes.png")),
    (
        "canyon.png",
        include_bytes!("../../models/golden/canyon.png"),
    ),
];

/// What goes through these stages.
const OF: &str = "pictures";

/// How far floats of a tensor may be apart for rounding alone.
const TENSOR_APART: f64 = 1e-5;

/// Largest difference that another batch may make to an fp32 vector, and to one
/// of rounded weights.
const BATCH_APART: f64 = 1e-5;
const ROUNDED_BATCH_APART: f64 = 1e-3;

/// How far one picture is from the reference after each stage.
struct Seen {
    decoded: Distance<u8>,
    resized: Distance<u8>,
    tensor: Distance<f64>,
    values: Vec<f32>,
}

/// Distance to the reference: none to the bit, or how much in the sample.
#[derive(Clone, Copy)]
enum Distance<T> {
    Same,
    Apart(T),
    /// Not even the size is the same.
    OtherSize,
}

pub(super) fn examine(
    model: &Model,
    tower: Tower<VisionTower>,
    reference: &Reference,
) -> Result<Vec<Stage>, DoctorError> {
    let vision = &model.manifest.vision;
    let mut seen = Vec::new();
    for picture in &reference.images {
        if let Some((_, bytes)) = GOLDEN.iter().find(|(name, _)| *name == picture.name) {
            seen.push((picture, look(vision, picture, bytes)));
        }
    }
    let mut stages = vec![
        decoded(seen.iter().map(|(_, seen)| seen)),
        resized(seen.iter().map(|(_, seen)| seen)),
        normalised(seen.iter().map(|(_, seen)| seen)),
    ];
    match tower {
        Ok(mut tower) => stages.extend(embedded(model, &mut tower, &seen)?),
        Err(why) => stages.push(Stage::unknown("graph", OF, why)),
    }
    Ok(stages)
}

fn look(vision: &Vision, picture: &Picture, bytes: &[u8]) -> Seen {
    let image = decode(bytes, &ImageLimits::default())
        .expect("the golden pictures decode, which a test sees to; this is a bug");
    let bare = Vision {
        layout: Layout::Nhwc,
        channels: Channels::Rgb,
        divide_by: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        ..vision.clone()
    };
    let pixels = run(&bare, &image);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes that became floats"
    )]
    let small = RgbImage {
        width: vision.width,
        height: vision.height,
        pixels: pixels.iter().map(|value| *value as u8).collect(),
    };
    let values = run(vision, &image);
    let raw: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let tensor = if hash_bytes(&raw) == picture.tensor.sha256 {
        Distance::Same
    } else {
        Distance::Apart(apart(
            &tensor_sample(vision, &values),
            &picture.tensor.sample.0,
        ))
    };
    Seen {
        decoded: distance(&image, &picture.decoded),
        resized: distance(&small, &picture.resized),
        tensor,
        values,
    }
}

fn run(vision: &Vision, image: &RgbImage) -> Vec<f32> {
    let mut preprocess = Preprocess::new(vision);
    let mut out = vec![0.0; preprocess.tensor_len()];
    preprocess.write_tensor(image, &mut out);
    out
}

/// The sample of a tensor, pixel by pixel whatever its layout.
fn tensor_sample(vision: &Vision, values: &[f32]) -> Vec<f32> {
    let (width, height) = (vision.width as usize, vision.height as usize);
    match vision.layout {
        Layout::Nhwc => sample(values, width, height),
        Layout::Nchw => {
            let plane = width * height;
            let pixels = (0..plane).flat_map(|pixel| [0, 1, 2].map(|c| values[c * plane + pixel]));
            sample(&pixels.collect::<Vec<f32>>(), width, height)
        }
    }
}

fn distance(image: &RgbImage, reference: &Pixels) -> Distance<u8> {
    if (image.width, image.height) != (reference.width, reference.height) {
        return Distance::OtherSize;
    }
    if hash_bytes(&image.pixels) == reference.sha256 {
        return Distance::Same;
    }
    // A difference outside the sample still is one.
    Distance::Apart(bytes_apart(&sample_picture(image), &reference.sample.0).max(1))
}

fn decoded<'a>(seen: impl Iterator<Item = &'a Seen>) -> Stage {
    let distances: Vec<Distance<u8>> = seen.map(|seen| seen.decoded).collect();
    judge("decode", &distances, "")
}

fn resized<'a>(seen: impl Iterator<Item = &'a Seen>) -> Stage {
    let judged = seen.filter(|seen| matches!(seen.decoded, Distance::Same));
    let distances: Vec<Distance<u8>> = judged.map(|seen| seen.resized).collect();
    if distances.is_empty() {
        return Stage::unknown("resize", OF, "no picture was decoded alike");
    }
    judge(
        "resize",
        &distances,
        ": compare [vision.resize] with the reference",
    )
}

/// A stage whose pixels must be the reference's, to the bit.
fn judge(name: &'static str, distances: &[Distance<u8>], advice: &str) -> Stage {
    let worst = distances.iter().map(|distance| match distance {
        Distance::Same => 0,
        Distance::Apart(by) => *by,
        Distance::OtherSize => u8::MAX,
    });
    let found = match worst.max().unwrap_or(0) {
        0 => (Verdict::Equal, "equal to the bit".to_owned()),
        by => (Verdict::Differs, format!("up to {by} of 255 apart{advice}")),
    };
    Stage::new(name, OF, distances.len(), found)
}

fn normalised<'a>(seen: impl Iterator<Item = &'a Seen>) -> Stage {
    let judged = seen.filter(|seen| matches!(seen.resized, Distance::Same));
    let mut stage = Stage::unknown("normalise", OF, "no picture was resized alike");
    let mut worst: f64 = 0.0;
    let mut same = true;
    for seen in judged {
        stage.judged += 1;
        match seen.tensor {
            Distance::Same => {}
            Distance::Apart(by) => (worst, same) = (worst.max(by), false),
            Distance::OtherSize => (worst, same) = (f64::INFINITY, false),
        }
    }
    if stage.judged > 0 {
        (stage.verdict, stage.detail) = if same {
            (Verdict::Equal, "equal to the bit".to_owned())
        } else if worst <= TENSOR_APART {
            (
                Verdict::Equal,
                format!("equal within {worst:.0e}, by rounding"),
            )
        } else {
            let advice = "compare divide_by, mean, std and channels with the reference";
            (
                Verdict::Differs,
                format!("up to {worst:.3} apart: {advice}"),
            )
        };
    }
    stage
}

fn embedded(
    model: &Model,
    tower: &mut VisionTower,
    seen: &[(&Picture, Seen)],
) -> Result<Vec<Stage>, DoctorError> {
    let least = super::least_cosine(model);
    let (mut graph, mut pooled) = (Vec::new(), Vec::new());
    let (mut norms, mut alone) = (Vec::new(), Vec::new());
    for (picture, seen) in seen {
        let same = match seen.tensor {
            Distance::Same => true,
            Distance::Apart(by) => by <= TENSOR_APART,
            Distance::OtherSize => false,
        };
        let vector = tower.pooled(&seen.values, 1)?.swap_remove(0);
        if let (true, Some(reference)) = (same, &picture.pooled) {
            graph.push((cosine(&vector, &reference.0), apart(&vector, &reference.0)));
        }
        if let Some(Ok(vector)) = tower.embed(&seen.values, 1)?.pop() {
            if let Some(reference) = &picture.embedding {
                pooled.push(cosine(&vector, &reference.0));
                norms.push((norm(&vector), norm(&reference.0), same));
            }
            alone.push((vector, &seen.values));
        }
    }
    let mut stages = Vec::new();
    if model.manifest.vision.onnx.is_some() {
        stages.push(super::graph(OF, model, &graph, least));
        stages.push(batch(tower, &alone, least)?);
    }
    stages.push(normalisation(OF, &norms));
    stages.push(vectors(&pooled, least));
    Ok(stages)
}

/// The whole way, from the file to the vector.
fn vectors(cosines: &[f64], least: f64) -> Stage {
    if cosines.is_empty() {
        return Stage::unknown("vector", OF, "the reference holds no vectors");
    }
    let worst = cosines.iter().copied().fold(1.0, f64::min);
    let detail = format!("cosine {worst:.6} or more, from the file to the vector");
    let verdict = if worst >= least {
        Verdict::Equal
    } else {
        Verdict::Differs
    };
    Stage::new("vector", OF, cosines.len(), (verdict, detail))
}

/// One by one against all at once.
fn batch(
    tower: &mut VisionTower,
    alone: &[(Vec<f32>, &Vec<f32>)],
    least: f64,
) -> Result<Stage, DoctorError> {
    let tensors: Vec<f32> = alone
        .iter()
        .flat_map(|(_, values)| (*values).clone())
        .collect();
    let together = tower.embed(&tensors, alone.len())?;
    let pairs = alone.iter().zip(&together);
    let worst = pairs
        .filter_map(|((alone, _), together)| Some(apart(alone, together.as_ref().ok()?)))
        .fold(0.0, f64::max);
    let allowed = if least < super::LEAST_COSINE {
        ROUNDED_BATCH_APART
    } else {
        BATCH_APART
    };
    let found = if worst <= allowed {
        (
            Verdict::Equal,
            format!("one by one or together: within {worst:.0e}"),
        )
    } else {
        let advice = "set `batch = 1` under [vision.onnx] for vectors that do not depend on their neighbours";
        (
            Verdict::Differs,
            format!("one by one or together: {worst:.0e} apart; {advice}"),
        )
    };
    Ok(Stage::new("batch", OF, alone.len(), found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_pictures_decode() {
        for (name, bytes) in GOLDEN {
            assert!(decode(bytes, &ImageLimits::default()).is_ok(), "{name}");
        }
    }
}
