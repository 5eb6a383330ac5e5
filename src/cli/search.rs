//! `search`: the stored pictures nearest to words, a picture, or both.
#![expect(
    clippy::doc_markdown,
    clippy::doc_link_with_quotes,
    reason = "the doc comments of arguments are their --help"
)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Parser, ValueHint};

use super::failure::{Exit, Failure};
use super::search_output::{self as output, OutputArgs};
use super::settings::{self, MilvusArgs, PlaceArgs};
use super::terminal::{self, CommonArgs, tell};
use crate::config::ImageLimits;
use crate::embed::Runtime;
use crate::model::Model;
use crate::render::{AnswerView, CollectionView, PartKind, PartView, QueryView, ScoreKind};
use crate::search::{Answer, Question, embed_question, search};
use crate::store::{Collection, ModelMark, Store, StoreError, VectorQuery};

/// How long transient faults of the server are waited out.
const RETRY: Duration = Duration::from_secs(10);

/// Find the stored pictures nearest to words, a picture, or both
///
/// Words need a collection filled by a text-image model such as CLIP; a
/// picture works with every model. Words and picture together are asked as one
/// question, each with the same weight.
///
/// Exit code: 0 done (also without hits), 1 could not do it, 2 bad usage.
#[derive(Debug, Parser)]
#[command(name = "search", version, max_term_width = 100, after_long_help = EXAMPLES)]
pub struct SearchArgs {
    /// Words to look for
    #[arg(long, short, value_name = "WORDS", required_unless_present_any = ["image", "completions"])]
    text: Option<String>,

    /// Picture to look for; `-` is standard input
    #[arg(long, short, value_name = "FILE", required_unless_present_any = ["text", "completions"], value_hint = ValueHint::FilePath)]
    image: Option<PathBuf>,

    /// Collection to search [default: the only one that `ingest` made]
    #[arg(long, short, env = "MILVUS_COLLECTION", value_name = "NAME")]
    collection: Option<String>,

    /// Model that embeds the question: a name or a folder; must be the one
    /// that filled the collection [default: that one]
    #[arg(long, short, value_name = "MODEL")]
    model: Option<String>,

    /// Most hits
    #[arg(long, short = 'n', default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16_384))]
    limit: u32,

    /// Only pictures for which this Milvus expression holds
    ///
    /// Fields: id, path, display_name, content_hash, bytes, modified, and the
    /// names table's columns as attributes["column"]. For example:
    /// --filter 'attributes["colour"] == "red" and attributes["price"] < 50'.
    #[arg(long, short, value_name = "EXPRESSION")]
    filter: Option<String>,

    /// Load the collection into Milvus's memory first, if it is not there
    #[arg(long)]
    load: bool,

    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    milvus: MilvusArgs,
    #[command(flatten)]
    places: PlaceArgs,
    #[command(flatten)]
    common: CommonArgs,
}

const EXAMPLES: &str = "Examples:
  search --text 'red handbag'
  search --collection fashion_clip --image q.jpg --limit 5
  search --image shoe.jpg --text 'in red' --format json
  search --text 'a cat' --format paths -0 | xargs -0 cp -t ./cats";

/// Runs the command.
pub fn main() -> ExitCode {
    terminal::main(|args: &SearchArgs| &args.common, run)
}

async fn run(args: SearchArgs) -> Result<Exit, Failure> {
    if args
        .text
        .as_ref()
        .is_some_and(|text| text.trim().is_empty())
    {
        return Err(Failure::usage(
            anyhow!("the text is empty"),
            "give --text some words, or leave it out and search with --image",
        ));
    }
    args.output.check()?;
    let file = args.places.file()?;
    let image = args.image.as_deref().map(read_image).transpose()?;
    let store = Store::connect(&args.milvus.connection(&file, RETRY)?).await?;
    let name = choose_collection(&args, &file, &store).await?;
    let collection = store.require_collection(&name).await?;
    let model = open_model(&args, &file, &collection)?;

    let question = Question {
        text: args.text.clone(),
        image,
    };
    let model_name = model.manifest.name.clone();
    let query = tokio::task::spawn_blocking(move || embed(&model, &question))
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    if query.truncated && !args.common.quiet {
        tell("warning: the text is longer than the model reads; its end is ignored");
    }
    make_searchable(&store, &name, &args).await?;
    let query = VectorQuery {
        embedding: query.embedding,
        limit: args.limit as usize,
        filter: args.filter.clone().unwrap_or_default(),
    };
    let answer = search(&store, &name, &query).await?;
    show(args, name, model_name, query.limit, &answer)?;
    Ok(Exit::Done)
}

