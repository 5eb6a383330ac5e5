//! Any text as a `model.toml`: what is accepted stays accepted when it is
//! written anew, every variant of it too, and pictures can be made ready for it.

#![no_main]

use fuzz::within;
use libfuzzer_sys::{Corpus, fuzz_target};
use milvus_image_search::entity::{Hint, chain};
use milvus_image_search::imaging::{Preprocess, RgbImage};
use milvus_image_search::model::{Manifest, ManifestProblem, ModelError, Vision};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Corpus::Reject;
    };
    match within(most_bytes(text), || Manifest::parse(text)) {
        Ok(manifest) => accepted(text, &manifest),
        Err(problem) => refused(text, problem),
    }
    Corpus::Keep
});

/// Syntax trees take a multiple of the text, and each variant is the whole text
/// once more.
fn most_bytes(text: &str) -> usize {
    (1 << 20) + 1000 * text.len()
}

fn accepted(text: &str, manifest: &Manifest) {
    assert_eq!(manifest.base_name(), manifest.name, "{manifest:?}");
    let written = toml::to_string(manifest).expect("a manifest can be written");
    match Manifest::parse(&written) {
        Ok(again) => assert_eq!(&again, manifest, "{written}"),
        // '?' in other quotes was no question.
        Err(ManifestProblem::Open { .. }) => {}
        Err(problem) => panic!("{problem}\n{written}"),
    }
    usable(&manifest.vision);
    for name in manifest.variants.keys() {
        let variant = manifest.variant(text, name).expect("a variant of it");
        assert_eq!(variant.name, format!("{}:{name}", manifest.name));
        assert_eq!(variant.base_name(), manifest.name);
        usable(&variant.vision);
    }
    let none = manifest.variant(text, "\0no such variant");
    assert!(none.is_err(), "{none:?}");
}

/// A small picture becomes a tensor of numbers; of it only a part is made, which
/// is quick.
fn usable(vision: &Vision) {
    let vision = Vision {
        width: vision.width.min(16),
        height: vision.height.min(16),
        ..vision.clone()
    };
    let (width, height) = (5, 3);
    let pixels = (0..width * height * 3).map(|at| (at * 5) as u8).collect();
    let image = RgbImage {
        width,
        height,
        pixels,
    };
    let mut preprocess = Preprocess::new(&vision);
    let mut tensor = vec![f32::NAN; preprocess.tensor_len()];
    preprocess.write_tensor(&image, &mut tensor);
    assert!(tensor.iter().all(|value| value.is_finite()), "{vision:?}");
}

/// A refusal says something, and not a multiple of the file.
fn refused(text: &str, source: ManifestProblem) {
    let path = "model.toml".into();
    let error = ModelError::Manifest { path, source };
    let said = chain(&error);
    assert!(!said.is_empty() && error.hint().is_some(), "{said}");
    assert!(said.len() <= 1000 + 20 * text.len(), "{said}");
}
