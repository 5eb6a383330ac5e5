//! How texts are prepared, from the files beside a tokeniser.

use serde_json::Value;

use super::image_files::{CONFIG, OPEN_CLIP, PREPROCESSOR};
use super::known::{Json, Known, Told, whole};
use crate::model::{Clean, Padding};

pub(super) const SENTENCE_BERT: &str = "sentence_bert_config.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";

/// Most tokens that a manifest may name; larger numbers mean "no limit".
const MOST_TOKENS: u32 = 8192;

/// Adds what the text files say.
pub(super) fn read(json: &Json, known: &mut Known) {
    let at = |file: &'static str, path: &str| Some((json.file(file)?.pointer(path)?, file));
    let length = |(value, file): (&Value, &'static str)| {
        let length = whole(value).filter(|length| (2..=MOST_TOKENS).contains(length))?;
        Told::some(length, file)
    };
    known.context_length = [
        at(OPEN_CLIP, "/model_cfg/text_cfg/context_length"),
        at(SENTENCE_BERT, "/max_seq_length"),
        at(TOKENIZER_CONFIG, "/model_max_length"),
        at(TOKENIZER, "/truncation/max_length"),
        at(CONFIG, "/text_config/max_position_embeddings"),
        at(CONFIG, "/max_position_embeddings"),
    ]
    .into_iter()
    .flatten()
    .find_map(length);
    known.padding = [
        at(TOKENIZER_CONFIG, "/padding"),
        at(TOKENIZER, "/padding/strategy"),
    ]
    .into_iter()
    .flatten()
    .find_map(|(value, file)| Told::some(padding(value)?, file));
    let siglip = at(CONFIG, "/model_type").and_then(|(kind, _)| kind.as_str());
    if siglip.is_some_and(|kind| kind.contains("siglip")) {
        // Trained on texts of one length, without a mask.
        known.padding = Told::some(Padding::Fixed, "config.json, siglip");
    }
    known.pad_id = pad_id(json);
    let lowers =
        at(TOKENIZER_CONFIG, "/do_lower_case").is_some_and(|(v, _)| v == &Value::Bool(true));
    if lowers {
        known.lower_case = Told::some(true, TOKENIZER_CONFIG);
    }
    open_clip(json, known);
}

fn padding(value: &Value) -> Option<Padding> {
    match value.as_str() {
        Some("max_length") => Some(Padding::Fixed),
        Some("longest" | "BatchLongest") => Some(Padding::Longest),
        _ => value.get("Fixed").map(|_| Padding::Fixed),
    }
}

fn pad_id(json: &Json) -> Option<Told<u32>> {
    let named = json.file(TOKENIZER_CONFIG).and_then(|config| {
        let token = config.get("pad_token")?;
        let token = token.as_str().or_else(|| token.get("content")?.as_str())?;
        let id = id_of(json.file(TOKENIZER)?, token)?;
        Told::some(id, &format!("{TOKENIZER_CONFIG}, {token}"))
    });
    named.or_else(|| {
        let padding = json.file(TOKENIZER)?.get("padding")?;
        Told::some(whole(padding.get("pad_id")?)?, TOKENIZER)
    })
}

fn id_of(tokenizer: &Value, token: &str) -> Option<u32> {
    let mut added = tokenizer.get("added_tokens")?.as_array()?.iter();
    let added = added.find(|added| added.get("content").and_then(Value::as_str) == Some(token));
    if let Some(added) = added {
        return added.get("id").and_then(whole);
    }
    match tokenizer.pointer("/model/vocab")? {
        Value::Object(ids) => ids.get(token).and_then(whole),
        // Unigram: a list of pieces and their scores.
        Value::Array(pieces) => {
            let at = pieces
                .iter()
                .position(|piece| piece.get(0).and_then(Value::as_str) == Some(token));
            at.and_then(|at| u32::try_from(at).ok())
        }
        _ => None,
    }
}

/// `open_clip`'s own tokeniser cleans, pads to the full length, and with 0; a
/// tokeniser of Hugging Face has its own ways, as has a model that has the
/// files of Hugging Face too: its two sides stay of one kind.
fn open_clip(json: &Json, known: &mut Known) {
    let Some(text) = json
        .file(OPEN_CLIP)
        .and_then(|file| file.pointer("/model_cfg/text_cfg"))
    else {
        return;
    };
    if text.get("hf_tokenizer_name").is_none() && json.file(PREPROCESSOR).is_none() {
        known.padding = Told::some(Padding::Fixed, OPEN_CLIP);
        known.pad_id = Told::some(0, OPEN_CLIP);
        known.clean = Told::some(Clean::Openai, OPEN_CLIP);
    }
}
