//! One question: asked, and its answer shown.

use std::collections::HashMap;
use std::time::Duration;

use super::failure::Failure;
use super::search::{Places, SearchArgs};
use super::search_output::{self as output, PictureSource, QueryPicture};
use crate::entity::ImageId;
use crate::render::{
    AnswerView, CollectionView, ExplainView, PartKind, QueryView, ScoreKind, SearchView, StepView,
};
use crate::search::{
    Answer, Answers, Asker, Clock, Content, Each, Embedded, How, Question, SearchError,
};

/// What came of a question.
pub(super) struct Found {
    pub(super) answer: Answer,
    /// Pictures of the question.
    pictures: Vec<QueryPicture>,
    how: Vec<How>,
    clock: Clock,
}

/// Embeds questions by the model of each collection, off the runtime's threads.
pub(super) fn embed(
    opened: &mut Places,
    questions: &[Question],
) -> Result<Vec<Each<Embedded>>, SearchError> {
    let each = opened
        .iter_mut()
        .map(|place| place.embedder.embed(questions));
    Ok(each.collect::<Result<_, _>>()?)
}

/// Asks one question.
pub(super) async fn one(
    opened: &mut Places,
    asker: &Asker,
    question: Question,
) -> Result<Found, Failure> {
    let questions = [question];
    let embedded = tokio::task::block_in_place(|| embed(opened, &questions))?;
    let Answers {
        answers,
        how,
        clock,
    } = asker.answer(embedded).await?;
    let answer = answers.into_iter().next();
    let answer = answer.expect("one answer a question; this is a bug")?;
    let parts = questions.into_iter().flat_map(|question| question.parts);
    let pictures = parts.enumerate().filter_map(|(part, of_question)| {
        let Content::Image(bytes) = of_question.content else {
            return None;
        };
        let source = PictureSource::Bytes(bytes);
        Some(QueryPicture { part, source })
    });
    Ok(Found {
        answer,
        pictures: pictures.collect(),
        how,
        clock,
    })
}

/// Shows the answer in the form that was asked for.
pub(super) async fn show(
    args: &SearchArgs,
    opened: &Places,
    asker: &Asker,
    mut found: Found,
    mut clock: Clock,
) -> Result<(), Failure> {
    let query = QueryView {
        parts: args
            .parts
            .parts
            .iter()
            .map(super::search_question::PartArg::view)
            .collect(),
        ..query_view(asker)
    };
    let collections = collections(opened, asker, &found.answer);
    for place in opened {
        clock.merge(&place.embedder.clock);
    }
    clock.merge(&found.clock);
    let explain = args.output.explain().then(|| ExplainView {
        steps: clock.steps().iter().map(step).collect(),
        searches: searches(asker, &found.how),
    });
    stored_pictures(args, asker, &query, &mut found.pictures).await?;
    let view = AnswerView {
        query: &query,
        collections: &collections,
        score: score_kind(asker),
        hits: &found.answer.hits,
        explain: explain.as_ref(),
    };
    output::show(&view, &found.pictures, &args.output, args.common.quiet)
}

/// Adds the pictures of the question's stored parts, where they are to be seen.
async fn stored_pictures(
    args: &SearchArgs,
    asker: &Asker,
    query: &QueryView,
    pictures: &mut Vec<QueryPicture>,
) -> Result<(), Failure> {
    let parts = query.parts.iter().enumerate();
    let stored = parts.filter(|(_, part)| part.kind == PartKind::Id);
    let stored: Vec<(usize, ImageId)> = stored
        .map(|(place, part)| (place, ImageId::from_stored(part.value.clone())))
        .collect();
    if !args.output.shows_query() || stored.is_empty() {
        return Ok(());
    }
    let ids: Vec<ImageId> = stored.iter().map(|(_, id)| id.clone()).collect();
    let paths: HashMap<ImageId, String> = asker.paths(&ids).await?.into_iter().collect();
    pictures.extend(stored.into_iter().filter_map(|(part, id)| {
        let source = PictureSource::File(paths.get(&id)?.into());
        Some(QueryPicture { part, source })
    }));
    Ok(())
}

/// The question without its parts.
pub(super) fn query_view(asker: &Asker) -> QueryView {
    let selection = asker.selection();
    let filter = Some(selection.scope.filter.clone());
    QueryView {
        parts: Vec::new(),
        limit: selection.limit,
        offset: selection.offset,
        filter: filter.filter(|filter| !filter.is_empty()),
    }
}

/// The collections, and why some were left out.
pub(super) fn collections(opened: &Places, asker: &Asker, answer: &Answer) -> Vec<CollectionView> {
    let view = |(place, opened): (&crate::search::Place, &super::search_places::Opened)| {
        let mut left_out = answer.left_out.iter();
        let left_out = left_out.find(|(name, _)| *name == place.collection);
        CollectionView {
            name: place.collection.clone(),
            model: opened.embedder.model().manifest.name.clone(),
            metric: left_out.is_none().then_some(place.index.metric),
            left_out: left_out.map(|(_, why)| why.to_string()),
        }
    };
    asker.places().iter().zip(opened).map(view).collect()
}

pub(super) fn score_kind(asker: &Asker) -> ScoreKind {
    match asker.places() {
        [only] => ScoreKind::Metric(only.index.metric),
        _ => ScoreKind::Fused,
    }
}

fn step((step, spent): &(&'static str, Duration)) -> StepView {
    StepView {
        step: (*step).to_owned(),
        milliseconds: spent.as_secs_f64() * 1e3,
    }
}

fn searches(asker: &Asker, how: &[How]) -> Vec<SearchView> {
    let consistency = asker.selection().tuning.consistency.as_str();
    let each = asker.places().iter().zip(how);
    each.map(|(place, how)| SearchView {
        collection: place.collection.clone(),
        index: place.index.kind.clone(),
        parameters: how.parameters.clone(),
        consistency: consistency.to_owned(),
        exact: how.exact,
        requests: how.requests,
    })
    .collect()
}
