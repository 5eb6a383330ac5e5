//! `search evaluate`: how good a search is, by queries whose right answers are
//! known.

use anyhow::anyhow;

use super::failure::{Exit, Failure};
use super::search::RETRY;
use super::search_evaluate_args::{EvaluateArgs, ReportFormat};
use super::search_evaluate_exact as exact;
use super::search_evaluate_files as files;
use super::search_evaluate_progress::Progress;
use super::search_evaluate_queries::{self as queries, AT_ONCE, Known};
use super::search_places::{self as places, Needs, Opened, Wanted};
use super::settings::PlaceArgs;
use super::terminal::{self, tell};
use crate::entity::ImageId;
use crate::evaluate::asking::{OWN_COPIES, Subject};
use crate::evaluate::metrics::Measure;
use crate::evaluate::relevance::{Finder, Notes, Relevance};
use crate::evaluate::{Evaluation, page, report};
use crate::search::Asker;
use crate::store::{MAX_HITS, Scope, Store};

/// Hits of a query that are judged, where none are named.
const DEPTH: usize = 100;

/// Everything that is ready to be evaluated.
pub(super) struct Ready {
    pub(super) store: Store,
    pub(super) opened: Vec<Opened>,
    pub(super) quiet: bool,
}

/// Runs the command.
pub(super) async fn run(
    args: &EvaluateArgs,
    settings: &PlaceArgs,
    quiet: bool,
) -> Result<Exit, Failure> {
    args.check()?;
    let columns = (!args.relevant_by.is_empty()).then_some(&args.relevant_by[..]);
    let columns = if args.exact { Some(&[][..]) } else { columns };
    let known = match &args.queries {
        Some(path) => queries::read(path, columns)?,
        None => Vec::new(),
    };
    let file = settings.file()?;
    let store = Store::connect(&args.milvus.connection(&file, RETRY)?).await?;
    let wanted = Wanted {
        collections: &args.collection,
        model: None,
        templates: &args.template,
        load: args.load,
        quiet,
        places: settings,
    };
    let names = places::choose(&wanted, &file, &store).await?;
    let needs = Needs {
        text: known.iter().any(|(query, _)| query.has_text()),
        image: known.iter().any(|(query, _)| query.has_image()),
    };
    let opened = places::open(&wanted, &file, &store, &names, needs).await?;
    let ready = Ready {
        store,
        opened,
        quiet,
    };
    if args.exact {
        let known = known.into_iter().map(|(query, _)| query).collect();
        return Box::pin(exact::run(args, ready, known)).await;
    }
    let evaluation = Box::pin(evaluate(args, ready, known)).await?;
    write(args, &evaluation)?;
    Ok(if evaluation.not_asked() > 0 {
        Exit::Incomplete
    } else {
        Exit::Done
    })
}

async fn evaluate(
    args: &EvaluateArgs,
    ready: Ready,
    mut known: Vec<(Known, Relevance)>,
) -> Result<Evaluation, Failure> {
    let Ready {
        store,
        opened,
        quiet,
    } = ready;
    if known.is_empty() {
        let first = opened.first().map_or("", |place| &place.collection.name);
        known = queries::stored(sample(&store, first, &args.scope(), args.sample()).await?);
    }
    let (known, relevance): (Vec<Known>, Vec<Relevance>) = known.into_iter().unzip();
    let ks = args.places();
    let largest = ks.last().copied().unwrap_or(1);
    let depth = args.limit(DEPTH.max(largest));
    let mut subjects = Vec::with_capacity(opened.len());
    for place in opened {
        let name = place.collection.name;
        let mut finder = Finder::new(&args.relevant_by, &relevance);
        store
            .described_rows(&name, &args.scope(), |row| finder.take(row))
            .await?;
        let relevant = finder.finish();
        look_at(&relevant.notes, &name, quiet)?;
        let selection = args.selection((depth + OWN_COPIES).min(MAX_HITS));
        let asker = Asker::new(store.clone(), std::slice::from_ref(&name), selection).await?;
        subjects.push(Subject::new(asker, place.embedder, relevant, depth));
    }
    let progress = Progress::new(quiet, "asking", known.len());
    for (chunk, place) in known.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
        let batch = queries::batch(place, chunk).await;
        for subject in &mut subjects {
            subject.ask(&batch, &relevance).await?;
        }
        progress.advance(chunk.len());
    }
    progress.finish();
    let asked = known.into_iter().map(|query| query.asked).collect();
    let systems = subjects.into_iter().map(|subject| subject.system).collect();
    let evaluation = Evaluation::new(asked, systems, Measure::at(&ks), depth);
    judge_of(&evaluation, quiet)?;
    Ok(evaluation)
}

