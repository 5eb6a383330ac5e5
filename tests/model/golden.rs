//! Vectors equal to those that the same graphs give in Python, from the same
//! files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine;
use milvus_image_search::config::ImageLimits;
use milvus_image_search::embed::{Runtime, TextTower, VisionTower, norm};
use milvus_image_search::imaging::{Preprocess, RgbImage, decode};
use milvus_image_search::model::{Model, Normalise};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::repo;

/// ONNX Runtime allows one environment a process.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| Runtime::load().unwrap_or_else(|error| panic!("{error}: run `make test`")))
}

fn model(name: &str) -> Model {
    let model = Model::open(&repo().join("models").join(name)).unwrap();
    model
        .verify()
        .unwrap_or_else(|error| panic!("{error}: run `make test`, which builds it"));
    model
}

fn golden(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(repo().join(path)).unwrap()).unwrap()
}

/// The twelve pictures of lit-b0's references.
fn lit_b0_pictures() -> Vec<PathBuf> {
    let folder = repo().join("tests/fixtures/lit-b0");
    let golden = golden("tests/fixtures/lit-b0/golden.json");
    let entries = golden["images"].as_array().unwrap();
    let names = entries.iter().map(|entry| entry["path"].as_str().unwrap());
    names.map(|name| folder.join(name)).collect()
}

pub(crate) fn floats(base64: &Value) -> Vec<f32> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(base64.as_str().unwrap())
        .unwrap();
    let numbers = bytes.chunks_exact(4);
    numbers
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum();
    dot / norm(a) / norm(b)
}

pub(crate) fn tensors(model: &Model, pictures: &[&Path]) -> Vec<f32> {
    let mut preprocess = Preprocess::new(&model.manifest.vision);
    let mut tensors = vec![0.0; preprocess.tensor_len() * pictures.len()];
    let places = tensors.chunks_exact_mut(preprocess.tensor_len());
    for (picture, place) in pictures.iter().zip(places) {
        let bytes = std::fs::read(picture).unwrap();
        let image = decode(&bytes, &ImageLimits::default()).unwrap();
        preprocess.write_tensor(&image, place);
    }
    tensors
}

pub(crate) fn embed(model: &Model, pictures: &[&Path]) -> Vec<Vec<f32>> {
    let mut tower = VisionTower::open(model, Some(runtime()), 1).unwrap();
    let vectors = tower
        .embed(&tensors(model, pictures), pictures.len())
        .unwrap();
    vectors.into_iter().map(Result::unwrap).collect()
}

#[test]
fn lit_b0_pictures_equal_the_reference() {
    let model = model("lit-b0");
    let golden = golden("tests/fixtures/lit-b0/golden.json");
    let entries = golden["images"].as_array().unwrap();
    assert_eq!(entries.len(), 12);
    for entry in entries {
        let name = entry["path"].as_str().unwrap();
        let path = repo().join("tests/fixtures/lit-b0").join(name);
        let ours = embed(&model, &[&path]).pop().unwrap();
        let cosine = cosine(&ours, &floats(&entry["f32_base64"]));
        assert!(cosine >= 0.9999, "{name}: {cosine}");
        assert!((norm(&ours) - 1.0).abs() < 1e-5, "{name}");
    }
}

#[test]
fn lit_b0_texts_equal_the_reference() {
    let model = model("lit-b0");
    let golden = golden("tests/fixtures/lit-b0/golden.json");
    let mut tower = TextTower::open(&model, runtime(), 1).unwrap();
    let entries = golden["texts"].as_array().unwrap();
    let texts: Vec<&str> = entries
        .iter()
        .map(|entry| entry["text"].as_str().unwrap())
        .collect();
    let together = tower.embed(&texts).unwrap();
    for (entry, together) in entries.iter().zip(together) {
        let text = entry["text"].as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(entry["input_ids"].clone()).unwrap();
        assert_eq!(tower.tokeniser().token_ids(text).unwrap(), ids, "{text}");
        let alone = tower.embed(&[text]).unwrap().pop().unwrap();
        let reference = floats(&entry["f32_base64"]);
        assert!(cosine(&alone.embedding, &reference) >= 0.9999, "{text}");
        assert!(
            cosine(&together.embedding, &reference) >= 0.9999,
            "{text} in a batch"
        );
        assert!((norm(&alone.embedding) - 1.0).abs() < 1e-5, "{text}");
    }
}

#[test]
fn long_texts_are_cut_and_it_is_said() {
    let model = model("lit-b0");
    let mut tower = TextTower::open(&model, runtime(), 1).unwrap();
    let long = "red handbag ".repeat(100);
    let embedded = tower.embed(&["red handbag", &long]).unwrap();
    assert_eq!(
        (embedded[0].truncated, embedded[1].truncated),
        (false, true)
    );
    assert_eq!(tower.tokeniser().token_ids(&long).unwrap().len(), 64);
    let alone = tower.embed(&["red handbag"]).unwrap().pop().unwrap();
    assert!(
        cosine(&alone.embedding, &embedded[0].embedding) > 0.99999,
        "padding changes nothing"
    );
}

#[test]
fn resnet50_equals_the_reference() {
    let model = model("resnet50");
    let golden = golden("models/resnet50/golden/golden.json");
    for entry in golden["pictures"].as_array().unwrap() {
        let name = entry["file"].as_str().unwrap();
        let path = repo().join("models/resnet50/golden").join(name);
        let ours = embed(&model, &[&path]).pop().unwrap();
        let cosine = cosine(&ours, &floats(&entry["embedding"]));
        assert!(cosine >= 0.9999, "{name}: {cosine}");
        assert!((norm(&ours) - 1.0).abs() < 1e-5, "{name}");
    }
}

