//! The arguments of `ingest`.
#![expect(
    clippy::doc_markdown,
    reason = "the doc comments of arguments are their --help"
)]

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{ArgGroup, Parser, ValueEnum, ValueHint};

use super::failure::Failure;
use super::settings::{self, MilvusArgs, PlaceArgs};
use super::terminal::CommonArgs;
use crate::config::{ImageLimits, IndexKind, IndexSettings};
use crate::entity::MetricType;

/// Embed pictures and store their vectors in a Milvus collection
///
/// Pictures are found in folders (recursively), files and lists; recognised by
/// content as JPEG, PNG, WebP, GIF, BMP or TIFF; turned upright, put on white,
/// embedded by a model and upserted with their path, display name and
/// attributes. Running the same command again writes only what changed.
///
/// Exit code: 0 done, 1 could not do it, 2 bad usage, 3 some pictures were
/// rejected or failed (or --verify found differences, or --check errors), 130
/// interrupted.
#[derive(Debug, Parser)]
#[command(name = "ingest", version, max_term_width = 100, after_long_help = EXAMPLES)]
#[command(group = ArgGroup::new("deletes").args(["prune", "repair"]))]
pub(super) struct IngestArgs {
    /// Folders, files
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(super) paths: Vec<PathBuf>,

    /// Collection that takes the vectors; created where it is missing
    #[arg(long, short, env = "MILVUS_COLLECTION", value_name = "NAME")]
    pub(super) collection: Option<String>,

    /// Model that embeds: a name from `models list`, or a folder with a
    /// model.toml, either with :VARIANT for a variant [default: the one that filled the collection, else clip-vit-b-32]
    #[arg(long, short, env = "MILVUS_MODEL", value_name = "MODEL")]
    pub(super) model: Option<String>,

    /// List of more paths, one a line or NUL-separated; `-` is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) files_from: Option<PathBuf>,

    /// Write nothing; say what would be done
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Look at everything that can fail before the first picture is decoded
    ///
    /// Settings, model, ONNX Runtime, memory, server, login, collection,
    /// index, the right to write, every path and name against the
    /// collection's limits: one finding a line, each with its remedy. Writes
    /// nothing. Exit code: 0 no error was found, 3 some were.
    #[arg(long, conflicts_with_all = ["dry_run", "verify"])]
    pub(super) check: bool,

    /// Delete the rows whose files are gone, of the folders given alone
    ///
    /// Refused where an entry could not be looked at, where no picture was
    /// found, or where more rows would go than --prune-limit allows. With
    /// --dry-run, lists them.
    #[arg(long, conflicts_with = "files_from")]
    pub(super) prune: bool,

    /// Most rows of a source that --prune or --repair delete for good, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, requires = "deletes", value_parser = percent)]
    pub(super) prune_limit: f64,

    /// Write rejected and failed pictures to this file, one JSON object a line
    ///
    /// A path that is not UTF-8 stands in `path_base64` too, byte by byte.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) rejects: Option<PathBuf>,

    /// Form of the summary on standard output
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text, value_name = "FORM")]
    pub(super) format: SummaryFormat,

    #[command(flatten)]
    pub(super) comparing: VerifyArgs,
    #[command(flatten)]
    pub(super) names: NamesArgs,
    #[command(flatten)]
    pub(super) identity: IdentityArgs,
    #[command(flatten)]
    pub(super) index: IndexArgs,
    #[command(flatten)]
    pub(super) pace: PaceArgs,
    #[command(flatten)]
    pub(super) milvus: MilvusArgs,
    #[command(flatten)]
    pub(super) places: PlaceArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

const EXAMPLES: &str = "Examples:
  ingest --collection fashion_clip ./fashion
  ingest --collection fashion_clip --names styles.csv ./images
  find /photos -name '*.jpg' -print0 | ingest --collection photos --files-from - --root /photos
  ingest --collection demo --model lit-b0 --dry-run ./fashion
  ingest --collection fashion_clip --verify --repair ./fashion
  ingest --check --collection fashion_clip --names styles.csv ./images";

/// Form of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SummaryFormat {
    /// For people
    Text,
    /// For scripts, on one line
    Json,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Comparing collection and disk")]
pub(super) struct VerifyArgs {
    /// Write nothing; compare the collection with the folders given
    ///
    /// Every row and every file is read: pictures without a row (missing), rows
    /// without a picture (extra), rows that differ from their file (stale), keys
    /// that several rows have, vectors that are wrong. Exit code 0 where there is
    /// no difference, else 3.
    #[arg(long, conflicts_with_all = ["files_from", "dry_run", "prune"])]
    pub(super) verify: bool,

    /// After --verify, put right what differs, and compare again
    #[arg(long, requires = "verify")]
    pub(super) repair: bool,

    /// Pictures that --verify embeds again, at random; `all` for all of them
    #[arg(long, value_name = "N", default_value = "100", requires = "verify", value_parser = sample)]
    pub(super) sample: u64,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Names and attributes")]
pub(super) struct NamesArgs {
    /// Table of display names and attributes: CSV with a header, or JSONL
    ///
    /// Rows are joined by relative path, file name or file stem. Columns other
    /// than key and name become attributes, which filters can use.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) names: Option<PathBuf>,

