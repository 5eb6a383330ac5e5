//! The manifest, table by table.

use super::error::DraftError;
use super::facts::{Element, TensorFacts, listed};
use super::graph::{Side, choose, looks_like_classes, only_picture, pooling, tokens};
use super::known::{Known, Rule, Told};
use super::questions as ask;
use super::sheet::Sheet;
use super::{Draft, Material, Tower};
use crate::model::{FloatType, IntegerType, Layout, MANIFEST_VERSION, Normalise, Padding, Pooling};

/// What fact-bearing lines of graphs say of their origin.
const GRAPH: &str = "the graph";

/// Drafts a manifest.
///
/// # Errors
/// A graph cannot be described, or the two sides do not fit.
pub fn draft(material: &Material) -> Result<Draft, DraftError> {
    let dimension = dimension(material)?;
    let mut sheet = Sheet::default();
    head(&mut sheet, material, dimension);
    for file in &material.files {
        sheet.entry("files");
        sheet.plain("path", &file.path);
        if let Some(bytes) = &file.bytes {
            sheet.plain("bytes", bytes);
        }
        if let Some(sha256) = &file.sha256 {
            sheet.plain("sha256", sha256);
        }
    }
    vision(&mut sheet, material)?;
    if let Some((tower, tokenizer)) = &material.text {
        text(&mut sheet, tower, tokenizer, &material.known)?;
    }
    Ok(Draft {
        text: sheet.text,
        told: sheet.told,
        asked: sheet.asked,
    })
}

/// The length on which both sides agree, if either says one.
fn dimension(material: &Material) -> Result<Option<u32>, DraftError> {
    let of = |tower: &Tower, side| {
        let choice = choose(&tower.file, &tower.facts, side)?;
        let classes = tower.classes.as_ref() == Some(&choice.chosen.name);
        Ok(choice.chosen.dimension().filter(|_| !classes))
    };
    let image = of(&material.image, Side::Image)?;
    let text = match &material.text {
        Some((tower, _)) => of(tower, Side::Text)?,
        None => None,
    };
    match (image, text) {
        (Some(image), Some(text)) if image != text => Err(DraftError::Dimensions { image, text }),
        _ => Ok(image.or(text)),
    }
}

fn head(sheet: &mut Sheet, material: &Material, dimension: Option<u32>) {
    let graphs = match &material.text {
        Some((text, _)) if text.file != material.image.file => {
            format!("{} and {}", material.image.file, text.file)
        }
        _ => material.image.file.clone(),
    };
    sheet.comment(&format!(
        "Drafted by `models init` from {graphs}. A value has its origin beside it; where it is \"?\" the question stands above it."
    ));
    sheet.plain("version", &MANIFEST_VERSION);
    sheet.plain("name", &material.name);
    let kind = match &material.text {
        Some(_) => "text and images",
        None => "images only",
    };
    sheet.plain("title", &format!("{}, {kind}", material.name));
    sheet.put("licence", material.known.licence.as_ref(), ask::LICENCE);
    let dimension = dimension.and_then(|dimension| Told::some(dimension, GRAPH));
    sheet.put("dimension", dimension.as_ref(), ask::DIMENSION);
    let compared = material.text.as_ref();
    let compared = compared
        .and_then(|_| Told::some(Normalise::L2, "texts and pictures are compared by angle"));
    let normalise = material.known.normalise.clone().or(compared);
    sheet.put("normalise", normalise.as_ref(), ask::NORMALISE);
    sheet.table("source");
    sheet.plain("kind", &"shipped");
}

