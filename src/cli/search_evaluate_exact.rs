//! `search evaluate --exact`: an approximate index against brute force.

use anyhow::anyhow;

use super::failure::{Exit, Failure};
use super::search_evaluate::{Ready, sample};
use super::search_evaluate_args::{EvaluateArgs, ReportFormat};
use super::search_evaluate_files as files;
use super::search_evaluate_progress::Progress;
use super::search_evaluate_queries::{self as queries, AT_ONCE, Known};
use super::search_places::Opened;
use super::terminal::{self, tell};
use crate::config::Consistency;
use crate::evaluate::sweep::{Query, Settings, Sweep, sweep};
use crate::evaluate::sweep_report as report;
use crate::search::{Asker, SearchError};
use crate::store::Store;

/// Hits of a query, where none are named.
const LIMIT: usize = 10;

/// Measures the index of each collection.
pub(super) async fn run(
    args: &EvaluateArgs,
    ready: Ready,
    known: Vec<Known>,
) -> Result<Exit, Failure> {
    let mut sweeps: Vec<Sweep> = Vec::with_capacity(ready.opened.len());
    for place in ready.opened {
        let measuring = one(args, &ready.store, (place, &known), ready.quiet);
        sweeps.push(Box::pin(measuring).await?);
    }
    if let Some(path) = &args.svg {
        files::write(path, |out| report::write_plot(&sweeps, out))?;
    }
    if let Some(path) = &args.html {
        files::write(path, |out| report::write_page(&sweeps, out))?;
    }
    terminal::print(|out| match args.format {
        ReportFormat::Table => report::write_table(&sweeps, out),
        ReportFormat::Json => report::write_json(&sweeps, out),
    })?;
    Ok(Exit::Done)
}

async fn one(
    args: &EvaluateArgs,
    store: &Store,
    (mut place, known): (Opened, &[Known]),
    quiet: bool,
) -> Result<Sweep, Failure> {
    let name = place.collection.name.clone();
    if args.flush {
        let progress = Progress::spin(quiet, "sealing and indexing what was written");
        let flushed = store.flush(&name).await;
        progress.finish();
        flushed?;
    }
    let settings = Settings {
        limit: args.limit(LIMIT),
        scope: args.scope(),
        values: args.sweep.iter().map(|value| *value as usize).collect(),
        consistency: args.consistency(Consistency::Bounded),
    };
    let selection = args.selection(settings.limit);
    let asker = Asker::new(store.clone(), std::slice::from_ref(&name), selection).await?;
    let drawn: Vec<Known> = if known.is_empty() {
        let pictures = sample(store, &name, &settings.scope, args.sample()).await?;
        let pictures = queries::stored(pictures).into_iter();
        pictures.map(|(query, _)| query).collect()
    } else {
        Vec::new()
    };
    let known = if known.is_empty() { &drawn } else { known };
    let vectors = vectors(&mut place, &asker, known, quiet).await?;
    let measured = asker.places().first();
    let index = measured.expect("it was given one collection; this is a bug");
    let model = place.embedder.model().manifest.name.clone();
    let progress = Progress::spin(quiet, "comparing every row, then asking");
    let measured = Box::pin(sweep(store, (index, &model), &vectors, &settings)).await;
    progress.finish();
    let measured = measured?;
    if measured.points.is_empty() {
        return Err(Failure::new(
            anyhow!("there is nothing to find in `{name}`: it has too few pictures"),
            "fill it with `ingest`, or look for less with --filter and --where",
        ));
    }
    Ok(measured)
}

/// The vectors of the queries, and the rows that are their own.
async fn vectors(
    place: &mut Opened,
    asker: &Asker,
    known: &[Known],
    quiet: bool,
) -> Result<Vec<Query>, Failure> {
    let mut vectors = Vec::with_capacity(known.len());
    let mut problem = None;
    let mut problems = 0;
    let progress = Progress::new(quiet, "embedding", known.len());
    for chunk in known.chunks(AT_ONCE) {
        let batch = queries::batch(0, chunk).await;
        let embedded = tokio::task::block_in_place(|| place.embedder.embed(&batch.questions));
        let embedded = embedded.map_err(SearchError::from)?;
        for vector in asker.vectors(embedded).await? {
            match vector {
                Ok(vector) => vectors.push(vector),
                Err(error) => {
                    problems += 1;
                    problem.get_or_insert_with(|| crate::entity::chain(&error));
                }
            }
        }
        for failed in batch.queries.into_iter().filter_map(Result::err) {
            problems += 1;
            problem.get_or_insert(failed);
        }
        progress.advance(chunk.len());
    }
    progress.finish();
    match problem {
        Some(problem) if vectors.is_empty() => Err(Failure::new(
            anyhow!(
                "no query can be asked of `{}`: {problem}",
                place.collection.name
            ),
            "ask with what the model knows, or with --sample",
        )),
        Some(problem) => {
            if !quiet {
                tell(&format!(
                    "warning: {problems} queries cannot be asked and are left out, such as: {problem}"
                ));
            }
            Ok(vectors)
        }
        None => Ok(vectors),
    }
}
