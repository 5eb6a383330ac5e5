//! What `models compare` says of two models on the gallery: the numbers by
//! hand-made cases, the words by snapshot.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Run, gallery, models, repo};

/// A copy of `lit-b0` under another name and with another manifest. Copied, not
/// linked: ONNX Runtime reads weights beside a graph from its own folder alone.
fn copy(dir: &Path, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let original = repo().join("models/lit-b0");
    let folder = dir.join(name);
    std::fs::create_dir(&folder).unwrap();
    for file in ["image.onnx", "text.onnx", "tokenizer.json"] {
        std::fs::copy(original.join(file), folder.join(file)).unwrap();
    }
    let mut manifest = std::fs::read_to_string(original.join("model.toml")).unwrap();
    let named = ("name = \"lit-b0\"", &*format!("name = \"{name}\""));
    for (from, to) in std::iter::once(&named).chain(changes) {
        assert!(manifest.contains(from), "{from}");
        manifest = manifest.replace(from, to);
    }
    std::fs::write(folder.join("model.toml"), manifest).unwrap();
    folder
}

/// `lit-b0` with its matrices in eight bits; `more` follows the graph's name.
fn int8(dir: &Path, name: &str, more: &str) -> PathBuf {
    let graph = format!("file = \"image-int8.onnx\"{more}\ninput = ");
    let folder = copy(
        dir,
        name,
        &[
            (
                "[vision]\n",
                "[[files]]\npath = \"image-int8.onnx\"\n\n[vision]\n",
            ),
            ("file = \"image.onnx\"\ninput = ", &graph),
        ],
    );
    let fixture = repo().join("tests/fixtures/lit-b0-int8/image-int8.onnx");
    std::fs::copy(fixture, folder.join("image-int8.onnx")).unwrap();
    folder
}

fn compare(a: impl AsRef<Path>, b: impl AsRef<Path>, pictures: impl AsRef<Path>) -> Run {
    models().args("compare").arg(a).arg(b).arg(pictures)
}

fn number(report: &Value, pointer: &str) -> f64 {
    let found = report.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("{pointer} in {report}"))
}

