//! `search`: the stored pictures nearest to words, pictures, or any mix.
#![expect(
    clippy::doc_markdown,
    clippy::doc_link_with_quotes,
    reason = "the doc comments of arguments are their --help"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Parser, Subcommand, ValueEnum, ValueHint};

use super::failure::{Exit, Failure};
use super::search_evaluate_args::EvaluateArgs;
use super::search_output::{AnswerFormat, OutputArgs};
use super::search_places::{self as places, Opened};
use super::search_question::{self as parts, PartsArgs};
use super::search_stray::StrayArgs;
use super::search_template::Template;
use super::settings::{MilvusArgs, PlaceArgs};
use super::terminal::{self, CommonArgs, tell};
use super::{search_answer as answer, search_batch as batch, search_labels as labels};
use crate::config::{Consistency, ScoreRange, Tuning};
use crate::search::{Asker, Clock, Cut, Selection};
use crate::store::{Comparison, MAX_HITS, Scope, Store};

/// How long transient faults of the server are waited out.
pub(super) const RETRY: Duration = Duration::from_secs(10);

/// Find the stored pictures nearest to words, pictures, or any mix of them
///
/// Words need a collection filled by a text-image model such as CLIP; a
/// picture works with every model. Parts are asked as one question, each with
/// its weight. Several collections are asked each with its own model, and their
/// hits fused by reciprocal rank.
///
/// Exit code: 0 done (also without hits), 1 could not do it, 2 bad usage, 3
/// some of the --queries could not be answered.
#[derive(Debug, Parser)]
#[command(name = "search", version, max_term_width = 100, after_long_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct SearchArgs {
    #[command(subcommand)]
    command: Option<SearchCommand>,

    #[command(flatten)]
    stray: StrayArgs,

    #[command(flatten)]
    pub(super) parts: PartsArgs,

    /// File of questions, answered one a line as JSON; `-` is standard input
    ///
    /// Plain lines are texts. JSONL (.jsonl) and CSV (.csv) have the fields
    /// text, image, id, not_text, not_image; others come back with the answer.
    /// Paths of pictures count from the file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "What is looked for",
          conflicts_with_all = ["text", "image", "id", "not_text", "not_image", "weight"])]
    pub(super) queries: Option<PathBuf>,

    /// Rank the words of this file, one label a line, instead of searching a
    /// collection
    ///
    /// For zero-shot labels of a picture: --labels labels.txt --image q.jpg.
    /// The label goes into the model's template, or into --template.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "What is looked for",
          conflicts_with_all = ["queries", "id", "filter", "where", "partition"])]
    pub(super) labels: Option<PathBuf>,

    /// Sentence around each text, {} in its place: 'a photo of a {}'; `model`
    /// is the model's own
    ///
    /// Given several times, a text's vector is the mean over the sentences.
    /// [default: the text as it is; for --labels the model's own sentence]
    #[arg(long, value_name = "SENTENCE", help_heading = "What is looked for")]
    pub(super) template: Vec<Template>,

    /// Collection to search; may be given several times [default: the only one
    /// that `ingest` made]
    #[arg(
        long,
        short,
        env = "MILVUS_COLLECTION",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(super) collection: Vec<String>,

    /// Model that embeds the question: a name or a folder; must be the one
    /// that filled the collection [default: that one]
    #[arg(long, short, value_name = "MODEL")]
    pub(super) model: Option<String>,

    /// Most hits
    #[arg(long, short = 'n', default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16_384))]
    limit: u32,

    /// Hits that are passed over first; --limit and --offset together are at
    /// most 16384
    #[arg(long, default_value_t = 0, value_name = "N")]
    offset: u32,

    /// Only pictures for which this Milvus expression holds
    ///
    /// Fields: id, path, display_name, content_hash, bytes, modified, and the
    /// names table's columns as attributes["column"]. For example:
    /// --filter 'attributes["colour"] == "red" and attributes["price"] < 50'.
    #[arg(long, short, value_name = "EXPRESSION")]
    filter: Option<String>,

    /// Only pictures with this attribute: colour=red, price<50; all that are
    /// given must hold
    ///
    /// Operators: = != < <= > >=. The value is quoted and escaped; a number is
    /// compared as one.
    #[arg(long = "where", id = "where", value_name = "ATTRIBUTE=VALUE")]
    wheres: Vec<Comparison>,

    /// Only pictures of this partition; may be given several times
    #[arg(long, value_name = "NAME")]
    partition: Vec<String>,

    /// Only hits that score at least this (for L2: at most)
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true, value_parser = finite)]
    min_score: Option<f32>,

    /// Stop where the score falls off: at this share below the best [0.15]
    ///
    /// 0.15 keeps hits with at least 85 % of the best hit's score (for L2: at
    /// most 115 % of the least distance). Scores of text-image models lie close
    /// together and differ between questions, so that no fixed --min-score
    /// suits all.
    #[arg(long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "0.15", value_parser = share)]
    gap: Option<f32>,

    /// One hit for all copies and near-copies of a picture: vectors of at least
    /// this cosine [0.95]
    #[arg(long, value_name = "COSINE", num_args = 0..=1, require_equals = true, default_missing_value = "0.95", value_parser = share)]
    distinct: Option<f32>,

    /// Only hits whose score lies between the two, each may be left out: 0.3..0.5
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true, value_parser = range)]
    range: Option<ScoreRange>,

    /// Candidates that an HNSW index looks at, 1-32768; more find more, slower
    /// [default: 64, at least --limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=32_768), help_heading = "How it is searched")]
    ef: Option<u32>,

    /// Lists that an IVF index looks at; more find more, slower [default: 16,
    /// or a sixteenth of the lists]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536), help_heading = "How it is searched")]
    nprobe: Option<u32>,

    /// What the search must see of what was just written
    #[arg(long, value_enum, default_value_t = ConsistencyArg::Strong, value_name = "LEVEL", help_heading = "How it is searched")]
    consistency: ConsistencyArg,

    /// Load the collection into Milvus's memory first, if it is not there
    #[arg(long, help_heading = "How it is searched")]
    pub(super) load: bool,

    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) milvus: MilvusArgs,
    #[command(flatten)]
    pub(super) places: PlaceArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

