//! What this crate makes of a picture or a text, for `run.py` to hold against
//! the reference packages.
//!
//! Answers requests on standard input, one JSON object a line, in order:
//!
//! - `{"model": "lit-b0", "picture": "path"}`: a line `{"width": W, "height":
//!   H, "floats": N}`, then the tensor as N little-endian `f32`;
//! - the same with `"vector": true`: the embedding in place of the tensor, or
//!   with `"text"` a line `{"floats": N}` and the embedding;
//! - `{"model": "clip-vit-b-32", "text": "..."}`: `{"ids": [...]}`;
//! - whatever fails: `{"error": "..."}`.
//!
//! `model` is a name in `models/` or a folder. Files of the model other than
//! its manifest and its tokeniser are touched for a vector alone. Without the argument
//! `answer`, as when a test runner starts it, it ends at once.
#![expect(clippy::unwrap_used, reason = "a broken pipe ends the program")]

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Write};

use milvus_image_search::config::ImageLimits;
use milvus_image_search::embed::{Runtime, TextTower, Tokeniser, VisionTower};
use milvus_image_search::imaging::{Preprocess, RgbImage, decode};
use milvus_image_search::model::{Model, ModelDirs};
use serde::Deserialize;
use serde_json::json;

type Fault = Box<dyn Error>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    model: String,
    variant: Option<String>,
    picture: Option<String>,
    text: Option<String>,
    #[serde(default)]
    vector: bool,
}

/// What is kept from one request to the next.
struct Answers {
    models: ModelDirs,
    preprocess: HashMap<String, Preprocess>,
    tokenisers: HashMap<String, Tokeniser>,
    /// Loaded for the first vector; one a process.
    runtime: Option<Runtime>,
    visions: HashMap<String, VisionTower>,
    texts: HashMap<String, TextTower>,
    /// The last picture, because one goes through many pipelines in turn.
    picture: Option<(String, RgbImage)>,
}

fn main() {
    if std::env::args().nth(1).as_deref() != Some("answer") {
        return;
    }
    let mut answers = Answers {
        models: ModelDirs::new(None),
        preprocess: HashMap::new(),
        tokenisers: HashMap::new(),
        runtime: None,
        visions: HashMap::new(),
        texts: HashMap::new(),
        picture: None,
    };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answers.to(&line.unwrap()).unwrap_or_else(|fault| {
            let mut said = fault.to_string();
            let mut cause = fault.source();
            while let Some(error) = cause {
                said = format!("{said}: {error}");
                cause = error.source();
            }
            format!("{}\n", json!({ "error": said })).into_bytes()
        });
        out.write_all(&answer).unwrap();
        out.flush().unwrap();
    }
}

impl Answers {
    fn to(&mut self, line: &str) -> Result<Vec<u8>, Fault> {
        let request: Request = serde_json::from_str(line)?;
        let model = match &request.variant {
            Some(variant) => format!("{}:{variant}", request.model),
            None => request.model,
        };
        match (request.picture, request.text) {
            (Some(picture), None) => {
                let (size, mut values) = self.tensor(&model, picture)?;
                if request.vector {
                    values = self.picture_vector(&model, &values)?;
                }
                let [width, height] = size;
                let head = json!({ "width": width, "height": height, "floats": values.len() });
                Ok(framed(&head, &values))
            }
            (None, Some(text)) if request.vector => {
                let vector = self.text_vector(&model, &text)?;
                Ok(framed(&json!({ "floats": vector.len() }), &vector))
            }
            (None, Some(text)) => self.ids(&model, &text),
            _ => Err("a request has either `picture` or `text`".into()),
        }
    }

    fn picture_vector(&mut self, name: &str, tensor: &[f32]) -> Result<Vec<f32>, Fault> {
        if !self.visions.contains_key(name) {
            let model = open(&self.models, name)?;
            let tower = VisionTower::open(&model, Some(self.runtime()?), 1)?;
            self.visions.insert(name.to_owned(), tower);
        }
        let tower = self.visions.get_mut(name).unwrap();
        Ok(tower.embed(tensor, 1)?.swap_remove(0)?)
    }

    fn text_vector(&mut self, name: &str, text: &str) -> Result<Vec<f32>, Fault> {
        if !self.texts.contains_key(name) {
            let model = open(&self.models, name)?;
            let tower = TextTower::open(&model, self.runtime()?, 1)?;
            self.texts.insert(name.to_owned(), tower);
        }
        let tower = self.texts.get_mut(name).unwrap();
        Ok(tower.embed(&[text])?.swap_remove(0).embedding)
    }

    fn runtime(&mut self) -> Result<&Runtime, Fault> {
        if self.runtime.is_none() {
            self.runtime = Some(Runtime::load()?);
        }
        Ok(self.runtime.as_ref().unwrap())
    }

    /// Width and height of the picture, and its tensor.
    fn tensor(&mut self, name: &str, picture: String) -> Result<([u32; 2], Vec<f32>), Fault> {
        if !self.preprocess.contains_key(name) {
            let vision = open(&self.models, name)?.manifest.vision;
            let preprocess = Preprocess::new(&vision);
            self.preprocess.insert(name.to_owned(), preprocess);
        }
        if !matches!(&self.picture, Some((path, _)) if *path == picture) {
            let image = decode(&std::fs::read(&picture)?, &ImageLimits::default())?;
            self.picture = Some((picture, image));
        }
        let (Some(preprocess), Some((_, image))) = (self.preprocess.get_mut(name), &self.picture)
        else {
            unreachable!("both are put in above");
        };
        let mut tensor = vec![0.0; preprocess.tensor_len()];
        preprocess.write_tensor(image, &mut tensor);
        Ok(([image.width, image.height], tensor))
    }

    fn ids(&mut self, name: &str, text: &str) -> Result<Vec<u8>, Fault> {
        if !self.tokenisers.contains_key(name) {
            let tokeniser = Tokeniser::open(&open(&self.models, name)?)?;
            self.tokenisers.insert(name.to_owned(), tokeniser);
        }
        let ids = self.tokenisers[name].token_ids(text)?;
        Ok(format!("{}\n", json!({ "ids": ids })).into_bytes())
    }
}

/// A line, and floats behind it.
fn framed(head: &serde_json::Value, values: &[f32]) -> Vec<u8> {
    let mut answer = format!("{head}\n").into_bytes();
    answer.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    answer
}

fn open(models: &ModelDirs, name: &str) -> Result<Model, Fault> {
    Ok(models.open(name)?)
}
