//! `models doctor` says what is equal, and names the stage that is not.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Ran, models, repo};

/// A copy of the model `name`, its files linked, its manifest and reference
/// free to be changed.
fn copy(dir: &Path, name: &str) -> PathBuf {
    copy_of(dir, &repo().join("models").join(name))
}

fn copy_of(dir: &Path, model: &Path) -> PathBuf {
    let folder = dir.join(model.file_name().unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(model).unwrap() {
        let from = entry.unwrap().path();
        let to = folder.join(from.file_name().unwrap());
        if from.extension().is_some_and(|e| e == "toml" || e == "json") {
            std::fs::copy(&from, &to).unwrap();
        } else if from.is_file() {
            std::os::unix::fs::symlink(&from, &to).unwrap();
        }
    }
    folder
}

fn change(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} holds {from:?}", file.display());
    std::fs::write(file, text.replace(from, to)).unwrap();
}

fn doctor(folder: &Path) -> Ran {
    models().args("doctor").arg(folder).run()
}

fn last_line(ran: &Ran) -> &str {
    ran.stdout.lines().last().unwrap()
}

#[test]
fn the_models_that_are_here_are_equal() {
    for name in ["lit-b0", "resnet50", "pixels"] {
        let ran = models().args("doctor").args(name).run().expect_code(0);
        assert_eq!(last_line(&ran), format!("{name}: equal"), "{ran:?}");
    }
}

#[test]
fn the_stage_that_differs_is_named() {
    for (model, from, to, blamed) in [
        (
            "pixels",
            "\"bilinear\"",
            "\"bicubic\"",
            "resize of pictures, vector of pictures",
        ),
        (
            "pixels",
            "divide_by = 255.0",
            "divide_by = 256.0",
            "normalise of pictures",
        ),
        (
            "lit-b0",
            "long_side = \"round\"",
            "long_side = \"floor\"",
            "resize of pictures",
        ),
        (
            "lit-b0",
            "mean = [0.485,",
            "mean = [0.5,",
            "normalise of pictures",
        ),
        (
            "resnet50",
            "channels = \"bgr\"",
            "channels = \"rgb\"",
            "normalise of pictures, vector of pictures",
        ),
        (
            "lit-b0",
            "context_length = 64",
            "context_length = 32",
            "tokenise of texts, vector of texts",
        ),
        (
            "resnet50",
            "normalise = \"l2\"",
            "normalise = \"none\"",
            "normalisation of pictures",
        ),
        (
            "resnet50",
            "output = \"embedding\"",
            "output = \"res5c_branch2c\"\ncut = true\npooling = \"global-average\"",
            "graph of pictures, vector of pictures",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let folder = copy(dir.path(), model);
        change(&folder.join("model.toml"), from, to);
        let ran = doctor(&folder).expect_code(3);
        let line = last_line(&ran);
        assert!(
            line.starts_with(&format!("{model}: differs in {blamed}")),
            "{to}: {ran:?}"
        );
    }
}

#[test]
fn an_inner_tensor_pooled_here_equals_the_graphs_own_pooling() {
    let dir = tempfile::tempdir().unwrap();
    let folder = copy(dir.path(), "resnet50");
    let manifest = folder.join("model.toml");
    // The last feature map: averaged over its 7 x 7 places it is the embedding.
    change(
        &manifest,
        "output = \"embedding\"",
        "output = \"activation_48\"\ncut = true\npooling = \"global-average\"",
    );
    let ran = doctor(&folder).expect_code(0);
    assert_eq!(last_line(&ran), "resnet50: equal");
}

/// Matrices, shared files and pooling, on layouts with made-up weights.
#[test]
fn a_wrong_pooling_is_told_from_a_wrong_graph() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["multilingual", "combined"] {
        let folder = copy_of(dir.path(), &repo().join("tests/fixtures/graphs").join(name));
        let ran = doctor(&folder).expect_code(0);
        assert_eq!(last_line(&ran), format!("{name}: equal"), "{ran:?}");
    }
    let folder = dir.path().join("multilingual");
    change(
        &folder.join("model.toml"),
        "pooling = \"mean\"",
        "pooling = \"cls\"",
    );
    let ran = doctor(&folder).expect_code(3);
    assert!(
        last_line(&ran).starts_with("multilingual: differs in pooling of texts"),
        "{ran:?}"
    );
    assert!(
        ran.stdout
            .contains("with `pooling = \"mean\"` they are equal"),
        "{ran:?}"
    );
}

#[test]
fn what_cannot_be_judged_never_passes_for_equal() {
    let dir = tempfile::tempdir().unwrap();
    let folder = copy(dir.path(), "lit-b0");
    std::fs::remove_file(folder.join("image.onnx")).unwrap();
    let ran = doctor(&folder).expect_code(3);
    let lines = ran
        .stdout
        .lines()
        .filter(|line| !line.starts_with("made with"));
    let lines: Vec<&str> = lines.collect();
    insta::assert_snapshot!("doctor_without_graph", lines.join("\n"));

    std::fs::remove_file(folder.join("reference.json")).unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let ran = doctor(&folder).expect_code(1);
    insta::assert_snapshot!("doctor_without_reference", ran.text(&hidden));
}

#[test]
fn a_damaged_reference_is_no_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let folder = copy(dir.path(), "pixels");
    let reference = folder.join("reference.json");
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    change(&reference, "\"version\": 1", "\"version\": 2");
    insta::assert_snapshot!(
        "doctor_other_version",
        doctor(&folder).expect_code(1).text(&hidden)
    );
    std::fs::write(&reference, "{").unwrap();
    insta::assert_snapshot!(
        "doctor_no_json",
        doctor(&folder).expect_code(1).text(&hidden)
    );
}

#[test]
fn scripts_get_every_stage() {
    let ran = models()
        .args("doctor pixels --format json")
        .run()
        .expect_code(0);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["verdict"], "equal");
    let names: Vec<&str> = document["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["decode", "resize", "normalise", "normalisation", "vector"]
    );
}
