//! `models init` on real graphs: what it tells, what it asks, and that the
//! answered manifest gives the vectors of the shipped one.

use std::path::{Path, PathBuf};

use milvus_image_search::config::ImageLimits;
use milvus_image_search::embed::{TextTower, VisionTower};
use milvus_image_search::imaging::{Preprocess, decode};
use milvus_image_search::model::Model;

use crate::golden::runtime;
use crate::made_graphs;
use crate::support::{Run, models, repo};

/// A folder `mine` with files of `models/FROM`, linked.
fn folder(dir: &Path, from: &str, files: &[&str]) -> PathBuf {
    let folder = dir.join("mine");
    std::fs::create_dir_all(&folder).unwrap();
    for file in files {
        let original = repo().join("models").join(from).join(file);
        std::os::unix::fs::symlink(original, folder.join(file)).unwrap();
    }
    folder
}

fn init(image: &Path) -> Run {
    models().args("init").arg(image)
}

/// `init` on the two graphs of `lit-b0`, beside their tokeniser.
fn init_lit(folder: &Path) -> Run {
    let text = folder.join("text.onnx");
    init(&folder.join("image.onnx")).args("--text").arg(text)
}

const LIT: &[&str] = &["image.onnx", "text.onnx", "tokenizer.json"];

fn manifest(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("model.toml")).unwrap()
}

/// The vector of one picture and of one text, to the bit.
fn vectors(folder: &Path) -> Vec<Vec<u32>> {
    let model = Model::open(folder).unwrap();
    let picture = repo().join("tests/fixtures/lit-b0/images/chelsea.png");
    let picture = decode(&std::fs::read(picture).unwrap(), &ImageLimits::default()).unwrap();
    let mut preprocess = Preprocess::new(&model.manifest.vision);
    let mut tensor = vec![0.0; preprocess.tensor_len()];
    preprocess.write_tensor(&picture, &mut tensor);
    let mut vision = VisionTower::open(&model, Some(runtime()), 1).unwrap();
    let mut text = TextTower::open(&model, runtime(), 1).unwrap();
    let image = vision.embed(&tensor, 1).unwrap().remove(0).unwrap();
    let words = text
        .embed(&["a photo of a cat"])
        .unwrap()
        .remove(0)
        .embedding;
    let bits = |vector: Vec<f32>| vector.into_iter().map(f32::to_bits).collect();
    vec![bits(image), bits(words)]
}

#[test]
fn questions_are_refused_until_they_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let folder = folder(dir.path(), "lit-b0", LIT);
    let ran = init_lit(&folder).run().expect_code(0);
    insta::assert_snapshot!("lit_report", ran.text(&hidden));
    let drafted = manifest(&folder);
    insta::assert_snapshot!("lit_manifest", drafted);
    assert!(!folder.join("model.toml.part").exists());

    let check = || models().args("check").arg(&folder).run();
    insta::assert_snapshot!("lit_open", check().text(&hidden));
    let mut answered = drafted;
    for (question, answer) in [
        ("licence = \"?\"", "licence = \"Apache-2.0\""),
        ("channels = \"?\"", "channels = \"rgb\""),
        ("divide_by = \"?\"", "divide_by = 255.0"),
        ("mean = \"?\"", "mean = [0.485, 0.456, 0.406]"),
        ("std = \"?\"", "std = [0.229, 0.224, 0.225]"),
        ("rule = \"?\"", "rule = \"shortest-edge\""),
        ("# edge = 224", "edge = 224"),
        ("# long_side = \"floor\"", "long_side = \"round\""),
        ("# crop_offset = \"floor\"", "crop_offset = \"floor\""),
        ("filter = \"?\"", "filter = \"bicubic\""),
        ("context_length = \"?\"", "context_length = 64"),
        ("pad_id = \"?\"", "pad_id = 0"),
    ] {
        // A tokeniser that tells its own is not asked.
        answered = answered.replace(question, answer);
    }
    std::fs::write(folder.join("model.toml"), answered).unwrap();
    assert_eq!(check().expect_code(0).stdout.lines().count(), 3);
    assert_eq!(vectors(&folder), vectors(&repo().join("models/lit-b0")));
}

#[test]
fn a_known_model_answers_all() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let lit = repo().join("models/lit-b0");
    let out = dir.path().join("mine");
    let like = |model: &str| {
        init_lit(&lit)
            .args("--like")
            .args(model)
            .args("--out")
            .arg(&out)
    };

    let dry = like("clip-vit-b-32").args("--dry-run").run().expect_code(0);
    insta::assert_snapshot!("like_clip", dry.text(&hidden));
    assert!(!out.exists(), "a dry run writes nothing");

    like("lit-b0").run().expect_code(0);
    let written = std::fs::read_dir(&out).unwrap().count();
    assert_eq!(written, 4, "three files and their manifest");
    models().args("check").arg(&out).run().expect_code(0);
    assert_eq!(vectors(&out), vectors(&lit));

    let again = like("lit-b0").run().expect_code(1);
    insta::assert_snapshot!("there_already", again.text(&hidden));
    like("lit-b0").args("--force --quiet").run().expect_code(0);
}

