//! `models`: what there is, fetching it, trying it out, and describing a new one.
#![expect(
    clippy::doc_markdown,
    reason = "the doc comments of arguments are their --help"
)]

mod check;
mod compare;
mod compare_report;
mod doctor;
mod export;
mod init;
mod list;
mod pull;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum, ValueHint};

use super::failure::{Exit, Failure};
use super::settings::PlaceArgs;
use super::terminal::{self, CommonArgs};

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
        #[arg(long, value_enum, default_value_t = Form::Table, value_name = "FORM")]
        format: Form,
    },
    /// Fetch a model's files: resumed after an interruption, checked by sha256
    ///
    /// HF_ENDPOINT holds the address of a mirror of the hub; HF_TOKEN the token
    /// for files that are gated, which is sent to the hub or to HF_ENDPOINT
    /// alone, never to --from.
    Pull {
        /// Name of the model or its folder, with :VARIANT for a variant
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
        /// Name of the model or its folder, with :VARIANT for a variant
        #[arg(value_name = "MODEL")]
        model: String,
        /// Picture to embed [default: a made-up one]
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        image: Option<PathBuf>,
        /// Text to embed
        #[arg(long, value_name = "WORDS", default_value = "a photo of a cat")]
        text: String,
    },
    /// Hold a model against its reference, stage by stage, on this machine
    ///
    /// Sends bundled pictures and texts through your copy of the model, and
    /// compares what comes out of every stage with what the reference
    /// implementation made of them: decode, resize, normalise, tokenise, graph,
    /// normalisation. Says `equal`, or which stage differs and by how much; exit
    /// code 3 where one differs or cannot be judged.
    Doctor {
        /// Name of the model or its folder, with :VARIANT for a variant
        #[arg(value_name = "MODEL")]
        model: String,
        /// Form of the answer
        #[arg(long, value_enum, default_value_t = Form::Table, value_name = "FORM")]
        format: Form,
    },
    /// Say what it costs to use model B instead of model A on your own pictures
    ///
    /// Embeds the pictures with both models, and counts how many of each
    /// picture's nearest neighbours by A are still its nearest by B, exactly
    /// and without a server. Where the vectors have the same length, also how
    /// far they turned. Equal cosines are ordered by path, for both alike.
    ///
    /// Exit code: 0 done, 1 could not do it, 2 bad usage, 3 some pictures were
    /// rejected, 130 interrupted.
    Compare(compare::CompareArgs),
    /// Write the manifest of a model of your own from its ONNX graph, with questions for the rest
    ///
    /// Reads the graph, and the files of Hugging Face or open_clip beside it
    /// (preprocessor_config.json, open_clip_config.json, config.json,
    /// tokenizer_config.json, sentence_bert_config.json, tokenizer.json). What
    /// they do not say stands as "?" in model.toml, with the question above it;
    /// until all are answered the model is refused.
    Init(init::InitArgs),
    /// Turn a PyTorch or TensorFlow checkpoint into a model
    ///
    /// Runs a Python script of models/export/, which writes ONNX, a model.toml
    /// and a reference for `doctor`, and holds the result against the framework
    /// that the checkpoint comes from.
    Export(export::ExportArgs),
}

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
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
        Some(Command::List { format }) => list::list(&dirs, format),
        Some(Command::Pull { model, from, force }) => {
            pull::pull(&dirs.open(&model)?, from, force, args.common.quiet).await
        }
        Some(Command::Doctor { model, format }) => doctor::doctor(&dirs.open(&model)?, format),
        Some(Command::Export(args)) => export::export(&dirs, &args),
        Some(Command::Check { model, image, text }) => {
            check::check(&dirs.open(&model)?, image.as_ref(), &text)
        }
        Some(Command::Init(init)) => init::init(&dirs, &init, args.common.quiet),
        Some(Command::Compare(compare)) => {
            compare::compare(compare, &dirs, args.common.quiet).await
        }
    }
}