fn vision(sheet: &mut Sheet, material: &Material) -> Result<(), DraftError> {
    let known = &material.known;
    let tower = &material.image;
    let picture = only_picture(&tower.file, &tower.facts)?;
    let layout = layout(picture).or(known.layout.clone());
    let rows_first = layout
        .as_ref()
        .is_some_and(|layout| layout.value == Layout::Nhwc);
    let [height, width] = if rows_first { [1, 2] } else { [2, 3] };
    let side = |axis: usize, known: fn((u32, u32)) -> u32, size: &Option<Told<(u32, u32)>>| {
        let told = picture.axes[axis].and_then(|length| Told::some(length, GRAPH));
        told.or_else(|| {
            let size = size.as_ref()?;
            Told::some(known(size.value), &size.from)
        })
    };
    let width = side(width, |size| size.0, &known.size);
    let height = side(height, |size| size.1, &known.size);
    sheet.table("vision");
    sheet.put("width", width.as_ref(), ask::WIDTH);
    sheet.put("height", height.as_ref(), ask::HEIGHT);
    sheet.put("layout", layout.as_ref(), ask::LAYOUT);
    sheet.put("channels", known.channels.as_ref(), ask::CHANNELS);
    sheet.put("divide_by", known.divide_by.as_ref(), ask::DIVIDE_BY);
    sheet.put("mean", known.mean.as_ref(), ask::MEAN);
    sheet.put("std", known.std.as_ref(), ask::STD);
    resize(
        sheet,
        known,
        width.zip(height).map(|(w, h)| (w.value, h.value)),
    );
    vision_graph(sheet, tower, picture)
}

/// The order of the axes, where the colours or a custom show it.
fn layout(picture: &TensorFacts) -> Option<Told<Layout>> {
    match (picture.axes[1], picture.axes[3]) {
        (Some(3), _) => Told::some(Layout::Nchw, GRAPH),
        (_, Some(3)) => Told::some(Layout::Nhwc, GRAPH),
        _ if picture.name == "pixel_values" => {
            Told::some(Layout::Nchw, "Hugging Face's pixel_values")
        }
        _ => None,
    }
}

fn resize(sheet: &mut Sheet, known: &Known, size: Option<(u32, u32)>) {
    sheet.table("vision.resize");
    let fitting = known.rule.as_ref().and_then(|told| {
        let rule = fitted(told.value, known.size(), size?)?;
        Told::some(rule, &told.from)
    });
    if let Some(Told { value, from }) = &fitting {
        shaped(sheet, *value, from);
    } else {
        let why = known.no_rule.as_ref();
        let why = why.map_or(String::new(), |why| format!(" {why}."));
        sheet.ask("rule", &format!("{}{why}", ask::RULE));
        let edge = size.map_or(224, |(width, height)| width.max(height));
        sheet.comment(&format!("edge = {edge}"));
        sheet.comment(&format!("long_side = \"floor\" # {}", ask::LONG_SIDE));
        sheet.comment(&format!("crop_offset = \"floor\" # {}", ask::CROP_OFFSET));
    }
    sheet.put("filter", known.filter.as_ref(), ask::FILTER);
}

fn shaped(sheet: &mut Sheet, rule: Rule, from: &str) {
    let Rule::ShortestEdge {
        edge,
        long_side,
        crop_offset,
    } = rule
    else {
        return sheet.tell("rule", &"exact", from);
    };
    sheet.tell("rule", &"shortest-edge", from);
    sheet.tell("edge", &edge, from);
    sheet.tell("long_side", &long_side, from);
    sheet.tell("crop_offset", &crop_offset, from);
}

/// The rule for `size`, from one that was written for `before`.
fn fitted(rule: Rule, before: Option<(u32, u32)>, size: (u32, u32)) -> Option<Rule> {
    let Rule::ShortestEdge {
        edge,
        long_side,
        crop_offset,
    } = rule
    else {
        return Some(rule);
    };
    let (width, height) = before?;
    let edge = if before == Some(size) {
        edge
    } else if edge == width && edge == height {
        // Nothing is cut off a square picture, whatever its size.
        size.0.max(size.1)
    } else {
        return None;
    };
    Some(Rule::ShortestEdge {
        edge,
        long_side,
        crop_offset,
    })
}

