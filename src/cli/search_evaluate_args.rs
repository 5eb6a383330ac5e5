//! The flags of `search evaluate`.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{ValueEnum, ValueHint};

use super::failure::Failure;
use super::search::{ConsistencyArg, all_of};
use super::search_template::Template;
use super::settings::MilvusArgs;
use crate::config::{Consistency, Tuning};
use crate::search::{Cut, Selection};
use crate::store::{Comparison, Scope};

/// Stored pictures that are asked with, where there is no file of queries.
const SAMPLE: usize = 200;

/// Arguments of `search evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct EvaluateArgs {
    /// File of queries: CSV or JSONL, as for `search --queries`, each with its
    /// right answers
    ///
    /// The field `relevant` names them by id, path, or the end of a path
    /// (shoes/1.jpg): in JSONL a list, or an object {"path": grade}; in CSV
    /// separated by |. A query's own picture is no answer to it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) queries: Option<PathBuf>,

    /// Attributes that decide instead: right is what has the same values as
    /// the query's own columns
    ///
    /// Without --queries, stored pictures are asked with, and what has their
    /// values is right.
    #[arg(
        long,
        value_name = "COLUMNS",
        value_delimiter = ',',
        conflicts_with = "exact"
    )]
    pub(super) relevant_by: Vec<String>,

    /// Hold the approximate index against brute force over the stored vectors,
    /// for several --ef or --nprobe, with the time that a query takes
    #[arg(long)]
    pub(super) exact: bool,

    /// Without --queries: stored pictures that are asked with, drawn evenly
    /// [default: 200]
    #[arg(long, value_name = "N", conflicts_with = "queries", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,

    /// Places at which recall, precision and nDCG are taken
    #[arg(long, value_name = "K", value_delimiter = ',', default_value = "1,5,10", conflicts_with = "exact", value_parser = clap::value_parser!(u32).range(1..=16_000))]
    k: Vec<u32>,

    /// Hits of each query that are judged [default: 100, at least the largest
    /// --k; 10 for --exact]
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16_000))]
    limit: Option<u32>,

    /// With --exact: have Milvus seal and index what was written first
    ///
    /// New rows are compared one by one until Milvus seals them by itself, which a
    /// small collection may wait a day for. Needs the right to flush.
    #[arg(long)]
    pub(super) flush: bool,

    /// With --exact: the settings of ef or nprobe to try [default: 16 to 512 for
    /// ef, 1 to 128 for nprobe]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=32_768))]
    pub(super) sweep: Vec<u32>,

    /// Collection to ask; several are put side by side [default: the only one
    /// that `ingest` made]
    #[arg(
        long,
        short,
        env = "MILVUS_COLLECTION",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(super) collection: Vec<String>,

    /// Only pictures for which this Milvus expression holds
    #[arg(long, short, value_name = "EXPRESSION")]
    filter: Option<String>,

    /// Only pictures with this attribute: colour=red, price<50
    #[arg(long = "where", id = "where", value_name = "ATTRIBUTE=VALUE")]
    wheres: Vec<Comparison>,

    /// Only pictures of this partition; may be given several times
    #[arg(long, value_name = "NAME")]
    partition: Vec<String>,

    /// Sentence around each text, {} in its place: 'a photo of a {}'; `model`
    /// is the model's own
    #[arg(long, value_name = "SENTENCE")]
    pub(super) template: Vec<Template>,

    /// Candidates that an HNSW index looks at [default: 64, at least --limit]
    #[arg(long, value_name = "N", conflicts_with = "exact", value_parser = clap::value_parser!(u32).range(1..=32_768))]
    ef: Option<u32>,

    /// Lists that an IVF index looks at [default: 16, or a sixteenth of the
    /// lists]
    #[arg(long, value_name = "N", conflicts_with = "exact", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    nprobe: Option<u32>,

    /// What a search must see of what was just written [default: strong;
    /// bounded for --exact, whose times would else be those of waiting]
    #[arg(long, value_enum, value_name = "LEVEL")]
    consistency: Option<ConsistencyArg>,

    /// Load the collections into Milvus's memory first, if they are not there
    #[arg(long)]
    pub(super) load: bool,

    /// Form of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Table, value_name = "FORM", help_heading = "Report")]
    pub(super) format: ReportFormat,

    /// Write each query's measures and first hits, one JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with = "exact", help_heading = "Report", value_hint = ValueHint::FilePath)]
    pub(super) per_query: Option<PathBuf>,

    /// Write one page that needs no network: the measures, the best and the
    /// worst queries with their pictures; with --exact the plot
    #[arg(long, value_name = "FILE", help_heading = "Report", value_hint = ValueHint::FilePath)]
    pub(super) html: Option<PathBuf>,

    /// With --exact: write the plot of recall against latency
    #[arg(long, value_name = "FILE", help_heading = "Report", value_hint = ValueHint::FilePath)]
    pub(super) svg: Option<PathBuf>,

    #[command(flatten)]
    pub(super) milvus: MilvusArgs,
}

