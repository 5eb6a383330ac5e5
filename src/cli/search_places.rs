//! The collections that are asked, each with the model that filled it.

use std::sync::Arc;

use anyhow::anyhow;

use super::failure::Failure;
use super::search_template::{Template, sentences};
use super::settings::{File, PlaceArgs};
use super::terminal::tell;
use crate::embed::{EmbedError, Runtime};
use crate::model::Model;
use crate::search::{Embedder, Question};
use crate::store::{Collection, ModelMark, Store, StoreError};

/// A collection that is ready to be asked.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) collection: Collection,
    pub(super) embedder: Embedder,
}

/// Which collections are asked, and how they are opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Names; none for the only one that `ingest` made.
    pub(super) collections: &'a [String],
    /// Model that must have filled them, where one was named.
    pub(super) model: Option<&'a str>,
    /// Sentences around texts.
    pub(super) templates: &'a [Template],
    /// Whether to load what is not in memory.
    pub(super) load: bool,
    /// Whether to say so.
    pub(super) quiet: bool,
    /// Where models are.
    pub(super) places: &'a PlaceArgs,
}

/// Towers that questions need: the others are neither opened nor hashed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    pub(super) text: bool,
    pub(super) image: bool,
}

impl Needs {
    pub(super) const ALL: Self = Self {
        text: true,
        image: true,
    };

    pub(super) fn of(question: &Question) -> Self {
        Self {
            text: question.has_text(),
            image: question.has_image(),
        }
    }

    fn runs(self, model: &Model) -> bool {
        let manifest = &model.manifest;
        self.text && manifest.knows_text() || self.image && manifest.vision.onnx.is_some()
    }
}

/// The collections that were named, else the only one that carries our mark.
pub(super) async fn choose(
    wanted: &Wanted<'_>,
    file: &File,
    store: &Store,
) -> Result<Vec<String>, Failure> {
    let given = wanted.collections.iter().filter(|name| !name.is_empty());
    let mut named: Vec<String> = given.cloned().collect();
    if named.is_empty() {
        named.extend(file.collection.clone());
    }
    let mut seen = std::collections::HashSet::new();
    named.retain(|name| seen.insert(name.clone()));
    if !named.is_empty() {
        return Ok(named);
    }
    let managed = store.managed_collections().await?;
    match managed.len() {
        1 => Ok(managed),
        0 => Err(Failure::new(
            anyhow!("there is no collection to search at {}", store.uri()),
            "fill one first: `ingest --collection NAME FOLDER`",
        )),
        many => Err(Failure::new(
            anyhow!("there are {many} collections to search"),
            &format!("name one of {} with --collection", managed.join(", ")),
        )),
    }
}

/// Opens collections and their models, and makes them searchable.
pub(super) async fn open(
    wanted: &Wanted<'_>,
    file: &File,
    store: &Store,
    names: &[String],
    needs: Needs,
) -> Result<Vec<Opened>, Failure> {
    let mut models = Vec::with_capacity(names.len());
    for name in names {
        let collection = store.require_collection(name).await?;
        let model = model_of(wanted, file, &collection, needs)?;
        // A question that no collection understands needs no runtime, and no
        // load of minutes.
        if names.len() == 1 && needs.text && !needs.image && !model.manifest.knows_text() {
            let model = model.manifest.name.clone();
            return Err(EmbedError::NoText { model }.into());
        }
        make_searchable(store, name, wanted).await?;
        models.push((collection, model));
    }
    let runtime = if models.iter().any(|(_, model)| needs.runs(model)) {
        Some(Arc::new(Runtime::load()?))
    } else {
        None
    };
    let opened = models.into_iter().map(|(collection, model)| {
        let sentences = sentences(wanted.templates, &model)?;
        let embedder = Embedder::new(model, runtime.clone(), sentences);
        Ok(Opened {
            collection,
            embedder,
        })
    });
    opened.collect()
}

/// The model that filled the collection. One that was named must be it.
fn model_of(
    wanted: &Wanted<'_>,
    file: &File,
    collection: &Collection,
    needs: Needs,
) -> Result<Model, Failure> {
    let mark = collection
        .mark
        .as_ref()
        .ok_or_else(|| StoreError::Unmarked {
            collection: collection.name.clone(),
        })?;
    let name = wanted.model.unwrap_or(&mark.model);
    let model = wanted.places.model_dirs(file).open(name)?;
    let manifest = &model.manifest;
    let vision = manifest.vision.onnx.as_ref().map(|graph| &graph.file);
    let text = manifest.text.as_ref();
    let fingerprint = model.verify_only(|path| {
        let is_text = text.is_some_and(|t| t.tokenizer == path || t.onnx.file == path);
        let is_vision = vision.is_some_and(|file| file == path);
        let is_graph = is_text || is_vision;
        !is_graph || (is_text && needs.text) || (is_vision && needs.image)
    })?;
    let ours = ModelMark {
        model: manifest.name.clone(),
        fingerprint: fingerprint.to_string(),
    };
    collection.require_model(&ours, manifest.dimension)?;
    Ok(model)
}

/// A Milvus Lite forgets at each restart what was loaded, so it is loaded
/// without asking; on a server somebody may have released the collection for a
/// reason, so it is loaded when asked.
async fn make_searchable(store: &Store, name: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
    if store.is_loaded(name).await? {
        return Ok(());
    }
    if !wanted.load && !store.server().lite {
        return Err(StoreError::NotLoaded {
            collection: name.to_owned(),
        }
        .into());
    }
    if !wanted.quiet {
        tell(&format!("loading the collection `{name}` into memory"));
    }
    Ok(store.load(name).await?)
}