#[test]
fn a_graph_with_classes_and_features_gives_its_features() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "resnet50", &["model.onnx"]);
    let like = init(&folder.join("model.onnx")).args("--like resnet50");
    like.run().expect_code(0);
    insta::assert_snapshot!("resnet50_manifest", manifest(&folder));
    models().args("check").arg(&folder).run().expect_code(0);
}

#[test]
fn what_cannot_be_described_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let folder = folder(dir.path(), "lit-b0", LIT);
    let (image, text) = (folder.join("image.onnx"), folder.join("text.onnx"));
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(&image, other.join("image.onnx")).unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "no graph").unwrap();
    for (name, code, run) in [
        ("no_onnx", 1, init(&file).args("--out").arg(&other)),
        ("no_file", 1, init(&dir.path().join("none.onnx"))),
        ("no_picture", 1, init(&text)),
        ("no_tokens", 1, init(&image).args("--text").arg(&image)),
        (
            "out_is_a_file",
            1,
            init(&image).args("--out").arg(file.join("mine")),
        ),
        ("bad_name", 2, init(&image).args("--name").args("../mine")),
        ("other_name", 2, init(&image).args("--name yours")),
        (
            "no_tokeniser",
            2,
            init(&other.join("image.onnx"))
                .args("--text")
                .arg(alone(dir.path(), &text)),
        ),
        (
            "no_text",
            2,
            init(&image)
                .args("--tokenizer")
                .arg(folder.join("tokenizer.json")),
        ),
        (
            "unknown_like",
            1,
            init(&image)
                .args("--like nothing")
                .args("--models-dir")
                .arg(&folder),
        ),
    ] {
        let ran = run.run().expect_code(code);
        assert_eq!(ran.stdout, "", "{name}");
        insta::assert_snapshot!(name, ran.text(&hidden));
    }
    assert!(!folder.join("model.toml").exists(), "nothing is written");
}

/// A link to `file` in a folder of its own.
fn alone(dir: &Path, file: &Path) -> PathBuf {
    let link = dir.join("alone").join(file.file_name().unwrap());
    std::fs::create_dir(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(file, &link).unwrap();
    link
}

/// Lines of the manifest that are no comments, without their origins.
fn keys(manifest: &str) -> Vec<&str> {
    let lines = manifest.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split(" # ").next().unwrap())
        .collect()
}

#[test]
fn the_features_of_a_classifier_are_offered_and_cut_out() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("mine");
    std::fs::write(dir.path().join("a.onnx"), made_graphs::classifier()).unwrap();
    std::fs::write(dir.path().join("weights.bin"), [0; 12_000]).unwrap();
    let init = init(&dir.path().join("a.onnx"))
        .args("--like resnet50 --out")
        .arg(&out);
    let said = init.run().expect_code(0).stdout;
    assert!(said.contains("the usual answer is \"features\""), "{said}");
    let drafted = manifest(&out);
    for key in [
        "dimension = 3",
        "cut = true",
        "width = 224",
        "path = \"weights.bin\"",
    ] {
        assert!(keys(&drafted).contains(&key), "{key} in\n{drafted}");
    }
    let answered = drafted.replace("output = \"?\"", "output = \"features\"");
    std::fs::write(out.join("model.toml"), answered).unwrap();
    models().args("check").arg(&out).run().expect_code(0);
}

#[test]
fn a_graph_that_is_silent_on_its_dimension_is_run() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "lit-b0", &[]);
    std::fs::write(folder.join("a.onnx"), made_graphs::silent()).unwrap();
    init(&folder.join("a.onnx"))
        .args("--like lit-b0")
        .run()
        .expect_code(0);
    let drafted = manifest(&folder);
    for key in ["dimension = 2", "width = 32", "edge = 32"] {
        assert!(keys(&drafted).contains(&key), "{key} in\n{drafted}");
    }
    models().args("check").arg(&folder).run().expect_code(0);
}

#[test]
fn two_towers_in_one_file_become_two_sides() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "lit-b0", &[]);
    let file = folder.join("a.onnx");
    std::fs::write(&file, made_graphs::combined()).unwrap();
    let like = || init(&file).args("--like lit-b0");
    let twice = like().args("--text").arg(&file).run().expect_code(2);
    assert!(
        twice.stderr.contains("holds a text side already"),
        "{twice:?}"
    );
    like().run().expect_code(0);
    let drafted = manifest(&folder);
    let cuts = keys(&drafted)
        .iter()
        .filter(|key| **key == "cut = true")
        .count();
    assert_eq!(cuts, 2, "{drafted}");
    let checked = models().args("check").arg(&folder).run().expect_code(0);
    assert_eq!(checked.stdout.lines().count(), 3, "{checked:?}");
}