fn vision_graph(sheet: &mut Sheet, tower: &Tower, picture: &TensorFacts) -> Result<(), DraftError> {
    sheet.table("vision.onnx");
    sheet.plain("file", &tower.file);
    sheet.tell("input", &picture.name, GRAPH);
    let dtype = match picture.element {
        Element::Float16 => FloatType::Float16,
        _ => FloatType::Float32,
    };
    sheet.tell("dtype", &dtype, GRAPH);
    output(sheet, tower, Side::Image)?;
    if let Some(batch) = picture.axes[0] {
        sheet.tell("batch", &batch, GRAPH);
    }
    Ok(())
}

/// `output`, `pooling` and `cut`.
fn output(sheet: &mut Sheet, tower: &Tower, side: Side) -> Result<(), DraftError> {
    let choice = choose(&tower.file, &tower.facts, side)?;
    if let Some(classes) = &tower.classes {
        let before = if *classes == choice.chosen.name {
            "Its name shows in a viewer of ONNX files.".to_owned()
        } else {
            format!(
                "The last layer, which makes `{classes}`, reads {}: the usual answer is \"{}\".",
                choice.chosen, choice.chosen.name
            )
        };
        sheet.ask(
            "output",
            &format!("This looks like a classifier: name the tensor before the last layer, with cut = true. {before}"),
        );
        sheet.plain("cut", &true);
    } else {
        if !choice.others.is_empty() {
            sheet.comment(&format!(
                "The graph's other outputs: {}.",
                others(&choice.others)
            ));
        }
        sheet.tell("output", &choice.chosen.name, GRAPH);
        if tower.cut {
            sheet.tell("cut", &true, "the file holds the other side too");
        }
    }
    match pooling(choice.chosen) {
        Some([Pooling::None]) | None => {}
        Some([one]) => sheet.tell("pooling", one, GRAPH),
        Some(_) => sheet.ask("pooling", ask::TOKEN_POOLING),
    }
    Ok(())
}

fn others(others: &[&TensorFacts]) -> String {
    let described = others.iter().map(|output| {
        let said = listed([*output]);
        if looks_like_classes(output) {
            format!("{said} (classes or scores)")
        } else {
            said
        }
    });
    described.collect::<Vec<_>>().join("; ")
}

fn text(
    sheet: &mut Sheet,
    tower: &Tower,
    tokenizer: &str,
    known: &Known,
) -> Result<(), DraftError> {
    let (ids, mask) = tokens(&tower.file, &tower.facts)?;
    let fixed = ids.axes[1].and_then(|length| Told::some(length, "the graph, which fixes it"));
    let padding = if let Some(fixed) = &fixed {
        Told::some(Padding::Fixed, &fixed.from)
    } else {
        let masked =
            mask.and_then(|_| Told::some(Padding::Longest, "the graph, which takes a mask"));
        known.padding.clone().or(masked)
    };
    let length = fixed.or(known.context_length.clone());
    sheet.table("text");
    sheet.plain("tokenizer", &tokenizer);
    sheet.put("context_length", length.as_ref(), ask::CONTEXT_LENGTH);
    sheet.put("padding", padding.as_ref(), ask::PADDING);
    sheet.put("pad_id", known.pad_id.as_ref(), ask::PAD_ID);
    if let Some(clean) = &known.clean {
        sheet.tell("clean", &clean.value, &clean.from);
    }
    if let Some(lower_case) = &known.lower_case {
        sheet.tell("lower_case", &lower_case.value, &lower_case.from);
    }
    sheet.table("text.onnx");
    sheet.plain("file", &tower.file);
    sheet.tell("input_ids", &ids.name, GRAPH);
    if let Some(mask) = mask {
        sheet.tell("attention_mask", &mask.name, GRAPH);
    }
    let dtype = match ids.element {
        Element::Int32 => IntegerType::Int32,
        _ => IntegerType::Int64,
    };
    sheet.tell("dtype", &dtype, GRAPH);
    output(sheet, tower, Side::Text)?;
    if let Some(batch) = ids.axes[0] {
        sheet.tell("batch", &batch, GRAPH);
    }
    Ok(())
}