/// Stored pictures, drawn evenly: those of the least keys, which are hashes.
pub(super) async fn sample(
    store: &Store,
    collection: &str,
    scope: &Scope,
    count: usize,
) -> Result<Vec<(ImageId, String)>, Failure> {
    let mut drawn = std::collections::BTreeMap::new();
    store
        .described_rows(collection, scope, |row| {
            drawn.insert((row.id.key(), row.id), row.path);
            if drawn.len() > count {
                drawn.pop_last();
            }
        })
        .await?;
    if drawn.is_empty() {
        return Err(Failure::new(
            anyhow!("there are no pictures to ask with in `{collection}`"),
            "fill it with `ingest`, or look for less with --filter and --where",
        ));
    }
    Ok(drawn
        .into_iter()
        .map(|((_, id), path)| (id, path))
        .collect())
}

/// Ends a run that cannot be judged by anything, and says what is odd.
fn look_at(notes: &Notes, collection: &str, quiet: bool) -> Result<(), Failure> {
    if let Some(column) = notes.absent.first() {
        let known: Vec<&str> = notes.attributes.iter().map(String::as_str).collect();
        let hint = match known.len() {
            0 => "give the pictures attributes: `ingest --names TABLE`".to_owned(),
            _ => format!("name some of {}", known.join(", ")),
        };
        return Err(Failure::new(
            anyhow!("no picture in `{collection}` has the attribute `{column}`"),
            &hint,
        ));
    }
    if quiet {
        return Ok(());
    }
    let say = |names: &[String], what: &str| {
        if let Some(first) = names.first() {
            let count = names.len();
            tell(&format!(
                "warning: {count} of the right answers {what} in `{collection}`, such as {first}"
            ));
        }
    };
    say(&notes.unknown, "are not stored, and count as not found");
    say(
        &notes.ambiguous,
        "name several pictures, all of which count",
    );
    Ok(())
}

/// Ends a run in which no query counts.
fn judge_of(evaluation: &Evaluation, quiet: bool) -> Result<(), Failure> {
    let mut problems = evaluation
        .systems
        .iter()
        .flat_map(|system| system.answers.iter().filter_map(|a| a.problem.as_deref()));
    let first = problems.next();
    if evaluation.summary.counted > 0 {
        if let Some(first) = first.filter(|_| !quiet) {
            let count = evaluation.not_asked();
            tell(&format!(
                "warning: {count} queries could not be asked of every collection, such as: {first}"
            ));
        }
        return Ok(());
    }
    Err(match first {
        Some(first) => Failure::new(
            anyhow!("no query could be asked of every collection: {first}"),
            "ask with what all the models know, or evaluate the collections one by one",
        ),
        None => Failure::new(
            anyhow!("nothing in the collection is relevant to any query"),
            "right answers are ids, paths as `search` shows them, or ends of paths; values of attributes must be equal to the letter",
        ),
    })
}

fn write(args: &EvaluateArgs, evaluation: &Evaluation) -> Result<(), Failure> {
    if let Some(path) = &args.per_query {
        files::write(path, |out| report::write_queries(evaluation, out))?;
    }
    if let Some(path) = &args.html {
        let mut pictures = files::Pictures::default();
        files::write(path, |out| {
            page::write_page(evaluation, &mut |path| pictures.get(path), out)
        })?;
    }
    terminal::print(|out| match args.format {
        ReportFormat::Table => report::write_table(evaluation, out),
        ReportFormat::Json => report::write_json(evaluation, out),
    })
}
