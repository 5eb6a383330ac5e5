//! `models`: what there is, fetching it, and trying it out.
#![expect(
    clippy::doc_markdown,
    reason = "the doc comments of arguments are their --help"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum, ValueHint};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::failure::{Exit, Failure};
use super::settings::PlaceArgs;
use super::terminal::{self, CommonArgs, is_watched, tell};
use crate::config::{ImageLimits, Secret};
use crate::embed::{Runtime, TextTower, VisionTower, norm};
use crate::imaging::{Preprocess, RgbImage, decode};
use crate::model::fetch::{FetchOptions, FetchProgress, Fetched, Origin, fetch};
use crate::model::{FileState, Model, ModelDirs, Source};
use crate::render::{Align, Table, printable};

/// List, fetch and check embedding models
///
/// A model is a folder with a model.toml that says what it is, what its files
/// are, and how a picture becomes its input. `ingest --model NAME` uses it.
#[derive(Debug, Parser)]
#[command(
    name = "models",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    places: PlaceArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the models: name, kind, dimension, whether they know text, whether their files are here
    List {
        /// Form of the list
        #[arg(long, value_enum, default_value_t = ListFormat::Table, value_name = "FORM")]
        format: ListFormat,
    },
    /// Fetch a model's files: resumed after an interruption, checked by sha256
    ///
    /// HF_ENDPOINT holds the address of a mirror of the hub; HF_TOKEN the token
    /// for files that are gated, which is sent to the hub or to HF_ENDPOINT
    /// alone, never to --from.
    Pull {
        /// Name of the model, or its folder
        #[arg(value_name = "MODEL")]
        model: String,
        /// Mirror to fetch from: an address or a folder [default: HF_ENDPOINT,
        /// else the hub that the manifest names]
        #[arg(long, value_name = "URL-OR-FOLDER")]
        from: Option<String>,
        /// Fetch files anew that are there and right
        #[arg(long)]
        force: bool,
    },
    /// Load a model, embed one picture and one text, and say how that went
    Check {
        /// Name of the model, or its folder
        #[arg(value_name = "MODEL")]
        model: String,
        /// Picture to embed [default: a made-up one]
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        image: Option<PathBuf>,
        /// Text to embed
        #[arg(long, value_name = "WORDS", default_value = "a photo of a cat")]
        text: String,
    },
}

/// Form of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// For people
    Table,
    /// For scripts, on one line
    Json,
}

/// Runs the command.
pub fn main() -> ExitCode {
    terminal::main(|args: &ModelsArgs| &args.common, run)
}

async fn run(args: ModelsArgs) -> Result<Exit, Failure> {
    let file = args.places.file()?;
    let dirs = args.places.model_dirs(&file);
    match args.command {
        None => Ok(Exit::Done),
        Some(Command::List { format }) => list(&dirs, format),
        Some(Command::Pull { model, from, force }) => {
            pull(&dirs.open(&model)?, from, force, args.common.quiet).await
        }
        Some(Command::Check { model, image, text }) => {
            check(&dirs.open(&model)?, image.as_ref(), &text)
        }
    }
}

/// One line of the list.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    kind: &'static str,
    dimension: usize,
    text: bool,
    files: &'static str,
    title: String,
}

fn list(dirs: &ModelDirs, format: ListFormat) -> Result<Exit, Failure> {
    let mut models = Vec::new();
    let mut broken = 0;
    for (_, model) in dirs.list() {
        match model {
            Ok(model) => models.push(describe(&model)),
            Err(error) => {
                terminal::complain(&error.into());
                broken += 1;
            }
        }
    }
    terminal::print(|out| match format {
        ListFormat::Json => {
            let document = serde_json::json!({ "version": 1, "models": models });
            serde_json::to_writer(&mut *out, &document)?;
            std::io::Write::write_all(out, b"\n")
        }
        ListFormat::Table => {
            let mut table = Table::new(&[
                ("name", Align::Left),
                ("kind", Align::Left),
                ("dimension", Align::Right),
                ("text", Align::Left),
                ("files", Align::Left),
                ("what", Align::Left),
            ]);
            for model in &models {
                table.row([
                    model.name.clone(),
                    model.kind.to_owned(),
                    model.dimension.to_string(),
                    if model.text { "yes" } else { "no" }.to_owned(),
                    model.files.to_owned(),
                    model.title.clone(),
                ]);
            }
            table.write(out)
        }
    })?;
    Ok(if broken == 0 {
        Exit::Done
    } else {
        Exit::Incomplete
    })
}

fn describe(model: &Model) -> Listed {
    let manifest = &model.manifest;
    let files = match (model.state(), &manifest.source) {
        _ if manifest.files.is_empty() => "none needed",
        (FileState::Present, _) => "present",
        (FileState::Partial, _) => "some missing",
        (FileState::Missing, Source::Built { .. }) => "to be built",
        (FileState::Missing, _) => "missing",
    };
    Listed {
        name: manifest.name.clone(),
        kind: manifest.kind(),
        dimension: manifest.dimension,
        text: manifest.knows_text(),
        files,
        title: manifest.title.clone(),
    }
}