/// What stands below its --help.
pub(super) const EXAMPLES: &str = "Examples:
  search evaluate --queries queries.csv
  search evaluate --relevant-by kind,colour --collection shop_clip,shop_resnet
  search evaluate --queries q.jsonl --html report.html --per-query answers.jsonl
  search evaluate --exact --svg recall.svg

queries.csv:
  text,image,relevant
  red handbag,,bags/12.jpg|bags/40.jpg
  ,shoe.jpg,shoes/7.jpg";

/// Form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people
    Table,
    /// For scripts, on one line
    Json,
}

impl EvaluateArgs {
    /// Rows that count.
    pub(super) fn scope(&self) -> Scope {
        Scope {
            filter: all_of(&self.wheres, self.filter.as_deref()),
            partitions: self.partition.clone(),
        }
    }

    /// Stored pictures to ask with.
    pub(super) fn sample(&self) -> usize {
        self.sample.map_or(SAMPLE, |sample| sample as usize)
    }

    /// Hits of a query.
    pub(super) fn limit(&self, default: usize) -> usize {
        self.limit.map_or(default, |limit| limit as usize)
    }

    /// What a search must see.
    pub(super) fn consistency(&self, default: Consistency) -> Consistency {
        self.consistency.map_or(default, Consistency::from)
    }

    /// Places of the measures, ascending, each once.
    pub(super) fn places(&self) -> Vec<usize> {
        let mut places: Vec<usize> = self.k.iter().map(|k| *k as usize).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// What each query asks for.
    pub(super) fn selection(&self, limit: usize) -> Selection {
        Selection {
            limit,
            offset: 0,
            scope: self.scope(),
            range: None,
            cut: Cut::default(),
            with_embeddings: false,
            tuning: Tuning {
                ef: self.ef.map(|ef| ef as usize),
                nprobe: self.nprobe.map(|nprobe| nprobe as usize),
                consistency: self.consistency(Consistency::Strong),
                complete: true,
            },
        }
    }

    /// Whether the flags make sense together.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.queries.is_none() && self.relevant_by.is_empty() && !self.exact {
            return Err(Failure::usage(
                anyhow!("nothing says what is right"),
                "give --queries FILE, or --relevant-by COLUMNS; or hold the index against brute force with --exact",
            ));
        }
        let only = [
            ("--flush", self.flush),
            ("--sweep", !self.sweep.is_empty()),
            ("--svg", self.svg.is_some()),
        ];
        if let Some((flag, _)) = only.into_iter().find(|(_, given)| *given && !self.exact) {
            return Err(Failure::usage(
                anyhow!("{flag} is of no use without --exact"),
                "add --exact, or leave it out",
            ));
        }
        let largest = self.k.iter().max().copied().unwrap_or_default();
        if let Some(limit) = self.limit.filter(|limit| *limit < largest && !self.exact) {
            return Err(Failure::usage(
                anyhow!("--k {largest} looks beyond --limit {limit}"),
                "give a smaller --k, or a larger --limit",
            ));
        }
        Ok(())
    }
}
