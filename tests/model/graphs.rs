//! Every layout of the family, with made-up weights, against the library that
//! the architecture comes from: names, types, padding, pooling, matrix,
//! normalisation, cutting, fixed batches. `tests/fixtures/graphs/README.md`.

use std::path::{Path, PathBuf};

use milvus_image_search::embed::{TextTower, VisionTower, norm};
use milvus_image_search::model::Model;
use serde_json::Value;

use crate::golden::{cosine, embed, floats, runtime};
use crate::support::repo;

/// The model in the fixture `name`, in a folder that has its tokeniser too.
fn fixture(dir: &Path, name: &str) -> PathBuf {
    let fixtures = repo().join("tests/fixtures/graphs");
    let folder = dir.join(name);
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(fixtures.join(name)).unwrap() {
        let entry = entry.unwrap();
        std::os::unix::fs::symlink(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    let tokeniser = folder.join("tokenizer.json");
    if !tokeniser.exists() {
        let clip = repo().join("models/clip-vit-b-32/tokenizer.json");
        std::os::unix::fs::symlink(clip, tokeniser).unwrap();
    }
    folder
}

fn golden(name: &str) -> Value {
    let path = repo().join("tests/fixtures/graphs").join(name);
    serde_json::from_str(&std::fs::read_to_string(path.join("golden.json")).unwrap()).unwrap()
}

fn paths(golden: &Value) -> Vec<PathBuf> {
    let images = golden["images"].as_array().unwrap();
    images
        .iter()
        .map(|image| repo().join(image["picture"].as_str().unwrap()))
        .collect()
}

/// Least cosine to the reference over the fixture's pictures.
fn pictures(model: &Model, golden: &Value) -> f64 {
    let mut least = 1.0f64;
    for (image, path) in golden["images"]
        .as_array()
        .unwrap()
        .iter()
        .zip(paths(golden))
    {
        let ours = embed(model, &[&path]).pop().unwrap();
        assert!((norm(&ours) - 1.0).abs() < 1e-5, "{}", path.display());
        least = least.min(cosine(&ours, &floats(&image["embedding"])));
    }
    least
}

/// Least cosine to the reference over the fixture's texts, one by one and all
/// together; the ids are compared on the way.
fn texts(model: &Model, golden: &Value) -> f64 {
    let texts = golden["texts"].as_array().unwrap();
    let mut tower = TextTower::open(model, runtime(), 1).unwrap();
    let words: Vec<&str> = texts
        .iter()
        .map(|text| text["text"].as_str().unwrap())
        .collect();
    let together = tower.embed(&words).unwrap();
    let mut least = 1.0f64;
    for (text, together) in texts.iter().zip(together) {
        let words = text["text"].as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(text["ids"].clone()).unwrap();
        assert_eq!(
            tower.tokeniser().token_ids(words).unwrap(),
            ids,
            "{words:?}"
        );
        let reference = floats(&text["embedding"]);
        let alone = tower.embed(&[words]).unwrap().pop().unwrap().embedding;
        assert!((norm(&alone) - 1.0).abs() < 1e-5, "{words:?}");
        least = least.min(cosine(&alone, &reference));
        least = least.min(cosine(&together.embedding, &reference));
    }
    least
}

/// Pictures in one batch against one by one.
fn batch(model: &Model, golden: &Value) -> f32 {
    let paths = paths(golden);
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let together = embed(model, &paths[..8]);
    let mut worst = 0.0f32;
    for (path, together) in paths.iter().zip(together) {
        let alone = embed(model, &[path]).pop().unwrap();
        let apart = alone.iter().zip(&together).map(|(a, b)| (a - b).abs());
        worst = apart.fold(worst, f32::max);
    }
    worst
}

#[test]
fn every_layout_of_the_family_equals_its_library() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "clip",
        "clip-masked",
        "clip-fixed",
        "combined",
        "siglip",
        "siglip2",
        "multilingual",
        "simclr",
        "resnet-inner",
    ] {
        let model = Model::open(&fixture(dir.path(), name)).unwrap();
        model.verify().unwrap();
        let golden = golden(name);
        let least = pictures(&model, &golden);
        assert!(least >= 0.9999, "{name}: {least}");
        if model.manifest.knows_text() {
            let least = texts(&model, &golden);
            assert!(least >= 0.99999, "{name}, texts: {least}");
        }
        let worst = batch(&model, &golden);
        assert!(worst < 1e-5, "{name}, one by one or together: {worst}");
    }
}