async fn pull(
    model: &Model,
    from: Option<String>,
    force: bool,
    quiet: bool,
) -> Result<Exit, Failure> {
    let variable = |name| {
        std::env::var(name)
            .ok()
            .filter(|text: &String| !text.is_empty())
    };
    let named = from.is_some();
    let origin = match from.or_else(|| variable("HF_ENDPOINT")) {
        None => Origin::Hub,
        Some(from) => from.parse().unwrap_or(Origin::Hub),
    };
    // A token goes to the hub alone, and never in the clear.
    let in_the_clear = matches!(&origin, Origin::Url(url) if url.starts_with("http://"));
    let token = variable("HF_TOKEN").filter(|_| !named && !in_the_clear);
    let options = FetchOptions {
        origin,
        token: token.map(Secret::new),
        force,
        ..FetchOptions::default()
    };
    let progress = PullProgress::new(quiet);
    let fetched = tokio::select! {
        fetched = fetch(model, &options, &progress) => fetched?,
        _ = tokio::signal::ctrl_c() => {
            tell("interrupted: run the same command again to go on where it stopped");
            return Ok(Exit::Interrupted);
        }
    };
    progress.clear();
    if !quiet {
        let here = |file: &&Fetched| matches!(file, Fetched::AlreadyThere { .. });
        let already = fetched.iter().filter(here).count();
        let name = &model.manifest.name;
        terminal::print(|out| {
            use std::io::Write as _;
            writeln!(
                out,
                "{name}: {} fetched, {already} here already",
                fetched.len() - already
            )
        })?;
    }
    Ok(Exit::Done)
}

/// A bar a file on a terminal, a line a file elsewhere.
struct PullProgress {
    quiet: bool,
    bar: Option<ProgressBar>,
}

impl PullProgress {
    fn new(quiet: bool) -> Self {
        let style = ProgressStyle::with_template(
            "{msg} {bar:32} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
        )
        .expect("the template is a constant; this is a bug");
        let bar = (!quiet && is_watched()).then(|| ProgressBar::new(0).with_style(style));
        Self { quiet, bar }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl FetchProgress for PullProgress {
    fn start(&self, file: &str, total: Option<u64>, already: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(printable(file));
            bar.set_length(total.unwrap_or(0));
            bar.set_position(already);
        } else if !self.quiet {
            let total = total.map_or_else(|| "unknown size".to_owned(), |t| format!("{t} bytes"));
            tell(&format!("{}: {already} of {total}", printable(file)));
        }
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    fn finish(&self, file: &str) {
        if self.bar.is_none() && !self.quiet {
            tell(&format!("{}: done", printable(file)));
        }
    }

    fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(&printable(message))),
            None if self.quiet => {}
            None => tell(&printable(message)),
        }
    }
}

fn check(model: &Model, image: Option<&PathBuf>, text: &str) -> Result<Exit, Failure> {
    let manifest = &model.manifest;
    let fingerprint = model.verify()?;
    let needs_runtime = manifest.vision.onnx.is_some() || manifest.knows_text();
    let runtime = if needs_runtime {
        Some(Runtime::load()?)
    } else {
        None
    };
    let picture = match image {
        None => made_up_picture(),
        Some(path) => {
            let bytes = std::fs::read(path)
                .with_context(|| format!("cannot read the picture {}", path.display()))
                .map_err(|error| Failure::new(error, "check the path and its permissions"))?;
            decode(&bytes, &ImageLimits::default()).map_err(crate::search::SearchError::from)?
        }
    };
    let mut lines = vec![format!(
        "{}: {}, {}-d, fingerprint {fingerprint}",
        manifest.name,
        manifest.kind(),
        manifest.dimension
    )];
    let loading = Instant::now();
    let mut vision = VisionTower::open(model, runtime.as_ref(), 1)?;
    let loaded = loading.elapsed();
    let embedding = Instant::now();
    let mut preprocess = Preprocess::new(&manifest.vision);
    let mut tensor = vec![0.0; preprocess.tensor_len()];
    preprocess.write_tensor(&picture, &mut tensor);
    for vector in vision.embed(&tensor, 1)? {
        let vector = vector.map_err(crate::embed::EmbedError::Vector)?;
        lines.push(line("image", &vector, loaded, embedding.elapsed()));
    }
    if let Some(runtime) = runtime.as_ref().filter(|_| manifest.knows_text()) {
        let loading = Instant::now();
        let mut tower = TextTower::open(model, runtime, 1)?;
        let loaded = loading.elapsed();
        let embedding = Instant::now();
        for embedded in tower.embed(&[text])? {
            lines.push(line(
                "text",
                &embedded.embedding,
                loaded,
                embedding.elapsed(),
            ));
        }
    }
    terminal::print(|out| {
        use std::io::Write as _;
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    })?;
    Ok(Exit::Done)
}

fn line(
    what: &str,
    vector: &[f32],
    loaded: std::time::Duration,
    embedded: std::time::Duration,
) -> String {
    format!(
        "  {what:<5}  {} numbers, norm {:.4}, loaded in {:.0} ms, embedded in {:.1} ms on one thread",
        vector.len(),
        norm(vector),
        loaded.as_secs_f64() * 1e3,
        embedded.as_secs_f64() * 1e3
    )
}

/// A picture with a gradient in each channel, so that no channel is flat.
fn made_up_picture() -> RgbImage {
    let (width, height) = (320u32, 240u32);
    let pixels = (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| [x * 255 / 319, y * 255 / 239, (x + y) % 256]))
        .map(|value| u8::try_from(value).unwrap_or(u8::MAX))
        .collect();
    RgbImage {
        width,
        height,
        pixels,
    }
}