/// The words, with every number hidden but the ones that count pictures.
fn words(text: &str) -> String {
    let hidden = text.lines().map(|line| {
        // Which picture is worst may differ between processors.
        if line.trim_start().starts_with("[REPO]/tests/gallery") {
            return "[PICTURE]".to_owned();
        }
        let cells = line.split(' ').map(|word| {
            let digits = word.chars().all(|c| c.is_ascii_digit() || c == '.');
            if digits && word.contains('.') {
                "#".repeat(word.len().min(1))
            } else {
                word.to_owned()
            }
        });
        let words: Vec<String> = cells.filter(|cell| !cell.is_empty()).collect();
        words.join(" ")
    });
    hidden.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_model_agrees_with_itself() {
    let run = compare("lit-b0", "lit-b0", gallery()).args("--format json");
    let report = run.run().expect_code(0).json();
    assert_eq!(report["version"], 1);
    assert_eq!(report["a"]["fingerprint"], report["b"]["fingerprint"]);
    assert_eq!(report["found"], report["compared"]);
    assert!(number(&report, "/compared") > 90.0, "{report}");
    assert_eq!(report["rejected"], serde_json::json!([]));
    assert_eq!(report["pictures"]["limit"], 10);
    for exact in ["/pictures/recall", "/pictures/top_1"] {
        assert!((number(&report, exact) - 1.0).abs() < 1e-12, "{report}");
    }
    for close in ["mean", "min", "first_percentile"] {
        let cosine = number(&report, &format!("/cosines/{close}"));
        assert!(cosine > 1.0 - 1e-9, "{report}");
    }
    for side in ["a", "b"] {
        let least = number(&report, &format!("/{side}/least_cosine_in_company"));
        assert!(least > 0.99999, "{report}");
        assert_eq!(report[side]["depends_on_company"], false);
        let inferred = number(&report, &format!("/{side}/inferred_per_second"));
        let embedded = number(&report, &format!("/{side}/embedded_per_second"));
        assert!(inferred > embedded && embedded > 0.0, "{report}");
    }
    assert_eq!(report["texts"], Value::Null);
}

#[test]
fn another_resize_turns_vectors_a_little() {
    let dir = tempfile::tempdir().unwrap();
    let other = copy(
        dir.path(),
        "lit-b0-bilinear",
        &[("filter = \"bicubic\"", "filter = \"bilinear\"")],
    );
    let run = compare("lit-b0", other, gallery()).args("--format json");
    let report = run.run().expect_code(0).json();
    let (mean, min) = (
        number(&report, "/cosines/mean"),
        number(&report, "/cosines/min"),
    );
    assert!(0.97 < mean && mean < 0.99999, "{report}");
    assert!(0.7 < min && min < mean, "{report}");
    let path = report["cosines"]["min_path"].as_str().unwrap();
    assert!(Path::new(path).is_file(), "{path}");
    let recall = number(&report, "/pictures/recall");
    assert!(0.8 < recall && recall < 1.0, "{report}");
    assert_ne!(report["a"]["fingerprint"], report["b"]["fingerprint"]);
}

#[test]
fn of_models_with_other_dimensions_neighbours_are_compared() {
    let run = compare("lit-b0", "resnet50", gallery().join("objects")).args("--limit 5");
    let report = run
        .clone()
        .args("--format json")
        .run()
        .expect_code(0)
        .json();
    assert_eq!(report["cosines"], Value::Null);
    assert_eq!(
        report["no_cosines_because"],
        "the models' dimensions differ"
    );
    assert_eq!(report["a"]["dimension"], 320);
    assert_eq!(report["b"]["dimension"], 2048);
    assert_eq!(report["pictures"]["limit"], 5);
    let recall = number(&report, "/pictures/recall");
    assert!(0.1 < recall && recall < 0.95, "{report}");
    let human = run
        .clone()
        .args("--sample 32 --jobs 2")
        .run()
        .expect_code(0);
    insta::assert_snapshot!("compare_other_dimensions", words(&human.text(&[])));
    // What has no words cannot be asked with some.
    let asked = run.args("--text cap").run().expect_code(1);
    insta::assert_snapshot!("compare_no_text", asked.text(&[]));
}

#[test]
fn a_quantised_model_loses_a_little_and_depends_on_its_batch() {
    let dir = tempfile::tempdir().unwrap();
    let quantised = int8(dir.path(), "lit-b0-int8", "");
    let texts = dir.path().join("texts");
    std::fs::write(&texts, "red handbag\n\na blue cap\n").unwrap();
    let run = compare("lit-b0", quantised, gallery())
        .args("--text umbrella --texts")
        .arg(&texts);
    let said = run.clone().args("--format json").run().expect_code(0);
    let report = said.json();
    let mean = number(&report, "/cosines/mean");
    assert!(0.99 < mean && mean < 0.99999, "{report}");
    let recall = number(&report, "/pictures/recall");
    assert!(0.9 < recall && recall < 1.0, "{report}");
    let least = number(&report, "/b/least_cosine_in_company");
    assert!(0.9 < least && least < 0.9999, "{report}");
    assert_eq!(report["a"]["depends_on_company"], false);
    assert_eq!(report["b"]["depends_on_company"], true);
    assert_eq!(report["texts"]["queries"], 3);
    assert!(number(&report, "/texts/recall") > 0.8, "{report}");
    // The text side is the same file.
    assert!(number(&report, "/texts/cosines/min") > 1.0 - 1e-9);
    let human = run.args("--sample 32 --jobs 2").run().expect_code(0);
    assert!(
        human
            .stdout
            .lines()
            .all(|line| line.chars().count() <= 80 || line.trim_start().starts_with('/'))
    );
    insta::assert_snapshot!("compare_quantised", words(&human.text(&[])));

    // One by one it is always the same, and workers make no difference.
    let alone = int8(dir.path(), "lit-b0-int8-alone", "\nbatch = 1");
    let run = compare("lit-b0", alone, gallery().join("objects")).args("--format json");
    let one = run.clone().args("--jobs 1").run().expect_code(0);
    assert_eq!(one.stderr, "");
    let one = one.json();
    assert!(number(&one, "/b/least_cosine_in_company") > 1.0 - 1e-12);
    let three = run.args("--jobs 3").run().expect_code(0).json();
    assert_eq!(three["threads"], 3);
    assert_eq!(one["cosines"], three["cosines"]);
    assert_eq!(one["pictures"], three["pictures"]);
}

#[test]
fn pictures_that_cannot_be_compared_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("pictures");
    std::fs::create_dir(&folder).unwrap();
    let names = ["blue-cap.webp", "red-cap.webp", "green-cap.webp"];
    for name in &names[1..] {
        let picture = gallery().join("objects").join(name);
        std::fs::copy(picture, folder.join(name)).unwrap();
    }
    let whole = std::fs::read(gallery().join("objects/black-scarf.webp")).unwrap();
    std::fs::write(folder.join("cut.webp"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(folder.join("notes.txt"), "no picture").unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let pixels = |pictures: &Path| compare("pixels", "pixels", pictures);

    let ran = pixels(&folder).args("--jobs 1").run().expect_code(3);
    insta::assert_snapshot!("compare_one_bad", words(&ran.text(&hidden)));
    let report = pixels(&folder)
        .args("--format json -q")
        .run()
        .expect_code(3);
    assert_eq!(report.stderr, "");
    let report = report.json();
    assert_eq!(
        (&report["found"], &report["compared"]),
        (&3.into(), &2.into())
    );
    assert_eq!(report["rejected"][0]["stage"], "decode");
    // With two pictures there is one neighbour.
    assert_eq!(report["pictures"]["limit"], 1);

    std::fs::remove_file(folder.join("red-cap.webp")).unwrap();
    let ran = pixels(&folder).run().expect_code(1);
    insta::assert_snapshot!("compare_too_few", ran.text(&hidden));
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let ran = pixels(&empty).run().expect_code(1);
    insta::assert_snapshot!("compare_empty", ran.text(&hidden));
}

#[test]
fn what_cannot_be_compared_is_said_before_anything_is_read() {
    let known = compare("lit-b0", "no-such-model", "/nowhere").run();
    let known = known.expect_code(1);
    assert!(known.stderr.contains("no model is called `no-such-model`"));
    assert!(known.stderr.contains("hint: use one of"), "{known:?}");
    let ran = compare("pixels", "pixels", "/nowhere").run().expect_code(1);
    assert!(ran.stderr.contains("/nowhere: discover"), "{ran:?}");
    let ran = compare("lit-b0", "lit-b0", gallery())
        .args("--text")
        .arg("");
    let ran = ran.run().expect_code(2);
    assert!(ran.stderr.contains("the texts are empty"), "{ran:?}");
}

#[test]
fn a_sample_is_spread_and_the_same_every_time() {
    let run = compare("pixels", "pixels", gallery()).args("--sample 12 --format json");
    let first = run.run().expect_code(0).json();
    assert_eq!(first["sampled"], 12);
    assert!(number(&first, "/found") > 90.0);
    let second = run.run().expect_code(0).json();
    assert_eq!(first["cosines"], second["cosines"]);
    let all = run.args("--sample 0");
    // Given twice: clap refuses it, so the flag stands alone.
    assert_eq!(all.run().code, Some(2));
    let all = compare("pixels", "pixels", gallery()).args("--sample 0 --format json");
    let all = all.run().expect_code(0).json();
    assert_eq!(all["sampled"], all["found"]);
}

/// An interruption does not wait for the models.
#[cfg(unix)]
#[test]
fn an_interruption_leaves_at_once() {
    let run = compare("lit-b0", "resnet50", gallery());
    let mut child = run.command().spawn().unwrap();
    // The signal is listened for before this thread begins.
    let threads = format!("/proc/{}/task", child.id());
    let begun = || {
        let tasks = std::fs::read_dir(&threads).into_iter().flatten().flatten();
        tasks.into_iter().any(|task| {
            let name = std::fs::read_to_string(task.path().join("comm"));
            name.is_ok_and(|name| name.trim() == "compare")
        })
    };
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "interrupted: nothing was compared\n");
}