/// What `[proof] least_cosine` allows is what these weights cost.
#[test]
fn smaller_numbers_cost_what_the_manifest_says() {
    let dir = tempfile::tempdir().unwrap();
    for (name, variant, least) in [
        ("clip-fp16", None, 0.9995),
        ("clip-fp16", Some("io"), 0.9995),
        ("clip-int8", None, 0.9),
    ] {
        let folder = dir.path().join(name);
        if !folder.exists() {
            fixture(dir.path(), name);
        }
        let model = match variant {
            None => Model::open(&folder).unwrap(),
            Some(variant) => Model::open_variant(&folder, variant).unwrap(),
        };
        let golden = golden(name);
        let found = pictures(&model, &golden);
        assert!(found >= least, "{name}: {found}");
    }
}

/// The shipped manifests drive the same layouts: what differs between a model
/// and its fixture is size, files and names of files alone.
#[test]
fn the_shipped_manifests_are_the_tested_ones() {
    let dir = tempfile::tempdir().unwrap();
    for (shipped, variant, tested) in [
        ("clip-vit-b-32", None, "clip"),
        ("clip-vit-b-32", Some("qdrant"), "clip-masked"),
        ("clip-vit-b-32", Some("immich"), "clip-fixed"),
        ("clip-vit-l-14", None, "clip"),
        ("fashion-clip", None, "combined"),
        ("siglip-b-16", None, "siglip"),
        ("siglip2-b-16", None, "siglip2"),
        ("clip-vit-b-32-multilingual", None, "multilingual"),
        ("simclr-resnet50", None, "simclr"),
        ("resnet50-zoo", None, "resnet-inner"),
    ] {
        let folder = repo().join("models").join(shipped);
        let model = match variant {
            None => Model::open(&folder).unwrap(),
            Some(variant) => Model::open_variant(&folder, variant).unwrap(),
        };
        let fixture_folder = dir.path().join(tested);
        if !fixture_folder.exists() {
            fixture(dir.path(), tested);
        }
        let fixture = Model::open(&fixture_folder).unwrap();
        let like = |model: &Model| {
            let mut vision = model.manifest.vision.clone();
            if let Some(onnx) = &mut vision.onnx {
                onnx.file.clear();
                // An inner tensor is called as its exporter liked.
                if onnx.cut && model.manifest.text.is_none() {
                    onnx.output.clear();
                }
            }
            let mut text = model.manifest.text.clone();
            if let Some(text) = &mut text {
                text.onnx.file.clear();
                text.tokenizer.clear();
                // What labels are put into touches no graph.
                (text.template, text.logit_scale) = (None, None);
                // Any id may fill up behind the pooled token, where none is masked.
                if shipped.starts_with("clip") || shipped.starts_with("fashion") {
                    text.pad_id = 0;
                }
            }
            (vision, text, model.manifest.normalise)
        };
        let (wanted, mut ours) = (like(&fixture), like(&model));
        if shipped == "siglip-b-16" {
            // Lower-cases as the fixture's tokeniser does by itself.
            ours.1.as_mut().unwrap().lower_case = false;
        }
        if variant == Some("immich") {
            // Immich crops and cleans its own way; the fixture as open_clip does.
            ours.0.resize = wanted.0.resize;
            let (text, as_wanted) = (ours.1.as_mut().unwrap(), wanted.1.as_ref().unwrap());
            (text.clean, text.lower_case) = (as_wanted.clean, as_wanted.lower_case);
        }
        assert_eq!(ours, wanted, "{shipped} and {tested}");
    }
}

/// A tower opened twice, on one thread and on two, gives the same.
#[test]
fn threads_change_nothing_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::open(&fixture(dir.path(), "clip")).unwrap();
    let golden = golden("clip");
    let path = paths(&golden).swap_remove(0);
    let tensors = crate::golden::tensors(&model, &[&path]);
    let vectors = [1, 2].map(|threads| {
        let mut tower = VisionTower::open(&model, Some(runtime()), threads).unwrap();
        tower.embed(&tensors, 1).unwrap().pop().unwrap().unwrap()
    });
    let apart = vectors[0]
        .iter()
        .zip(&vectors[1])
        .map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) < 1e-5);
}
