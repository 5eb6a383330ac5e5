//! Many questions from a file, answered in order, one JSON object a line.

use std::io::Write;

use serde::Serialize;
use tokio::sync::mpsc;

use super::failure::{Exit, Failure};
use super::search::{Places, SearchArgs, warn_of_cut_texts};
use super::search_answer::embed;
use super::search_question::{self as parts, PartArg};
use super::terminal::{self, tell};
use crate::catalog::{BadQuestion, Queries, QueriesError};
use crate::entity::{Attributes, Hit};
use crate::render::{CollectionView, PartView};
use crate::search::{Asker, Each, Embedded, Question, SearchError};

/// Questions that are embedded and asked together: enough to fill a batch of
/// texts and to share a request, few enough that answers flow.
const AT_ONCE: usize = 64;

/// A question of the file, and what became of it so far.
struct Line {
    number: u64,
    parts: Vec<PartArg>,
    fields: Attributes,
    /// Why it is not asked.
    problem: Option<String>,
}

/// Questions with their vectors, for each collection.
struct Chunk {
    lines: Vec<Line>,
    embedded: Vec<Each<Embedded>>,
}

/// One line of the answer.
#[derive(Serialize)]
struct Written<'a> {
    line: u64,
    query: QueryLine<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hits: Option<&'a [Hit]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<CollectionView>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct QueryLine<'a> {
    parts: Vec<PartView>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    fields: &'a Attributes,
}

/// Answers all questions. The next ones are embedded while the last ones are
/// asked; memory does not grow with the file.
pub(super) async fn run(
    args: &SearchArgs,
    mut opened: Places,
    asker: &Asker,
) -> Result<Exit, Failure> {
    let path = args.queries.clone().unwrap_or_default();
    let queries = Queries::open(&path)?;
    let views: Vec<CollectionView> = opened
        .iter()
        .map(|place| CollectionView {
            name: place.collection.name.clone(),
            model: place.embedder.model().manifest.name.clone(),
            metric: None,
            left_out: None,
        })
        .collect();
    let (chunks, mut ready) = mpsc::channel(1);
    let runtime = tokio::runtime::Handle::current();
    let embedding = std::thread::Builder::new()
        .name("embed".to_owned())
        .spawn(move || embed_all(queries, &mut opened, &chunks, &runtime))
        .expect("the system refuses a thread; nothing can be done");
    let mut problems = 0u64;
    let mut warned = false;
    while let Some(chunk) = ready.recv().await {
        let Chunk { lines, embedded } = chunk?;
        let answers = asker.answer(embedded).await?.answers;
        let mut answers = answers.into_iter();
        for line in lines {
            let answered = match line.problem {
                Some(problem) => Err(problem),
                None => answers
                    .next()
                    .expect("one answer a question; this is a bug")
                    .map_err(|error| crate::entity::chain(&error)),
            };
            problems += u64::from(answered.is_err());
            let truncated = answered.as_ref().is_ok_and(|answer| answer.truncated);
            if truncated && !warned {
                warn_of_cut_texts(args, true);
                warned = true;
            }
            write(&line.parts, line.number, &line.fields, &views, answered)?;
        }
    }
    embedding
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    if problems == 0 {
        return Ok(Exit::Done);
    }
    if !args.common.quiet {
        tell(&format!(
            "{problems} of the questions could not be answered: see `error` in their lines"
        ));
    }
    Ok(Exit::Incomplete)
}

fn write(
    parts: &[PartArg],
    line: u64,
    fields: &Attributes,
    views: &[CollectionView],
    answered: Result<crate::search::Answer, String>,
) -> Result<(), Failure> {
    let (answer, error) = match answered {
        Ok(answer) => (Some(answer), None),
        Err(error) => (None, Some(error)),
    };
    let left_out = answer.iter().flat_map(|answer| &answer.left_out);
    let left_out = left_out.filter_map(|(name, why)| {
        let view = views.iter().find(|view| view.name == *name)?;
        Some(CollectionView {
            left_out: Some(why.to_string()),
            ..view.clone()
        })
    });
    let written = Written {
        line,
        query: QueryLine {
            parts: parts.iter().map(PartArg::view).collect(),
            fields,
        },
        hits: answer.as_ref().map(|answer| &answer.hits[..]),
        left_out: left_out.collect(),
        truncated: answer.as_ref().is_some_and(|answer| answer.truncated),
        error,
    };
    terminal::print(|out| {
        serde_json::to_writer(&mut *out, &written)?;
        out.write_all(b"\n")
    })
}

/// Reads and embeds questions until the file ends, something breaks, or nobody
/// waits for the answers any more.
fn embed_all(
    queries: Queries,
    opened: &mut Places,
    chunks: &mpsc::Sender<Result<Chunk, Failure>>,
    runtime: &tokio::runtime::Handle,
) {
    let folder = queries.folder().to_owned();
    let mut queries = queries.fuse();
    loop {
        let read: Result<Vec<_>, QueriesError> = queries.by_ref().take(AT_ONCE).collect();
        let (read, fault) = match read {
            Ok(read) if read.is_empty() => return,
            Ok(read) => (read, None),
            Err(error) => (Vec::new(), Some(Failure::from(error))),
        };
        let chunk = match fault {
            Some(fault) => Err(fault),
            None => embed_chunk(read, &folder, opened, runtime).map_err(Failure::from),
        };
        let over = chunk.is_err();
        if chunks.blocking_send(chunk).is_err() || over {
            return;
        }
    }
}

fn embed_chunk(
    read: Vec<Result<crate::catalog::Asked, BadQuestion>>,
    folder: &std::path::Path,
    opened: &mut Places,
    runtime: &tokio::runtime::Handle,
) -> Result<Chunk, SearchError> {
    let mut questions: Vec<Question> = Vec::new();
    let lines = read.into_iter().map(|asked| {
        let asked = match asked {
            Ok(asked) => asked,
            Err(bad) => {
                return Line {
                    number: bad.line,
                    parts: Vec::new(),
                    fields: Attributes::new(),
                    problem: Some(bad.reason),
                };
            }
        };
        let parts = parts::parts_of(&asked, folder);
        let problem = match runtime.block_on(parts::question(&parts)) {
            Ok(question) => {
                questions.push(question);
                None
            }
            Err(failure) => Some(failure.into_parts().0),
        };
        Line {
            number: asked.line,
            parts,
            fields: asked.fields,
            problem,
        }
    });
    let lines = lines.collect();
    Ok(Chunk {
        embedded: embed(opened, &questions)?,
        lines,
    })
}
