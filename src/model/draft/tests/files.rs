//! What the files beside a graph say.

use super::*;

fn processed(processor: &str) -> Draft {
    let facts = graph(&[picture()], &[float("embedding", &[-1, 512])]);
    draft(&image(
        facts,
        beside(&[("preprocessor_config.json", processor)]),
    ))
    .unwrap()
}

#[test]
fn image_processors_have_their_own_rules() {
    for class in [
        "SiglipImageProcessor",
        "ViTImageProcessor",
        "ViTFeatureExtractor",
    ] {
        let straight = processed(&format!(
            r#"{{"image_processor_type": "{class}", "size": {{"height": 224, "width": 224}}, "resample": 2,
                "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_rescale": false}}"#
        ));
        says(
            &straight,
            &[
                "rule = \"exact\"",
                "filter = \"bilinear\"",
                "divide_by = 1.0",
                "mean = [0.5, 0.5, 0.5]",
            ],
        );
    }
    let old = processed(
        r#"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224, "resample": 3}"#,
    );
    says(
        &old,
        &[
            "rule = \"shortest-edge\"",
            "edge = 224",
            "crop_offset = \"floor\"",
            "mean = \"?\"",
        ],
    );
    let plain =
        processed(&CLIP_PROCESSOR.replace("\"do_normalize\": true", "\"do_normalize\": false"));
    says(&plain, &["mean = [0.0, 0.0, 0.0]", "std = [1.0, 1.0, 1.0]"]);
}

#[test]
fn image_processors_without_a_known_rule_are_asked_for_it() {
    for (changed, why) in [
        (
            CLIP_PROCESSOR.replace("CLIPImage", "ConvNextImage"),
            "ConvNextImageProcessor: how it resizes",
        ),
        (
            CLIP_PROCESSOR.replace("\"image_processor_type\": \"CLIPImageProcessor\",", ""),
            "names no class",
        ),
        (
            CLIP_PROCESSOR.replace("\"do_resize\": true", "\"do_resize\": false"),
            "it does not resize",
        ),
        (
            CLIP_PROCESSOR.replace("\"do_center_crop\": true", "\"do_center_crop\": false"),
            "it does not crop",
        ),
    ] {
        let drafted = processed(&changed);
        assert!(asked(&drafted).contains(&"vision.resize.rule"), "{why}");
        let text = drafted.text.replace("\n# ", " ");
        assert!(text.contains(why), "{why} in\n{text}");
        says(&drafted, &["filter = \"bicubic\"", "channels = \"rgb\""]);
    }
    let nearest = processed(&CLIP_PROCESSOR.replace("\"resample\": 3", "\"resample\": 0"));
    assert!(asked(&nearest).contains(&"vision.resize.filter"));
}

#[test]
fn open_clip_has_its_own_rules() {
    let of = |config: &str| {
        let words = graph(
            &[token("text", &[-1, 77])],
            &[float("embedding", &[-1, 512])],
        );
        draft(&with_text(
            words,
            beside(&[("open_clip_config.json", config)]),
        ))
        .unwrap()
    };
    let shortest = of(
        r#"{"model_cfg": {"vision_cfg": {"image_size": 224}, "text_cfg": {"context_length": 77}},
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "interpolation": "bilinear"}}"#,
    );
    says(
        &shortest,
        &[
            "edge = 224",
            "long_side = \"floor\"",
            "crop_offset = \"round\"",
            "filter = \"bilinear\"",
            "mean = [0.5, 0.5, 0.5]",
            "std = [0.26862954, 0.26130258, 0.27577711]",
            "clean = \"openai\"",
            "padding = \"fixed\"",
            "pad_id = 0",
        ],
    );
    assert_eq!(asked(&shortest), ["licence"]);
    let squash = of(r#"{"model_cfg": {"text_cfg": {"hf_tokenizer_name": "x"}},
        "preprocess_cfg": {"size": [224, 224], "resize_mode": "squash"}}"#);
    says(&squash, &["rule = \"exact\"", "filter = \"bicubic\""]);
    assert_eq!(asked(&squash), ["licence", "text.pad_id"]);
    assert!(!squash.text.contains("clean ="), "{}", squash.text);
    let longest = of(r#"{"preprocess_cfg": {"size": 224, "resize_mode": "longest"}}"#);
    assert!(asked(&longest).contains(&"vision.resize.rule"));
}

#[test]
fn text_settings_come_from_the_tokenisers_files() {
    let of = |files: &[(&'static str, &str)], inputs: &[TensorFacts]| {
        let words = graph(inputs, &[float("text_embeds", &[-1, 512])]);
        draft(&with_text(words, beside(files))).unwrap()
    };
    let ids = [token("input_ids", &[-1, -1])];
    let siglip = of(
        &[
            ("config.json", r#"{"model_type": "siglip"}"#),
            (
                "tokenizer_config.json",
                r#"{"model_max_length": 64, "do_lower_case": true, "pad_token": {"content": "</s>"}}"#,
            ),
            (
                "tokenizer.json",
                r#"{"added_tokens": [], "model": {"vocab": [["<pad>", 0.0], ["</s>", 0.0]]}}"#,
            ),
        ],
        &ids,
    );
    says(
        &siglip,
        &[
            "context_length = 64",
            "padding = \"fixed\"",
            "pad_id = 1",
            "lower_case = true",
        ],
    );
    let bert = of(
        &[
            ("sentence_bert_config.json", r#"{"max_seq_length": 128}"#),
            (
                "tokenizer_config.json",
                r#"{"model_max_length": 1e30, "pad_token": "[PAD]"}"#,
            ),
            (
                "tokenizer.json",
                r#"{"added_tokens": [{"id": 7, "content": "[PAD]"}], "padding": {"strategy": {"Fixed": 128}, "pad_id": 0}}"#,
            ),
        ],
        &ids,
    );
    says(
        &bert,
        &["context_length = 128", "padding = \"fixed\"", "pad_id = 7"],
    );
    let bare = of(&[], &ids);
    let open = ["text.context_length", "text.padding", "text.pad_id"];
    assert_eq!(asked(&bare)[asked(&bare).len() - 3..], open);
    let fixed = of(&[], &[tensor("text", Element::Int32, &[2, 77])]);
    says(
        &fixed,
        &[
            "context_length = 77",
            "padding = \"fixed\"",
            "dtype = \"int32\"",
            "batch = 2",
        ],
    );
}
