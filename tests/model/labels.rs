//! Words ranked for a picture, and for words, by the demo model.

use crate::support::{Run, gallery, repo, search};

fn labels() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let kinds = "handbag\numbrella\ncap\n\nbackpack\nwrist watch\nhandbag\n";
    std::fs::write(file.path(), kinds).unwrap();
    file
}

fn rank(words: Run) -> serde_json::Value {
    let file = labels();
    let run = words
        .args("--format json --model")
        .arg(repo().join("models/lit-b0"))
        .args("--labels")
        .arg(file.path());
    run.run().expect_code(0).json()
}

#[test]
fn the_kind_of_a_picture_comes_first() {
    for kind in ["handbag", "umbrella", "cap", "backpack", "wrist-watch"] {
        let picture = gallery().join(format!("objects/green-{kind}.webp"));
        let ranked = rank(search().args("--image").arg(picture));
        let found = ranked["labels"].as_array().unwrap();
        assert_eq!(found.len(), 5, "repeated and blank lines do not count");
        assert_eq!(found[0]["label"], kind.replace('-', " "), "{ranked}");
        assert_eq!(found[0]["rank"], 1);
        let scores: Vec<f64> = found.iter().map(|l| l["score"].as_f64().unwrap()).collect();
        assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]));
        assert!(found[0].get("probability").is_none(), "lit-b0 has no scale");
    }
}

#[test]
fn words_are_ranked_for_words() {
    let ranked = rank(search().args("--text").arg("a purse"));
    assert_eq!(ranked["labels"][0]["label"], "handbag", "{ranked}");
}

#[test]
fn a_long_text_is_cut_with_a_warning() {
    let file = labels();
    let text = "red handbag ".repeat(500);
    let run = search()
        .args("--model lit-b0 --labels")
        .arg(file.path())
        .args("--text")
        .arg(text);
    let ran = run.run().expect_code(0);
    assert!(
        ran.stderr.contains("longer than the model reads"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("handbag"), "{ran:?}");
}

#[test]
fn several_templates_are_averaged() {
    let picture = gallery().join("objects/red-handbag.webp");
    let ask = |templates: &[&str]| {
        let run = search().args("--image").arg(&picture);
        let with = templates
            .iter()
            .fold(run, |run, template| run.args("--template").arg(template));
        rank(with)["labels"][0]["score"].as_f64().unwrap()
    };
    let (one, other) = (ask(&["a photo of a {}"]), ask(&["a drawing of a {}"]));
    let both = ask(&["a photo of a {}", "a drawing of a {}"]);
    assert!((one - other).abs() > 1e-4, "{one} {other}");
    // The mean of two unit vectors, brought to length 1, is no further away
    // than the further of both.
    assert!(both >= one.min(other), "{one} {other} {both}");
}
