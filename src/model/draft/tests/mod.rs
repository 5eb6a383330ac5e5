//! Facts and side files in, a manifest with its questions out.

mod files;
mod graphs;

use super::*;
use crate::model::Manifest;

fn tensor(name: &str, element: Element, axes: &[i64]) -> TensorFacts {
    TensorFacts {
        name: name.to_owned(),
        element,
        axes: axes.iter().map(|axis| u32::try_from(*axis).ok()).collect(),
    }
}

fn float(name: &str, axes: &[i64]) -> TensorFacts {
    tensor(name, Element::Float32, axes)
}

fn token(name: &str, axes: &[i64]) -> TensorFacts {
    tensor(name, Element::Int64, axes)
}

fn graph(inputs: &[TensorFacts], outputs: &[TensorFacts]) -> GraphFacts {
    GraphFacts {
        inputs: inputs.to_vec(),
        outputs: outputs.to_vec(),
    }
}

fn tower(file: &str, facts: GraphFacts) -> Tower {
    Tower {
        file: file.to_owned(),
        facts,
        cut: false,
        classes: None,
    }
}

fn file(path: &str) -> ModelFile {
    ModelFile {
        path: path.to_owned(),
        remote: None,
        repository: None,
        revision: None,
        bytes: Some(3),
        sha256: Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned()),
    }
}

fn beside(files: &[(&'static str, &str)]) -> Known {
    let files = files.iter().map(|(name, text)| (*name, (*text).to_owned()));
    Known::beside(&files.collect()).unwrap()
}

fn picture() -> TensorFacts {
    float("pixel_values", &[-1, 3, 224, 224])
}

fn image(facts: GraphFacts, known: Known) -> Material {
    Material {
        name: "mine".to_owned(),
        image: tower("image.onnx", facts),
        text: None,
        files: vec![file("image.onnx")],
        known,
    }
}

fn with_text(facts: GraphFacts, known: Known) -> Material {
    let images = graph(&[picture()], &[float("image_embeds", &[-1, 512])]);
    let mut material = image(images, known);
    material.text = Some((tower("text.onnx", facts), "tokenizer.json".to_owned()));
    material
        .files
        .extend([file("text.onnx"), file("tokenizer.json")]);
    material
}

const CLIP_PROCESSOR: &str = r#"{
    "crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "do_convert_rgb": true,
    "do_normalize": true, "do_rescale": true, "do_resize": true,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "CLIPImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 224}}"#;

/// Keys of a drafted manifest as `key = value`, without their origins.
fn keys(draft: &Draft) -> Vec<String> {
    let lines = draft.text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| line.split(" # ").next().unwrap().to_owned());
    lines.filter(|line| line.contains(" = ")).collect()
}

#[track_caller]
fn says(draft: &Draft, expected: &[&str]) {
    let keys = keys(draft);
    for expected in expected {
        assert!(
            keys.iter().any(|key| key == expected),
            "{expected} in\n{}",
            draft.text
        );
    }
}

fn asked(draft: &Draft) -> Vec<&str> {
    let keys = draft
        .asked
        .iter()
        .map(|line| line.split(": ").nth(1).unwrap());
    keys.collect()
}

#[test]
fn a_bare_graph_leaves_what_it_cannot_say_open() {
    let facts = graph(&[picture()], &[float("embedding", &[-1, 512])]);
    let drafted = draft(&image(facts, Known::default())).unwrap();
    insta::assert_snapshot!("bare", drafted.text);
    let error = Manifest::parse(&drafted.text)
        .expect_err("open")
        .to_string();
    assert!(error.contains("8 questions are open"), "{error}");
    // Each question names its own line.
    for line in &drafted.asked {
        let number: usize = line.split([' ', ':']).nth(1).unwrap().parse().unwrap();
        let asking = drafted.text.lines().nth(number - 1).unwrap();
        assert!(asking.ends_with("= \"?\""), "{line}: {asking}");
    }
    let answered = drafted
        .text
        .replace("licence = \"?\"", "licence = \"MIT\"")
        .replace("normalise = \"?\"", "normalise = \"l2\"")
        .replace("channels = \"?\"", "channels = \"rgb\"")
        .replace("divide_by = \"?\"", "divide_by = 255.0")
        .replace("mean = \"?\"", "mean = [0.0, 0.0, 0.0]")
        .replace("std = \"?\"", "std = [1.0, 1.0, 1.0]")
        .replace("rule = \"?\"", "rule = \"shortest-edge\"")
        .replace("# edge", "edge")
        .replace("# long_side", "long_side")
        .replace("# crop_offset", "crop_offset")
        .replace("filter = \"?\"", "filter = \"bicubic\"");
    let manifest = Manifest::parse(&answered).unwrap();
    assert_eq!(manifest.dimension, 512);
}

#[test]
fn a_clip_with_its_files_leaves_the_licence_open() {
    let known = beside(&[
        ("preprocessor_config.json", CLIP_PROCESSOR),
        (
            "config.json",
            r#"{"model_type": "clip", "text_config": {"max_position_embeddings": 77}}"#,
        ),
        (
            "tokenizer_config.json",
            r#"{"model_max_length": 77, "pad_token": "<|endoftext|>"}"#,
        ),
        (
            "tokenizer.json",
            r#"{"added_tokens": [], "model": {"vocab": {"a": 1, "<|endoftext|>": 49407}},
            "padding": {"strategy": "BatchLongest", "pad_id": 0}}"#,
        ),
    ]);
    let words = graph(
        &[token("input_ids", &[-1, -1])],
        &[float("text_embeds", &[-1, 512])],
    );
    let drafted = draft(&with_text(words, known)).unwrap();
    insta::assert_snapshot!("clip", drafted.text);
    assert_eq!(asked(&drafted), ["licence"]);
    Manifest::parse(&drafted.text.replace("\"?\"", "\"MIT\"")).unwrap();
}