fn show(
    args: SearchArgs,
    name: String,
    model_name: String,
    limit: usize,
    answer: &Answer,
) -> Result<(), Failure> {
    let parts = [
        args.text.map(|text| (PartKind::Text, text)),
        args.image
            .map(|path| (PartKind::Image, path.to_string_lossy().into_owned())),
    ];
    let parts = parts.into_iter().flatten().map(|(kind, value)| PartView {
        kind,
        value,
        weight: 1.0,
    });
    let view = AnswerView {
        query: &QueryView {
            parts: parts.collect(),
            limit,
            offset: 0,
            filter: args.filter,
        },
        collections: &[CollectionView {
            name,
            model: model_name,
            metric: Some(answer.metric),
            left_out: None,
        }],
        score: ScoreKind::Metric(answer.metric),
        hits: &answer.hits,
        explain: None,
    };
    output::show(&view, &args.output)
}

fn read_image(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.with_context(|| format!("cannot read the query picture {}", path.display()))
        .map_err(|error| Failure::new(error, "check the path and its permissions"))
}

/// The collection that was named, else the only one that carries our mark.
async fn choose_collection(
    args: &SearchArgs,
    file: &settings::File,
    store: &Store,
) -> Result<String, Failure> {
    let given = args.collection.clone().filter(|name| !name.is_empty());
    let named = given.or_else(|| file.collection.clone());
    if let Some(name) = named {
        return Ok(name);
    }
    let mut managed = store.managed_collections().await?;
    match (managed.pop(), managed.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Failure::new(
            anyhow!("there is no collection to search at {}", store.uri()),
            "fill one first: `ingest --collection NAME FOLDER`",
        )),
        (Some(last), false) => {
            managed.push(last);
            Err(Failure::new(
                anyhow!("there are {} collections to search", managed.len()),
                &format!("name one of {} with --collection", managed.join(", ")),
            ))
        }
    }
}

/// The model that filled the collection. One that was named must be it.
fn open_model(
    args: &SearchArgs,
    file: &settings::File,
    collection: &Collection,
) -> Result<Model, Failure> {
    let mark = collection
        .mark
        .as_ref()
        .ok_or_else(|| StoreError::Unmarked {
            collection: collection.name.clone(),
        })?;
    let name = args.model.as_ref().unwrap_or(&mark.model);
    let model = args.places.model_dirs(file).open(name)?;
    let manifest = &model.manifest;
    // Only the towers that the question needs are opened, and hashed.
    let vision = manifest
        .vision
        .onnx
        .as_ref()
        .map(|graph| graph.file.as_str());
    let skipped = args.image.is_none().then_some(vision).flatten();
    let skips_text = args.text.is_none();
    let text = manifest.text.as_ref();
    let fingerprint = model.verify_only(|path| {
        let is_text = text.is_some_and(|t| t.tokenizer == path || t.onnx.file == path);
        Some(path) != skipped && !(skips_text && is_text)
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
async fn make_searchable(store: &Store, name: &str, args: &SearchArgs) -> Result<(), Failure> {
    if store.is_loaded(name).await? {
        return Ok(());
    }
    if !args.load && !store.server().lite {
        return Err(StoreError::NotLoaded {
            collection: name.to_owned(),
        }
        .into());
    }
    if !args.common.quiet {
        tell(&format!("loading the collection `{name}` into memory"));
    }
    Ok(store.load(name).await?)
}

fn embed(model: &Model, question: &Question) -> Result<crate::search::QueryVector, Failure> {
    let manifest = &model.manifest;
    let runs_text = question.text.is_some() && manifest.knows_text();
    let runs_vision = question.image.is_some() && manifest.vision.onnx.is_some();
    let runtime = if runs_text || runs_vision {
        Some(Runtime::load()?)
    } else {
        None
    };
    Ok(embed_question(
        model,
        runtime.as_ref(),
        question,
        &ImageLimits::default(),
    )?)
}
