//! What graphs say, and which are refused.

use super::*;
use crate::entity::Hint;

#[test]
fn layouts_types_and_batches_are_read_off_the_picture() {
    let of = |input: TensorFacts| {
        let facts = graph(&[input], &[float("embedding", &[-1, 512])]);
        draft(&image(facts, Known::default())).unwrap()
    };
    let nhwc = of(tensor("x", Element::Float16, &[4, 160, 120, 3]));
    says(
        &nhwc,
        &[
            "layout = \"nhwc\"",
            "width = 120",
            "height = 160",
            "dtype = \"float16\"",
            "batch = 4",
        ],
    );
    let open = of(float("x", &[-1, -1, -1, -1]));
    let first: Vec<&str> = asked(&open).into_iter().skip(2).take(3).collect();
    assert_eq!(first, ["vision.width", "vision.height", "vision.layout"]);
    says(
        &of(float("pixel_values", &[-1, -1, -1, -1])),
        &["layout = \"nchw\""],
    );
    let known = beside(&[("config.json", r#"{"vision_config": {"image_size": 336}}"#)]);
    let facts = graph(
        &[float("x", &[-1, 3, -1, -1])],
        &[float("embedding", &[-1, 512])],
    );
    says(
        &draft(&image(facts, known)).unwrap(),
        &["width = 336", "height = 336"],
    );
}

#[test]
fn the_output_is_chosen_by_name_and_its_pooling_by_rank() {
    let of = |outputs: &[TensorFacts]| {
        draft(&image(graph(&[picture()], outputs), Known::default())).unwrap()
    };
    let states = float("last_hidden_state", &[-1, 197, 768]);
    let pooler = float("pooler_output", &[-1, 768]);
    let embeds = float("image_embeds", &[-1, 512]);
    let chosen = of(&[states.clone(), pooler.clone(), embeds]);
    says(&chosen, &["output = \"image_embeds\"", "dimension = 512"]);
    let comment = "other outputs: `last_hidden_state` float32 [any, 197, 768]; `pooler_output`";
    let text = chosen.text.replace("\n# ", " ");
    assert!(text.contains(comment), "{text}");
    says(
        &of(&[states.clone(), pooler]),
        &["output = \"pooler_output\"", "dimension = 768"],
    );
    let tokens = of(&[states]);
    says(
        &tokens,
        &[
            "output = \"last_hidden_state\"",
            "pooling = \"?\"",
            "dimension = 768",
        ],
    );
    let map = of(&[float("features", &[-1, 2048, 7, 7])]);
    says(&map, &["pooling = \"global-average\"", "dimension = 2048"]);
    let silent = of(&[float("embedding", &[-1, -1])]);
    assert!(asked(&silent).contains(&"dimension"), "{:?}", silent.asked);
    let both = of(&[
        float("probabilities", &[-1, 1000]),
        float("features", &[-1, 2048]),
    ]);
    says(&both, &["output = \"features\""]);
    assert!(both.text.contains("(classes or scores)"), "{}", both.text);
}

#[test]
fn a_classifier_is_asked_for_the_tensor_before_its_last_layer() {
    for output in [float("fc", &[-1, 1000]), float("logits", &[-1, 7])] {
        let facts = graph(&[picture()], std::slice::from_ref(&output));
        let kind = kind_of("image.onnx", &facts).unwrap();
        assert_eq!(
            kind,
            Kind::Classifier {
                output: output.name.clone()
            }
        );
        let mut material = image(facts, Known::default());
        material.image.classes = Some(output.name.clone());
        let blind = draft(&material).unwrap();
        says(
            &blind,
            &["output = \"?\"", "dimension = \"?\"", "cut = true"],
        );
        material.image.facts.outputs = vec![float("flatten_473", &[-1, 2048])];
        let seeing = draft(&material).unwrap();
        says(
            &seeing,
            &["output = \"?\"", "dimension = 2048", "cut = true"],
        );
        assert!(
            seeing
                .asked
                .iter()
                .any(|line| line.contains("\"flatten_473\"")),
            "{:?}",
            seeing.asked
        );
    }
    let facts = graph(&[picture()], &[float("embedding", &[-1, 1000])]);
    assert_eq!(kind_of("image.onnx", &facts).unwrap(), Kind::Image);
}

#[test]
fn two_towers_in_one_file_are_cut_apart() {
    let outputs = [
        float("logits_per_image", &[-1, -1]),
        float("text_embeds", &[-1, 512]),
        float("image_embeds", &[-1, 512]),
    ];
    let inputs = [
        token("input_ids", &[-1, -1]),
        picture(),
        token("attention_mask", &[-1, -1]),
    ];
    let facts = graph(&inputs, &outputs);
    let (image_output, text) = ("image_embeds".to_owned(), "text_embeds".to_owned());
    let combined = Kind::Combined {
        image: image_output,
        text,
    };
    assert_eq!(kind_of("model.onnx", &facts).unwrap(), combined);
    let mut material = image(graph(&inputs[1..2], &outputs[2..]), Known::default());
    let mut words = tower(
        "image.onnx",
        graph(&[inputs[0].clone(), inputs[2].clone()], &outputs[1..2]),
    );
    (material.image.cut, words.cut) = (true, true);
    material.text = Some((words, "tokenizer.json".to_owned()));
    let drafted = draft(&material).unwrap();
    let cuts = keys(&drafted)
        .into_iter()
        .filter(|key| key == "cut = true")
        .count();
    assert_eq!(cuts, 2, "{}", drafted.text);
    says(
        &drafted,
        &[
            "normalise = \"l2\"",
            "attention_mask = \"attention_mask\"",
            "padding = \"longest\"",
        ],
    );
    let nameless = graph(&inputs, &outputs[..1]);
    let error = kind_of("model.onnx", &nameless).expect_err("nameless");
    assert!(error.to_string().contains("logits_per_image"), "{error}");
}

#[test]
fn graphs_that_no_manifest_describes_are_refused() {
    let embeds = [float("image_embeds", &[-1, 512])];
    let kind = |inputs: &[TensorFacts], outputs: &[TensorFacts]| {
        kind_of("image.onnx", &graph(inputs, outputs)).expect_err("refused")
    };
    let words = |inputs: &[TensorFacts], dimension: i64| {
        let facts = graph(inputs, &[float("text_embeds", &[-1, dimension])]);
        draft(&with_text(facts, Known::default())).expect_err("refused")
    };
    let ids = token("input_ids", &[-1, -1]);
    let types = token("token_type_ids", &[-1, -1]);
    let narrow = tensor("attention_mask", Element::Int32, &[-1, -1]);
    let bytes = tensor(
        "image",
        Element::Other("uint8".to_owned()),
        &[-1, 3, 224, 224],
    );
    let damaged = SideFiles::from([("config.json", "{".to_owned())]);
    let errors = [
        kind(&[bytes], &embeds),
        kind(&[], &embeds),
        kind(&[picture(), float("scale", &[1])], &embeds),
        kind(&[picture()], &[float("loss", &[])]),
        kind(&[picture()], &[float("features", &[-1, 7, 7, 2048])]),
        words(&[picture()], 512),
        words(&[ids.clone(), types], 512),
        words(&[ids.clone(), narrow], 512),
        words(&[ids], 768),
        Known::beside(&damaged).expect_err("damaged"),
    ];
    let said = errors
        .iter()
        .map(|error| format!("{error}\n  hint: {}", error.hint().unwrap()));
    insta::assert_snapshot!("refusals", said.collect::<Vec<_>>().join("\n"));
}