/// The classifier's output, reached by a manifest that names it, against the
/// same graph in Python on every picture of the gallery.
#[test]
fn resnet50_gives_the_labels_that_it_gives_in_python() {
    let mut model = model("resnet50");
    model.manifest.dimension = 1000;
    model.manifest.normalise = Normalise::None;
    model.manifest.vision.onnx.as_mut().unwrap().output = "probabilities".to_owned();
    let labels = std::fs::read_to_string(repo().join("models/resnet50/labels.txt")).unwrap();
    let labels: Vec<&str> = labels.lines().collect();
    let expected = golden("models/resnet50/gallery.json");
    let pictures = expected["pictures"].as_array().unwrap();
    let mut tower = VisionTower::open(&model, Some(runtime()), 2).unwrap();
    let mut same = 0;
    let mut label = std::collections::BTreeMap::new();
    for picture in pictures {
        let name = picture["file"].as_str().unwrap();
        let path = repo().join("tests/gallery").join(name);
        let scores = tower.embed(&tensors(&model, &[&path]), 1).unwrap();
        let scores = scores.into_iter().next().unwrap().unwrap();
        let best = (0..1000).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let best = labels[best.unwrap()];
        same += usize::from(best == picture["top1"]);
        label.insert(name, best);
    }
    assert_eq!(pictures.len(), 138);
    assert!(same * 100 >= pictures.len() * 99, "{same} of 138 labels");
    // The photographs of things that ImageNet has a class for, and knows.
    for (photo, right) in [
        ("photos/chelsea.png", "Egyptian_cat"),
        ("photos/coffee.jpg", "espresso"),
        ("photos/french-alpine-landscape.jpg", "alp"),
        ("photos/march-pastoral.jpg", "ram"),
    ] {
        assert_eq!(label[photo], right);
    }
}

/// Every picture that decodes has a finite vector of the stated length.
#[test]
fn every_picture_that_decodes_has_a_vector() {
    let mut seen = 0;
    for name in ["lit-b0", "pixels"] {
        let model = model(name);
        let runtime = model.manifest.vision.onnx.as_ref().map(|_| runtime());
        let mut tower = VisionTower::open(&model, runtime, 2).unwrap();
        for entry in std::fs::read_dir(repo().join("tests/fixtures/images")).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            if let Ok(image) = decode(&bytes, &ImageLimits::default()) {
                seen += 1;
                is_a_vector(&model, &mut tower, &image);
            }
        }
    }
    assert!(seen >= 2 * 40, "{seen} pictures");
}

fn is_a_vector(model: &Model, tower: &mut VisionTower, image: &RgbImage) {
    let mut preprocess = Preprocess::new(&model.manifest.vision);
    let mut tensor = vec![0.0; preprocess.tensor_len()];
    preprocess.write_tensor(image, &mut tensor);
    let vector = tower.embed(&tensor, 1).unwrap().pop().unwrap().unwrap();
    assert_eq!(vector.len(), model.manifest.dimension);
    assert!(vector.iter().all(|number| number.is_finite()));
    if model.manifest.normalise == Normalise::L2 {
        assert!((norm(&vector) - 1.0).abs() < 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any pixels at all, in any shape, have a finite vector of length 1.
    #[test]
    fn any_pixels_have_a_vector(
        width in 1u32..700, height in 1u32..700, seed: u32, step in 0u32..97,
    ) {
        let value = |place: u32| {
            let mixed = (seed ^ place.wrapping_mul(step)).wrapping_mul(2_654_435_761);
            mixed.to_be_bytes()[0]
        };
        let pixels = (0..width * height * 3).map(value).collect();
        let image = RgbImage { width, height, pixels };
        let model = model("lit-b0");
        let mut tower = VisionTower::open(&model, Some(runtime()), 2).unwrap();
        is_a_vector(&model, &mut tower, &image);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// In batches of one size neither neighbours nor places change a bit, filled
    /// up or not.
    #[test]
    fn in_batches_of_one_size_no_bit_changes(
        orders in prop::collection::vec(prop::collection::vec(0usize..12, 1..9), 2),
        threads in 1usize..3,
        name in prop::sample::select(vec!["lit-b0", "resnet50"]),
    ) {
        let model = model(name);
        let paths = lit_b0_pictures();
        let tower = VisionTower::open(&model, Some(runtime()), threads).unwrap();
        let mut tower = tower.in_batches_of(8);
        let mut seen: HashMap<usize, Vec<f32>> = HashMap::new();
        for order in orders {
            let batch: Vec<&Path> = order.iter().map(|place| paths[*place].as_path()).collect();
            let vectors = tower.embed(&tensors(&model, &batch), batch.len()).unwrap();
            for (picture, vector) in order.into_iter().zip(vectors) {
                let vector = vector.unwrap();
                let before = seen.entry(picture).or_insert_with(|| vector.clone());
                prop_assert_eq!(&*before, &vector);
            }
        }
    }

    /// Neighbours and places in a batch never change a vector.
    #[test]
    fn a_batch_changes_nothing(order in prop::collection::vec(0usize..12, 1..9)) {
        let model = model("lit-b0");
        let paths = lit_b0_pictures();
        let batch: Vec<&Path> = order.iter().map(|place| paths[*place].as_path()).collect();
        let together = embed(&model, &batch);
        for (picture, vector) in batch.iter().zip(together) {
            let alone = embed(&model, &[picture]).pop().unwrap();
            let worst = alone.iter().zip(&vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            prop_assert!(worst < 1e-5, "{worst}");
        }
    }
}