    /// Column that joins rows to pictures [default: path, file, filename, image, id, ... else the first]
    #[arg(long, value_name = "COLUMN", requires = "names")]
    pub(super) names_key: Option<String>,

    /// Column of the display name [default: productDisplayName, display_name, name or title]
    #[arg(long, value_name = "COLUMN", requires = "names")]
    pub(super) names_column: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Identity of a picture (source name and relative path)")]
pub(super) struct IdentityArgs {
    /// Folder that relative paths count from [default: each folder given; a file's own folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) root: Option<PathBuf>,

    /// Name of the source [default: the root folder's name]
    #[arg(long, value_name = "NAME")]
    pub(super) source: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Index of a collection that is created")]
pub(super) struct IndexArgs {
    /// HNSW, FLAT, IVF_FLAT, IVF_SQ8 or AUTOINDEX [default: HNSW]
    #[arg(long, value_name = "TYPE")]
    pub(super) index_type: Option<String>,

    /// COSINE, IP or L2 [default: COSINE]
    #[arg(long, value_name = "METRIC")]
    pub(super) metric: Option<String>,

    /// HNSW: edges a node, 2-2048 [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=2048))]
    pub(super) hnsw_m: Option<u32>,

    /// HNSW: candidates while building, 1-32768 [default: 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=32768))]
    pub(super) hnsw_ef_construction: Option<u32>,

    /// IVF: number of lists, 1-65536 [default: 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(super) ivf_nlist: Option<u32>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Pace and limits")]
pub(super) struct PaceArgs {
    /// Worker threads, each with a copy of the model [default: one a core, as far as memory goes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) workers: Option<u16>,

    /// Threads of one worker's inference [default: cores / workers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,

    /// Pictures in one run of the model; the last run is filled up, for vectors that are equal to the bit
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) batch: u16,

    /// Bytes in one upsert; Milvus takes at most 67108864
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20, value_parser = clap::value_parser!(u64).range(1..=67_108_864))]
    pub(super) upsert_bytes: u64,

    /// Upserts under way at once (always 1 on Milvus Lite)
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) upserts_in_flight: u16,

    /// Largest file that is read, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = ImageLimits::default().max_file_bytes)]
    pub(super) max_file_bytes: u64,

    /// Most pixels (width x height) of a picture
    #[arg(long, value_name = "PIXELS", default_value_t = ImageLimits::default().max_pixels)]
    pub(super) max_pixels: u64,

    /// Longest time that decoding a picture may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = ImageLimits::default().max_decode.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) max_decode_seconds: u64,
}

fn sample(text: &str) -> Result<u64, String> {
    match text {
        "all" => Ok(u64::MAX),
        number => number
            .parse()
            .map_err(|_| "write a number, or `all`".to_owned()),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=100.0).contains(&number) => Ok(number),
        _ => Err("write a number from 0 to 100".to_owned()),
    }
}

/// Index of a collection that is created: flag, then file, then default.
pub(super) fn index(
    args: &IndexArgs,
    file: &settings::IndexFile,
) -> Result<IndexSettings, Failure> {
    let nlist = args.ivf_nlist.or(file.nlist).unwrap_or(1024);
    // Flags were checked by clap, the file's values were not.
    for (key, value, range) in [
        ("m", file.m, 2..=2048),
        ("ef_construction", file.ef_construction, 1..=32768),
        ("nlist", file.nlist, 1..=65536),
    ] {
        if value.is_some_and(|value| !range.contains(&value)) {
            let (least, most) = (range.start(), range.end());
            return Err(Failure::usage(
                anyhow!("`{key}` of [index] in the configuration file is out of range"),
                &format!("write a number from {least} to {most}"),
            ));
        }
    }
    let kind = args.index_type.as_ref().or(file.kind.as_ref());
    let kind = match kind
        .map_or("HNSW".to_owned(), |kind| kind.to_uppercase())
        .as_str()
    {
        "HNSW" => IndexKind::Hnsw {
            m: args.hnsw_m.or(file.m).unwrap_or(16),
            ef_construction: args
                .hnsw_ef_construction
                .or(file.ef_construction)
                .unwrap_or(200),
        },
        "FLAT" => IndexKind::Flat,
        "IVF_FLAT" => IndexKind::IvfFlat { nlist },
        "IVF_SQ8" => IndexKind::IvfSq8 { nlist },
        "AUTOINDEX" => IndexKind::AutoIndex,
        other => {
            return Err(Failure::usage(
                anyhow!("`{other}` is not an index type that can be created"),
                "use one of HNSW, FLAT, IVF_FLAT, IVF_SQ8, AUTOINDEX",
            ));
        }
    };
    let metric = args.metric.as_ref().or(file.metric.as_ref());
    let metric = match metric {
        None => MetricType::Cosine,
        Some(metric) => metric.parse().map_err(|problem: String| {
            Failure::usage(anyhow!(problem), "use --metric COSINE, IP or L2")
        })?,
    };
    Ok(IndexSettings { kind, metric })
}
