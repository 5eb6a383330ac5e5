//! How pictures are prepared, from the files that Hugging Face and `open_clip`
//! put beside a model.

use serde_json::Value;

use super::known::{Json, Known, Rule, Told, whole};
use crate::model::{Channels, Filter, Normalise, Rounding};

pub(super) const PREPROCESSOR: &str = "preprocessor_config.json";
pub(super) const OPEN_CLIP: &str = "open_clip_config.json";
pub(super) const CONFIG: &str = "config.json";

/// `OPENAI_DATASET_MEAN` and `_STD`, which `open_clip` takes where its file is silent.
const CLIP_MEAN: [f64; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f64; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];

/// How a Hugging Face class resizes.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    /// Shortest edge and centre crop, by `CLIPImageProcessor`.
    Clip,
    /// Straight to the size, by `ViTImageProcessor` and `SiglipImageProcessor`.
    Straight,
    Unknown,
}

/// What the image files say, the more exact one first.
pub(super) fn read(json: &Json) -> Known {
    let mut known = Known::default();
    if let Some(open_clip) = json.file(OPEN_CLIP) {
        known = of_open_clip(open_clip);
    }
    if let Some(preprocessor) = json.file(PREPROCESSOR) {
        // Their croppings differ, so the two are never mixed.
        known = of_preprocessor(preprocessor);
    }
    if let Some(config) = json.file(CONFIG) {
        let vision = config.get("vision_config").unwrap_or(config);
        let size = vision.get("image_size").and_then(whole);
        let size = size.and_then(|side| Told::some((side, side), CONFIG));
        known.size = known.size.or(size);
        let kind = config.get("model_type").and_then(Value::as_str);
        if kind.is_some_and(|kind| kind.contains("clip") || kind.contains("siglip")) {
            known.normalise = known.normalise.or(Told::some(Normalise::L2, CONFIG));
        }
    }
    known
}

fn of_preprocessor(file: &Value) -> Known {
    let flag = |key: &str| file.get(key).and_then(Value::as_bool);
    let class = ["image_processor_type", "feature_extractor_type"];
    let class = class.iter().find_map(|key| file.get(*key)?.as_str());
    let from = match class {
        Some(class) => format!("{PREPROCESSOR}, {class}"),
        None => PREPROCESSOR.to_owned(),
    };
    let kind = class.map_or(Class::Unknown, kind_of);
    let flipped = flag("do_flip_channel_order").unwrap_or(false);
    let mut known = Known {
        channels: Told::some(
            if flipped {
                Channels::Bgr
            } else {
                Channels::Rgb
            },
            &from,
        ),
        divide_by: divide_by(file).and_then(|by| Told::some(by, &from)),
        filter: filter(file, kind).and_then(|filter| Told::some(filter, &from)),
        ..Known::default()
    };
    if flag("do_normalize") == Some(false) {
        known.mean = Told::some([0.0; 3], &from);
        known.std = Told::some([1.0; 3], &from);
    } else {
        known.mean = three(file.get("image_mean")).and_then(|mean| Told::some(mean, &from));
        known.std = three(file.get("image_std")).and_then(|std| Told::some(std, &from));
    }
    match rule(file, kind) {
        Ok((rule, size)) => {
            known.rule = Told::some(rule, &from);
            known.size = Told::some(size, &from);
        }
        Err(why) => {
            known.no_rule = Some(match class {
                Some(class) => format!("{PREPROCESSOR} is of {class}: {why}"),
                None => format!("{PREPROCESSOR} names no class: {why}"),
            });
        }
    }
    known
}

fn kind_of(class: &str) -> Class {
    // The `Fast` classes do the same with another library.
    let class = class.trim_end_matches("Fast");
    let class = class
        .strip_suffix("ImageProcessor")
        .or(class.strip_suffix("FeatureExtractor"));
    match class {
        Some("CLIP") => Class::Clip,
        Some("ViT" | "Siglip") => Class::Straight,
        _ => Class::Unknown,
    }
}

