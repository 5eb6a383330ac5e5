//! A manifest that its graph contradicts is refused by name.

use std::path::Path;

use crate::support::{models, repo};

/// A copy of `lit-b0` with another manifest; the files are linked.
fn variant(dir: &Path, changes: &[(&str, &str)]) -> std::path::PathBuf {
    let original = repo().join("models/lit-b0");
    let folder = dir.join("lit-b0");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["image.onnx", "text.onnx", "tokenizer.json"] {
        let link = folder.join(file);
        if !link.exists() {
            std::os::unix::fs::symlink(original.join(file), link).unwrap();
        }
    }
    let mut manifest = std::fs::read_to_string(original.join("model.toml")).unwrap();
    for (from, to) in changes {
        assert!(manifest.contains(from), "{from}");
        manifest = manifest.replace(from, to);
    }
    std::fs::write(folder.join("model.toml"), manifest).unwrap();
    folder
}

#[test]
fn what_the_graph_does_not_have_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    for (name, from, to) in [
        (
            "no_such_output",
            "output = \"image_embeds\"",
            "output = \"pooled\"",
        ),
        (
            "no_such_input",
            "input = \"pixel_values\"",
            "input = \"image\"",
        ),
        ("wrong_dimension", "dimension = 320", "dimension = 512"),
        (
            "wrong_size",
            "width = 224\nheight = 224",
            "width = 192\nheight = 224",
        ),
        ("wrong_layout", "layout = \"nchw\"", "layout = \"nhwc\""),
        (
            "fixed_batch",
            "output = \"image_embeds\"",
            "output = \"image_embeds\"\nbatch = 4",
        ),
        (
            "mask_not_named",
            "attention_mask = \"attention_mask\"\n",
            "",
        ),
        ("wrong_integer", "dtype = \"int64\"", "dtype = \"int32\""),
        (
            "pooled_twice",
            "output = \"text_embeds\"",
            "output = \"text_embeds\"\npooling = \"mean\"",
        ),
        ("pad_token", "pad_id = 0", "pad_id = 999999"),
    ] {
        let folder = variant(dir.path(), &[(from, to)]);
        let ran = models().args("check").arg(&folder).run();
        if name == "fixed_batch" {
            // A graph that takes any number takes four.
            assert_eq!(ran.code, Some(0), "{ran:?}");
            continue;
        }
        assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
        insta::assert_snapshot!(name, ran.text(&hidden));
    }
}

#[test]
fn files_that_are_missing_or_different_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let folder = variant(dir.path(), &[("bytes = 527496", "bytes = 527497")]);
    let check = || models().args("check").arg(&folder).run();
    insta::assert_snapshot!("other_size", check().text(&hidden));
    variant(
        dir.path(),
        &[("sha256 = \"4dcdd2c4", "sha256 = \"00000000")],
    );
    insta::assert_snapshot!("other_hash", check().text(&hidden));
    variant(dir.path(), &[]);
    std::fs::remove_file(folder.join("text.onnx")).unwrap();
    insta::assert_snapshot!("missing_file", check().text(&hidden));
}

#[test]
fn a_check_says_what_came_out() {
    for (name, lines) in [("lit-b0", 3), ("resnet50", 2), ("pixels", 2)] {
        let ran = models().args("check").args(name).run().expect_code(0);
        assert_eq!(ran.stdout.lines().count(), lines, "{ran:?}");
        assert!(ran.stdout.contains("norm"), "{ran:?}");
    }
}

/// The command that users run, against a folder that serves as a mirror.
#[test]
fn a_pull_brings_what_is_missing_from_a_mirror() {
    let dir = tempfile::tempdir().unwrap();
    let folder = variant(dir.path(), &[]);
    std::fs::remove_file(folder.join("text.onnx")).unwrap();
    let mirror = repo().join("models");
    let pull = models()
        .args("pull")
        .arg(&folder)
        .args("--from")
        .arg(&mirror);
    let pulled = pull.run().expect_code(0);
    assert_eq!(pulled.stdout, "lit-b0: 1 fetched, 2 here already\n");
    models().args("check").arg(&folder).run().expect_code(0);
    assert_eq!(
        pull.run().expect_code(0).stdout,
        "lit-b0: 0 fetched, 3 here already\n"
    );
}