#[test]
fn a_model_like_a_known_one_has_no_questions() {
    let like =
        Manifest::parse(include_str!("../../../../models/clip-vit-b-32/model.toml")).unwrap();
    let words = graph(
        &[tensor("text", Element::Int32, &[1, 77])],
        &[float("embedding", &[1, 512])],
    );
    let mut material = with_text(words, Known::of_model(&like));
    material.image.facts.inputs[0].axes[0] = Some(1);
    let drafted = draft(&material).unwrap();
    insta::assert_snapshot!("like", drafted.text);
    assert_eq!(drafted.asked, [""; 0]);
    let mine = Manifest::parse(&drafted.text).unwrap();
    assert_eq!(mine.vision.resize, like.vision.resize);
    assert_eq!(
        mine.vision.mean.map(f32::to_bits),
        like.vision.mean.map(f32::to_bits)
    );
    let text = mine.text.unwrap();
    assert_eq!((text.onnx.batch, text.context_length), (Some(1), 77));
}

#[test]
fn what_the_user_named_goes_before_what_lies_beside() {
    let like = Manifest::parse(include_str!("../../../../models/resnet50/model.toml")).unwrap();
    let known = Known::of_model(&like).or(beside(&[("preprocessor_config.json", CLIP_PROCESSOR)]));
    let facts = graph(&[picture()], &[float("embedding", &[-1, 512])]);
    let drafted = draft(&image(facts, known)).unwrap();
    says(
        &drafted,
        &[
            "channels = \"bgr\"",
            "divide_by = 1.0",
            "edge = 256",
            "licence = \"MIT\"",
        ],
    );
    // Another size than the known model's: its edge of 256 says nothing of it.
    let other = graph(
        &[float("x", &[-1, 3, 384, 384])],
        &[float("embedding", &[-1, 512])],
    );
    let drafted = draft(&image(other, Known::of_model(&like))).unwrap();
    assert_eq!(asked(&drafted), ["vision.resize.rule"]);
}