/// The rule, and the width and height that it leads to.
fn rule(file: &Value, kind: Class) -> Result<(Rule, (u32, u32)), &'static str> {
    let flag = |key: &str| file.get(key).and_then(Value::as_bool);
    if kind == Class::Unknown {
        return Err("how it resizes is not known here");
    }
    if flag("do_resize") == Some(false) {
        return Err("it does not resize");
    }
    let size = file.get("size").ok_or("it names no size")?;
    // A bare number is the shortest edge for CLIP, both sides for the others.
    let edge = size.get("shortest_edge").and_then(whole);
    let edge = edge.or_else(|| whole(size).filter(|_| kind == Class::Clip));
    let crops = flag("do_center_crop").unwrap_or(kind == Class::Clip);
    let crop = file.get("crop_size").filter(|_| crops).and_then(both);
    match (edge, both(size), crop) {
        (Some(edge), _, Some(crop)) => {
            let rule = Rule::ShortestEdge {
                edge,
                long_side: Rounding::Floor,
                crop_offset: Rounding::Floor,
            };
            Ok((rule, crop))
        }
        (Some(_), _, None) => Err("it does not crop, so its pictures have no one size"),
        (None, Some(size), crop) if crop.is_none_or(|crop| crop == size) => Ok((Rule::Exact, size)),
        _ => Err("its size is of a form that is not known here"),
    }
}

/// Width and height of `224` or `{"height": 224, "width": 224}`.
fn both(size: &Value) -> Option<(u32, u32)> {
    if let Some(side) = whole(size) {
        return Some((side, side));
    }
    Some((whole(size.get("width")?)?, whole(size.get("height")?)?))
}

fn divide_by(file: &Value) -> Option<f64> {
    if file.get("do_rescale").and_then(Value::as_bool) == Some(false) {
        return Some(1.0);
    }
    // Files from before there was a factor divide by 255 always.
    let Some(factor) = file.get("rescale_factor") else {
        return Some(255.0);
    };
    let by = 1.0 / factor.as_f64().filter(|factor| *factor > 0.0)?;
    let near = by.round();
    Some(if (by - near).abs() < 1e-3 { near } else { by })
}

fn filter(file: &Value, kind: Class) -> Option<Filter> {
    // Numbers of Pillow's `Resampling`.
    match (file.get("resample").map(whole), kind) {
        (Some(Some(1)), _) => Some(Filter::Lanczos),
        (Some(Some(2)), _) => Some(Filter::Bilinear),
        (Some(Some(3)), _) | (None, Class::Clip) => Some(Filter::Bicubic),
        _ => None,
    }
}

fn three(value: Option<&Value>) -> Option<[f64; 3]> {
    let numbers = value?.as_array()?.iter().map(Value::as_f64);
    let numbers: Vec<f64> = numbers.collect::<Option<_>>()?;
    numbers.try_into().ok()
}

fn of_open_clip(file: &Value) -> Known {
    let from = OPEN_CLIP;
    let preprocess = file.get("preprocess_cfg").unwrap_or(&Value::Null);
    let said = |key: &str| preprocess.get(key).and_then(Value::as_str);
    let size = preprocess.get("size").and_then(sides).or_else(|| {
        let size = file.pointer("/model_cfg/vision_cfg/image_size");
        size.and_then(sides)
    });
    let mut known = Known {
        normalise: Told::some(Normalise::L2, from),
        channels: Told::some(Channels::Rgb, from),
        divide_by: Told::some(255.0, from),
        mean: Told::some(three(preprocess.get("mean")).unwrap_or(CLIP_MEAN), from),
        std: Told::some(three(preprocess.get("std")).unwrap_or(CLIP_STD), from),
        size: size.and_then(|size| Told::some(size, from)),
        ..Known::default()
    };
    known.filter = match said("interpolation").unwrap_or("bicubic") {
        "bicubic" => Told::some(Filter::Bicubic, from),
        "bilinear" => Told::some(Filter::Bilinear, from),
        _ => None,
    };
    known.rule = match (said("resize_mode").unwrap_or("shortest"), size) {
        ("squash", _) => Told::some(Rule::Exact, from),
        ("shortest", Some((width, height))) if width == height => {
            let rule = Rule::ShortestEdge {
                edge: width,
                long_side: Rounding::Floor,
                crop_offset: Rounding::Round,
            };
            Told::some(rule, from)
        }
        (mode, _) => {
            known.no_rule = Some(format!(
                "{OPEN_CLIP} resizes by `{mode}`, which is not known here for this size"
            ));
            None
        }
    };
    known
}

/// Width and height of `224` or `[height, width]`.
fn sides(size: &Value) -> Option<(u32, u32)> {
    match size.as_array().map(Vec::as_slice) {
        Some([height, width]) => Some((whole(width)?, whole(height)?)),
        _ => both(size),
    }
}