const EXAMPLES: &str = "Examples:
  search --text 'red handbag' --where 'price<50'
  search --collection fashion_clip --image q.jpg --limit 5
  search --image shoe.jpg --text 'in red' --weight 5 --format json
  search --text 'a cat' --format paths0 | xargs -0 cp -t ./cats
  search --image shoe.jpg --html shoe.html --open
  search --text 'a cat' --thumbnails --grid -n 24
  search --collection fashion_clip --collection fashion_resnet --image q.jpg
  search --queries questions.csv --limit 3 > answers.jsonl
  search --labels kinds.txt --image q.jpg --model clip-vit-b-32";

/// What `search` does beside searching.
#[derive(Debug, Subcommand)]
enum SearchCommand {
    /// Say how good a search is, by queries whose right answers are known
    #[command(after_long_help = super::search_evaluate_args::EXAMPLES)]
    Evaluate(Box<EvaluateArgs>),
}

/// Consistency level of Milvus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ConsistencyArg {
    /// All of it
    Strong,
    /// What this connection wrote
    Session,
    /// All but the last seconds; faster on a cluster
    Bounded,
    /// Whatever is there
    Eventually,
}

impl From<ConsistencyArg> for Consistency {
    fn from(argument: ConsistencyArg) -> Self {
        match argument {
            ConsistencyArg::Strong => Self::Strong,
            ConsistencyArg::Session => Self::Session,
            ConsistencyArg::Bounded => Self::Bounded,
            ConsistencyArg::Eventually => Self::Eventually,
        }
    }
}

/// One expression for all that must hold; empty for nothing.
pub(super) fn all_of(comparisons: &[Comparison], filter: Option<&str>) -> String {
    let mut filters: Vec<String> = comparisons.iter().map(Comparison::expression).collect();
    let given = filter.filter(|filter| !filter.trim().is_empty());
    filters.extend(given.map(str::to_owned));
    match &filters[..] {
        [] => String::new(),
        [only] => only.clone(),
        all => {
            let each: Vec<String> = all.iter().map(|one| format!("({one})")).collect();
            each.join(" and ")
        }
    }
}

fn finite(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if f32::is_finite(number) => Ok(number),
        _ => Err("it must be a number".to_owned()),
    }
}

fn share(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("it must be a number from 0 to 1".to_owned()),
    }
}

fn range(text: &str) -> Result<ScoreRange, String> {
    let wrong = || "it must be LOW..HIGH, LOW.. or ..HIGH, with LOW below HIGH".to_owned();
    let (low, high) = text.split_once("..").ok_or_else(wrong)?;
    let end = |text: &str| match text.trim() {
        "" => Ok(None),
        text => finite(text).map(Some).map_err(|_| wrong()),
    };
    let range = ScoreRange {
        low: end(low)?,
        high: end(high)?,
    };
    match (range.low, range.high) {
        (None, None) => Err(wrong()),
        (Some(low), Some(high)) if low > high => Err(wrong()),
        _ => Ok(range),
    }
}

