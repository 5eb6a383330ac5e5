//! Queries put to one collection, and its answers judged.

use super::metrics::{Judged, by_score};
use super::relevance::{Own, Relevance, Relevant};
use super::{Answer, SHOWN, Shown, System};
use crate::entity::{Hit, ImageId};
use crate::search::{Asker, Content, Embedder, Question, SearchError};
use crate::store::content_key;

/// Further hits that are asked for, in case a query's own picture is stored,
/// some copies of it too: they are no answers.
pub const OWN_COPIES: usize = 4;

/// Queries that go together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Place of the first among all queries.
    pub first: usize,
    /// What is asked.
    pub questions: Vec<Question>,
    /// For each query, its place among the questions, or why it cannot be
    /// asked.
    pub queries: Vec<Result<usize, String>>,
}

/// A collection that is evaluated.
#[derive(Debug)]
pub struct Subject {
    /// Its answers so far.
    pub system: System,
    asker: Asker,
    embedder: Embedder,
    relevant: Relevant,
    depth: usize,
}

impl Subject {
    /// The one collection of `asker`, which asks for `depth` hits and
    /// [`OWN_COPIES`] more.
    pub fn new(asker: Asker, embedder: Embedder, relevant: Relevant, depth: usize) -> Self {
        let collection = asker.places().first().map(|p| p.collection.clone());
        Self {
            system: System {
                collection: collection.unwrap_or_default(),
                model: embedder.model().manifest.name.clone(),
                answers: Vec::new(),
            },
            asker,
            embedder,
            relevant,
            depth,
        }
    }

    /// Asks and judges the next queries; `relevance` has all of them.
    ///
    /// # Errors
    /// The model or the server failed.
    pub async fn ask(&mut self, batch: &Batch, relevance: &[Relevance]) -> Result<(), SearchError> {
        let embedded = tokio::task::block_in_place(|| self.embedder.embed(&batch.questions))?;
        let answers = self.asker.answer(vec![embedded]).await?.answers;
        let mut answers = answers.into_iter();
        for (query, place) in batch.queries.iter().zip(batch.first..) {
            let answered = match query {
                Err(problem) => Err(problem.clone()),
                // The questions stand in the order of the queries.
                Ok(question) => match answers.next() {
                    Some(Ok(answer)) => Ok((answer.hits, &batch.questions[*question])),
                    Some(Err(error)) => Err(crate::entity::chain(&error)),
                    None => Err("it got no answer".to_owned()),
                },
            };
            let answer = match answered {
                Err(problem) => Answer {
                    judged: None,
                    problem: Some(problem),
                    shown: Vec::new(),
                },
                Ok((hits, question)) => self.judge(hits, question, (place, &relevance[place])),
            };
            self.system.answers.push(answer);
        }
        Ok(())
    }

    fn judge(
        &self,
        mut hits: Vec<Hit>,
        question: &Question,
        (place, relevance): (usize, &Relevance),
    ) -> Answer {
        let own = own(question);
        let relevant = self.relevant.of(place, relevance, &own);
        // A picture that somebody calls right is an answer, whatever it is.
        let is_own = |hit: &Hit| {
            own.contents.contains(&content_key(&hit.content_hash))
                && !relevant.contains_key(&hit.id)
        };
        hits.retain(|hit| !is_own(hit));
        let metric = self.asker.places().first().map(|place| place.index.metric);
        let larger_is_nearer = metric.is_none_or(crate::entity::MetricType::larger_is_nearer);
        hits.sort_by(|a, b| by_score((&a.id, a.score), (&b.id, b.score), larger_is_nearer));
        hits.truncate(self.depth);
        let ids: Vec<ImageId> = hits.iter().map(|hit| hit.id.clone()).collect();
        let shown = hits.into_iter().take(SHOWN).map(|hit| Shown {
            grade: relevant.get(&hit.id).copied().unwrap_or_default(),
            id: hit.id,
            path: hit.path,
            score: hit.score,
        });
        Answer {
            shown: shown.collect(),
            problem: None,
            judged: Judged::new(ids, &relevant, self.depth),
        }
    }
}

fn own(question: &Question) -> Own {
    let contents = question
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Image(bytes) => Some(content_key(blake3::hash(bytes).to_hex().as_str())),
            _ => None,
        });
    Own {
        ids: question.stored().cloned().collect(),
        contents: contents.collect(),
    }
}