impl SearchArgs {
    /// Most hits.
    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    fn wanted(&self) -> places::Wanted<'_> {
        places::Wanted {
            collections: &self.collection,
            model: self.model.as_deref(),
            templates: &self.template,
            load: self.load,
            quiet: self.common.quiet,
            places: &self.places,
        }
    }

    /// Which hits are asked for.
    pub(super) fn selection(&self) -> Result<Selection, Failure> {
        let all = self.limit as usize + self.offset as usize;
        if all > MAX_HITS {
            return Err(Failure::usage(
                anyhow!("--limit and --offset are {all} together, Milvus gives at most {MAX_HITS}"),
                "narrow the search with --filter or --where instead",
            ));
        }
        let filter = all_of(&self.wheres, self.filter.as_deref());
        Ok(Selection {
            limit: self.limit as usize,
            offset: self.offset as usize,
            scope: Scope {
                filter,
                partitions: self.partition.clone(),
            },
            range: self.range,
            cut: Cut {
                min_score: self.min_score,
                gap: self.gap,
                distinct: self.distinct,
            },
            with_embeddings: self.output.with_vectors(),
            tuning: Tuning {
                ef: self.ef.map(|ef| ef as usize),
                nprobe: self.nprobe.map(|nprobe| nprobe as usize),
                consistency: self.consistency.into(),
                complete: true,
            },
        })
    }

    fn check(&self) -> Result<(), Failure> {
        self.stray.check(&self.parts, &self.output)?;
        self.output.check(self.queries.is_some())?;
        if self.queries.is_some() {
            let lines = |form| form == AnswerFormat::Jsonl;
            self.output.check_without_hits("--queries", lines)?;
        }
        if self.labels.is_some() {
            self.output.check_without_hits("--labels", |_| true)?;
        }
        if self.collection.len() > 1 && (self.min_score.is_some() || self.range.is_some()) {
            return Err(Failure::usage(
                anyhow!("the scores of several collections do not compare"),
                "use --gap, or ask one collection",
            ));
        }
        Ok(())
    }
}

/// Runs the command.
pub fn main() -> ExitCode {
    terminal::main(|args: &SearchArgs| &args.common, run)
}

async fn run(mut args: SearchArgs) -> Result<Exit, Failure> {
    if let Some(SearchCommand::Evaluate(evaluate)) = args.command.take() {
        let run = super::search_evaluate::run(&evaluate, &args.places, args.common.quiet);
        return Box::pin(run).await;
    }
    args.check()?;
    if args.labels.is_some() {
        return labels::run(args).await;
    }
    let selection = args.selection()?;
    let file = args.places.file()?;
    let wanted = args.wanted();
    // Before anything is connected: a question that is none needs no server.
    let question = match &args.queries {
        None => Some(parts::question(&args.parts.parts).await?),
        Some(_) => None,
    };
    let mut clock = Clock::default();
    let start = Instant::now();
    let store = Store::connect(&args.milvus.connection(&file, RETRY)?).await?;
    clock.add("connect", start.elapsed());
    let start = Instant::now();
    let names = places::choose(&wanted, &file, &store).await?;
    let needs = question
        .as_ref()
        .map_or(places::Needs::ALL, places::Needs::of);
    let mut opened = places::open(&wanted, &file, &store, &names, needs).await?;
    clock.add("open collections", start.elapsed());
    let start = Instant::now();
    let asker = Asker::new(store, &names, selection).await?;
    clock.add("describe indexes", start.elapsed());
    match question {
        None => batch::run(&args, opened, &asker).await,
        Some(question) => {
            let found = answer::one(&mut opened, &asker, question).await?;
            warn_of_cut_texts(&args, found.answer.truncated);
            answer::show(&args, &opened, &asker, found, clock).await?;
            Ok(Exit::Done)
        }
    }
}

/// Says once that a text was cut.
pub(super) fn warn_of_cut_texts(args: &SearchArgs, truncated: bool) {
    if truncated && !args.common.quiet {
        tell("warning: the text is longer than the model reads; its end is ignored");
    }
}

/// Collections that are open.
pub(super) type Places = Vec<Opened>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_two_ends_or_one() {
        let ends = |text| range(text).map(|range| (range.low, range.high));
        assert_eq!(ends("0.3..0.5"), Ok((Some(0.3), Some(0.5))));
        assert_eq!(ends("-0.5.."), Ok((Some(-0.5), None)));
        assert_eq!(ends("..1"), Ok((None, Some(1.0))));
        for bad in ["", "..", "0.5..0.3", "a..b", "0.5"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
